"""Many steps at once, for cells that are linear in their carry.

What does not depend on the carry, which is nearly all of a `LinearCell`, is done for a block of steps as a whole: the
input product, the maps, the outputs. The carries of a block come, whichever the cell and the device allow,

    by matrix products        the `chunk` of a cell whose carry is a matrix, which is not written out for each step
    by a loop over the maps   on a CPU: a step of the loop is a few operations on arrays that are in the cache
    by a parallel prefix scan over the maps (Blelloch 1990), on any other device

Blocks follow one another and are as long as the cache allows. For the gradient the carries between them are kept, and
what is inside is worked out again.
"""

import dataclasses
import math
from typing import Any, cast

import jax
import jax.numpy as jnp

from rnn_jax.cells.base import Cell, widened
from rnn_jax.cells.linear.base import LinearCell
from rnn_jax.typing import Carry, Checked, Key, Params
from rnn_jax.unroll.maps import compose_maps, scan_maps
from rnn_jax.unroll.method import MethodResult
from rnn_jax.unroll.scope import Scope, is_known
from rnn_jax.unroll.segments import in_segments
from rnn_jax.unroll.sequential import Sequential

BLOCK = 2**20
"""Numbers in the maps of a block, on a CPU: 4 MB. From half of it to twice as many the time is much the same."""


@dataclasses.dataclass(frozen=True)
class Associative:
    """`unroll(..., method="associative")`: for a `LinearCell`. Accumulates in float32 or wider.

    A cell with a `chunk` goes step by step where there are resets or all carries are asked for; every cell does where T
    is a symbol, as it may be in `jax.export`. In a product of matrices, NaN in an input may reach other outputs of its
    chunk, earlier ones too.
    """

    def applies(self, cell: Cell) -> bool:
        return "associative" in cell.methods

    def run(
        self,
        cell: Cell,
        params: Params,
        xs: Checked[Any, "T *B D"],
        carry: Carry,
        scope: Scope,
        reverse: bool,
        key: Key | None,
    ) -> MethodResult:
        linear = cast(LinearCell, cell)  # by `applies`
        if (
            not isinstance(scope.length, int)
            or scope.length == 0
            or (linear.chunk_size is not None and (scope.resets is not None or scope.carries))
        ):
            return Sequential().run(cell, params, xs, carry, scope, reverse, key)
        start = scope.start(cell, carry)
        on_cpu = jax.default_backend() == "cpu"
        carries_of = scan_maps if on_cpu else compose_maps

        def in_rows(element: jax.Array) -> jax.Array:
            row = element.shape[1 + len(scope.batch_shape) :]
            return jnp.broadcast_to(widened(element), (element.shape[0], *scope.batch_shape, *row))

        def maps(carry: Carry, inputs: Any) -> tuple[Carry, Any]:
            xs, valid, resets = inputs
            z = linear.project(params, xs)
            elements = jax.tree.map(in_rows, linear.elements(params, z))
            carries = carries_of(linear, elements, carry, start, valid, resets, reverse)
            last = jax.tree.map(lambda c: c[0 if reverse else -1], carries)
            return last, (linear.read(params, carries, z), carries if scope.carries else None)

        def chunk(carry: Carry, inputs: Any) -> tuple[Carry, Any]:
            xs, valid, _ = jax.tree.map(lambda a: jnp.flip(a, 0), inputs) if reverse else inputs
            carry, ys = linear.chunk(params, carry, linear.project(params, xs), valid)
            return carry, (jnp.flip(ys, 0) if reverse else ys, None)

        every = scope.checkpoint_every
        if linear.chunk_size is not None:
            every = min(every or linear.chunk_size, linear.chunk_size)
        elif every is None and on_cpu and is_known(scope):
            every = _block_length(linear, params, xs, scope.length)
        segment = maps if linear.chunk_size is None else chunk
        carry, (ys, carries) = in_segments(segment, carry, (xs, scope.valid, scope.resets), every, reverse)
        return MethodResult(carry, ys, carries=carries)


def _block_length(cell: LinearCell, params: Params, xs: Any, length: int) -> int:
    """Steps in a block: T over the number of blocks, which divides T if one of about the right size does."""
    first = jax.tree.map(lambda a: a[:1], xs)
    step = jax.eval_shape(lambda xs: cell.elements(params, cell.project(params, xs)), first)
    numbers = length * sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(step))
    fewest = min(length, max(1, math.ceil(numbers / BLOCK)))
    blocks = next((n for n in range(fewest, 2 * fewest) if length % n == 0), fewest)
    return math.ceil(length / blocks)
