"""Speech to words: features of the samples, and a classifier or a CTC model over them."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from experiments.common.speech_data import Recording
from experiments.common.speech_tasks import TASKS
from experiments.common.utterances import in_parts
from rnn_jax.checks import check_choice
from rnn_jax.data.augment import mask_features
from rnn_jax.data.features import LogMel
from rnn_jax.losses import token_cross_entropy
from rnn_jax.models.classifier import POOLINGS, Classifier
from rnn_jax.models.config import SequenceConfig, build_matched
from rnn_jax.models.ctc import CTCModel, ctc_loss
from rnn_jax.nnx import Fixed
from rnn_jax.typing import Array, Params


class SpeechModel(nnx.Module):
    """Features, standardised, to a model over them.

    Args:
        head: a `Classifier` (one word) or a `CTCModel` (any number of words), over `frontend.size` features.
        frontend: from samples to features; None where the inputs are features.
        mean: of each feature over the training part, `[D]`.
        std: its standard deviation.
        masks: the widest strip of bands and of steps that training hides, see `mask_features`.
        noise: standard deviation of what training adds to standardised features.
    """

    def __init__(
        self,
        head: Classifier | CTCModel,
        frontend: LogMel | None,
        mean: Array,
        std: Array,
        *,
        masks: tuple[int, int] = (0, 0),
        noise: float = 0.0,
    ):
        self.head, self.frontend, self.masks, self.noise = head, frontend, masks, noise
        self.mean, self.std = Fixed(jnp.asarray(mean, jnp.float32)), Fixed(jnp.asarray(std, jnp.float32))

    def __call__(self, inputs: Array, lengths: Array, *, key: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
        """Score recordings.

        Args:
            inputs: samples `[S, B]`, or features `[T, B, D]` where there is no frontend.
            lengths: int `[B]`, valid samples or steps; at least one step's.
            key: a typed key: training, with masks, noise and dropout.

        Returns:
            The head's logits, and how many steps each row has, int `[B]`.
        """
        xs, steps = jnp.asarray(inputs), jnp.asarray(lengths)
        if self.frontend is not None:
            xs, steps = self.frontend(xs), self.frontend.steps(steps)
        xs = self.standardised(xs)
        if key is not None:
            mask_key, noise_key, key = jax.random.split(key, 3)
            stack = 1 if self.frontend is None else self.frontend.stack
            xs = mask_features(mask_key, xs, steps, bands=self.masks[0], steps=self.masks[1], stack=stack)
            xs = xs + self.noise * jax.random.normal(noise_key, xs.shape)
        return self.head(xs, steps, key=key), steps

    def standardised(self, xs: jax.Array) -> jax.Array:
        """Features `[T, B, D]` with mean 0 and deviation 1 over the training part."""
        return (xs - self.mean[...][None, None]) / self.std[...][None, None]

    def loss(self, batch: dict[str, Array], key: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
        """Summed nats of a batch's labels and their number; the batch as in `rnn_jax.data.Utterances`."""
        logits, steps = self(batch["inputs"], batch["lengths"], key=key)
        labels, counts = jnp.asarray(batch["labels"]), jnp.asarray(batch["counts"])
        if isinstance(self.head, Classifier):
            return token_cross_entropy(logits, labels[:, 0] - 1)
        return ctc_loss(logits, steps, labels, counts)


@dataclasses.dataclass(frozen=True, kw_only=True)
class SpeechSettings(SequenceConfig):
    """A model of speech: features, recurrent layers or a transformer over them, and one word or, by CTC, several.

    Raises:
        ValueError: a value is out of range.
    """

    task: str = "digits"
    """digits (one word), strings (several) or vowels (series in place of sound)."""
    pooling: str = "mean"
    """What a single word is told by: last, max, mean or attention over the steps."""
    noise: float = 0.1
    """Deviation of what is added to standardised features in training."""
    masked_bands: int = 8
    """The most neighbouring features of a frame that training hides."""
    masked_steps: int = 4
    """The most steps in a row that training hides."""

    def __post_init__(self):
        check_choice("task", self.task, TASKS)
        check_choice("pooling", self.pooling, POOLINGS)
        for name in ("noise", "masked_bands", "masked_steps"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name}={getattr(self, name)}: expected a number of at least 0")
        super().__post_init__()

    @property
    def frontend(self) -> LogMel | None:
        """From samples to features; None for series, which are features."""
        return None if self.task == "vowels" else LogMel()

    def build_speech(self, facts: dict[str, Any], key: jax.Array) -> SpeechModel:
        """The model for what is known of the training part (see `speech_facts`), its initial values by a typed key."""
        mean, std, classes = np.array(facts["mean"]), np.array(facts["std"]), len(facts["words"])

        def build(settings: SpeechSettings) -> SpeechModel:
            rngs = nnx.Rngs(params=key)
            layer = settings.layer(len(mean), rngs)
            shared: Any = {"dropout_rate": settings.dropout, "dtype": jnp.dtype(settings.dtype), "rngs": rngs}
            if settings.task == "strings":
                head = CTCModel(layer, classes, **shared)
            else:
                head = Classifier(layer, classes, pooling=settings.pooling, **shared)
            masks = (settings.masked_bands, settings.masked_steps)
            return SpeechModel(head, settings.frontend, mean, std, masks=masks, noise=settings.noise)

        return build_matched(self, build)


def speech_facts(recordings: Sequence[Recording], frontend: LogMel | None) -> dict[str, Any]:
    """What a model has to know of its training part, as a run keeps it: words, mean and deviation of each feature."""
    steps = (xs[valid] for xs, valid in recording_features(recordings, frontend))
    sums = [np.stack([np.full(xs.shape[1], len(xs)), xs.sum(axis=0), (xs**2).sum(axis=0)]) for xs in steps]
    count, total, squares = np.sum(sums, axis=0)
    mean = total / count
    std = np.sqrt(squares / count - mean**2 + 1e-8)
    words = sorted({word for recording in recordings for word in recording.words})
    return {"words": words, "mean": mean.tolist(), "std": std.tolist()}


def recording_features(
    recordings: Sequence[Recording], frontend: LogMel | None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Features float64 `[T, B, D]` of recordings in batches, and which steps are valid, bool `[T, B]`."""
    extract = jax.jit(frontend) if frontend else np.asarray
    for batch in in_parts([Recording(r.waves, ()) for r in recordings], ()):
        xs = np.asarray(extract(batch["inputs"]), np.float64)
        steps = frontend.steps(batch["lengths"]) if frontend else batch["lengths"]
        yield xs, np.arange(len(xs))[:, None] < steps


def make_speech_score(
    rebuild: Callable[[Params], SpeechModel], recordings: Sequence[Recording], words: Sequence[str]
) -> Callable[[Params], float]:
    """A function from parameters to the mean nats per word of recordings, compiled once."""
    batches = list(in_parts(recordings, words))
    loss = jax.jit(lambda params, batch: rebuild(params).loss(batch))

    def score(params: Params) -> float:
        sums = [loss(params, batch) for batch in batches]
        return float(sum(nats for nats, _ in sums)) / float(sum(count for _, count in sums))

    return score
