"""Cells that are linear in their carry: each step is an affine map, chosen by the input alone.

    carryₜ = Aₜ carryₜ₋₁ + bₜ,    yₜ = read(carryₜ, inputₜ)

The maps compose to maps of the same kind, and composing them in any grouping gives the same: that is what lets
`unroll(..., method="associative")` go through time in parallel (Blelloch 1990, "Prefix sums and their applications";
Martin & Cundy 2018, arXiv:1709.04057). A map is called an element here.
"""

import abc
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from rnn_jax.cells.base import Cell, along_last, dense, widened
from rnn_jax.typing import Array, Carry, DType, Params


class LinearCell(Cell):
    """A cell whose step is `carry = apply(elements(params, z), carry); y = read(params, carry, z)`.

    All functions hold for any leading dims at once, time among them.
    """

    @property
    def methods(self) -> tuple[str, ...]:
        return ("sequential", "associative")

    @abc.abstractmethod
    def elements(self, params: Params, z: Any) -> Any:
        """The map of each step from the projected inputs. Decays are computed in float32 or wider."""

    @abc.abstractmethod
    def read(self, params: Params, carry: Carry, z: Any) -> jax.Array:
        """The outputs from the carries after the steps, in the dtype of `z`."""

    @abc.abstractmethod
    def apply(self, element: Any, carry: Carry) -> Carry:
        """The carry after the map, in the dtype of `carry`."""

    @abc.abstractmethod
    def combine(self, first: Any, second: Any) -> Any:
        """The map that does `first`, then `second`; associative."""

    @abc.abstractmethod
    def identity(self, element: Any) -> Any:
        """The map that changes nothing, with the shapes and dtypes of `element`."""

    def step(self, params: Params, carry: Carry, z: Any) -> tuple[Carry, jax.Array]:
        carry = self.apply(self.elements(params, z), carry)
        return carry, self.read(params, carry, z)


class Affine(NamedTuple):
    """carryₜ = decay ⊙ carryₜ₋₁ + update. `decay` has the rank of `update`, with ones where it broadcasts."""

    decay: jax.Array
    update: jax.Array


class DiagonalCell(LinearCell):
    """A linear cell whose carry is one array and whose map is pointwise; `elements` gives an `Affine`."""

    def apply(self, element: Affine, carry: jax.Array) -> jax.Array:
        return element.decay.astype(carry.dtype) * carry + element.update.astype(carry.dtype)

    def combine(self, first: Affine, second: Affine) -> Affine:
        return Affine(second.decay * first.decay, second.decay * first.update + second.update)

    def identity(self, element: Affine) -> Affine:
        return Affine(jnp.ones_like(element.decay), jnp.zeros_like(element.update))


def complex_multiply(a: jax.Array, b: jax.Array) -> jax.Array:
    """The product of complex numbers kept as reals: the last axis holds all real parts, then all imaginary parts.

    Complex arrays have no bfloat16 and are slow or missing on some devices; pairs of reals have neither fault.
    """
    a_real, a_imag = jnp.split(a, 2, axis=-1)
    b_real, b_imag = jnp.split(b, 2, axis=-1)
    return jnp.concatenate([a_real * b_real - a_imag * b_imag, a_real * b_imag + a_imag * b_real], axis=-1)


class ComplexDiagonalCell(DiagonalCell):
    """A diagonal cell over complex numbers, kept as pairs of reals as in `complex_multiply`."""

    def apply(self, element: Affine, carry: jax.Array) -> jax.Array:
        return complex_multiply(element.decay.astype(carry.dtype), carry) + element.update.astype(carry.dtype)

    def combine(self, first: Affine, second: Affine) -> Affine:
        carried = complex_multiply(second.decay, first.update)
        return Affine(complex_multiply(second.decay, first.decay), carried + second.update)

    def identity(self, element: Affine) -> Affine:
        real, imaginary = jnp.split(element.decay, 2, axis=-1)
        one = jnp.concatenate([jnp.ones_like(real), jnp.zeros_like(imaginary)], axis=-1)
        return Affine(one, jnp.zeros_like(element.update))


class StateSpaceCell(ComplexDiagonalCell):
    """hₜ = λ ⊙ hₜ₋₁ + γ ⊙ B xₜ, yₜ = s Re(C hₜ) + D xₜ: a linear system of N complex states, the same at all steps.

    A subclass says in `discretize` how λ and γ come of the parameters in `params["recurrent"]`, and has the fields or
    properties `states` (N) and `multiplicity` (s). `input.kernel [D, 2 N]` holds Re B, then Im B; the rows of
    `output.kernel [2 N, H]` are Re C, then −Im C; `skip.kernel [D, H]` is the real matrix D.
    """

    states: int
    multiplicity: float = 1.0

    @abc.abstractmethod
    def discretize(self, recurrent: Params) -> tuple[jax.Array, jax.Array]:
        """λ and γ, each `[2 N]`, in float32 or wider."""

    def initial_carry(self, batch_shape: tuple[int, ...] = (), dtype: DType = jnp.float32) -> jax.Array:
        return jnp.zeros((*batch_shape, 2 * self.states), dtype)

    def prepare(self, params: Params) -> Params:
        if "discrete" in params:
            return params
        decay, gain = self.discretize(params["recurrent"])
        update = complex_multiply(widened(params["input"]["kernel"]).astype(gain.dtype), gain[None])
        kernel = jnp.concatenate([update, jnp.asarray(params["skip"]["kernel"], gain.dtype)], axis=1)
        return params | {"discrete": {"decay": decay, "kernel": kernel}}

    def project(self, params: Params, xs: Array) -> jax.Array:
        return dense(xs, self.prepare(params)["discrete"]["kernel"])

    def elements(self, params: Params, z: jax.Array) -> Affine:
        update = widened(z[..., : 2 * self.states])
        decay = along_last(self.prepare(params)["discrete"]["decay"], update)
        return Affine(jnp.broadcast_to(decay, update.shape), update)

    def read(self, params: Params, carry: jax.Array, z: jax.Array) -> jax.Array:
        seen = dense(carry.astype(z.dtype), params["output"]["kernel"])
        return self.multiplicity * seen + z[..., 2 * self.states :]
