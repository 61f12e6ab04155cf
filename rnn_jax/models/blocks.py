"""Cells in residual blocks: what stands around the recurrence in deep networks of cells linear in their carry.

    xs = xs + cell(norm(xs)),    xs = xs + W₂ gelu(W₁ norm(xs))        for each layer, a norm after the last one

The blocks of a transformer (Xiong et al. 2020, arXiv:2002.04745) with a cell in the place of attention. Without them,
layers of cells such as LRU would be linear all the way.
"""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from flax import nnx

from rnn_jax.cells import Cell
from rnn_jax.compose import dropout
from rnn_jax.models.transformer import Transformer
from rnn_jax.nnx import Recurrent
from rnn_jax.typing import Array, Carry, DType, Float, Inputs, Int, Key, Output
from rnn_jax.unroll import Unrolled


class RecurrentBlocks(nnx.Module):
    """Blocks of cells, called as a recurrent layer is: `(xs, lengths=, key=) -> (carry, ys)`.

    Args:
        input_size: D, projected to the size of the cells.
        cells: one for each block, from H features to H; the layers behind them are twice as wide.
        dropout_rate: on what each part adds, in training.
        dropout_kind: step: a new mask at every step; sequence: one for all steps.
        dtype: of the computation; parameters are float32.
        rngs: the stream `params` (or `default`) draws the parameters.
    """

    def __init__(
        self,
        input_size: int,
        cells: Sequence[Cell],
        *,
        dropout_rate: float = 0.0,
        dropout_kind: str = "step",
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
        self.dropout_rate, self.dropout_kind = dropout_rate, dropout_kind
        self.input_size, self.output_size = input_size, size

    def __call__(
        self, xs: Float[Array, "T *B D"], *, lengths: Int[Array, "*B"] | None = None, key: Key | None = None
    ) -> Unrolled:
        """Outputs `[T, B, H]`, zero after the end of a row, for xs `[T, B, D]`, and the carries of all cells.

        Args:
            xs: `[T, B, D]`.
            lengths: int `[B]`, valid steps of each row; what lies after them has no influence.
            key: a typed key: training, with dropout.
        """

        def run(i: int, xs: jax.Array, key: Key | None) -> tuple[Carry, jax.Array]:
            return self.recurrent[i](xs, lengths=lengths, key=key)

        xs = jnp.asarray(xs)
        if lengths is None:
            return Unrolled(*self._through(xs, key, run))
        valid = (jnp.arange(xs.shape[0])[:, None] < jnp.asarray(lengths)[None])[..., None]
        carries, ys = self._through(jnp.where(valid, xs, 0), key, run)
        return Unrolled(carries, jnp.where(valid, ys, 0))

    def initial_carry(self, batch_shape: tuple[int, ...] = (), dtype: DType = jnp.float32) -> Carry:
        """The carries of all cells before the first step."""
        return tuple(recurrent.initial_carry(batch_shape, dtype) for recurrent in self.recurrent)

    def step(self, carry: Carry, x: Inputs) -> tuple[Carry, Output]:
        """One step x `[B, D]` to the next carries and the output `[B, H]`, for streaming."""
        return self._through(jnp.asarray(x), None, lambda i, x, _: self.recurrent[i].step(carry[i], x))

    def _through(
        self,
        xs: jax.Array,
        key: Key | None,
        run: Callable[[int, jax.Array, jax.Array | None], tuple[Carry, jax.Array]],
    ) -> tuple[tuple[Carry, ...], jax.Array]:
        """The carries and outputs of all blocks, where `run` gives those of the cell of one."""
        count = 3 * len(self.recurrent)
        keys = [None] * count if key is None else list(jax.random.split(key, count))

        def dropped(key: Key | None, ys: jax.Array) -> jax.Array:
            return dropout(key, ys, self.dropout_rate, self.dropout_kind)

        xs, carries = self.project(xs), []
        for i in range(len(self.recurrent)):
            carry, ys = run(i, self.norms[2 * i](xs), keys[3 * i])
            carries.append(carry)
            xs = xs + dropped(keys[3 * i + 1], ys)
            ys = self.contract[i](jax.nn.gelu(self.expand[i](self.norms[2 * i + 1](xs))))
            xs = xs + dropped(keys[3 * i + 2], ys)
        return tuple(carries), self.norms[-1](xs)


Layers = Recurrent | RecurrentBlocks | Transformer
"""What reads a sequence in a model: called as `(xs, lengths=, key=) -> (carry, ys)`."""
