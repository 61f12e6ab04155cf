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

from rnn_jax.cells.base import Cell
from rnn_jax.typing import Carry, Params


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

    @abc.abstractmethod
    def constant(self, element: Any, carry: Carry) -> Any:
        """The map that gives `carry` whatever came before, with the shapes and dtypes of `element`."""

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

    def constant(self, element: Affine, carry: jax.Array) -> Affine:
        update = jnp.broadcast_to(carry, element.update.shape).astype(element.update.dtype)
        return Affine(jnp.zeros_like(element.decay), update)


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
