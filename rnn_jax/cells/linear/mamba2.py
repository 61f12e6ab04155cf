"""State space duality, the recurrence inside Mamba-2: a selective state space model with one decay a head.

    aₜ = a(Δₜ A),    Hₜ = aₜ Hₜ₋₁ + Δₜ Bₜ uₜᵀ,    yₜ = Hₜᵀ Cₜ + D uₜ        for each head

    Δₜ = softplus(w_Δᵀ xₜ + b_Δ),    A = −exp(·),    a(s) = exp(s)

C, B, u of all heads and w_Δᵀ xₜ are columns of one product, in this order: C and B, K numbers each, are shared by the
heads, u is H / heads numbers a head, Δ, A and D are one number a head. Hₜ is a memory S of `linear_attention` whose
query, key and value are C, Δ B and u: that is the duality, and why many steps are a few products of matrices. With
`negative_eigenvalues` a(s) is 2 exp(s) − 1, in (−1, 1), as in `S6`: a memory can then change sign and count modulo two.
With dt, aₜ becomes aₜᵈᵗ and Δₜ becomes Δₜ (aₜᵈᵗ − 1) / (aₜ − 1): the input is held meanwhile, as in `S6`.

Dao & Gu 2024, arXiv:2405.21060; the projections and the heads ("multi-value attention") are those of section 7. With
one channel a head it is `S6` whose states share a rate. Negative eigenvalues: Grazzi et al. 2025, arXiv:2411.12537. Not
here: the convolution over u, B and C with its SiLU, the gate, the normalisation and the last linear layer of the block
around it. The authors' code orders the columns u, B, C, Δ, lets groups of heads have a B and C each, and has 64 or 128
states; here K is H / heads unless it is said.

A starts uniform in [−16, −1] (flash-linear-attention: [−16, 0]), D as one, b_Δ such that Δ is log-uniform in
[dt_min, dt_max], all as in the authors' code; kernels Glorot-uniform.
"""

import dataclasses

import jax
import jax.numpy as jnp

from rnn_jax import initializers
from rnn_jax.cells.base import along_last, dense, widened
from rnn_jax.cells.linear.base import held
from rnn_jax.cells.linear.linear_attention import Association, LinearAttention, Memory
from rnn_jax.cells.linear.s6 import GRAZZI_2025
from rnn_jax.cells.papers import Paper
from rnn_jax.cells.timed import Timed, apart
from rnn_jax.checks import check_time_steps
from rnn_jax.typing import Bool, DType, Float, Inputs, Key, Output, Params

DAO_2024 = Paper(
    key="dao2024transformers",
    authors="Dao, Tri and Gu, Albert",
    title="Transformers are SSMs: Generalized models and efficient algorithms through structured state space duality",
    year=2024,
    booktitle="International Conference on Machine Learning",
    arxiv="2405.21060",
)


@dataclasses.dataclass(frozen=True)
class Mamba2(LinearAttention):
    """State space model with one decay a head; equations and sources at the top of this file.

    Carry: Hₜ `[B, heads, K, H / heads]`. Params: `input.kernel [D, 2 K + H + heads]` (C, B, u, Δ in this order),
    `step.bias [heads]` (b_Δ), `recurrent.log_rate [heads]` (ln −A), `skip.scale [heads]` (D).
    Parameters: D (3 H + 1) + 3. That is with one head and K = H, as by default.

    Args:
        input_size: D.
        hidden_size: H.
        heads: how many heads share H.
        key_size: K, states of one channel; None is H / heads.
        dt_min: the least Δ at first.
        dt_max: the greatest Δ at first.
        negative_eigenvalues: whether a memory may change sign.
    """

    input_size: int
    hidden_size: int
    heads: int = dataclasses.field(default=1, kw_only=True)
    key_size: int | None = dataclasses.field(default=None, kw_only=True)
    dt_min: float = dataclasses.field(default=0.001, kw_only=True)
    dt_max: float = dataclasses.field(default=0.1, kw_only=True)
    negative_eigenvalues: bool = dataclasses.field(default=False, kw_only=True)
    papers = (DAO_2024, GRAZZI_2025)
    chunk_size = 64

    def __post_init__(self):
        super().__post_init__()
        check_time_steps(self.dt_min, self.dt_max)

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        kernel_key, rate_key, step_key = jax.random.split(key, 3)
        columns = (self.key_dim, self.key_dim, self.hidden_size, self.heads)
        glorot, rate = initializers.glorot_uniform, jax.random.uniform(rate_key, (self.heads,), minval=1.0, maxval=16.0)
        return {
            "input": {"kernel": initializers.columns(glorot, kernel_key, self.input_size, columns, param_dtype)},
            "step": {"bias": initializers.softplus_bias(step_key, self.heads, self.dt_min, self.dt_max, param_dtype)},
            "recurrent": {"log_rate": jnp.log(rate).astype(param_dtype)},
            "skip": {"scale": jnp.ones(self.heads, param_dtype)},
        }

    @property
    def timed(self) -> bool:
        return not self.negative_eigenvalues

    def project(self, params: Params, xs: Inputs | Timed) -> Association:
        xs, dt = apart(xs)
        ends = [self.key_dim, 2 * self.key_dim, 2 * self.key_dim + self.hidden_size]
        query, key, value, step = jnp.split(dense(xs, params["input"]["kernel"]), ends, axis=-1)
        step = widened(step)
        step = jax.nn.softplus(step + along_last(params["step"]["bias"], step))
        rate = step * jnp.exp(along_last(params["recurrent"]["log_rate"], step))
        if dt is not None:
            decay, lasting = held(rate, dt)
            step = lasting * step
        else:
            decay = jnp.exp(-rate)
            decay = 2 * decay - 1 if self.negative_eigenvalues else decay
        key = step[..., None] * widened(key)[..., None, :]
        query = jnp.broadcast_to(query[..., None, :], key.shape)
        value = value.reshape(*value.shape[:-1], self.heads, self.hidden_size // self.heads)
        return Association(query, key, value, decay[..., None])

    def skip(self, params: Params, z: Association) -> Output:
        """D u, the part of the output that does not come from the memory."""
        skipped = along_last(params["skip"]["scale"][:, None], z.value) * z.value
        return skipped.reshape(*skipped.shape[:-2], self.hidden_size)

    def read(self, params: Params, carry: Memory, z: Association) -> Output:
        return super().read(params, carry, z) + self.skip(params, z)

    def chunk(
        self, params: Params, carry: Memory, z: Association, valid: Bool[jax.Array, "C *B"] | None
    ) -> tuple[Memory, Float[jax.Array, "C *B H"]]:
        carry, ys = super().chunk(params, carry, z, valid)
        return carry, ys + self.skip(params, z)
