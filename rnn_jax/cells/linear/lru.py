"""Linear recurrent units: complex and the same at all steps (LRU), real and gated by the input (RG-LRU).

LRU, Orvieto et al. 2023, arXiv:2303.06349, section 3 and appendix A:

    hₜ = λ ⊙ hₜ₋₁ + γ ⊙ B xₜ,    yₜ = Re(C hₜ) + D xₜ
    λ = exp(−exp(ν) + i exp(θ)),    γ = exp(γ'),    with dt as in `StateSpaceCell`

The moduli of λ stay below one whatever ν is. λ starts uniform over a ring (`initializers.ring`), γ as √(1 − |λ|²),
which keeps the size of the state that of the input; both parts of B start with variance 1 / (2 D), both parts of C with
1 / N. The matrix D, diagonal in the paper, lets input and output differ in size and starts with variance 1 / D.

RG-LRU, De et al. 2024, arXiv:2402.19427, section 2.4:

    rₜ = σ(W_rᵀ xₜ + b_r),    iₜ = σ(W_iᵀ xₜ + b_i),    uₜ = W_uᵀ xₜ + b_u
    aₜ = σ(Λ)^(c rₜ),    hₜ = aₜ ⊙ hₜ₋₁ + √(1 − aₜ²) ⊙ (iₜ ⊙ uₜ),    yₜ = hₜ,    c = 8

With dt, aₜ becomes aₜᵈᵗ and the factor √(1 − aₜ²) becomes √(1 − aₜ²) (1 − aₜᵈᵗ) / (1 − aₜ): the gated input is held
meanwhile, so that one step of two units is two steps of one.

Λ starts such that σ(Λ)ᶜ is uniform in [0.9, 0.999], kernels LeCun-normal, biases zero. The paper's layer has the width
of its input, u, which a linear layer gives it; here that layer is part of the cell and the gates read x beside it, one
product in the order r, i, u. The authors' code has block-diagonal gates and a first step without the factor √(1 − a²);
neither is done here.
"""

import dataclasses
import math

import jax
import jax.numpy as jnp

from rnn_jax import initializers
from rnn_jax.cells.base import HiddenCell, along_last, sigmoid, widened
from rnn_jax.cells.linear.base import Affine, Complex, DiagonalCell, StateSpaceCell, held
from rnn_jax.cells.papers import Paper
from rnn_jax.cells.timed import Timed, apart
from rnn_jax.checks import check_number, check_size
from rnn_jax.typing import Array, DType, Float, Hidden, Key, Output, Params, Projected

ORVIETO_2023 = Paper(
    key="orvieto2023resurrecting",
    authors="Orvieto, Antonio and Smith, Samuel L. and Gu, Albert and Fernando, Anushan and Gulcehre, Caglar and "
    "Pascanu, Razvan and De, Soham",
    title="Resurrecting recurrent neural networks for long sequences",
    year=2023,
    booktitle="International Conference on Machine Learning",
    arxiv="2303.06349",
)
DE_2024 = Paper(
    key="de2024griffin",
    authors="De, Soham and Smith, Samuel L. and Fernando, Anushan and Botev, Aleksandar and Cristian-Muraru, George "
    "and Gu, Albert and Haroun, Ruba and Berrada, Leonard and Chen, Yutian and Srinivasan, Srivatsan and Desjardins, "
    "Guillaume and Doucet, Arnaud and Budden, David and Teh, Yee Whye and Pascanu, Razvan and De Freitas, Nando and "
    "Gulcehre, Caglar",
    title="Griffin: Mixing gated linear recurrences with local attention for efficient language models",
    year=2024,
    arxiv="2402.19427",
)
SHARPNESS = 8.0
"""c of RG-LRU."""


