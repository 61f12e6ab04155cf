"""Several steps of the delta rule a token: what a memory goes through is a product of Householder matrices.

    Sₜ = A₍ₙ₎ ⋯ A₍₁₎ αₜ Sₜ₋₁ + Σⱼ A₍ₙ₎ ⋯ A₍ⱼ₊₁₎ βⱼ kⱼ vⱼᵀ,    A₍ⱼ₎ = I − βⱼ kⱼ kⱼᵀ,    yₜ = Sₜᵀ qₜ        for each head

    q = φ(W_qᵀ x),  kⱼ = φ(W_kⱼᵀ x),  vⱼ = W_vⱼᵀ x,  βⱼ = 2 σ(w_βⱼᵀ x)

    DeltaProduct         αₜ = 1
    GatedDeltaProduct    αₜ as in GatedDeltaNet, once a token

Two reflections are a rotation, which counts modulo any number, and n of them move n + 1 things about: with β up to 2,
n steps a token follow the permutations of n + 1 elements in one layer. With n = 1 these are DeltaNet and GatedDeltaNet,
where φ, α and what is left to the block around a cell are told.

Siems et al. 2025, arXiv:2502.10297. q, the k, the v and the β of all steps and α are columns of one product, in this
order, each with its steps side by side, heads side by side within each.
"""

import dataclasses

from rnn_jax.cells.linear.deltanet import DeltaNetFamily, GatedDeltaNetFamily
from rnn_jax.cells.linear.s6 import GRAZZI_2025
from rnn_jax.cells.papers import Paper
from rnn_jax.checks import check_size

SIEMS_2025 = Paper(
    key="siems2025deltaproduct",
    authors="Siems, Julien and Carstensen, Timur and Zela, Arber and Hutter, Frank and Pontil, Massimiliano and "
    "Grazzi, Riccardo",
    title="DeltaProduct: Improving state-tracking in linear RNNs via Householder products",
    year=2025,
    booktitle="Advances in Neural Information Processing Systems",
    arxiv="2502.10297",
)


@dataclasses.dataclass(frozen=True)
class DeltaProduct(DeltaNetFamily):
    """Several steps of the delta rule a token; equations and source at the top of this file.

    Carry: Sₜ `[B, heads, K, H / heads]`. Params: `input.kernel [D, (n + 1) heads K + n H + n heads]`.
    Parameters: D (5 H + 2). That is with two steps, one head and K = H, as by default.

    Args:
        input_size: D.
        hidden_size: H.
        householders: n, steps a token.
        heads: how many heads share H.
        key_size: K, of one head; None is H / heads.
        negative_eigenvalues: whether β may reach 2 instead of 1.
    """

    input_size: int
    hidden_size: int
    householders: int = dataclasses.field(default=2, kw_only=True)
    heads: int = dataclasses.field(default=1, kw_only=True)
    key_size: int | None = dataclasses.field(default=None, kw_only=True)
    negative_eigenvalues: bool = dataclasses.field(default=True, kw_only=True)
    papers = (SIEMS_2025, GRAZZI_2025)
    chunk_size = 16

    def __post_init__(self):
        super().__post_init__()
        check_size("householders", self.householders)


@dataclasses.dataclass(frozen=True)
class GatedDeltaProduct(GatedDeltaNetFamily):
    """The same with a gate that can empty the memory; equations and source at the top of this file.

    Carry: Sₜ `[B, heads, K, H / heads]`. Params: `input.kernel [D, (n + 1) heads K + n H + (n + 1) heads]`,
    `decay.log_rate [heads]` (A), `decay.bias [heads]` (b_α). Parameters: D (5 H + 3) + 2. That is with two steps, one
    head and K = H, as by default.

    Args:
        input_size: D.
        hidden_size: H.
        householders: n, steps a token.
        heads: how many heads share H.
        key_size: K, of one head; None is H / heads.
        negative_eigenvalues: whether β may reach 2 instead of 1.
    """

    input_size: int
    hidden_size: int
    householders: int = dataclasses.field(default=2, kw_only=True)
    heads: int = dataclasses.field(default=1, kw_only=True)
    key_size: int | None = dataclasses.field(default=None, kw_only=True)
    negative_eigenvalues: bool = dataclasses.field(default=True, kw_only=True)
    papers = (SIEMS_2025, GRAZZI_2025)
    chunk_size = 16

    def __post_init__(self):
        super().__post_init__()
        check_size("householders", self.householders)
