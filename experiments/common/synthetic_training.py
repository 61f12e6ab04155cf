"""Training and scoring of models that predict at every step, and their predictions in words."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.common.sequence_labeler import Labelers, SequenceLabeler
from experiments.common.synthetic import Sample, SampleStream, batch_indices
from rnn_jax.losses import token_cross_entropy
from rnn_jax.nnx import functional
from rnn_jax.typing import Params

TOLERANCE = 0.04
"""How near a number has to be to be correct; Hochreiter & Schmidhuber 1997, section 5.4."""


class StepScores(NamedTuple):
    """Sums over sequences, each `[T]`: the loss, how many predictions are correct, how many count."""

    loss: Any
    """Nats, or squared errors."""
    correct: Any
    count: Any

    def mean(self, begin: int = 0) -> tuple[float, float]:
        """From step `begin` on, the loss of a prediction, and the accuracy in %: the mean over the steps that count."""
        loss, correct, count = (np.asarray(values, np.float64)[begin:] for values in self)
        return float(loss.sum() / count.sum()), float(100 * (correct[count > 0] / count[count > 0]).mean())

    def accuracies(self) -> dict[int, float]:
        """Length of the sequence so far -> accuracy in %, for the steps that count."""
        return {t + 1: float(100 * c / n) for t, (_, c, n) in enumerate(zip(*self, strict=True)) if n > 0}


def step_scores(logits: jax.Array, sample: Sample, smoothing: float = 0.0) -> StepScores:
    """The scores of logits `[T, B, C]` for a sample; with targets that are numbers, C is 1.

    `smoothing` is a share of a class's probability that all share evenly, see `token_cross_entropy`.
    """
    weights = sample.mask.astype(jnp.float32)
    if jnp.issubdtype(sample.targets.dtype, jnp.floating):
        errors = logits[..., 0] - sample.targets
        losses, correct = errors**2 * weights, jnp.abs(errors) < TOLERANCE
    else:
        rows = jax.vmap(lambda *row: token_cross_entropy(*(part[None] for part in row), smoothing=smoothing)[0])
        losses, correct = jax.vmap(rows)(logits, sample.targets, weights), logits.argmax(-1) == sample.targets
    return StepScores(losses.sum(1), (correct & sample.mask).astype(jnp.float32).sum(1), weights.sum(1))


def make_loss(
    rebuild: Labelers, streams: Callable[[jax.Array], Mapping[str, SampleStream]], smoothing: float = 0.0
) -> Callable[..., Any]:
    """The loss of models side by side, each with a task of its own: the sum of their losses, and each by its name.

    It takes parameters by the names of the tasks and batches as `index_batch` has them, and draws their sequences
    itself, by what `streams` makes of their key; `smoothing` is that of `step_scores`.
    """

    def loss(params: Params, carry: Any, batch: Any, key: jax.Array) -> tuple[jax.Array, Any]:
        models, means = rebuild(params), {}
        for i, (name, stream) in enumerate(streams(jax.random.wrap_key_data(batch["key"])).items()):
            sample = stream(batch["indices"])
            scores = step_scores(models[name](sample.inputs, key=jax.random.fold_in(key, i)), sample, smoothing)
            means[name] = scores.loss.sum() / jnp.maximum(scores.count.sum(), 1)  # a curriculum may leave none
        return jnp.stack(list(means.values())).sum(), (carry, means if len(means) > 1 else {})

    return loss


def make_scores(
    rebuild: Labelers, streams: Mapping[str, SampleStream], count: int
) -> Callable[[Params], dict[str, StepScores]]:
    """A function from parameters to the scores, on the first `count` sequences, or a few more, of each stream."""
    longest = max(max(stream.lengths) for stream in streams.values())
    rows = min(64, count, max(1, 2**24 // longest**2))  # few of long ones, for attention takes the square

    @jax.jit
    def score(params: Params, indices: jax.Array) -> dict[str, StepScores]:
        models, samples = rebuild(params), {name: stream(indices) for name, stream in streams.items()}
        return {name: step_scores(models[name](sample.inputs), sample) for name, sample in samples.items()}

    def scores(params: Params) -> dict[str, StepScores]:
        parts = [jax.device_get(score(params, batch_indices(i, rows))) for i in range(-(-count // rows))]
        return jax.tree.map(lambda *part: np.sum(part, axis=0), *parts)

    return scores


def predict(model: SequenceLabeler, inputs: np.ndarray) -> np.ndarray:
    """What a model predicts after each step of one sequence `[T]` or `[T, D]`: float32 `[T, C]`.

    These are probabilities of classes; with C = 1, numbers.
    """
    params, rebuild = functional(model)
    logits = np.asarray(jax.jit(lambda params, inputs: rebuild(params)(inputs[:, None])[:, 0])(params, inputs))
    return logits if logits.shape[1] == 1 else np.asarray(jax.nn.softmax(logits))


def describe_predictions(predictions: np.ndarray, inputs: np.ndarray, targets: Any, mask: Any) -> str:
    """Inputs, targets and predictions in lines; of a long sequence, its beginning and end."""
    if predictions.shape[1] == 1:
        marked = " + ".join(f"{value:.3f}" for value, mark in inputs[:, :2] if mark > 0.5)
        return f"  marked {marked or 'nothing'}: answer {predictions[-1, 0]:.3f}, right {targets[-1]:.3f}"
    lines = []
    for name, values in {"input": inputs, "right": targets, "answer": predictions.argmax(-1)}.items():
        words = [str(v) if name == "input" or mask[t] else "." for t, v in enumerate(values)]
        words = words if len(words) <= 40 else [*words[:19], "...", *words[-19:]]
        lines.append(f"  {name:7s}" + " ".join(f"{word:>3}" for word in words))
    return "\n".join(lines)


def describe_examples(
    models: Mapping[str, SequenceLabeler], streams: Mapping[str, SampleStream], which: Sequence[int] = (0, 1)
) -> str:
    """Some sequences of each task, with their targets and what the models predict."""
    lines = []
    for name, stream in streams.items():
        sample = jax.device_get(jax.jit(stream)(np.array(which, np.int32)))
        for row in range(len(which)):
            inputs, targets, mask = (values[:, row] for values in sample)
            lines += [name, describe_predictions(predict(models[name], inputs), inputs, targets, mask)]
    return "\n".join(lines) + "\n"
