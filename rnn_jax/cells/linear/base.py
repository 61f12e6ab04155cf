"""Cells that are linear in their carry: each step is an affine map, chosen by the input alone.

    carryₜ = Aₜ carryₜ₋₁ + bₜ,    yₜ = read(carryₜ, inputₜ)

The maps compose to maps of the same kind, and composing them in any grouping gives the same: that is what lets
`unroll(..., method="associative")` go through time in parallel (Blelloch 1990, "Prefix sums and their applications";
Martin & Cundy 2018, arXiv:1709.04057). A map is called an element here.
"""

import abc
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from rnn_jax.cells.base import Cell, along_last, dense, widened
from rnn_jax.cells.timed import Timed, apart, duration, together
from rnn_jax.typing import Bool, Carry, DType, Float, Inputs, Output, Params, Projected


class LinearCell(Cell):
    """A cell whose step is `carry = apply(elements(params, z), carry); y = read(params, carry, z)`.

    All functions hold for any leading dims at once, time among them.
    """

    chunk_size: ClassVar[int | None] = None
    """Steps that one `chunk` does best; None where a cell has no such form."""
    reads_before: ClassVar[bool] = False
    """Whether `read` gets the carry before a step instead of the one after it; such a cell has a `chunk`."""

    @property
    def methods(self) -> tuple[str, ...]:
        return ("sequential", "associative")

    @abc.abstractmethod
    def elements(self, params: Params, z: Any) -> Any:
        """The map of each step from the projected inputs. Decays are computed in float32 or wider.

        Leaves have the rank that the leading dims of `z` ask for, with ones where all maps share a leaf.
        """

    @abc.abstractmethod
    def read(self, params: Params, carry: Carry, z: Any) -> Output:
        """The outputs from the carries after the steps (see `reads_before`), in the dtype of `z`."""

    @abc.abstractmethod
    def apply(self, element: Any, carry: Carry) -> Carry:
        """The carry after the map, in the dtype of `carry`."""

    @abc.abstractmethod
    def combine(self, first: Any, second: Any) -> Any:
        """The map that does `first`, then `second`; associative."""

    @abc.abstractmethod
    def identity(self, element: Any) -> Any:
        """The map that changes nothing, with the shapes and dtypes of `element`."""

    def chunk(
        self, params: Params, carry: Carry, z: Any, valid: Bool[jax.Array, "C *B"] | None
    ) -> tuple[Carry, Float[jax.Array, "C *B H"]]:
        """Several steps as a few products of matrices, without a carry for each of them.

        Args:
            params: the parameters.
            carry: before the first step, in float32 or wider.
            z: the projected inputs `[C, B, ...]`.
            valid: bool `[C, B]`, the steps that are not padding; None is all. Padding leaves the carry as it is.

        Returns:
            The carry after the last step and the outputs `[C, B, H]`, in the dtype of `z`.
        """
        raise NotImplementedError(f"{type(self).__name__} has no chunk_size: expected one where `chunk` is called")

    def step(self, params: Params, carry: Carry, z: Any) -> tuple[Carry, Output]:
        after = self.apply(self.elements(params, z), carry)
        return after, self.read(params, carry if self.reads_before else after, z)


class Affine(NamedTuple):
    """carryₜ = decay ⊙ carryₜ₋₁ + update; both of the kind of the carry, and of one rank."""

    decay: Any
    update: Any


class DiagonalCell(LinearCell):
    """A linear cell whose carry is one array and whose map is pointwise; `elements` gives an `Affine`."""

    def apply(self, element: Affine, carry: Float[jax.Array, "*B"]) -> Float[jax.Array, "*B"]:
        return element.decay.astype(carry.dtype) * carry + element.update.astype(carry.dtype)

    def combine(self, first: Affine, second: Affine) -> Affine:
        return Affine(second.decay * first.decay, second.decay * first.update + second.update)

    def identity(self, element: Affine) -> Affine:
        return Affine(jnp.ones_like(element.decay), jnp.zeros_like(element.update))


class Complex(NamedTuple):
    """Complex numbers as two arrays of reals: JAX's own have no bfloat16 and are slow or missing on some devices."""

    real: Float[jax.Array, "*B N"]
    imaginary: Float[jax.Array, "*B N"]

    @classmethod
    def zeros(cls, shape: tuple[int, ...], dtype: DType) -> "Complex":
        """Zeros, each part an array of its own."""
        return cls(jnp.zeros(shape, dtype), jnp.zeros(shape, dtype))

    @classmethod
    def split(cls, a: Float[jax.Array, "*B M"]) -> "Complex":
        """The real parts, then the imaginary parts, side by side on the last axis, taken apart."""
        return cls(*jnp.split(a, 2, axis=-1))

    def times(self, other: "Complex") -> "Complex":
        """The product."""
        real = self.real * other.real - self.imaginary * other.imaginary
        return Complex(real, self.real * other.imaginary + self.imaginary * other.real)

    def plus(self, other: "Complex") -> "Complex":
        """The sum."""
        return Complex(self.real + other.real, self.imaginary + other.imaginary)

    def scaled(self, factor: Float[jax.Array, "..."] | float) -> "Complex":
        """The product with a real number."""
        return Complex(factor * self.real, factor * self.imaginary)

    def over(self, other: "Complex") -> "Complex":
        """The quotient."""
        square = other.real**2 + other.imaginary**2
        upper = self.times(Complex(other.real, -other.imaginary))
        return Complex(upper.real / square, upper.imaginary / square)

    def exponential(self) -> "Complex":
        """The exponential."""
        modulus = jnp.exp(self.real)
        return Complex(modulus * jnp.cos(self.imaginary), modulus * jnp.sin(self.imaginary))

    def exponential_less_one(self) -> "Complex":
        """The exponential less one, without the cancellation near zero: cos a − 1 = −2 sin²(a / 2)."""
        real = jnp.expm1(self.real) * jnp.cos(self.imaginary) - 2 * jnp.sin(self.imaginary / 2) ** 2
        return Complex(real, jnp.exp(self.real) * jnp.sin(self.imaginary))


