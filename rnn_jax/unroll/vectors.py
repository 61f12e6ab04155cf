"""The steps of a cell as maps of vectors, and their Jacobians: what Newton's method works with."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from rnn_jax.cells.base import Cell, GatedCell, widened
from rnn_jax.typing import Bool, Carry, Float, Params
from rnn_jax.unroll.scope import spread_like, where_rows


class Inputs(NamedTuple):
    """What the steps read beside params and carry, each `[T, B, ...]` or None; without T for one step.

    `start [T, B, n]` is what resets put in place; None for the cell's own initial carry.
    """

    z: Any
    noise: Any
    valid: Bool[jax.Array, "*B"] | None
    resets: Bool[jax.Array, "*B"] | None
    start: Float[jax.Array, "*B n"] | None = None


@dataclasses.dataclass(frozen=True)
class VectorSteps:
    """The steps of `cell` on vectors `[..., n]`: the leaves of a row's carry, one behind the other.

    All functions hold for one step, `x [B, n]`, and for all steps at once, `x [T, B, n]`.

    Attributes:
        cell: whose steps.
        noisy: whether they are steps in training.
        row: shapes of the carry of one row, as `jax.eval_shape` gives them.
    """

    cell: Cell
    noisy: bool
    row: Carry

    def vector(self, carry: Carry, leading: tuple[int, ...]) -> Float[jax.Array, "*B n"]:
        """A carry as a vector in float32 or wider."""
        sizes = [math.prod(leaf.shape) for leaf in jax.tree.leaves(self.row)]
        leaves = zip(jax.tree.leaves(carry), sizes, strict=True)
        return jnp.concatenate([widened(leaf).reshape(*leading, size) for leaf, size in leaves], axis=-1)

    def carry(self, x: Float[jax.Array, "*B n"]) -> Carry:
        """A vector as a carry, in the dtype of the vector."""
        leaves, tree = jax.tree.flatten(self.row)
        ends = [sum(math.prod(leaf.shape) for leaf in leaves[: i + 1]) for i in range(len(leaves))]
        parts = jnp.split(x, ends[:-1], axis=-1)
        return tree.unflatten(p.reshape(*x.shape[:-1], *leaf.shape) for p, leaf in zip(parts, leaves, strict=True))

    def __call__(
        self, params: Params, x: Float[jax.Array, "*B n"], inputs: Inputs
    ) -> tuple[Float[jax.Array, "*B n"], Float[jax.Array, "..."]]:
        """The carries after the steps that start at `x`, and the outputs."""
        before = self._restarted(x, inputs)
        after, y = self._step(params, before, inputs)
        return after if inputs.valid is None else where_rows(inputs.valid, after, x), y

    def jacobian(self, params: Params, inputs: Inputs, kind: str) -> Callable[[jax.Array], jax.Array]:
        """The function from `x` to the derivative of the steps that start there.

        "dense" is `[..., n, n]`, by one pass for each of n basis vectors. "diagonal" is `[..., n]`. A `GatedCell` has
        it from one pass through its gates for each leaf of its carry, which is exact where a unit's gates read that
        unit alone, and right enough to converge elsewhere; any other cell takes n passes.
        """
        if kind == "diagonal" and isinstance(self.cell, GatedCell) and not self.noisy:
            weights = self._own_weights(params)
            return lambda x: self._gated_diagonal(params, weights, x, inputs)

        def by_columns(x: jax.Array) -> jax.Array:
            basis = jnp.eye(x.shape[-1], dtype=x.dtype)
            derivative = jax.linearize(lambda x: self(params, x, inputs)[0], x)[1]
            if kind == "dense":
                return jax.vmap(lambda e: derivative(_to(e, x)), out_axes=-1)(basis)
            return jax.lax.scan(lambda d, e: (d + _to(e, x) * derivative(_to(e, x)), None), jnp.zeros_like(x), basis)[0]

        return by_columns

    def _step(self, params: Params, x: jax.Array, inputs: Inputs) -> tuple[jax.Array, jax.Array]:
        carry = self.carry(x)
        if self.noisy:
            after, y = self.cell.noisy_step(params, carry, inputs.z, inputs.noise)
        else:
            after, y = self.cell.step(params, carry, inputs.z)
        return self.vector(after, x.shape[:-1]), y

    def _restarted(self, x: jax.Array, inputs: Inputs) -> jax.Array:
        if inputs.resets is None:
            return x
        start = inputs.start
        if start is None:
            start = _to(self.vector(self.cell.initial_carry((), x.dtype), ()), x)
        return where_rows(inputs.resets, start, x)

    def _own_weights(self, params: Params) -> list[jax.Array | None]:
        """For each leaf the recurrent weights of its units with themselves, laid out as the recurrent product.

        The gates stand side by side in the product. None where they do not: of such a leaf the gates alone count.
        """
        cell: Any = self.cell
        zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), self.row)
        rows = jax.tree.leaves(jax.jacfwd(lambda carry: cell.recur(params, carry))(zeros))
        own: list[jax.Array | None] = []
        for row, leaf in zip(rows, jax.tree.leaves(self.row), strict=True):
            size = math.prod(leaf.shape)
            fits = len(leaf.shape) == 1 and row.ndim == 2 and row.shape[0] % size == 0
            own.append(jnp.einsum("gii->gi", row.reshape(-1, size, size)).reshape(-1) if fits else None)
        return own

    def _gated_diagonal(self, params: Params, own: list[jax.Array | None], x: jax.Array, inputs: Inputs) -> jax.Array:
        cell: Any = self.cell
        carry = self.carry(self._restarted(x, inputs))
        product = cell.recur(params, carry)
        gates = jax.linearize(lambda carry, r: cell.gate(params, carry, inputs.z, r)[0], carry, product)[1]
        leaves, tree = jax.tree.flatten(carry)
        parts = []
        for i, weights in enumerate(own):
            one_leaf = tree.unflatten(jnp.full_like(leaf, float(i == j)) for j, leaf in enumerate(leaves))
            through = jnp.zeros_like(product) if weights is None else _to(weights, product)
            parts.append(jax.tree.leaves(gates(one_leaf, through))[i])
        diagonal = self.vector(tree.unflatten(parts), x.shape[:-1])
        if inputs.resets is not None:
            diagonal = where_rows(inputs.resets, jnp.zeros_like(diagonal), diagonal)
        return diagonal if inputs.valid is None else where_rows(inputs.valid, diagonal, jnp.ones_like(diagonal))


def _to(a: jax.Array, like: jax.Array) -> jax.Array:
    """The same `a` in all rows of `like`, and in its dtype."""
    return spread_like(a.astype(like.dtype).reshape((1,) * (like.ndim - a.ndim) + a.shape), like)
