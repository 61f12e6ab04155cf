"""Speech or handwriting to words: features, standardised, and over them a classifier or a CTC model."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from experiments.common.ensemble import Ensemble, EnsembleConfig, loss_of_each, mean_probabilities
from experiments.common.recordings import Recording, in_order
from rnn_jax.checks import check_choice, check_number
from rnn_jax.data.augment import mask_features
from rnn_jax.data.features import LogMel
from rnn_jax.losses import token_cross_entropy
from rnn_jax.models.classifier import POOLINGS, Classifier
from rnn_jax.models.config import SequenceConfig, build_matched
from rnn_jax.models.ctc import CTCModel, ctc_loss
from rnn_jax.nnx import Fixed
from rnn_jax.typing import Array, Params


class Recogniser(nnx.Module):
    """Features, standardised, to a model over them.

    Args:
        head: a `Classifier` or an `Ensemble` of such (one word) or a `CTCModel` (any number of words), over
            `frontend.size` features.
        frontend: from samples to features; None where the inputs are features.
        mean: of each feature over the training part, `[D]`.
        std: its standard deviation.
        masks: the widest strip of bands and of steps that training hides, see `mask_features`.
        noise: standard deviation of what training adds to standardised features.
    """

    def __init__(
        self,
        head: Classifier | CTCModel | Ensemble,
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
        xs, steps, key = self._read(inputs, lengths, key)
        return self.head(xs, steps, key=key), steps

    @property
    def one_word(self) -> bool:
        """Whether it recognises one word in each recording."""
        return not isinstance(self.head, CTCModel)

    def _read(
        self, inputs: Array, lengths: Array, key: jax.Array | None
    ) -> tuple[jax.Array, jax.Array, jax.Array | None]:
        """Standardised features, with masks and noise in training, their steps, and the key of the head."""
        xs, steps = jnp.asarray(inputs), jnp.asarray(lengths)
        if self.frontend is not None:
            xs, steps = self.frontend(xs), self.frontend.steps(steps)
        xs = self.standardised(xs)
        if key is not None:
            mask_key, noise_key, key = jax.random.split(key, 3)
            stack = 1 if self.frontend is None else self.frontend.stack
            xs = mask_features(mask_key, xs, steps, bands=self.masks[0], steps=self.masks[1], stack=stack)
            xs = xs + self.noise * jax.random.normal(noise_key, xs.shape)
        return xs, steps, key

    def standardised(self, xs: jax.Array) -> jax.Array:
        """Features `[T, B, D]` with mean 0 and deviation 1 over the training part."""
        return (xs - self.mean[...][None, None]) / self.std[...][None, None]

    def loss(self, batch: dict[str, Array], key: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
        """Summed nats of the labels of a batch of `experiments.common.recordings`, and their number.

        See `loss_of_each`; masks and noise are those of all members.
        """
        xs, steps, key = self._read(batch["inputs"], batch["lengths"], key)
        labels, counts = jnp.asarray(batch["labels"]), jnp.asarray(batch["counts"])

        def loss(head: Any, key: jax.Array | None) -> tuple[jax.Array, jax.Array]:
            logits = head(xs, steps, key=key)
            if self.one_word:
                return token_cross_entropy(logits, labels[:, 0] - 1)
            return ctc_loss(logits, steps, labels, counts)

        return loss_of_each(self.head, loss, key)


class TrainingStatistics(NamedTuple):
    """What a model has to know of its training part; a run keeps it as JSON."""

    words: list[str]
    """The vocabulary: the label of words[k] is k + 1."""
    mean: list[float]
    """Of each feature."""
    std: list[float]

    @classmethod
    def of(cls, recordings: Sequence[Recording], frontend: LogMel | None) -> "TrainingStatistics":
        """Those of some recordings, over all valid steps of all of them."""
        steps = (xs[valid] for xs, valid in recording_features(recordings, frontend))
        sums = [np.stack([np.full(xs.shape[1], len(xs)), xs.sum(axis=0), (xs**2).sum(axis=0)]) for xs in steps]
        count, total, squares = np.sum(sums, axis=0)
        mean = total / count
        std = np.sqrt(squares / count - mean**2 + 1e-8)
        words = sorted({word for recording in recordings for word in recording.words})
        return cls(words, mean.tolist(), std.tolist())


@dataclasses.dataclass(frozen=True, kw_only=True)
class RecogniserConfig(SequenceConfig):
    """Recurrent layers or a transformer over features, and any number of words by CTC.

    Raises:
        ValueError: a value is out of range.
    """

    noise: float = 0.1
    """Deviation of what is added to standardised features in training."""
    masked_bands: int = 8
    """The most neighbouring features of a frame that training hides."""
    masked_steps: int = 4
    """The most steps in a row that training hides."""
    hidden_size: int = 128
    layers: int = 2
    dropout: float = 0.3

    def __post_init__(self):
        for name in ("noise", "masked_bands", "masked_steps"):
            check_number(name, getattr(self, name), least=0)
        super().__post_init__()

    def build(self, statistics: TrainingStatistics, frontend: LogMel | None, key: jax.Array) -> Recogniser:
        """The model for what is known of the training part, its initial values drawn with a typed key."""
        mean, std = np.array(statistics.mean), np.array(statistics.std)

        def build(config: RecogniserConfig) -> Recogniser:
            head, masks = config.head(len(mean), len(statistics.words), key), (config.masked_bands, config.masked_steps)
            return Recogniser(head, frontend, mean, std, masks=masks, noise=config.noise)

        return build_matched(self, build)

    def head(self, features: int, words: int, key: jax.Array) -> Classifier | CTCModel | Ensemble:
        """What scores so many words by so many features."""
        rngs, dtype = nnx.Rngs(params=key), jnp.dtype(self.dtype)
        return CTCModel(self.layer(features, rngs), words, dropout_rate=self.dropout, dtype=dtype, rngs=rngs)


@dataclasses.dataclass(frozen=True, kw_only=True)
class WordClassifierConfig(RecogniserConfig, EnsembleConfig):
    """Recurrent layers or a transformer over features, and a single word by a classifier.

    Raises:
        ValueError: a value is out of range.
    """

    pooling: str = "mean"
    """What the word is classified by: last, max, mean or attention over the steps."""

    def __post_init__(self):
        check_choice("pooling", self.pooling, POOLINGS)
        super().__post_init__()

    def head(self, features: int, words: int, key: jax.Array) -> Classifier | Ensemble:
        def build_one(key: jax.Array) -> Classifier:
            rngs, dtype = nnx.Rngs(params=key), jnp.dtype(self.dtype)
            options: dict[str, Any] = {"pooling": self.pooling, "dropout_rate": self.dropout, "dtype": dtype}
            return Classifier(self.layer(features, rngs), words, **options, rngs=rngs)

        return self.ensemble(build_one, key, mean_probabilities)


def recording_features(
    recordings: Sequence[Recording], frontend: LogMel | None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Features float64 `[T, B, D]` of recordings in batches, and which steps are valid, bool `[T, B]`."""
    extract = jax.jit(frontend) if frontend else np.asarray
    for batch in in_order(recordings):
        xs = np.asarray(extract(batch["inputs"]), np.float64)
        steps = frontend.steps(batch["lengths"]) if frontend else batch["lengths"]
        yield xs, np.arange(len(xs))[:, None] < steps


def make_validation_loss(
    rebuild: Callable[[Params], Recogniser], recordings: Sequence[Recording], words: Sequence[str]
) -> Callable[[Params], dict[str, float]]:
    """A function from parameters to the mean nats per word of recordings, as `validation_loss`; compiled once."""
    batches = list(in_order(recordings, words))
    loss = jax.jit(lambda params, batch: rebuild(params).loss(batch))

    def validate(params: Params) -> dict[str, float]:
        sums = [loss(params, batch) for batch in batches]
        nats, count = (float(sum(parts)) for parts in zip(*sums, strict=True))
        return {"validation_loss": nats / count}

    return validate
