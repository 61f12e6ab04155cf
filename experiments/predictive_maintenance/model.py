"""The life that is left to a machine: after every cycle, out of all before it, as a number with its uncertainty."""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from experiments.predictive_maintenance.data import Engine, EngineScale
from rnn_jax.checks import check_rate, check_size
from rnn_jax.data import BucketBatches, pad
from rnn_jax.metrics import nasa_score, root_mean_square_error
from rnn_jax.models.config import SequenceConfig, build_matched
from rnn_jax.models.gaussian import WIDTH, GaussianModel, Normal, gaussian_nats
from rnn_jax.typing import Array, Params

BATCH_AXES: dict[str, int | None] = {"inputs": 1, "lengths": 0, "targets": 1}


@dataclasses.dataclass(frozen=True, kw_only=True)
class LifeSettings(SequenceConfig):
    """A model that reads the cycles of an engine forwards and states after each one the life that is left.

    Raises:
        ValueError: a value is out of range.
    """

    cap: int = 125
    """Cycles: a longer remaining life counts as this one, for a healthy engine does not show how long it will live."""
    noise: float = 0.2
    """Deviation of what is added to the standardised sensors in training."""
    beta: float = 0.5
    """Of the loss, see `gaussian_nats`: from 0, the likelihood, to 1, where the mean is fitted by squared errors."""
    bidirectional: bool = False
    """Always false: read backwards, a history says how long it goes on."""

    def __post_init__(self):
        check_size("cap", self.cap)
        check_rate("noise", self.noise)
        if not 0 <= self.beta <= 1:
            raise ValueError(f"beta={self.beta!r}: expected a number from 0 to 1")
        if self.bidirectional:
            raise ValueError("bidirectional=True would let the model see how long an engine lives: leave it out")
        super().__post_init__()

    def build_life(self, features: int, key: jax.Array) -> GaussianModel:
        """The model of so many sensors, its initial values by a typed key."""

        def build(settings: LifeSettings) -> GaussianModel:
            rngs = nnx.Rngs(params=key)
            layer = settings.layer(features, rngs)
            return GaussianModel(layer, dropout_rate=settings.dropout, dtype=jnp.dtype(settings.dtype), rngs=rngs)

        return build_matched(self, build)

    def loss(
        self, model: GaussianModel, batch: Mapping[str, Array], key: jax.Array | None = None
    ) -> tuple[jax.Array, jax.Array]:
        """The loss summed over the cycles of an `engine_batch`, and their number; with a key as in training."""
        xs = jnp.asarray(batch["inputs"])
        if key is not None:
            noise_key, key = jax.random.split(key)
            xs = xs + self.noise * jax.random.normal(noise_key, xs.shape)
        found = model(xs, batch["lengths"], key=key)
        valid = jnp.arange(xs.shape[0])[:, None] < jnp.asarray(batch["lengths"])[None]
        return gaussian_nats(Normal(*(x[..., 0] for x in found)), batch["targets"], valid, beta=self.beta)


def engine_batch(
    engines: Sequence[Engine], scale: EngineScale, cap: int, length: int | None = None
) -> dict[str, np.ndarray]:
    """Whole histories: inputs float32 `[T, B, D]`, lengths int32 `[B]`, targets float32 `[T, B]` in parts of the cap.

    T is `length`, or that of the longest history.
    """
    inputs, lengths = pad([scale.features(engine) for engine in engines], length)
    lives = [np.minimum(engine.life, cap) / np.float32(cap) for engine in engines]
    return {"inputs": inputs, "lengths": lengths, "targets": pad(lives, length).values}


@dataclasses.dataclass(frozen=True, eq=False)
class EngineBatches:
    """Endless training batches of whole histories, batch i a pure function of (seed, i).

    Attributes:
        engines: run to failure.
        scale: of their sensors.
        cap: the longest remaining life, in cycles.
        batch_size: B.
        seed: non-negative.
    """

    engines: Sequence[Engine]
    scale: EngineScale
    cap: int
    batch_size: int
    seed: int

    @functools.cached_property
    def order(self) -> BucketBatches:
        """Which engines are in which batch."""
        return BucketBatches(np.array([len(engine) for engine in self.engines]), self.batch_size, self.seed)

    def batch(self, i: int) -> dict[str, np.ndarray]:
        """Batch i, an `engine_batch` as long as the longest of all histories."""
        chosen, length = self.order.examples(i)
        return engine_batch([self.engines[k] for k in chosen], self.scale, self.cap, length)


class Lives(NamedTuple):
    """What a model says of one engine after each cycle, in cycles: float32 `[t]`."""

    mean: np.ndarray
    """From 0 to the cap."""
    std: np.ndarray

    def interval(self, cap: int) -> tuple[np.ndarray, np.ndarray]:
        """The ends of the interval that is to hold 90 %, from 0 to the cap."""
        return np.clip(self.mean - WIDTH * self.std, 0, cap), np.clip(self.mean + WIDTH * self.std, 0, cap)


def make_lives(
    rebuild: Callable[[Params], GaussianModel],
    engines: Sequence[Engine],
    scale: EngineScale,
    cap: int,
    stretch: float = 1.0,
) -> Callable[[Params], list[Lives]]:
    """A function from parameters to the remaining lives of engines, compiled once.

    Args:
        rebuild: from `rnn_jax.nnx.functional`.
        engines: of any length from one cycle on.
        scale: of the training engines.
        cap: in cycles.
        stretch: of the deviations, see `cut_errors`.
    """
    inputs, lengths = pad([scale.features(engine) for engine in engines])
    compute = jax.jit(lambda params, inputs: rebuild(params)(inputs, lengths))

    def lives(params: Params) -> list[Lives]:
        mean, std = (np.asarray(x)[..., 0] for x in compute(params, inputs))
        mean, std = np.clip(cap * mean, 0, cap), np.float32(stretch * cap) * std
        return [Lives(mean[:n, i], std[:n, i]) for i, n in enumerate(lengths)]

    return lives


