"""GRU-D: a gated recurrent unit for values that may be missing, which fade to their means while they are.

    δₜ = dt + δₜ₋₁ where mₜ₋₁ = 0,    dt where mₜ₋₁ = 1    the time since each variable was seen
    γₜ = exp(−max(0, w δₜ + b))                            for each variable; γʰₜ = exp(−max(0, W_hᵀ δₜ + b_h))
    x̂ₜ = mₜ xₜ + (1 − mₜ) (γₜ x'ₜ + (1 − γₜ) x̃)            x' the last value that was seen, x̃ the mean
    ĥₜ₋₁ = γʰₜ ⊙ hₜ₋₁
    rₜ = σ(W_rᵀ x̂ₜ + V_rᵀ mₜ + b_r + U_rᵀ ĥₜ₋₁)        nₜ = tanh(W_nᵀ x̂ₜ + V_nᵀ mₜ + b_n + U_nᵀ (rₜ ⊙ ĥₜ₋₁))
    zₜ = σ(W_zᵀ x̂ₜ + V_zᵀ mₜ + b_z + U_zᵀ ĥₜ₋₁)        hₜ = (1 − zₜ) ⊙ nₜ + zₜ ⊙ ĥₜ₋₁,    yₜ = hₜ

Che et al. 2018, arXiv:1606.01865, equations 2 and 4 to 9. m is 1 where a variable is seen and 0 where it is missing;
what then stands in x has no influence, not even NaN. A variable that was never seen is at its mean. Gates stand side by
side in the order r, z, n, and z keeps the state, as in PyTorch; in the paper it is 1 − z that does. The first δ is dt,
in the paper zero. The authors' code, other than the paper, reads 1 − m, and keeps h without its decay where z says so.

x̃ is the mean of the training data, a parameter that is not trained and starts at zero, as of standardised data. w and
W_h start uniform in [0, 1 / D], for a decay below zero would have no gradient; W and V Glorot-uniform, U orthogonal and
the biases zero.
"""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from rnn_jax import initializers
from rnn_jax.cells.base import Cell, along_last, dense
from rnn_jax.cells.gated.gru import gru_step_reset_before
from rnn_jax.cells.papers import Paper
from rnn_jax.cells.timed import Timed, apart, duration, together
from rnn_jax.typing import (
    Carry,
    Checked,
    DType,
    Float,
    Hidden,
    Key,
    Output,
    Params,
    Projected,
    at_least_float32,
)

CHE_2018 = Paper(
    key="che2018recurrent",
    authors="Che, Zhengping and Purushotham, Sanjay and Cho, Kyunghyun and Sontag, David and Liu, Yan",
    title="Recurrent neural networks for multivariate time series with missing values",
    year=2018,
    journal="Scientific Reports",
    arxiv="1606.01865",
)


class GRUDCarry(NamedTuple):
    """hₜ `[B, H]`; x' − x̃, how far the last value seen is from the mean, and (1 − mₜ) δₜ, each `[B, D]`."""

    hidden: Hidden
    deviation: Float[jax.Array, "*B D"]
    elapsed: Float[jax.Array, "*B D"]


class GRUDInputs(NamedTuple):
    """x − x̃ and m, each `[..., D]`, and Vᵀ m + b `[..., 3 H]`."""

    deviation: Float[jax.Array, "*B D"]
    mask: Float[jax.Array, "*B D"]
    gates: Projected


def decay(elapsed: Float[jax.Array, "*B n"]) -> Float[jax.Array, "*B n"]:
    """exp(−max(0, ·))."""
    return jnp.exp(-jnp.maximum(elapsed, 0))


def mean_of(params: Params) -> Float[jax.Array, "D"]:
    """x̃, a constant."""
    return jax.lax.stop_gradient(jnp.asarray(params["input"]["mean"]))


