"""Long expressive memory: two states whose step sizes the network chooses, unit by unit and step by step.

    sₜ = Δt σ(W₁ᵀ xₜ + b₁ + U₁ᵀ yₜ₋₁)        zₜ = (1 − sₜ) ⊙ zₜ₋₁ + sₜ ⊙ tanh(W_zᵀ xₜ + b_z + U_zᵀ yₜ₋₁)
    s̄ₜ = Δt σ(W₂ᵀ xₜ + b₂ + U₂ᵀ yₜ₋₁)        yₜ = (1 − s̄ₜ) ⊙ yₜ₋₁ + s̄ₜ ⊙ tanh(W_yᵀ xₜ + b_y + U_yᵀ zₜ)

Rusch, Mishra, Erichson & Mahoney 2022, arXiv:2110.04744, equation 3. The output is yₜ, which reads the new zₜ.
With dt, Δt becomes Δt dt.

Gates stand side by side in the order s, s̄, z, y. One bias instead of the two in the authors' code, which only ever
appear as their sum.
"""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp

from rnn_jax.cells.base import Cell, dense, interpolate, sigmoid
from rnn_jax.cells.papers import Paper
from rnn_jax.cells.timed import Timed, apart, duration, together
from rnn_jax.checks import check_number
from rnn_jax.typing import Array, DType, Float, Hidden, Inputs, Key, Output, Params, Projected

RUSCH_2022 = Paper(
    key="rusch2022long",
    authors="Rusch, T. Konstantin and Mishra, Siddhartha and Erichson, N. Benjamin and Mahoney, Michael W.",
    title="Long expressive memory for sequence modeling",
    year=2022,
    booktitle="International Conference on Learning Representations",
    arxiv="2110.04744",
)


class LEMCarry(NamedTuple):
    """yₜ and zₜ, each `[B, H]`."""

    hidden: Hidden
    memory: Hidden


def lem_step(
    carry: LEMCarry, z: Projected, kernel: Float[Array, "H G"], dt: float | Float[jax.Array, "*B 1"]
) -> tuple[LEMCarry, Output]:
    """(yₜ, zₜ) and the output from the projected input `z [..., 4 H]`; the recurrent kernel is `[H, 4 H]`."""
    size = carry.hidden.shape[-1]
    z_memory_step, z_hidden_step, z_memory, z_hidden = jnp.split(z, 4, axis=-1)
    r = dense(carry.hidden, kernel[:, : 3 * size]).astype(z.dtype)
    r_memory_step, r_hidden_step, r_memory = jnp.split(r, 3, axis=-1)
    memory_step = dt * sigmoid(z_memory_step + r_memory_step)
    hidden_step = dt * sigmoid(z_hidden_step + r_hidden_step)
    memory, _ = interpolate(carry.memory, 1 - memory_step, jnp.tanh(z_memory + r_memory))
    seen = dense(memory, kernel[:, 3 * size :]).astype(z.dtype)
    hidden, y = interpolate(carry.hidden, 1 - hidden_step, jnp.tanh(z_hidden + seen))
    return LEMCarry(hidden, memory), y


@dataclasses.dataclass(frozen=True)
class LEM(Cell):
    """Long expressive memory; equations and source at the top of this file.

    Carry: `LEMCarry(hidden [B, H], memory [B, H])`. Params: `input.kernel [D, 4 H]`, `input.bias [4 H]`,
    `recurrent.kernel [H, 4 H]`. Parameters: 4 (D + H + 1) H.

    All start uniform in ±1 / √H, as in the authors' code.

    Args:
        input_size: D.
        hidden_size: H.
        dt: Δt, the longest step, at most 1: states then stay between −1 and 1, as long as Δt dt is at most 1 too.
    """

    input_size: int
    hidden_size: int
    dt: float = dataclasses.field(default=1.0, kw_only=True)
    papers = (RUSCH_2022,)
    timed = True

    def __post_init__(self):
        super().__post_init__()
        check_number("dt", self.dt, above=0, most=1)

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        size, bound = self.hidden_size, self.hidden_size**-0.5
        drawn = jax.random.uniform(key, (self.input_size + size + 1, 4 * size), param_dtype, -bound, bound)
        kernel, recurrent, bias = jnp.split(drawn, [self.input_size, self.input_size + size])
        return {"input": {"kernel": kernel, "bias": bias[0]}, "recurrent": {"kernel": recurrent}}

    def initial_carry(self, batch_shape: tuple[int, ...] = (), dtype: DType = jnp.float32) -> LEMCarry:
        shape = (*batch_shape, self.hidden_size)
        return LEMCarry(jnp.zeros(shape, dtype), jnp.zeros(shape, dtype))

    def project(self, params: Params, xs: Inputs | Timed) -> Projected | Timed:
        xs, dt = apart(xs)
        return together(dense(xs, **params["input"]), dt)

    def step(self, params: Params, carry: LEMCarry, z: Projected | Timed) -> tuple[LEMCarry, Output]:
        z, dt = apart(z)
        return lem_step(carry, z, params["recurrent"]["kernel"], self.dt * duration(dt, z))

    def output(self, carry: LEMCarry) -> Output:
        return carry.hidden
