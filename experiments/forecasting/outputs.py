"""What a forecast consists of: a number, quantiles, a distribution or a variance; each with its loss."""

import abc
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.stats import norm

from rnn_jax.losses import pinball_loss, qlike_loss
from rnn_jax.models.distributions import (
    LEAST_DISPERSION,
    Distribution,
    NegativeBinomial,
    NormalMixture,
    StudentT,
    distribution_nats,
)
from rnn_jax.models.gaussian import LEAST, Normal, gaussian_nats
from rnn_jax.typing import Array, Key

LEAST_MEAN = 0.05
"""Of scaled counts as numbers of a model: of 0 they would be infinite."""
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Of the quantiles of a forecast: the median, and the ends of a band of 50 % and of one of 90 %."""


class Forecast(NamedTuple):
    """Forecasts of the H steps after N windows."""

    point: np.ndarray
    """`[N, H]`"""
    quantiles: np.ndarray | None
    """`[N, H, 5]`, ascending, at `LEVELS`; None where the output has no distribution."""

    def unscaled(self, shift: np.ndarray, factor: np.ndarray) -> "Forecast":
        """Values × factor + shift; both `[N]`."""
        shift, factor = shift[:, None], factor[:, None]
        if self.quantiles is None:
            return Forecast(self.point * factor + shift, None)
        return Forecast(self.point * factor + shift, self.quantiles * factor[..., None] + shift[..., None])


class Output(abc.ABC):
    """How the K numbers that a model gives for a step are meant.

    A target is scaled; where it matters by what, as for counts, `scale` `[B]` says it, for raw `[B, ..., K]`.

    Attributes:
        size: K.
        moved: how many of them move with the target: quantiles and means do, a logarithm of a scale does not.
        unit: of the loss.
        counts: whether targets are counts.
        sampled: whether a value can be drawn.
    """

    size: int
    moved: int
    unit = "deviations of the target"
    counts = False
    sampled = False

    @abc.abstractmethod
    def loss(self, raw: jax.Array, targets: Array, scale: Array | None = None) -> tuple[jax.Array, jax.Array]:
        """The summed loss of raw `[..., K]` for targets `[...]`, and how many there are; NaN is left out."""

    @abc.abstractmethod
    def point(self, raw: jax.Array) -> jax.Array:
        """The single best number, `[...]`."""

    def quantiles(self, raw: jax.Array, scale: Array | None = None) -> Array | None:
        """`[..., 5]` at `LEVELS`, or None where the output has no distribution."""
        return None

    def sample(self, raw: jax.Array, key: Key, scale: Array | None = None) -> jax.Array:
        """A value drawn of each distribution, `[...]`.

        Raises:
            ValueError: the output has none.
        """
        raise ValueError(f"{type(self).__name__} says no distribution of which a value can be drawn")

    def link(self, values: Array) -> Array:
        """Values of the target as the numbers that move with it."""
        return values

    def aim(self, targets: np.ndarray) -> np.ndarray:
        """Targets as the first number is to be: what a linear regression is for."""
        return targets

    @abc.abstractmethod
    def rest(self, left: np.ndarray) -> np.ndarray:
        """The K constants that go best with what a regression has left of the targets `[N]`."""


class Point(Output):
    """A number; the loss is the absolute error."""

    size, moved = 1, 1

    def loss(self, raw: jax.Array, targets: Array, scale: Array | None = None) -> tuple[jax.Array, jax.Array]:
        half, count = pinball_loss(raw, targets, (0.5,))
        return 2 * half, count

    def point(self, raw: jax.Array) -> jax.Array:
        return raw[..., 0]

    def rest(self, left: np.ndarray) -> np.ndarray:
        return np.median(left, keepdims=True)


class Quantiles(Output):
    """A number for each of `LEVELS`; those that cross are put in order (Chernozhukov et al. 2010, arXiv:0704.3649)."""

    size, moved = len(LEVELS), len(LEVELS)

    def loss(self, raw: jax.Array, targets: Array, scale: Array | None = None) -> tuple[jax.Array, jax.Array]:
        return pinball_loss(raw, targets, LEVELS)

    def point(self, raw: jax.Array) -> jax.Array:
        return jnp.median(raw, axis=-1)

    def quantiles(self, raw: jax.Array, scale: Array | None = None) -> Array | None:
        return jnp.sort(raw, axis=-1)

    def rest(self, left: np.ndarray) -> np.ndarray:
        return np.quantile(left, LEVELS)


class Gaussian(Output):
    """Mean and logarithm of the deviation of a normal distribution; the loss is its negative log likelihood."""

    size, moved, unit, sampled = 2, 1, "nats", True

    def loss(self, raw: jax.Array, targets: Array, scale: Array | None = None) -> tuple[jax.Array, jax.Array]:
        known = (~jnp.isnan(targets)).astype(jnp.float32)
        return gaussian_nats(Normal(raw[..., 0], jnp.exp(raw[..., 1])), targets, known)

    def point(self, raw: jax.Array) -> jax.Array:
        return raw[..., 0]

    def quantiles(self, raw: jax.Array, scale: Array | None = None) -> Array | None:
        away = norm.ppf(jnp.array(LEVELS)).reshape(*(1,) * (raw.ndim - 1), -1)
        return raw[..., :1] + jnp.exp(raw[..., 1:]) * away

    def sample(self, raw: jax.Array, key: Key, scale: Array | None = None) -> jax.Array:
        return raw[..., 0] + jnp.exp(raw[..., 1]) * jax.random.normal(key, raw.shape[:-1], raw.dtype)

    def rest(self, left: np.ndarray) -> np.ndarray:
        return np.array([left.mean(), np.log(left.std() + 1e-6)])


class Likely(Output):
    """The parameters of a distribution; the loss is its negative log likelihood."""

    unit, sampled = "nats", True

    @abc.abstractmethod
    def distribution(self, raw: jax.Array, scale: Array | None = None) -> Distribution:
        """The distributions `[...]` of targets."""

    def loss(self, raw: jax.Array, targets: Array, scale: Array | None = None) -> tuple[jax.Array, jax.Array]:
        return distribution_nats(self.distribution(raw, scale), targets, ~jnp.isnan(jnp.asarray(targets)))

    def point(self, raw: jax.Array) -> jax.Array:
        return self.distribution(raw).expected

    def quantiles(self, raw: jax.Array, scale: Array | None = None) -> Array | None:
        return self.distribution(raw, scale).quantiles(LEVELS)

    def sample(self, raw: jax.Array, key: Key, scale: Array | None = None) -> jax.Array:
        return self.distribution(raw, scale).sample(key)


class Student(Likely):
    """Place, logarithm of the scale and degrees of freedom, more than 2, of Student's t-distribution."""

    size, moved = 3, 1

    def distribution(self, raw: jax.Array, scale: Array | None = None) -> StudentT:
        return StudentT(raw[..., 0], jnp.exp(raw[..., 1]) + LEAST, 2 + jax.nn.softplus(raw[..., 2]))

    def rest(self, left: np.ndarray) -> np.ndarray:
        return np.array([left.mean(), np.log(left.std() * 0.6**0.5 + 1e-6), 3.0])  # of 5 degrees of freedom


