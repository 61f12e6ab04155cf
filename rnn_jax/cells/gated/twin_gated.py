"""Twin gates: the sum of what the input and the state say opens the input gate, their difference the forget gate.

    pₜ = Wᵀ xₜ,    qₜ = Uᵀ hₜ₋₁                       `ATR`
    iₜ = σ(pₜ + qₜ),    fₜ = σ(pₜ − qₜ)
    hₜ = iₜ ⊙ pₜ + fₜ ⊙ hₜ₋₁,    yₜ = hₜ

    iₜ = σ(W_pᵀ xₜ + hₜ₋₁),    fₜ = σ(W_qᵀ xₜ − hₜ₋₁)    `LRN`
    hₜ = iₜ ⊙ W_rᵀ xₜ + fₜ ⊙ hₜ₋₁,    yₜ = hₜ

Addition-subtraction twin-gated recurrent network: Zhang, Xiong, Su, Lin & Zhang 2018, arXiv:1810.12546. Lightweight
recurrent network: Zhang & Sennrich 2019, arXiv:1905.13324, whose loop has no weights at all. Neither has biases in the
authors' code (github.com/bzhangGo/zero), nor here; its layer normalisation and what it does to the outputs are left to
the block around the cell. The state is a sum of inputs, as large as they are: no function bounds it.

Blocks of LRN stand side by side in the order p, q, r. Kernels start Glorot-uniform, U orthogonal.
"""

import dataclasses

import jax
import jax.numpy as jnp

from rnn_jax import initializers
from rnn_jax.cells.base import GatedCell, GatedHiddenCell, HiddenCell, sigmoid
from rnn_jax.cells.papers import Paper
from rnn_jax.typing import DType, Float, Hidden, Key, Output, Params, Product, Projected

ZHANG_2018 = Paper(
    key="zhang2018simplifying",
    authors="Zhang, Biao and Xiong, Deyi and Su, Jinsong and Lin, Qian and Zhang, Huiji",
    title="Simplifying neural machine translation with addition-subtraction twin-gated recurrent networks",
    year=2018,
    booktitle="Empirical Methods in Natural Language Processing",
    arxiv="1810.12546",
)
ZHANG_2019 = Paper(
    key="zhang2019lightweight",
    authors="Zhang, Biao and Sennrich, Rico",
    title="A lightweight recurrent network for sequence modeling",
    year=2019,
    booktitle="Annual Meeting of the Association for Computational Linguistics",
    arxiv="1905.13324",
)


def twin_gate(hidden: Hidden, add: Hidden, subtract: Hidden, new: Hidden, seen: Hidden) -> tuple[Hidden, Output]:
    """hₜ and yₜ: what is seen of hₜ₋₁ is added to open the input gate and subtracted to open the forget gate."""
    keep, write = sigmoid(subtract - seen), sigmoid(add + seen)
    hidden = keep.astype(hidden.dtype) * hidden + (write * new).astype(hidden.dtype)
    return hidden, hidden.astype(new.dtype)


@dataclasses.dataclass(frozen=True)
class ATR(GatedHiddenCell):
    """Addition-subtraction twin-gated recurrent network; equations and source at the top of this file.

    Carry: hₜ `[B, H]`. Params: `input.kernel [D, H]`, `recurrent.kernel [H, H]`. Parameters: (D + H) H.

    Args:
        input_size: D.
        hidden_size: H.
        heads: N, a divisor of H; with more than one the recurrent kernel is N blocks, `[N, H / N, H / N]`.
    """

    input_size: int
    hidden_size: int
    heads: int = dataclasses.field(default=1, kw_only=True)
    papers = (ZHANG_2018,)

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        return initializers.gated_kernels(key, self.input_size, self.hidden_size, 1, param_dtype, heads=self.heads)

    def gate(self, params: Params, carry: Hidden, z: Projected, r: Product) -> tuple[Hidden, Output]:
        return twin_gate(carry, z, z, z, r.astype(z.dtype))


@dataclasses.dataclass(frozen=True)
class LRN(HiddenCell, GatedCell):
    """Lightweight recurrent network; equations and source at the top of this file.

    Carry: hₜ `[B, H]`. Params: `input.kernel [D, 3 H]`. Parameters: 3 D H.

    Args:
        input_size: D.
        hidden_size: H.
    """

    input_size: int
    hidden_size: int
    papers = (ZHANG_2019,)
    cut = True

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        shape = (self.input_size, self.hidden_size)
        return {"input": {"kernel": initializers.per_gate(initializers.glorot_uniform, key, shape, 3, param_dtype)}}

    def recur(self, params: Params, carry: Hidden) -> Product:
        return carry

    def gate(self, params: Params, carry: Hidden, z: Float[jax.Array, "*B 3*H"], r: Product) -> tuple[Hidden, Output]:
        add, subtract, new = jnp.split(z, 3, axis=-1)
        return twin_gate(carry, add, subtract, new, r.astype(z.dtype))
