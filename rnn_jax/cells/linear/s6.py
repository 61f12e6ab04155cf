"""The selective state space model, the recurrence inside Mamba: the input chooses what is kept, written and read.

    uₜ = Wᵀ xₜ,    (sₜ, Bₜ, Cₜ) = W_sᵀ uₜ,    Δₜ = softplus(W_Δᵀ sₜ + b_Δ)
    hₜ = a(Δₜ A) ⊙ hₜ₋₁ + (Δₜ ⊙ uₜ) Bₜᵀ,    yₜ = hₜ Cₜ + D ⊙ uₜ

hₜ is a matrix, N states for each of the H channels of u. a(s) = exp(s); with `negative_eigenvalues` it is
2 exp(s) − 1, in (−1, 1), with which a state can change sign and count modulo two.

With dt, Δₜ A becomes Δₜ A dt and the update that of one unit of time, times (exp(Δₜ A dt) − 1) / (exp(Δₜ A) − 1): it
is held meanwhile, so that one step of two units is two steps of one. A state that can change sign at every step has no
such form: with `negative_eigenvalues` there is no dt.

Gu & Dao 2023, arXiv:2312.00752, algorithm 2; A is discretised by zero-order hold and B by Euler's rule, as in the
authors' code. Negative eigenvalues: Grazzi et al. 2025, arXiv:2411.12537. Not here: the convolution and the gate that a
Mamba block puts around it. W stands for the block's input projection.

A = −exp(·) starts as −1, …, −N in every channel (S4D-Real), D as one, b_Δ such that Δ is log-uniform in
[dt_min, dt_max], W_Δ uniform in ±R^-½, all as in the authors' code; W and W_s Glorot-uniform.
"""

import dataclasses
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

from rnn_jax import initializers
from rnn_jax.cells.base import along_last, dense, widened
from rnn_jax.cells.linear.base import Affine, DiagonalCell, held
from rnn_jax.cells.papers import Paper
from rnn_jax.cells.timed import Timed, apart
from rnn_jax.checks import check_size, check_time_steps
from rnn_jax.typing import DType, Float, Hidden, Inputs, Key, Output, Params

GU_2023 = Paper(
    key="gu2023mamba",
    authors="Gu, Albert and Dao, Tri",
    title="Mamba: Linear-time sequence modeling with selective state spaces",
    year=2023,
    arxiv="2312.00752",
)
GRAZZI_2025 = Paper(
    key="grazzi2025unlocking",
    authors="Grazzi, Riccardo and Siems, Julien and Zela, Arber and Franke, Jörg K. H. and Hutter, Frank and "
    "Pontil, Massimiliano",
    title="Unlocking state-tracking in linear RNNs through negative eigenvalues",
    year=2025,
    booktitle="International Conference on Learning Representations",
    arxiv="2411.12537",
)


class S6Inputs(NamedTuple):
    """uₜ and Δₜ `[..., H]`, Bₜ and Cₜ `[..., N]`, and dt `[...]` where it is given."""

    u: Hidden
    step: Hidden
    write: Float[jax.Array, "*B N"]
    read: Float[jax.Array, "*B N"]
    dt: Float[jax.Array, "*B"] | None = None


@dataclasses.dataclass(frozen=True)
class S6(DiagonalCell):
    """Selective state space model; equations and sources at the top of this file.

    Carry: hₜ `[B, H, N]`. Params: `input.kernel [D, H]` (W), `selection.kernel [H, R + 2 N]` (W_s; s, B, C in this
    order), `step.kernel [R, H]`, `step.bias [H]` (W_Δ, b_Δ), `recurrent.log_rate [H, N]` (ln −A), `skip.scale [H]` (D).
    Parameters: (D + 3 N + 4) H. That is with R = 1; every rank above adds 2 H.

    Args:
        input_size: D.
        hidden_size: H.
        state_size: N, states of one channel.
        rank: R, numbers that Δ is made of; None is H / 16, rounded up.
        dt_min: the least Δ at first.
        dt_max: the greatest Δ at first.
        negative_eigenvalues: whether states may change sign.
    """

    input_size: int
    hidden_size: int
    state_size: int = dataclasses.field(default=16, kw_only=True)
    rank: int | None = dataclasses.field(default=None, kw_only=True)
    dt_min: float = dataclasses.field(default=0.001, kw_only=True)
    dt_max: float = dataclasses.field(default=0.1, kw_only=True)
    negative_eigenvalues: bool = dataclasses.field(default=False, kw_only=True)
    papers = (GU_2023, GRAZZI_2025)

    def __post_init__(self):
        super().__post_init__()
        check_size("state_size", self.state_size)
        check_size("rank", self.step_rank)
        check_time_steps(self.dt_min, self.dt_max)

    @property
    def timed(self) -> bool:
        return not self.negative_eigenvalues

    @property
    def step_rank(self) -> int:
        """R."""
        return math.ceil(self.hidden_size / 16) if self.rank is None else self.rank

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        keys = jax.random.split(key, 4)
        channels, states, rank = self.hidden_size, self.state_size, self.step_rank
        glorot = initializers.glorot_uniform
        bound = rank**-0.5
        return {
            "input": {"kernel": glorot(keys[0], (self.input_size, channels), param_dtype)},
            "selection": {
                "kernel": initializers.columns(glorot, keys[1], channels, (rank, states, states), param_dtype)
            },
            "step": {
                "kernel": jax.random.uniform(keys[2], (rank, channels), param_dtype, -bound, bound),
                "bias": initializers.softplus_bias(keys[3], channels, self.dt_min, self.dt_max, param_dtype),
            },
            "recurrent": {
                "log_rate": jnp.broadcast_to(jnp.log(jnp.arange(1.0, states + 1)), (channels, states)).astype(
                    param_dtype
                )
            },
            "skip": {"scale": jnp.ones(channels, param_dtype)},
        }

    def initial_carry(
        self, batch_shape: tuple[int, ...] = (), dtype: DType = jnp.float32
    ) -> Float[jax.Array, "*B H N"]:
        return jnp.zeros((*batch_shape, self.hidden_size, self.state_size), dtype)

    def project(self, params: Params, xs: Inputs | Timed) -> S6Inputs:
        xs, dt = apart(xs)
        u = dense(xs, params["input"]["kernel"])
        rank, states = self.step_rank, self.state_size
        step, write, read = jnp.split(dense(u, params["selection"]["kernel"]), [rank, rank + states], axis=-1)
        return S6Inputs(u, jax.nn.softplus(dense(widened(step), **params["step"])), write, read, dt)

    def elements(self, params: Params, z: S6Inputs) -> Affine:
        step = z.step[..., None]
        rate = step * jnp.exp(along_last(params["recurrent"]["log_rate"], step))
        update = step * widened(z.u)[..., None] * widened(z.write)[..., None, :]
        if z.dt is not None:
            decay, lasting = held(rate, z.dt)
            return Affine(decay, lasting * update)
        decay = jnp.exp(-rate)
        return Affine(2 * decay - 1 if self.negative_eigenvalues else decay, update)

    def read(self, params: Params, carry: Float[jax.Array, "*B H N"], z: S6Inputs) -> Output:
        seen = jnp.einsum("...hn,...n->...h", carry.astype(z.u.dtype), z.read)
        return seen + along_last(params["skip"]["scale"], z.u) * z.u
