"""UnICORNN: undamped oscillators that do not see each other, each with a step size of its own.

    zₜ = zₜ₋₁ − Δt σ(c) ⊙ (tanh(w ⊙ yₜ₋₁ + Vᵀ xₜ + b) + α yₜ₋₁)
    yₜ = yₜ₋₁ + Δt σ(c) ⊙ zₜ,    the output

Rusch & Mishra 2021, arXiv:2103.05487; their σ̂(c) = ½ + ½ tanh(c / 2) is σ(c). y is the position of the oscillators and
z their velocity. It is the symplectic Euler method for a Hamiltonian system: a step keeps volumes and can be undone, so
that a carry can be worked out from the next one, and layers mix the units. Without damping nothing forgets: gradients
neither explode nor vanish exponentially, and units with a small σ(c) are slow.

As in the authors' code (github.com/tk-rusch/unicornn) V starts uniform in ±√(6 / (65 D)), w in (0, 1), c in ±0.1 and b
as zero; Δt and α are by default those of its permuted sequential MNIST, which tunes both for each task.
"""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp

from rnn_jax.cells.base import GatedCell, along_last, dense, sigmoid
from rnn_jax.cells.papers import Paper
from rnn_jax.checks import check_number
from rnn_jax.typing import Array, DType, Float, Hidden, Inputs, Key, Output, Params, Product, Projected

RUSCH_2021_UNICORNN = Paper(
    key="rusch2021unicornn",
    authors="Rusch, T. Konstantin and Mishra, Siddhartha",
    title="UnICORNN: A recurrent model for learning very long time dependencies",
    year=2021,
    booktitle="International Conference on Machine Learning",
    arxiv="2103.05487",
)


class UnICORNNCarry(NamedTuple):
    """yₜ and zₜ, each `[B, H]`."""

    position: Hidden
    velocity: Hidden


def unicornn_gate(
    carry: UnICORNNCarry, z: Hidden, r: Hidden, control: Float[Array, "H"], dt: float, alpha: float
) -> tuple[UnICORNNCarry, Output]:
    """(yₜ, zₜ) and the output from the projected input `z` and w ⊙ yₜ₋₁, both `[..., H]`; control is c `[H]`."""
    force = jnp.tanh(z + r.astype(z.dtype)).astype(carry.velocity.dtype)
    step = dt * sigmoid(along_last(control, carry.velocity))
    velocity = carry.velocity - step * (force + alpha * carry.position)
    position = carry.position + step * velocity
    return UnICORNNCarry(position, velocity), position.astype(z.dtype)


@dataclasses.dataclass(frozen=True)
class UnICORNN(GatedCell):
    """Undamped independent controlled oscillators; equations and source at the top of this file.

    Carry: `UnICORNNCarry(position [B, H], velocity [B, H])`.
    Params: `input.kernel [D, H]`, `input.bias [H]`, `recurrent.weight [H]` (w), `control.weight [H]` (c).
    Parameters: (D + 3) H.

    Args:
        input_size: D.
        hidden_size: H.
        dt: Δt, the longest step.
        alpha: α, the squared frequency of a unit alone, 0 or more. Steps are stable for Δt σ(c) √(α + |w|) below 2.
    """

    input_size: int
    hidden_size: int
    dt: float = dataclasses.field(default=0.19, kw_only=True)
    alpha: float = dataclasses.field(default=30.65, kw_only=True)
    papers = (RUSCH_2021_UNICORNN,)
    additive = True

    def __post_init__(self):
        super().__post_init__()
        check_number("dt", self.dt, above=0)
        check_number("alpha", self.alpha, least=0)

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        kernel_key, weight_key, control_key = jax.random.split(key, 3)
        shape, bound = (self.input_size, self.hidden_size), (6 / (65 * self.input_size)) ** 0.5
        units = (self.hidden_size,)
        return {
            "input": {
                "kernel": jax.random.uniform(kernel_key, shape, param_dtype, -bound, bound),
                "bias": jnp.zeros(units, param_dtype),
            },
            "recurrent": {"weight": jax.random.uniform(weight_key, units, param_dtype)},
            "control": {"weight": jax.random.uniform(control_key, units, param_dtype, -0.1, 0.1)},
        }

    def initial_carry(self, batch_shape: tuple[int, ...] = (), dtype: DType = jnp.float32) -> UnICORNNCarry:
        shape = (*batch_shape, self.hidden_size)
        return UnICORNNCarry(jnp.zeros(shape, dtype), jnp.zeros(shape, dtype))

    def project(self, params: Params, xs: Inputs) -> Projected:
        return dense(xs, **params["input"])

    def recur(self, params: Params, carry: UnICORNNCarry) -> Product:
        return along_last(params["recurrent"]["weight"], carry.position) * carry.position

    def gate(self, params: Params, carry: UnICORNNCarry, z: Projected, r: Product) -> tuple[UnICORNNCarry, Output]:
        return unicornn_gate(carry, z, r, params["control"]["weight"], self.dt, self.alpha)

    def output(self, carry: UnICORNNCarry) -> Output:
        return carry.position