@dataclasses.dataclass(frozen=True)
class LRU(StateSpaceCell):
    """Linear recurrent unit; equations and source at the top of this file.

    Carry: hₜ, `Complex(real [B, N], imaginary [B, N])`. Params: `input.kernel [D, 2 N]`, `recurrent.log_rate`,
    `recurrent.log_phase`, `recurrent.log_gain` `[N]` (ν, θ, γ'), `output.kernel [2 N, H]`, `skip.kernel [D, H]`, packed
    as `StateSpaceCell` says. Parameters: (3 D + 2 H + 3) H. That is with N = H, as by default.

    Args:
        input_size: D.
        hidden_size: H.
        state_size: N, complex states; None is H.
        r_min: the least modulus that λ may start with.
        r_max: the greatest one, at most 1.
        max_phase: the greatest phase that λ may start with, in radians.
    """

    input_size: int
    hidden_size: int
    state_size: int | None = dataclasses.field(default=None, kw_only=True)
    r_min: float = dataclasses.field(default=0.0, kw_only=True)
    r_max: float = dataclasses.field(default=1.0, kw_only=True)
    max_phase: float = dataclasses.field(default=2 * math.pi, kw_only=True)
    papers = (ORVIETO_2023,)
    timed = True

    def __post_init__(self):
        super().__post_init__()
        check_size("state_size", self.states)
        check_number("r_min", self.r_min, least=0)
        check_number("r_max", self.r_max, above=self.r_min, most=1)
        check_number("max_phase", self.max_phase, above=0, most=2 * math.pi)

    @property
    def states(self) -> int:
        """N."""
        return self.hidden_size if self.state_size is None else self.state_size

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        keys = jax.random.split(key, 4)
        normal = jax.nn.initializers.normal
        rate, phase = initializers.ring(keys[0], self.states, self.r_min, self.r_max, self.max_phase)
        gain = 0.5 * jnp.log(-jnp.expm1(-2 * jnp.exp(rate)))
        into, out = (self.input_size, 2 * self.states), (2 * self.states, self.hidden_size)
        return {
            "input": {"kernel": normal((2 * self.input_size) ** -0.5)(keys[1], into, param_dtype)},
            "recurrent": {
                "log_rate": rate.astype(param_dtype),
                "log_phase": phase.astype(param_dtype),
                "log_gain": gain.astype(param_dtype),
            },
            "output": {"kernel": normal(self.states**-0.5)(keys[2], out, param_dtype)},
            "skip": {
                "kernel": normal(self.input_size**-0.5)(keys[3], (self.input_size, self.hidden_size), param_dtype)
            },
        }

    def exponent(self, recurrent: Params) -> Complex:
        return Complex(-jnp.exp(widened(recurrent["log_rate"])), jnp.exp(widened(recurrent["log_phase"])))

    def discretize(self, recurrent: Params) -> tuple[Complex, Complex]:
        gain = jnp.exp(widened(recurrent["log_gain"]))
        return self.exponent(recurrent).exponential(), Complex(gain, jnp.zeros_like(gain))


def rg_lru_map(z: Projected, decay: Float[Array, "H"], dt: Float[jax.Array, "*B"] | None = None) -> Affine:
    """aₜ and √(1 − aₜ²) ⊙ (iₜ ⊙ uₜ) from the projected input `z [..., 3 H]` and Λ, `decay [H]`; with dt, over dt."""
    r, i, u = jnp.split(z, 3, axis=-1)
    log_a = SHARPNESS * sigmoid(r) * along_last(jax.nn.log_sigmoid(widened(decay)), r)
    square = -jnp.expm1(2 * log_a)
    # Where the gate is shut the root's slope is infinite and the gate's is zero: the slope of both together is zero.
    shut = square == 0
    scale = jnp.where(shut, 0, jnp.sqrt(jnp.where(shut, 1, square)))
    update = scale * sigmoid(i) * u
    if dt is None:
        return Affine(jnp.exp(log_a), update)
    kept, lasting = held(-log_a, dt)
    return Affine(kept, lasting * update)


@dataclasses.dataclass(frozen=True)
class RGLRU(HiddenCell, DiagonalCell):
    """Real-gated linear recurrent unit, of Griffin and Hawk; equations and source at the top of this file.

    Carry: hₜ `[B, H]`. Params: `input.kernel [D, 3 H]`, `input.bias [3 H]`, `recurrent.decay [H]` (Λ).
    Parameters: 3 (D + 1) H + H.

    Args:
        input_size: D.
        hidden_size: H.
    """

    input_size: int
    hidden_size: int
    papers = (DE_2024,)
    timed = True

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        kernel_key, decay_key = jax.random.split(key)
        shape = (self.input_size, self.hidden_size)
        lecun = jax.nn.initializers.lecun_normal()
        decay = jax.random.uniform(decay_key, (self.hidden_size,), minval=0.9, maxval=0.999)
        return {
            "input": {
                "kernel": initializers.per_gate(lecun, kernel_key, shape, 3, param_dtype),
                "bias": jnp.zeros(3 * self.hidden_size, param_dtype),
            },
            "recurrent": {"decay": -jnp.log(jnp.expm1(-jnp.log(decay) / SHARPNESS)).astype(param_dtype)},
        }

    def elements(self, params: Params, z: Projected | Timed) -> Affine:
        z, dt = apart(z)
        return rg_lru_map(widened(z), params["recurrent"]["decay"], dt)

    def read(self, params: Params, carry: Hidden, z: Projected | Timed) -> Output:
        return carry.astype(apart(z)[0].dtype)
