"""The NAS cell: eight gates in a tree that a search by reinforcement learning found for language.

    aᵢ = Wᵢᵀ xₜ,    bᵢ = Uᵢᵀ hₜ₋₁,    i = 0 … 7
    l₀ = σ(a₀ + b₀) ⊙ relu(a₁ + b₁)        l₂ = tanh(a₄ + b₄) ⊙ σ(a₅ + b₅)
    l₁ = σ(a₂ + b₂) + relu(a₃ ⊙ b₃)        l₃ = tanh(a₆ + b₆) + σ(a₇ + b₇)
    cₜ = tanh(tanh(l₀) + cₜ₋₁) ⊙ tanh(l₁)
    hₜ = tanh(cₜ ⊙ tanh(tanh(l₂) + σ(l₃))),    yₜ = hₜ

Zoph & Le 2017, arXiv:1611.01578, as in tensorflow_addons.rnn.NASCell, from which the tree is taken and which has no
biases by default. There is a product in l₁; torchrecurrent has a sum in its place.

Gates stand side by side in the order 0 … 7. Kernels start as those of the GRU.
"""

import dataclasses

import jax
import jax.numpy as jnp

from rnn_jax import initializers
from rnn_jax.cells.base import GatedCell, block_dense, dense, sigmoid
from rnn_jax.cells.gated.lstm import LSTMCarry
from rnn_jax.cells.papers import Paper
from rnn_jax.typing import DType, Float, Inputs, Key, Output, Params, Product, Projected

ZOPH_2017 = Paper(
    key="zoph2017neural",
    authors="Zoph, Barret and Le, Quoc V.",
    title="Neural architecture search with reinforcement learning",
    year=2017,
    booktitle="International Conference on Learning Representations",
    arxiv="1611.01578",
)


def nas_gate(carry: LSTMCarry, z: Projected, r: Float[jax.Array, "*B G"]) -> tuple[LSTMCarry, Output]:
    """(hₜ, cₜ) and yₜ from the projected input `z` and the recurrent product `r`, both `[..., 8 H]`."""
    a, b = jnp.split(z, 8, axis=-1), jnp.split(r.astype(z.dtype), 8, axis=-1)
    written = jnp.tanh(sigmoid(a[0] + b[0]) * jax.nn.relu(a[1] + b[1]))
    scale = jnp.tanh(sigmoid(a[2] + b[2]) + jax.nn.relu(a[3] * b[3]))
    candidate = jnp.tanh(jnp.tanh(a[4] + b[4]) * sigmoid(a[5] + b[5]))
    read = jnp.tanh(candidate + sigmoid(jnp.tanh(a[6] + b[6]) + sigmoid(a[7] + b[7])))
    cell = jnp.tanh(written.astype(carry.cell.dtype) + carry.cell) * scale.astype(carry.cell.dtype)
    y = jnp.tanh(cell.astype(z.dtype) * read)
    return LSTMCarry(y.astype(carry.hidden.dtype), cell), y


@dataclasses.dataclass(frozen=True)
class NASCell(GatedCell):
    """The cell found by neural architecture search; equations and source at the top of this file.

    Carry: `LSTMCarry(hidden [B, H], cell [B, H])`. Params: `input.kernel [D, 8 H]`, `recurrent.kernel [H, 8 H]`.
    Parameters: 8 (D + H) H.

    Args:
        input_size: D.
        hidden_size: H.
        heads: N, a divisor of H; with more than one the recurrent kernel is N blocks, `[N, H / N, 8 H / N]`.
    """

    input_size: int
    hidden_size: int
    heads: int = dataclasses.field(default=1, kw_only=True)
    papers = (ZOPH_2017,)
    cut = True

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        return initializers.gated_kernels(key, self.input_size, self.hidden_size, 8, param_dtype, heads=self.heads)

    def initial_carry(self, batch_shape: tuple[int, ...] = (), dtype: DType = jnp.float32) -> LSTMCarry:
        shape = (*batch_shape, self.hidden_size)
        return LSTMCarry(jnp.zeros(shape, dtype), jnp.zeros(shape, dtype))

    def project(self, params: Params, xs: Inputs) -> Projected:
        return dense(xs, params["input"]["kernel"])

    def recur(self, params: Params, carry: LSTMCarry) -> Product:
        return block_dense(carry.hidden, params["recurrent"]["kernel"])

    def gate(self, params: Params, carry: LSTMCarry, z: Projected, r: Product) -> tuple[LSTMCarry, Output]:
        return nas_gate(carry, z, r)

    def output(self, carry: LSTMCarry) -> Output:
        return carry.hidden
