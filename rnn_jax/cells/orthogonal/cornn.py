"""The coupled oscillatory network: every unit is a damped oscillator, driven by the others and by the input.

    zₜ = zₜ₋₁ + Δt (tanh(Wᵀ yₜ₋₁ + W̃ᵀ zₜ₋₁ + Vᵀ xₜ + b) − γ yₜ₋₁ − ε zₜ₋₁)
    yₜ = yₜ₋₁ + Δt zₜ,    the output

Rusch & Mishra 2021, arXiv:2010.00951, equation 3 with n̄ = n − 1 (the damping taken explicitly), as in the authors'
code. y is the position of the oscillators, z their velocity, γ their squared frequency and ε their damping. With dt, Δt
becomes Δt dt.

The recurrent kernel holds W above W̃.
"""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp

from rnn_jax.cells.base import GatedCell, block_dense, dense
from rnn_jax.cells.papers import Paper
from rnn_jax.cells.timed import Timed, apart, duration, together
from rnn_jax.checks import check_number
from rnn_jax.typing import DType, Float, Hidden, Inputs, Key, Output, Params, Product, Projected

RUSCH_2021 = Paper(
    key="rusch2021coupled",
    authors="Rusch, T. Konstantin and Mishra, Siddhartha",
    title="Coupled oscillatory recurrent neural network (coRNN): an accurate and (gradient) stable architecture for "
    "learning long time dependencies",
    year=2021,
    booktitle="International Conference on Learning Representations",
    arxiv="2010.00951",
)


class CoRNNCarry(NamedTuple):
    """yₜ and zₜ, each `[B, H]`."""

    position: Hidden
    velocity: Hidden


def cornn_gate(
    carry: CoRNNCarry, z: Hidden, r: Hidden, dt: float | Float[jax.Array, "*B 1"], gamma: float, epsilon: float
) -> tuple[CoRNNCarry, Output]:
    """(yₜ, zₜ) and the output from the projected input `z` and the recurrent product `r`, both `[..., H]`."""
    force = jnp.tanh(z + r.astype(z.dtype)).astype(carry.velocity.dtype)
    velocity = carry.velocity + dt * (force - gamma * carry.position - epsilon * carry.velocity)
    position = carry.position + dt * velocity
    return CoRNNCarry(position, velocity), position.astype(z.dtype)


@dataclasses.dataclass(frozen=True)
class CoRNN(GatedCell):
    """Coupled oscillatory network; equations and source at the top of this file.

    Carry: `CoRNNCarry(position [B, H], velocity [B, H])`.
    Params: `input.kernel [D, H]`, `input.bias [H]`, `recurrent.kernel [2 H, H]`. Parameters: (D + 2 H + 1) H.

    All start uniform in ±1 / √(D + 2 H), as in the authors' code, and in ±1 / √(D + 2 H / N) with heads; dt, gamma and
    epsilon are by default those of its sequential MNIST.

    Args:
        input_size: D.
        hidden_size: H.
        dt: Δt, the step size.
        gamma: γ, the squared frequency of a unit alone.
        epsilon: ε, the damping. Steps are stable for Δt dt below about 1 / ε and 1 / √γ.
        heads: N, a divisor of H; with more than one the recurrent kernel is N blocks, `[N, 2 H / N, H / N]`.
    """

    input_size: int
    hidden_size: int
    dt: float = dataclasses.field(default=0.042, kw_only=True)
    gamma: float = dataclasses.field(default=2.7, kw_only=True)
    epsilon: float = dataclasses.field(default=4.7, kw_only=True)
    heads: int = dataclasses.field(default=1, kw_only=True)
    papers = (RUSCH_2021,)
    additive = True
    timed = True

    def __post_init__(self):
        super().__post_init__()
        for name in ("dt", "gamma", "epsilon"):
            check_number(name, getattr(self, name), above=0)

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        size = self.hidden_size // self.heads
        rows = self.input_size + 2 * size + 1
        bound = (rows - 1) ** -0.5
        drawn = jax.random.uniform(key, (rows, self.hidden_size), param_dtype, -bound, bound)
        kernel, recurrent, bias = jnp.split(drawn, [self.input_size, rows - 1])
        if self.heads > 1:
            recurrent = jnp.moveaxis(recurrent.reshape(2 * size, self.heads, size), 1, 0)
        return {"input": {"kernel": kernel, "bias": bias[0]}, "recurrent": {"kernel": recurrent}}

    def initial_carry(self, batch_shape: tuple[int, ...] = (), dtype: DType = jnp.float32) -> CoRNNCarry:
        shape = (*batch_shape, self.hidden_size)
        return CoRNNCarry(jnp.zeros(shape, dtype), jnp.zeros(shape, dtype))

    def project(self, params: Params, xs: Inputs | Timed) -> Projected | Timed:
        xs, dt = apart(xs)
        return together(dense(xs, **params["input"]), dt)

    def recur(self, params: Params, carry: CoRNNCarry) -> Product:
        return block_dense(jnp.concatenate(carry, axis=-1), params["recurrent"]["kernel"], parts=2)

    def gate(self, params: Params, carry: CoRNNCarry, z: Projected | Timed, r: Product) -> tuple[CoRNNCarry, Output]:
        z, dt = apart(z)
        return cornn_gate(carry, z, r, self.dt * duration(dt, carry.position), self.gamma, self.epsilon)

    def output(self, carry: CoRNNCarry) -> Output:
        return carry.position
