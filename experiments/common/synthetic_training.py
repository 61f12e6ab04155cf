"""Training and scoring of models that answer at every step, and their answers in words."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.common.sequence_labeler import Networks, StepModel
from experiments.common.synthetic import Generated, numbers
from experiments.memory.data import Sample
from rnn_jax.losses import token_cross_entropy
from rnn_jax.nnx import functional
from rnn_jax.typing import Params

NEAR = 0.04
"""How near a number has to be to count as right; Hochreiter & Schmidhuber 1997, section 5.4."""


class StepScores(NamedTuple):
    """Sums over sequences, each `[T]`: what answers cost, how many are right, how many count."""

    loss: Any
    """Nats, or squared errors."""
    right: Any
    count: Any

    def mean(self, begin: int = 0) -> tuple[float, float]:
        """From step `begin` on, the loss of an answer, and the accuracy in %: the mean over the steps that count."""
        loss, right, count = (np.asarray(values, np.float64)[begin:] for values in self)
        return float(loss.sum() / count.sum()), float(100 * (right[count > 0] / count[count > 0]).mean())

    def accuracies(self) -> dict[int, float]:
        """Length of the sequence so far -> accuracy in %, for the steps that count."""
        return {t + 1: float(100 * r / n) for t, (_, r, n) in enumerate(zip(*self, strict=True)) if n > 0}


def step_scores(answers: jax.Array, sample: Sample) -> StepScores:
    """How good answers `[T, B, C]` to a sample are; with targets that are numbers, C is 1."""
    counted = sample.counted.astype(jnp.float32)
    if jnp.issubdtype(sample.targets.dtype, jnp.floating):
        errors = answers[..., 0] - sample.targets
        losses, right = errors**2 * counted, jnp.abs(errors) < NEAR
    else:
        rows = jax.vmap(lambda *row: token_cross_entropy(*(part[None] for part in row))[0])
        losses, right = jax.vmap(rows)(answers, sample.targets, counted), answers.argmax(-1) == sample.targets
    return StepScores(losses.sum(1), (right & sample.counted).astype(jnp.float32).sum(1), counted.sum(1))


def make_loss(rebuild: Networks, streams: Callable[[jax.Array], Mapping[str, Generated]]) -> Callable[..., Any]:
    """The loss of models side by side, each with a task of its own: the sum of their losses, and each by its name.

    It takes parameters by the names of the tasks and batches as `numbered` has them, and draws their sequences itself,
    by what `streams` makes of their key.
    """

    def loss(params: Params, carry: Any, batch: Any, key: jax.Array) -> tuple[jax.Array, Any]:
        means = {}
        for i, (name, stream) in enumerate(streams(jax.random.wrap_key_data(batch["key"])).items()):
            sample = stream(batch["numbers"])
            answers = rebuild[name](params[name])(sample.inputs, key=jax.random.fold_in(key, i))
            scores = step_scores(answers, sample)
            means[name] = scores.loss.sum() / jnp.maximum(scores.count.sum(), 1)  # a curriculum may leave none
        return jnp.stack(list(means.values())).sum(), (carry, means if len(means) > 1 else {})

    return loss


def make_scores(
    rebuild: Networks, streams: Mapping[str, Generated], count: int
) -> Callable[[Params], dict[str, StepScores]]:
    """A function from parameters to the scores, on the first `count` sequences, or a few more, of each stream."""
    longest = max(max(stream.lengths) for stream in streams.values())
    rows = min(64, count, max(1, 2**24 // longest**2))  # few of long ones, for attention takes the square

    @jax.jit
    def score(params: Params, numbers: jax.Array) -> dict[str, StepScores]:
        samples = {name: stream(numbers) for name, stream in streams.items()}
        return {name: step_scores(rebuild[name](params[name])(s.inputs), s) for name, s in samples.items()}

    def scores(params: Params) -> dict[str, StepScores]:
        parts = [jax.device_get(score(params, numbers(i, rows))) for i in range(-(-count // rows))]
        return jax.tree.map(lambda *part: np.sum(part, axis=0), *parts)

    return scores


def length_table(scores: Mapping[str, StepScores], trained: int, commonest: Mapping[str, float] | None = None) -> str:
    """Accuracies in lines: within the lengths of training, beyond them, at the last one, and of the commonest answer.

    Args:
        scores: by the names of the tasks.
        trained: the greatest length in training.
        commonest: the accuracies of the commonest answer beyond, in %.
    """
    longest = max(max(s.accuracies()) for s in scores.values())
    lines = [
        f"accuracy, %            to {trained:4d}  {trained + 1:4d} to {longest:4d}    at the end  commonest answer"
    ]
    for name, s in scores.items():
        curve = s.accuracies()
        within = [a for length, a in curve.items() if length <= trained]
        known = [np.mean(within) if within else np.nan, s.mean(trained)[1], curve[max(curve)]]
        known += [commonest[name]] if commonest else []
        lines.append(
            f"{name:20s}"
            + "".join(f"{value:{width}.2f}" for value, width in zip(known, (10, 14, 14, 18), strict=False))
        )
    return "\n".join(lines)


def commonest(stream: Generated, count: int, begin: int = 0) -> float:
    """The accuracy in % of always giving the commonest answer, in the steps from `begin` on."""
    sample = jax.device_get(jax.jit(stream)(numbers(0, count)))
    targets = sample.targets[begin:][sample.counted[begin:]]
    return float(100 * np.bincount(targets).max() / len(targets))


def answers(model: StepModel, inputs: np.ndarray) -> np.ndarray:
    """What a model answers after each step of one sequence `[T]` or `[T, D]`: float32 `[T, C]`.

    These are probabilities of classes; with C = 1, numbers.
    """
    params, rebuild = functional(model)
    scores = np.asarray(jax.jit(lambda params, inputs: rebuild(params)(inputs[:, None])[:, 0])(params, inputs))
    return scores if scores.shape[1] == 1 else np.asarray(jax.nn.softmax(scores))


def describe_answers(given: np.ndarray, inputs: np.ndarray, targets: Any = None, counted: Any = None) -> str:
    """Inputs, right answers where they are known, and answers in lines; of a long sequence, its beginning and end."""
    if given.shape[1] == 1:
        right = "" if targets is None else f", right {targets[-1]:.3f}"
        marked = " + ".join(f"{value:.3f}" for value, mark in inputs[:, :2] if mark > 0.5)
        return f"  marked {marked or 'nothing'}: answer {given[-1, 0]:.3f}{right}"
    rows = {"input": list(inputs)} | ({} if targets is None else {"right": list(targets)})
    rows["answer"] = list(given.argmax(-1))
    if targets is None:
        rows["p"] = [f"{p:.2f}" for p in given.max(-1)]
    lines = []
    for name, values in rows.items():
        words = [str(v) if name == "input" or counted is None or counted[t] else "." for t, v in enumerate(values)]
        words = words if len(words) <= 40 else [*words[:19], "...", *words[-19:]]
        lines.append(f"  {name:7s}" + " ".join(f"{word:>{4 if targets is None else 3}}" for word in words))
    return "\n".join(lines)


def examples(rebuild: Networks, params: Params, streams: Mapping[str, Generated], which: Sequence[int] = (0, 1)) -> str:
    """Some sequences of each task, with what is right and what the models answer."""
    lines = []
    for name, stream in streams.items():
        sample = jax.device_get(jax.jit(stream)(np.array(which, np.int32)))
        for row in range(len(which)):
            inputs, targets, counted = (values[:, row] for values in sample)
            given = answers(rebuild[name](params[name]), inputs)
            lines += [name, describe_answers(given, inputs, targets, counted)]
    return "\n".join(lines) + "\n"