def gru_d_step(
    params: Params, carry: GRUDCarry, z: GRUDInputs, dt: Float[jax.Array, "*B"] | None
) -> tuple[GRUDCarry, Output]:
    """The next carry and yₜ."""
    dtype, rates = z.gates.dtype, params["decay"]
    since = carry.elapsed + duration(dt, carry.elapsed)
    fading = decay(along_last(rates["input_weight"], since) * since + along_last(rates["input_bias"], since))
    hidden_decay = decay(dense(since, rates["hidden_kernel"], rates["hidden_bias"]))
    last, missing = carry.deviation.astype(dtype), 1 - z.mask
    values = z.mask * z.deviation + missing * fading.astype(dtype) * last + along_last(mean_of(params), z.mask)
    gates = z.gates + dense(values, params["input"]["kernel"])
    decayed = hidden_decay.astype(carry.hidden.dtype) * carry.hidden
    hidden, y = gru_step_reset_before(decayed, gates, params["recurrent"]["kernel"])
    deviation = (z.mask * z.deviation + missing * last).astype(carry.deviation.dtype)
    return GRUDCarry(hidden, deviation, missing.astype(since.dtype) * since), y


@dataclasses.dataclass(frozen=True)
class GRUD(Cell):
    """Gated recurrent unit with decay; equations and source at the top of this file.

    It reads a tree, `{"value": [..., D], "mask": [..., D]}`, whose mask may be bool.

    Carry: `GRUDCarry(hidden [B, H], deviation [B, D], elapsed [B, D])`. Params: `input.kernel [D, 3 H]`,
    `input.bias [3 H]`, `input.mean [D]` (x̃), `mask.kernel [D, 3 H]` (V), `recurrent.kernel [H, 3 H]`,
    `decay.{input_weight, input_bias} [D]` (w, b), `decay.hidden_kernel [D, H]`, `decay.hidden_bias [H]`.
    Parameters: 7 D H + 3 H² + 4 H + 3 D.

    Args:
        input_size: D, variables.
        hidden_size: H.
    """

    input_size: int
    hidden_size: int
    papers = (CHE_2018,)
    timed = True

    @property
    def input_shape(self) -> Any:
        return {"value": (self.input_size,), "mask": (self.input_size,)}

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        kernel_key, mask_key, input_key, hidden_key = jax.random.split(key, 4)
        shape = (self.input_size, self.hidden_size)
        params = initializers.gated_kernels(kernel_key, *shape, 3, param_dtype)
        params["input"] |= {
            "bias": jnp.zeros(3 * self.hidden_size, param_dtype),
            "mean": jnp.zeros(self.input_size, param_dtype),
        }
        mask_kernel = initializers.per_gate(initializers.glorot_uniform, mask_key, shape, 3, param_dtype)
        most = 1 / self.input_size
        rates = {
            "input_weight": jax.random.uniform(input_key, shape[:1], param_dtype, maxval=most),
            "input_bias": jnp.zeros(self.input_size, param_dtype),
            "hidden_kernel": jax.random.uniform(hidden_key, shape, param_dtype, maxval=most),
            "hidden_bias": jnp.zeros(self.hidden_size, param_dtype),
        }
        return params | {"mask": {"kernel": mask_kernel}, "decay": rates}

    def initial_carry(self, batch_shape: tuple[int, ...] = (), dtype: DType = jnp.float32) -> GRUDCarry:
        hidden, unseen = (*batch_shape, self.hidden_size), (*batch_shape, self.input_size)
        elapsed = jnp.zeros(unseen, at_least_float32(dtype))
        return GRUDCarry(jnp.zeros(hidden, dtype), jnp.zeros(unseen, dtype), elapsed)

    def trainable(self, params: Params) -> Params:
        free = super().trainable(params)
        return free | {"input": free["input"] | {"mean": False}}

    def state(self, carry: GRUDCarry) -> Carry:
        return jax.tree.unflatten(jax.tree.structure(carry), (True, False, False))

    def project(self, params: Params, xs: Checked[Any, "*B D"]) -> Any:
        xs, dt = apart(xs)
        value = jnp.asarray(xs["value"])
        mask = jnp.asarray(xs["mask"]).astype(value.dtype)
        seen = jnp.where(mask == 0, jnp.zeros_like(value), value - along_last(mean_of(params), value))
        gates = dense(mask, params["mask"]["kernel"], params["input"]["bias"])
        return together(GRUDInputs(seen, mask, gates), dt)

    def step(self, params: Params, carry: GRUDCarry, z: GRUDInputs | Timed) -> tuple[GRUDCarry, Output]:
        return gru_d_step(params, carry, *apart(z))

    def output(self, carry: GRUDCarry) -> Output:
        return carry.hidden
