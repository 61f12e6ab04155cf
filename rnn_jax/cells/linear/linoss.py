"""The linear oscillatory state space model: uncoupled oscillators that the inputs push.

    y''(t) = −A y(t) + B x(t),    z = y',    A ≥ 0 for each oscillator

    IM      zₜ = zₜ₋₁ + Δ (−A yₜ + B xₜ),      yₜ = yₜ₋₁ + Δ zₜ        implicit: oscillations die away
    IMEX    zₜ = zₜ₋₁ + Δ (−A yₜ₋₁ + B xₜ),    yₜ = yₜ₋₁ + Δ zₜ        implicit-explicit: they never do

    A = relu(Â),    Δ = σ(Δ̂),    output C yₜ + D xₜ

Solved for zₜ and yₜ, with S = 1 / (1 + Δ² A):

    IM      zₜ = S (zₜ₋₁ − Δ A yₜ₋₁ + Δ B xₜ),    yₜ = S (yₜ₋₁ + Δ zₜ₋₁ + Δ² B xₜ)
    IMEX    zₜ = zₜ₋₁ − Δ A yₜ₋₁ + Δ B xₜ,        yₜ = yₜ₋₁ + Δ zₜ

LinOSS, Rusch & Rus 2025, arXiv:2410.03943. Both have eigenvalues in the unit disc: of modulus √S for IM, whatever A and
Δ are; of modulus one for IMEX while Δ² A < 4, which is so at first and then left to training. In the authors' code B
and C are complex, which makes two oscillators of each, with one A and one Δ; here, as in the paper's equations, they
are real. The matrix D, diagonal in that code, lets input and output differ in size. The gated linear unit behind the
output is left to the block around a cell.

As in that code, Â and Δ̂ start uniform in [0, 1), B uniform in ±D^-½, C in ±N^-½; the matrix D with variance 1 / D.
"""

import dataclasses

import jax
import jax.numpy as jnp

from rnn_jax.cells.base import along_last, dense, widened
from rnn_jax.cells.linear.block_lru import BlockDiagonalCell, BlockMap, BlockState
from rnn_jax.cells.papers import Paper
from rnn_jax.checks import check_choice, check_size
from rnn_jax.typing import DType, Float, Inputs, Key, Output, Params, Projected

RUSCH_2025 = Paper(
    key="rusch2025oscillatory",
    authors="Rusch, T. Konstantin and Rus, Daniela",
    title="Oscillatory state-space models",
    year=2025,
    booktitle="International Conference on Learning Representations",
    arxiv="2410.03943",
)


def oscillators(
    stiffness: Float[jax.Array, "N"], step: Float[jax.Array, "N"], discretization: str
) -> tuple[Float[jax.Array, "2 2 N"], Float[jax.Array, "2 N"]]:
    """The matrices of (z, y) as a `BlockMap` has them, and what multiplies B x in z and y.

    Args:
        stiffness: A, the squared frequencies.
        step: Δ.
        discretization: "IM" or "IMEX".
    """
    pull, one = step * stiffness, jnp.ones_like(step)
    if discretization == "IM":
        scale = 1 / (1 + step * pull)
        from_velocity, from_position = jnp.stack([scale, scale * step]), jnp.stack([-scale * pull, scale])
    else:
        from_velocity, from_position = jnp.stack([one, step]), jnp.stack([-pull, 1 - step * pull])
    return jnp.stack([from_velocity, from_position]), step[None] * from_velocity


@dataclasses.dataclass(frozen=True)
class LinOSS(BlockDiagonalCell):
    """Linear oscillatory state space model; equations and source at the top of this file.

    Carry: zₜ above yₜ, `[B, 2, N]`. Params: `input.kernel [D, N]` (B), `recurrent.stiffness [N]` (Â),
    `recurrent.step [N]` (Δ̂), `output.kernel [N, H]` (C), `skip.kernel [D, H]`. Parameters: (2 D + H + 2) H. That is
    with N = H, as by default.

    Args:
        input_size: D.
        hidden_size: H.
        state_size: N, oscillators; None is H.
        discretization: "IM" or "IMEX".
    """

    input_size: int
    hidden_size: int
    state_size: int | None = dataclasses.field(default=None, kw_only=True)
    discretization: str = dataclasses.field(default="IM", kw_only=True)
    papers = (RUSCH_2025,)

    def __post_init__(self):
        super().__post_init__()
        check_size("state_size", self.states)
        check_choice("discretization", self.discretization, ("IM", "IMEX"))

    @property
    def states(self) -> int:
        """N."""
        return self.hidden_size if self.state_size is None else self.state_size

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        keys = jax.random.split(key, 5)
        uniform, into, out = jax.random.uniform, self.input_size**-0.5, self.states**-0.5
        skip = jax.nn.initializers.normal(into)
        return {
            "input": {"kernel": uniform(keys[0], (self.input_size, self.states), param_dtype, -into, into)},
            "recurrent": {
                "stiffness": uniform(keys[1], (self.states,), param_dtype),
                "step": uniform(keys[2], (self.states,), param_dtype),
            },
            "output": {"kernel": uniform(keys[3], (self.states, self.hidden_size), param_dtype, -out, out)},
            "skip": {"kernel": skip(keys[4], (self.input_size, self.hidden_size), param_dtype)},
        }

    def initial_carry(self, batch_shape: tuple[int, ...] = (), dtype: DType = jnp.float32) -> BlockState:
        return jnp.zeros((*batch_shape, 2, self.states), dtype)

    def prepare(self, params: Params) -> Params:
        if "discrete" in params:
            return params
        stiffness, step = (widened(params["recurrent"][name]) for name in ("stiffness", "step"))
        transition, gain = oscillators(jax.nn.relu(stiffness), jax.nn.sigmoid(step), self.discretization)
        return params | {"discrete": {"transition": transition, "gain": gain}}

    def project(self, params: Params, xs: Inputs) -> Projected:
        kernels = (jnp.asarray(params[name]["kernel"], xs.dtype) for name in ("input", "skip"))
        return dense(xs, jnp.concatenate(list(kernels), axis=1))

    def elements(self, params: Params, z: Projected) -> BlockMap:
        discrete, push = self.prepare(params)["discrete"], widened(z[..., None, : self.states])
        transition = jnp.asarray(discrete["transition"], push.dtype)
        transition = transition.reshape((1,) * (push.ndim - 2) + transition.shape)
        return BlockMap(transition, along_last(discrete["gain"], push) * push)

    def read(self, params: Params, carry: BlockState, z: Projected) -> Output:
        position = carry[..., 1, :].astype(z.dtype)
        return dense(position, params["output"]["kernel"]) + z[..., self.states :]
