"""Cells in residual blocks: what stands around the recurrence in deep networks of cells linear in their carry.

    xs = xs + cell(norm(xs)),    xs = xs + W₂ gelu(W₁ norm(xs))        for each layer, a norm after the last one

The blocks of a transformer (Xiong et al. 2020, arXiv:2002.04745) with a cell in the place of attention. Without them,
layers of cells such as LRU would be linear all the way.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import nnx

from rnn_jax.cells import Cell
from rnn_jax.compose import dropout
from rnn_jax.nnx import Recurrent
from rnn_jax.typing import Array, DType
from rnn_jax.unroll import Unrolled


class RecurrentBlocks(nnx.Module):
    """Blocks of cells, called as a recurrent layer is: `(xs, lengths=, key=) -> (carry, ys)`.

    Args:
        input_size: D, projected to the size of the cells.
        cells: one for each block, from H features to H; the layers behind them are twice as wide.
        dropout_rate: on what each part adds, in training.
        dtype: of the computation; parameters are float32.
        rngs: the stream `params` (or `default`) draws the parameters.
    """

    def __init__(
        self,
        input_size: int,
        cells: Sequence[Cell],
        *,
        dropout_rate: float = 0.0,
        dtype: DType = jnp.float32,
        rngs: nnx.Rngs,
    ):
        size = cells[-1].output_size
        self.project = nnx.Linear(input_size, size, dtype=dtype, rngs=rngs)
        self.recurrent = nnx.List([Recurrent(cell, rngs=rngs) for cell in cells])
        norms = [nnx.LayerNorm(size, dtype=dtype, rngs=rngs) for _ in range(2 * len(cells) + 1)]
        self.norms = nnx.List(norms)
        self.expand = nnx.List([nnx.Linear(size, 2 * size, dtype=dtype, rngs=rngs) for _ in cells])
        self.contract = nnx.List([nnx.Linear(2 * size, size, dtype=dtype, rngs=rngs) for _ in cells])
        self.dropout_rate = dropout_rate
        self.input_size, self.output_size = input_size, size

    def __call__(self, xs: Array, *, lengths: Array | None = None, key: jax.Array | None = None) -> Unrolled:
        """Outputs `[T, B, H]` for xs `[T, B, D]`, and the carries of all cells; arguments as in `Recurrent`."""
        keys = [None] * 3 * len(self.recurrent) if key is None else list(jax.random.split(key, 3 * len(self.recurrent)))
        xs, carries = self.project(jnp.asarray(xs)), []
        for i, recurrent in enumerate(self.recurrent):
            carry, ys = recurrent(self.norms[2 * i](xs), lengths=lengths, key=keys[3 * i])
            carries.append(carry)
            xs = xs + dropout(keys[3 * i + 1], ys, self.dropout_rate)
            ys = self.contract[i](jax.nn.gelu(self.expand[i](self.norms[2 * i + 1](xs))))
            xs = xs + dropout(keys[3 * i + 2], ys, self.dropout_rate)
        return Unrolled(tuple(carries), self.norms[-1](xs))