class CutErrors(NamedTuple):
    """How wrong a model is about engines that are cut off at random."""

    rmse: float
    """In cycles."""
    stretch: float
    """By what its deviations have to be multiplied for 90 % of the errors to lie in intervals of 90 %."""


def cut_errors(engines: Sequence[Engine], lives: Sequence[Lives], cap: int, shortest: int = 31) -> CutErrors:
    """The errors at engines run to failure if they are cut off at random, as test engines are.

    Each cycle from the `shortest` history on in which at most 1.2 × cap cycles are left counts as much as any other;
    what is left counts as the cap at most.

    Raises:
        ValueError: no engine has such a cycle.
    """
    counted = [(np.arange(1, len(e) + 1) >= shortest) & (e.life <= 1.2 * cap) for e in engines]
    mean, std = (
        np.concatenate([x[cut] for x, cut in zip(values, counted, strict=True)]) for values in zip(*lives, strict=True)
    )
    true = np.concatenate([np.minimum(e.life[cut], cap) for e, cut in zip(engines, counted, strict=True)])
    if not len(true):
        raise ValueError(f"no engine has {shortest} cycles: expected longer histories")
    return CutErrors(
        root_mean_square_error(mean, true), float(np.quantile(np.abs(mean - true) / std, 0.9, method="higher")) / WIDTH
    )


def last_lives(lives: Sequence[Lives], cap: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What is said after the last known cycle of each engine: mean, and the ends of the interval of 90 %, `[N]`."""
    last = Lives(*(np.array([x[-1] for x in values]) for values in zip(*lives, strict=True)))
    return last.mean, *last.interval(cap)


def life_scores(engines: Sequence[Engine], lives: Sequence[Lives], cap: int) -> dict[str, Any]:
    """Errors in cycles and NASA scores at the last cycle of test engines, with the true lives capped and as they are.

    `coverage` is the share of engines, in %, whose capped life is in the interval of 90 %, ends included.
    """
    mean, low, high = last_lives(lives, cap)
    true = np.array([e.life[-1] for e in engines])
    capped = np.minimum(true, cap)
    return {
        "rmse": root_mean_square_error(mean, capped),
        "nasa score": nasa_score(mean, capped),
        "rmse, lives not capped": root_mean_square_error(mean, true),
        "nasa score, lives not capped": nasa_score(mean, true),
        "coverage of 90 % intervals": 100 * float(np.mean((low <= capped) & (capped <= high))),
        "width of 90 % intervals": float(np.mean(high - low)),
        "longer than the cap": int(np.sum(true > cap)),
    }


def life_line(engine: Engine, lives: Lives, cap: int) -> str:
    """What a model says after the last known cycle of an engine, as a line of text."""
    mean, low, high = (float(x[0]) for x in last_lives([lives], cap))
    last = f"{high:.0f} or more" if high >= cap else f"{high:.0f}"
    return f"engine {engine.number}: after {len(engine)} cycles {mean:.0f} left, 90 % interval {low:.0f} to {last}"


def spread(engines: Sequence[Engine], lives: Sequence[Lives], cap: int, count: int = 12) -> list[int]:
    """So many test engines, or all if there are fewer: from the best predicted one to the worst, evenly spread."""
    errors = [abs(float(of.mean[-1]) - min(float(e.life[-1]), cap)) for e, of in zip(engines, lives, strict=True)]
    places = np.unique(np.linspace(0, len(errors) - 1, count).astype(int))
    return np.argsort(errors, kind="stable")[places].tolist()


def ridge_errors(
    training: Sequence[Engine], test: Sequence[Engine], scale: EngineScale, cap: int, window: int = 30
) -> dict[str, float]:
    """What no recurrent network reaches: errors of a ridge regression, and of one constant, at the last test cycles.

    The regression sees the means of the sensors over the last `window` cycles and over all of them, and the number of
    cycles; its penalty is 1 on standardised inputs.
    """

    def describe(engine: Engine) -> np.ndarray:
        xs = scale.features(engine).astype(np.float64)
        sums = np.vstack([np.zeros(xs.shape[1]), np.cumsum(xs, axis=0)])
        ends = np.arange(1, len(xs) + 1)
        begins = np.maximum(ends - window, 0)
        recent = (sums[ends] - sums[begins]) / (ends - begins)[:, None]
        return np.hstack([recent, sums[ends] / ends[:, None], ends[:, None]])

    xs = np.concatenate([describe(engine) for engine in training])
    ys = np.concatenate([np.minimum(engine.life, cap) for engine in training]).astype(np.float64)
    mean, std = xs.mean(axis=0), xs.std(axis=0) + 1e-8
    xs = (xs - mean) / std
    weights = np.linalg.solve(xs.T @ xs + np.eye(xs.shape[1]), xs.T @ (ys - ys.mean()))
    last = (np.stack([describe(engine)[-1] for engine in test]) - mean) / std
    found = np.clip(last @ weights + ys.mean(), 0, cap)
    true = np.minimum([engine.life[-1] for engine in test], cap)
    return {
        "ridge regression": root_mean_square_error(found, true),
        "the training lives' mean": root_mean_square_error(np.full(len(true), ys.mean()), true),
    }
