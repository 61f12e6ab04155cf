"""The liquid time-constant network: units that leak, and are drawn to a target as fast as input and state say.

    h'(t) = −(1 / τ + f) ⊙ h + f ⊙ A,    f = σ(Wᵀ x + Uᵀ h + b)

A step takes L steps of the paper's fused solver, half explicit (in f) and half implicit (in h), of Δ = dt / L each:

    hₜ ← (hₜ + Δ f(xₜ, hₜ) ⊙ A) / (1 + Δ (1 / τ + f(xₜ, hₜ))),    yₜ = hₜ

Hasani et al. 2021, arXiv:2006.04439, equations 1 and 3 and algorithm 1. Each unit's time constant, τ / (1 + τ f), stays
between τ / (1 + τ) and τ, and its state between 0 and A once it is there, however long a step is (theorems 1 and 2).
The fused solver is of the first order: its error falls with dt / L.

f is one layer, as in algorithm 1. The authors' code, and ncps, has a synapse for each pair of units instead, with a
sigmoid, a weight and a reversal potential of its own, which is four times the parameters.

τ is exp(·), and starts as one; A as −1 or 1, as the reversal potentials of the authors' code do. Where the paper is
silent: W starts Glorot-uniform, U orthogonal, b zero.
"""

import dataclasses

import jax
import jax.numpy as jnp

from rnn_jax import initializers
from rnn_jax.cells.base import HiddenCell, along_last, dense, sigmoid
from rnn_jax.cells.papers import Paper
from rnn_jax.cells.timed import Timed, apart, duration
from rnn_jax.checks import check_size
from rnn_jax.typing import DType, Float, Hidden, Key, Output, Params, Projected

HASANI_2021 = Paper(
    key="hasani2021liquid",
    authors="Hasani, Ramin and Lechner, Mathias and Amini, Alexander and Rus, Daniela and Grosu, Radu",
    title="Liquid time-constant networks",
    year=2021,
    booktitle="AAAI Conference on Artificial Intelligence",
    arxiv="2006.04439",
)


def ltc_step(
    recurrent: Params, hidden: Hidden, z: Projected, dt: Float[jax.Array, "*B"] | None, steps: int
) -> tuple[Hidden, Output]:
    """hₜ and yₜ from the projected input `z [..., H]`, by so many steps of the solver."""
    step = duration(dt, hidden) / steps
    leak = jnp.exp(-along_last(recurrent["log_tau"], hidden))
    target = along_last(recurrent["target"], hidden)
    for _ in range(steps):
        f = sigmoid(z + dense(hidden, recurrent["kernel"]).astype(z.dtype)).astype(hidden.dtype)
        hidden = (hidden + step * f * target) / (1 + step * (leak + f))
    return hidden, hidden.astype(z.dtype)


@dataclasses.dataclass(frozen=True)
class LTC(HiddenCell):
    """Liquid time-constant network; equations and source at the top of this file.

    Carry: hₜ `[B, H]`. Params: `input.kernel [D, H]`, `input.bias [H]`, `recurrent.kernel [H, H]`,
    `recurrent.log_tau [H]` (ln τ), `recurrent.target [H]` (A). Parameters: (D + H + 3) H.

    Args:
        input_size: D.
        hidden_size: H.
        solver_steps: L, steps of the solver in one step, six as in the paper's experiments.
    """

    input_size: int
    hidden_size: int
    solver_steps: int = dataclasses.field(default=6, kw_only=True)
    papers = (HASANI_2021,)
    timed = True

    def __post_init__(self):
        super().__post_init__()
        check_size("solver_steps", self.solver_steps)

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        kernel_key, target_key = jax.random.split(key)
        size = self.hidden_size
        params = initializers.gated_kernels(kernel_key, self.input_size, size, 1, param_dtype)
        params["input"]["bias"] = jnp.zeros(size, param_dtype)
        params["recurrent"] |= {
            "log_tau": jnp.zeros(size, param_dtype),
            "target": jax.random.rademacher(target_key, (size,), param_dtype),
        }
        return params

    def step(self, params: Params, carry: Hidden, z: Projected | Timed) -> tuple[Hidden, Output]:
        return ltc_step(params["recurrent"], carry, *apart(z), self.solver_steps)