def held(rate: Float[jax.Array, "..."], dt: Float[jax.Array, "*B"]) -> Affine:
    """exp(−rate dt), and (1 − exp(−rate dt)) / (1 − exp(−rate)): how an update of one unit of time goes on for dt.

    That is the zero-order hold: whatever the update of a step stands for, it is taken to be constant meanwhile, so that
    one step of two units is two steps of one.

    Args:
        rate: what a state loses, as exp(−rate) for one unit of time, 0 or more, `[B, ...]`.
        dt: the time.
    """
    time = duration(dt, rate)
    moves = rate > 1e-30  # what does not move loses nothing: the limit is dt
    safe = jnp.where(moves, rate, jnp.ones_like(rate))
    lasting = jnp.where(moves, jnp.expm1(-safe * time) / jnp.expm1(-safe), time + jnp.zeros_like(rate))
    return Affine(jnp.exp(-rate * time), lasting)


class ComplexDiagonalCell(LinearCell):
    """A linear cell whose carry is `Complex` and whose map is pointwise; `elements` gives an `Affine` of `Complex`."""

    def apply(self, element: Affine, carry: Complex) -> Complex:
        decay, update = jax.tree.map(lambda part: part.astype(carry.real.dtype), element)
        return decay.times(carry).plus(update)

    def combine(self, first: Affine, second: Affine) -> Affine:
        return Affine(second.decay.times(first.decay), second.decay.times(first.update).plus(second.update))

    def identity(self, element: Affine) -> Affine:
        one = Complex(jnp.ones_like(element.decay.real), jnp.zeros_like(element.decay.imaginary))
        return Affine(one, jax.tree.map(jnp.zeros_like, element.update))


def held_update(exponent: Complex, update: Complex, dt: Float[jax.Array, "*B"]) -> Affine:
    """λᵈᵗ and `update` (λᵈᵗ − 1) / (λ − 1), with `exponent` ln λ: what `held` is for real numbers."""
    along = Complex(*(along_last(part, update.real) for part in exponent))
    longer = along.scaled(duration(dt, update.real))
    lasting = longer.exponential_less_one().over(along.exponential_less_one())
    return Affine(longer.exponential(), update.times(lasting))


class StateSpaceCell(ComplexDiagonalCell):
    """hₜ = λ ⊙ hₜ₋₁ + γ ⊙ B xₜ, yₜ = s Re(C hₜ) + D xₜ: a linear system of N complex states, the same at all steps.

    With dt, λ becomes λᵈᵗ and γ becomes γ (λᵈᵗ − 1) / (λ − 1): the input is held meanwhile, so that one step of two
    units of time is two steps of one.

    A subclass says in `discretize` how λ and γ come of the parameters in `params["recurrent"]`, and has the fields or
    properties `states` (N) and `multiplicity` (s). `input.kernel [D, 2 N]` holds Re B, then Im B; the rows of
    `output.kernel [2 N, H]` are Re C, then −Im C; `skip.kernel [D, H]` is the real matrix D. One that also says in
    `exponent` what ln λ is, for λ alone does not say how often it turns around zero, sets `timed`.
    """

    states: int
    multiplicity: float = 1.0

    @abc.abstractmethod
    def discretize(self, recurrent: Params) -> tuple[Complex, Complex]:
        """λ and γ, each of `[N]`, in float32 or wider."""

    def exponent(self, recurrent: Params) -> Complex:
        """The logarithm of λ `[N]`, in float32 or wider."""
        raise NotImplementedError(f"{type(self).__name__} is not timed: expected no dt where it is run")

    def initial_carry(self, batch_shape: tuple[int, ...] = (), dtype: DType = jnp.float32) -> Complex:
        return Complex.zeros((*batch_shape, self.states), dtype)

    def prepare(self, params: Params) -> Params:
        if "discrete" in params:
            return params
        decay, gain = self.discretize(params["recurrent"])
        dtype = gain.real.dtype
        into = Complex.split(widened(params["input"]["kernel"]).astype(dtype))
        update = into.times(jax.tree.map(lambda g: g[None], gain))
        kernel = jnp.concatenate([*update, jnp.asarray(params["skip"]["kernel"], dtype)], axis=1)
        return params | {"discrete": {"decay": decay, "kernel": kernel}}

    def project(self, params: Params, xs: Inputs | Timed) -> Projected | Timed:
        xs, dt = apart(xs)
        return together(dense(xs, self.prepare(params)["discrete"]["kernel"]), dt)

    def elements(self, params: Params, z: Projected | Timed) -> Affine:
        z, dt = apart(z)
        update = Complex.split(widened(z[..., : 2 * self.states]))
        if dt is not None:
            return held_update(self.exponent(params["recurrent"]), update, dt)
        return Affine(Complex(*(along_last(d, update.real) for d in self.prepare(params)["discrete"]["decay"])), update)

    def read(self, params: Params, carry: Complex, z: Projected | Timed) -> Output:
        z, _ = apart(z)
        states = jnp.concatenate([part.astype(z.dtype) for part in carry], axis=-1)
        return self.multiplicity * dense(states, params["output"]["kernel"]) + z[..., 2 * self.states :]
