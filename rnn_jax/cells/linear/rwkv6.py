"""RWKV-6, also called Finch: a memory whose rows decay as the input says, and a bonus for what is written just now.

    yₜ = (Sₜ₋₁ + diag(u) kₜ vₜᵀ)ᵀ rₜ,    Sₜ = diag(wₜ) Sₜ₋₁ + kₜ vₜᵀ        for each head

    wₜ = exp(−exp(dₜ)),    dₜ = λ + W_dᵀ tanh(W_aᵀ xₜ)

An output is read from the memory before its step: what is written at a step counts with the weight u in its own
output, has not decayed at all in the next one, and by w from then on.

Peng et al. 2024, arXiv:2404.05892. Left to the block around the cell: the token shift, which blends an input with the
one before it for each of r, k, v and d (it is a convolution of two steps), the normalisation of each head, the gate
and the last linear layer.

r, k, v and W_aᵀ x are columns of one product, in this order, heads side by side within each. Their kernels start
Glorot-uniform. As in the authors' code for a first layer: W_a starts at zero, W_d uniform in ±0.01, λ rises from −6 to
−1 over the entries of all keys, as −6 + 5 a^0.7 with a from 0 to 1, and u goes 0, 0.1, −0.1 in turn. In that code the
other kernels start orthogonal, that of k a tenth as large.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from rnn_jax.cells.base import along_last, dense, widened
from rnn_jax.cells.linear.linear_attention import Association, LinearAttention, Memory
from rnn_jax.cells.papers import Paper
from rnn_jax.checks import check_size
from rnn_jax.typing import Bool, DType, Float, Inputs, Key, Output, Params

PENG_2024 = Paper(
    key="peng2024eagle",
    authors="Peng, Bo and Goldstein, Daniel and Anthony, Quentin and Albalak, Alon and Alcaide, Eric and Biderman, "
    "Stella and Cheah, Eugene and Du, Xingjian and Ferdinan, Teddy and Hou, Haowen and Kazienko, Przemysław and GV, "
    "Kranthi Kiran and Kocoń, Jan and Koptyra, Bartłomiej and Krishna, Satyapriya and McClelland Jr., Ronald and Lin, "
    "Jiaju and Muennighoff, Niklas and Obeid, Fares and Saito, Atsushi and Song, Guangyu and Tu, Haoqin and Wirawan, "
    "Cahya and Woźniak, Stanisław and Zhang, Ruichong and Zhao, Bingchen and Zhao, Qihang and Zhou, Peng and Zhu, Jian "
    "and Zhu, Rui-Jie",
    title="Eagle and Finch: RWKV with matrix-valued states and dynamic recurrence",
    year=2024,
    arxiv="2404.05892",
)


@dataclasses.dataclass(frozen=True)
class RWKV6(LinearAttention):
    """Linear attention with a decay for each row of its memory and a bonus; equations and source at the top.

    Carry: Sₜ `[B, heads, K, H / heads]`. Params: `input.kernel [D, 2 heads K + H + R]` (r, k, v, W_a in this order),
    `decay.kernel [R, heads K]`, `decay.bias [heads K]` (W_d, λ), `bonus.scale [heads, K]` (u).
    Parameters: 3 D H + D R + (R + 2) H. That is with heads K = H, as by default.

    Args:
        input_size: D.
        hidden_size: H.
        heads: how many heads share H.
        key_size: K, of one head; None is H / heads.
        rank: R, numbers that the decays are made of.
    """

    input_size: int
    hidden_size: int
    heads: int = dataclasses.field(default=1, kw_only=True)
    key_size: int | None = dataclasses.field(default=None, kw_only=True)
    rank: int = dataclasses.field(default=64, kw_only=True)
    papers = (PENG_2024,)
    reads_before = True

    def __post_init__(self):
        super().__post_init__()
        check_size("rank", self.rank)

    @property
    def gate_sizes(self) -> tuple[int, ...]:
        return (self.rank,)

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        input_key, decay_key = jax.random.split(key)
        entry = np.arange(self.heads * self.key_dim)
        slow_to_fast = -6 + 5 * (entry / max(1, len(entry) - 1)) ** 0.7
        bonus = 0.1 * ((entry + 1) % 3 - 1).reshape(self.heads, self.key_dim)
        return {
            "input": {"kernel": self.input_kernel(input_key, param_dtype).at[:, -self.rank :].set(0)},
            "decay": {
                "kernel": jax.random.uniform(decay_key, (self.rank, len(entry)), param_dtype, -0.01, 0.01),
                "bias": jnp.asarray(slow_to_fast, param_dtype),
            },
            "bonus": {"scale": jnp.asarray(bonus, param_dtype)},
        }

    def project(self, params: Params, xs: Inputs) -> Association:
        query, key, value, gate = self.split(dense(xs, params["input"]["kernel"]))
        speed = jnp.exp(dense(jnp.tanh(widened(gate)), **params["decay"]))
        return Association(query, key, value, jnp.exp(-speed).reshape(key.shape))

    def bonus(self, params: Params, z: Association) -> Output:
        """(diag(u) k vᵀ)ᵀ r, what a step writes in its own output."""
        weight = along_last(params["bonus"]["scale"], z.key) * z.key * z.query
        own = jnp.sum(weight, axis=-1, keepdims=True) * z.value
        return own.reshape(*own.shape[:-2], self.hidden_size)

    def read(self, params: Params, carry: Memory, z: Association) -> Output:
        return super().read(params, carry, z) + self.bonus(params, z)

    def chunk(
        self, params: Params, carry: Memory, z: Association, valid: Bool[jax.Array, "C *B"] | None
    ) -> tuple[Memory, Float[jax.Array, "C *B H"]]:
        # Asked one step earlier, the queries find the memory after that step, which is the one before their own.
        first = super().read(params, carry, jax.tree.map(lambda a: a[0], z))
        earlier = z._replace(query=jnp.roll(z.query, -1, axis=0))
        carry, ys = super().chunk(params, carry, earlier, valid)
        return carry, jnp.concatenate([first[None], ys[:-1]]) + self.bonus(params, z)
