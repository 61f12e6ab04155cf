"""MC-LSTM: a memory that conserves mass. What goes in is held or comes out, and nothing else is made or lost.

    iₜ = softmax(Wᵢᵀ aₜ + Uᵢᵀ c̃ₜ₋₁ + bᵢ)        [M, H], a distribution over the cells for each mass input
    Rₜ = softmax(W_rᵀ aₜ + U_rᵀ c̃ₜ₋₁ + b_r)      [H, H], a distribution over the cells for each cell
    oₜ = σ(Wₒᵀ aₜ + Uₒᵀ c̃ₜ₋₁ + bₒ)              [H]
    mₜ = Rₜᵀ cₜ₋₁ + iₜᵀ xₜ,    c̃ = c / ‖c‖₁
    cₜ = (1 − oₜ) ⊙ mₜ,    hₜ = oₜ ⊙ mₜ,    yₜ = hₜ

Hoedt et al. 2021, arXiv:2101.05186: inputs are masses xₜ, 0 or more, such as rain, and auxiliary inputs aₜ, such as the
temperature, that the gates alone see. Here the first M of the D features of an input are the masses. Of the authors'
code (github.com/ml-jku/mc-lstm) this is the default: the redistribution Rₜ depends on time, and gates do not see the
masses. c̃ = 0 where all cells are empty; that code divides by the sum of c, which is the same for masses of 0 or more.

As in that code the kernels of i, R and o start orthogonal (over a and c̃ together), b_r as the identity, so that a cell
keeps most of its mass, bₒ as −3, so that little comes out, and bᵢ as zero. Blocks stand side by side in the order i, R,
o, each row by row.
"""

import dataclasses

import jax
import jax.numpy as jnp

from rnn_jax import initializers
from rnn_jax.cells.base import Cell, dense, sigmoid
from rnn_jax.cells.papers import Paper
from rnn_jax.checks import check_size
from rnn_jax.typing import Array, DType, Float, Hidden, Inputs, Key, Output, Params, Projected

HOEDT_2021 = Paper(
    key="hoedt2021mclstm",
    authors="Hoedt, Pieter-Jan and Kratzert, Frederik and Klotz, Daniel and Halmich, Christina and Holzleitner, Markus "
    "and Nearing, Grey and Hochreiter, Sepp and Klambauer, Günter",
    title="MC-LSTM: Mass-conserving LSTM",
    year=2021,
    booktitle="International Conference on Machine Learning",
    arxiv="2101.05186",
)


def mc_lstm_step(
    cell: Hidden, z: Projected, kernel: Float[Array, "H _"], mass_size: int
) -> tuple[Hidden, Float[jax.Array, "*B H"]]:
    """cₜ and hₜ from the gates' part of the input and the masses, `z` `[..., (M + H + 1) H + M]`; M is `mass_size`."""
    size, batch = cell.shape[-1], cell.shape[:-1]
    # All in the dtype of the carry: parts that are rounded apart from the whole would not add up to it.
    gates, mass = jnp.split(z.astype(cell.dtype), [z.shape[-1] - mass_size], axis=-1)
    held = jnp.sum(jnp.abs(cell), axis=-1, keepdims=True)
    gates = gates + dense(cell / jnp.where(held == 0, jnp.ones_like(held), held), kernel)
    enters, moves, leaves = jnp.split(gates, [mass_size * size, (mass_size + size) * size], axis=-1)
    enters = jax.nn.softmax(enters.reshape(*batch, mass_size, size), axis=-1)
    moves = jax.nn.softmax(moves.reshape(*batch, size, size), axis=-1)
    total = jnp.einsum("...c,...ch->...h", cell, moves) + jnp.einsum("...m,...mh->...h", mass, enters)
    out = sigmoid(leaves) * total
    return total - out, out.astype(z.dtype)


@dataclasses.dataclass(frozen=True)
class MCLSTM(Cell):
    """Mass-conserving LSTM; equations and source at the top of this file.

    Carry: cₜ `[B, H]`, the mass that each cell holds. The output is the mass that leaves it.
    Params: `input.kernel [D − M, (M + H + 1) H]`, `input.bias [(M + H + 1) H]`, `recurrent.kernel [H, (M + H + 1) H]`.
    Parameters: (D − M + H + 1) (M + H + 1) H.

    Args:
        input_size: D, masses and auxiliary inputs.
        hidden_size: H.
        mass_size: M, how many of the inputs are masses, the first ones; from 1 to D.
    """

    input_size: int
    hidden_size: int
    mass_size: int = dataclasses.field(default=1, kw_only=True)
    papers = (HOEDT_2021,)

    def __post_init__(self):
        super().__post_init__()
        check_size("mass_size", self.mass_size)
        if self.mass_size > self.input_size:
            raise ValueError(f"mass_size={self.mass_size}: expected at most input_size={self.input_size}")

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        size, auxiliary = self.hidden_size, self.input_size - self.mass_size
        sizes = (self.mass_size * size, size * size, size)
        kernel = initializers.columns(initializers.orthogonal, key, auxiliary + size, sizes, param_dtype)
        starts = jnp.zeros(sizes[0]), jnp.eye(size).ravel(), jnp.full(size, -3.0)
        bias = jnp.concatenate(starts).astype(param_dtype)
        return {
            "input": {"kernel": kernel[:auxiliary], "bias": bias},
            "recurrent": {"kernel": kernel[auxiliary:]},
        }

    def initial_carry(self, batch_shape: tuple[int, ...] = (), dtype: DType = jnp.float32) -> Hidden:
        return jnp.zeros((*batch_shape, self.hidden_size), dtype)

    def project(self, params: Params, xs: Inputs) -> Projected:
        mass, auxiliary = jnp.split(jnp.asarray(xs), [self.mass_size], axis=-1)
        return jnp.concatenate([dense(auxiliary, **params["input"]), mass], axis=-1)

    def step(self, params: Params, carry: Hidden, z: Projected) -> tuple[Hidden, Output]:
        return mc_lstm_step(carry, z, params["recurrent"]["kernel"], self.mass_size)