class Counts(Likely):
    """Mean and dispersion of a negative binomial distribution, both by softplus (DeepAR, Salinas et al. 2020).

    Of a series that is divided by ν the numbers are those of the scaled mean μ and of α: counts have the mean ν μ and
    the dispersion α / √ν (section 3.3), so that a series of large counts begins with less noise for its size.
    """

    size, moved, counts = 2, 1, True

    def distribution(self, raw: jax.Array, scale: Array | None = None) -> NegativeBinomial:
        by = 1.0 if scale is None else jnp.reshape(jnp.asarray(scale), (-1, *(1,) * (raw.ndim - 2)))
        mean, dispersion = jax.nn.softplus(raw[..., 0]) + 1e-6, jax.nn.softplus(raw[..., 1])
        return NegativeBinomial(mean * by, dispersion / jnp.sqrt(by) + LEAST_DISPERSION)

    def loss(self, raw: jax.Array, targets: Array, scale: Array | None = None) -> tuple[jax.Array, jax.Array]:
        return super().loss(raw, jnp.round(jnp.asarray(targets) * _beside(scale, targets)), scale)

    def quantiles(self, raw: jax.Array, scale: Array | None = None) -> Array | None:
        found = self.distribution(raw, scale).quantiles(LEVELS)
        return found / np.asarray(_beside(scale, found))

    def sample(self, raw: jax.Array, key: Key, scale: Array | None = None) -> jax.Array:
        drawn = self.distribution(raw, scale).sample(key)
        return drawn / _beside(scale, drawn)

    def link(self, values: Array) -> Array:
        return jnp.log(jnp.expm1(jnp.maximum(values, LEAST_MEAN)))

    def aim(self, targets: np.ndarray) -> np.ndarray:
        return np.log(np.expm1(np.maximum(targets, LEAST_MEAN)))

    def rest(self, left: np.ndarray) -> np.ndarray:
        return np.array([left.mean(), 0.0])


class Mixture(Likely):
    """Means, logarithms of deviations and logits of three normal distributions; their means begin apart."""

    size, moved = 9, 3

    def distribution(self, raw: jax.Array, scale: Array | None = None) -> NormalMixture:
        mean, deviation, logits = jnp.split(raw, 3, axis=-1)
        apart = jnp.array([-0.5, 0.0, 0.5], raw.dtype).reshape(*(1,) * (raw.ndim - 1), 3)
        std = jnp.exp(deviation) + LEAST
        return NormalMixture(logits, mean + apart * std, std)

    def rest(self, left: np.ndarray) -> np.ndarray:
        return np.repeat([left.mean(), np.log(left.std() + 1e-6), 0.0], 3)


class Variance(Output):
    """The logarithm of a positive number, such as a variance; the loss is QLIKE."""

    size, moved, unit = 1, 0, "nats"

    def loss(self, raw: jax.Array, targets: Array, scale: Array | None = None) -> tuple[jax.Array, jax.Array]:
        return qlike_loss(raw[..., 0], targets)

    def point(self, raw: jax.Array) -> jax.Array:
        return jnp.exp(raw[..., 0])

    def aim(self, targets: np.ndarray) -> np.ndarray:
        return np.log(targets)

    def rest(self, left: np.ndarray) -> np.ndarray:
        return np.log(np.exp(left).mean(keepdims=True))


OUTPUTS: dict[str, Output] = {
    "point": Point(),
    "quantile": Quantiles(),
    "gaussian": Gaussian(),
    "student_t": Student(),
    "negative_binomial": Counts(),
    "mixture": Mixture(),
    "variance": Variance(),
}


def _beside(scale: Array | None, values: Any) -> Any:
    """Scale `[B]` as a factor of values `[B, ...]`."""
    return 1.0 if scale is None else jnp.reshape(jnp.asarray(scale), (-1, *(1,) * (values.ndim - 1)))
