"""sLSTM, the scalar cell of xLSTM: exponential gates, a normaliser, and a stabiliser that keeps both finite.

    iₜ = exp(ĩₜ)                        ĩₜ = Wᵢᵀ xₜ + bᵢ + Uᵢᵀ hₜ₋₁, and likewise f̃ₜ, g̃ₜ, õₜ
    fₜ = σ(f̃ₜ) or exp(f̃ₜ)              cₜ = fₜ ⊙ cₜ₋₁ + iₜ ⊙ tanh(g̃ₜ)
    nₜ = fₜ ⊙ nₜ₋₁ + iₜ                 hₜ = σ(õₜ) ⊙ cₜ / nₜ,    yₜ = hₜ

    mₜ = max(log fₜ + mₜ₋₁, ĩₜ)         the carry holds exp(−mₜ) cₜ and exp(−mₜ) nₜ instead of cₜ and nₜ

Beck, Pöppel, Spanring, Auer, Prudnikova, Kopp, Klambauer, Brandstetter & Hochreiter 2024, arXiv:2405.04517, section 2.2
with its stabiliser state. hₜ is the same for every m, and nothing overflows for this one. Before the first step n = 0:
nothing is stored, m has no meaning, and m₁ = ĩ₁.

Heads share no recurrent weights: U is block diagonal. The normalisation over each head that follows in an xLSTM block
belongs to the block.

Gates stand side by side in the order i, f, g, o, as in an LSTM (g is called z in the paper).
"""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp

from rnn_jax import initializers
from rnn_jax.cells.base import GatedCell, block_dense, dense, sigmoid
from rnn_jax.cells.papers import Paper
from rnn_jax.checks import check_choice
from rnn_jax.typing import DType, Float, Hidden, Inputs, Key, Output, Params, Product, Projected

BECK_2024 = Paper(
    key="beck2024xlstm",
    authors="Beck, Maximilian and Pöppel, Korbinian and Spanring, Markus and Auer, Andreas and Prudnikova, Oleksandra "
    "and Kopp, Michael and Klambauer, Günter and Brandstetter, Johannes and Hochreiter, Sepp",
    title="xLSTM: extended long short-term memory",
    year=2024,
    booktitle="Advances in Neural Information Processing Systems",
    arxiv="2405.04517",
)
FORGET_GATES = ("sigmoid", "exponential")


class SLSTMCarry(NamedTuple):
    """hₜ, exp(−mₜ) cₜ, exp(−mₜ) nₜ and mₜ, each `[B, H]`."""

    hidden: Hidden
    cell: Hidden
    normalizer: Hidden
    stabilizer: Hidden


def slstm_gate(
    carry: SLSTMCarry, z: Projected, r: Float[jax.Array, "*B G"], forget_gate: str = "sigmoid"
) -> tuple[SLSTMCarry, Output]:
    """The next carry and yₜ from the projected input `z` and the recurrent product `r`, both `[..., 4 H]`."""
    # All in the dtype of the carry: what is divided by exp(m) and m itself must be rounded alike.
    i, f, g, o = jnp.split((z + r.astype(z.dtype)).astype(carry.cell.dtype), 4, axis=-1)
    log_forget = f if forget_gate == "exponential" else jax.nn.log_sigmoid(f)
    before = jnp.where(carry.normalizer == 0, -jnp.inf, carry.stabilizer)
    stabilizer = jnp.maximum(log_forget + before, i)
    update = jnp.exp(i - stabilizer)
    forget = jnp.exp(log_forget + before - stabilizer)
    cell = forget * carry.cell + update * jnp.tanh(g)
    normalizer = forget * carry.normalizer + update
    hidden = sigmoid(o) * cell / normalizer
    return SLSTMCarry(hidden, cell, normalizer, stabilizer), hidden.astype(z.dtype)


@dataclasses.dataclass(frozen=True)
class SLSTM(GatedCell):
    """sLSTM; equations and source at the top of this file.

    Carry: `SLSTMCarry(hidden, cell, normalizer, stabilizer)`, each `[B, H]`.
    Params: `input.kernel [D, 4 H]`, `input.bias [4 H]`, `recurrent.kernel [N, H / N, 4 H / N]`.
    Parameters: 4 (D + 1) H + 4 H² / N.

    U starts as zero and b_f as 3 to 6, evenly over the units of a head, as in the authors' code; the input kernel
    Glorot-uniform, the other biases, and that of an exponential forget gate, as zero.

    Args:
        input_size: D.
        hidden_size: H.
        heads: N, a divisor of H.
        forget_gate: "sigmoid" or "exponential".
    """

    input_size: int
    hidden_size: int
    heads: int = dataclasses.field(default=1, kw_only=True)
    forget_gate: str = dataclasses.field(default="sigmoid", kw_only=True)
    papers = (BECK_2024,)

    def __post_init__(self):
        super().__post_init__()
        check_choice("forget_gate", self.forget_gate, FORGET_GATES)

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        size, head_size = self.hidden_size, self.hidden_size // self.heads
        shape = (self.input_size, size)
        bias = jnp.zeros((4, self.heads, head_size), param_dtype)
        if self.forget_gate == "sigmoid":
            bias = bias.at[1].set(jnp.linspace(3, 6, head_size).astype(param_dtype))
        return {
            "input": {
                "kernel": initializers.per_gate(initializers.glorot_uniform, key, shape, 4, param_dtype),
                "bias": bias.ravel(),
            },
            "recurrent": {"kernel": jnp.zeros((self.heads, head_size, 4 * head_size), param_dtype)},
        }

    def initial_carry(self, batch_shape: tuple[int, ...] = (), dtype: DType = jnp.float32) -> SLSTMCarry:
        return SLSTMCarry(*(jnp.zeros((*batch_shape, self.hidden_size), dtype) for _ in SLSTMCarry._fields))

    def project(self, params: Params, xs: Inputs) -> Projected:
        return dense(xs, **params["input"])

    def recur(self, params: Params, carry: SLSTMCarry) -> Product:
        return block_dense(jnp.asarray(carry.hidden), params["recurrent"]["kernel"])

    def gate(self, params: Params, carry: SLSTMCarry, z: Projected, r: Product) -> tuple[SLSTMCarry, Output]:
        return slstm_gate(carry, z, r, self.forget_gate)

    def output(self, carry: SLSTMCarry) -> Output:
        return carry.hidden
