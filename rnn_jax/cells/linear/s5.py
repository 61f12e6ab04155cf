"""Diagonal state space models: a linear differential equation, discretised, the same at all steps.

    h'(t) = Λ h(t) + B x(t),    hₜ = λ ⊙ hₜ₋₁ + γ ⊙ B xₜ,    λ = exp(Λ Δ),    γ = (λ − 1) / Λ    (zero-order hold)

S5, Smith, Warrington & Linderman 2023, arXiv:2208.04933, section 3: yₜ = 2 Re(C hₜ) + D xₜ. One system reads all
inputs; each of its N complex states stands for itself and its conjugate, so that the real system has 2 N states. Λ
starts as those eigenvalues of the HiPPO-N matrix of size 2 N that lie above the real axis, B and C as LeCun-normal real
matrices in the basis of its eigenvectors V, that is as V⁻¹ B and C V. Each state has its own time step Δ. The matrix D,
diagonal in the paper, lets input and output differ in size and starts with variance 1 / D.

S4D, Gu, Gupta, Goel & Ré 2022, arXiv:2206.11893: uₜ = Wᵀ xₜ; each of the H channels of u has its own N complex states,
also one of each conjugate pair, and its own Δ:

    hₜ = λ ⊙ hₜ₋₁ + γ uₜ,    yₜ = 2 Re(Σₙ Cₙ hₜₙ) + D uₜ    for each channel

Λₙ starts as −½ + i π n ("linear", S4D-Lin) or −½ + i (2 N / π) (2 N / (2 n + 1) − 1) ("inverse", S4D-Inv), n from 0;
C as complex normal numbers of variance one, D as real ones. B is one: only its product with C counts. W, which makes H
channels of the inputs, is not in the paper; it starts Glorot-uniform.

In both dt multiplies Δ: λ = exp(Λ Δ dt) and γ with it. Δ starts log-uniform in [dt_min, dt_max], and Re Λ = −exp(·) can
never turn positive, as in S4D; in S5's code it is free unless clipped.
"""

import dataclasses
import functools
import math

import jax
import jax.numpy as jnp
import numpy as np

from rnn_jax import initializers
from rnn_jax.cells.base import along_last, dense, widened
from rnn_jax.cells.linear.base import Affine, Complex, ComplexDiagonalCell, StateSpaceCell, held_update
from rnn_jax.cells.papers import Paper
from rnn_jax.cells.timed import Timed, apart, together
from rnn_jax.checks import check_choice, check_size, check_time_steps
from rnn_jax.typing import DType, Float, Hidden, Inexact, Inputs, Key, Output, Params

SMITH_2023 = Paper(
    key="smith2023simplified",
    authors="Smith, Jimmy T. H. and Warrington, Andrew and Linderman, Scott W.",
    title="Simplified state space layers for sequence modeling",
    year=2023,
    booktitle="International Conference on Learning Representations",
    arxiv="2208.04933",
)
GU_2022 = Paper(
    key="gu2022parameterization",
    authors="Gu, Albert and Gupta, Ankit and Goel, Karan and Ré, Christopher",
    title="On the parameterization and initialization of diagonal state space models",
    year=2022,
    booktitle="Advances in Neural Information Processing Systems",
    arxiv="2206.11893",
)

CONTINUOUS = ("log_rate", "frequency", "log_step")
"""The parameters that say Λ and Δ."""


@functools.cache
def hippo_normal(
    size: int,
) -> tuple[Float[np.ndarray, "{size}"], Inexact[np.ndarray, "{size} {size}"]]:
    """Imaginary parts of the eigenvalues of HiPPO-N, ascending, and its eigenvectors as columns; all real parts are −½.

    HiPPO-N is the normal part of the HiPPO-LegS matrix: −½ on the diagonal, ∓√((n + ½)(k + ½)) below and above it.
    """
    root = np.sqrt(np.arange(size) + 0.5)
    skew = np.triu(np.outer(root, root), 1)
    return np.linalg.eigh(-1j * (skew - skew.T))


def zero_order_hold(
    log_rate: Float[jax.Array, "*B N"], frequency: Float[jax.Array, "*B N"], log_step: Float[jax.Array, "*B #N"]
) -> tuple[Complex, Complex]:
    """λ and γ for Λ = −exp(log_rate) + i frequency and Δ = exp(log_step)."""
    rate, step = jnp.exp(log_rate), jnp.exp(log_step)
    modulus, angle = jnp.exp(-rate * step), frequency * step
    # λ − 1 without the cancellation that a short step would bring: cos a − 1 = −2 sin²(a / 2).
    real = jnp.expm1(-rate * step) * jnp.cos(angle) - 2 * jnp.sin(angle / 2) ** 2
    imaginary = modulus * jnp.sin(angle)
    square = rate**2 + frequency**2
    gain = Complex((frequency * imaginary - rate * real) / square, -(frequency * real + rate * imaginary) / square)
    return Complex(modulus * jnp.cos(angle), imaginary), gain


def held_exponent(
    log_rate: Float[jax.Array, "*B N"], frequency: Float[jax.Array, "*B N"], log_step: Float[jax.Array, "*B #N"]
) -> Complex:
    """Λ Δ, the logarithm of λ."""
    step = jnp.exp(log_step)
    return Complex(-jnp.exp(log_rate) * step, frequency * step)


@dataclasses.dataclass(frozen=True)
class S5(StateSpaceCell):
    """Simplified state space layer; equations and source at the top of this file.

    Carry: hₜ, `Complex(real [B, N], imaginary [B, N])`. Params: `input.kernel [D, 2 N]`, `recurrent.log_rate`,
    `recurrent.frequency`, `recurrent.log_step` `[N]`, `output.kernel [2 N, H]`, `skip.kernel [D, H]`, packed as
    `StateSpaceCell` says. Parameters: (3 D + 2 H + 3) H. That is with N = H, as by default.

    Args:
        input_size: D.
        hidden_size: H.
        state_size: N, complex states, each for a conjugate pair; None is H.
        dt_min: the least Δ at first.
        dt_max: the greatest Δ at first.
    """

    input_size: int
    hidden_size: int
    state_size: int | None = dataclasses.field(default=None, kw_only=True)
    dt_min: float = dataclasses.field(default=0.001, kw_only=True)
    dt_max: float = dataclasses.field(default=0.1, kw_only=True)
    multiplicity = 2.0
    papers = (SMITH_2023,)
    timed = True

    def __post_init__(self):
        super().__post_init__()
        check_size("state_size", self.states)
        check_time_steps(self.dt_min, self.dt_max)

    @property
    def states(self) -> int:
        """N."""
        return self.hidden_size if self.state_size is None else self.state_size

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        keys = jax.random.split(key, 4)
        frequency, vectors = hippo_normal(2 * self.states)
        upper = vectors[:, self.states :]
        # [Re V, −Im V] turns the columns of Bᵀ into V⁻¹ B, and the rows of Cᵀ, transposed, into C V: V is unitary.
        basis = jnp.asarray(np.concatenate([upper.real, -upper.imag], axis=1), jnp.float32)
        lecun = jax.nn.initializers.lecun_normal()
        into = lecun(keys[0], (self.input_size, 2 * self.states), jnp.float32) @ basis
        out = basis.T @ lecun(keys[1], (2 * self.states, self.hidden_size), jnp.float32)
        skip = jax.nn.initializers.normal(self.input_size**-0.5)
        return {
            "input": {"kernel": into.astype(param_dtype)},
            "recurrent": {
                "log_rate": jnp.full(self.states, math.log(0.5), param_dtype),
                "frequency": jnp.asarray(frequency[self.states :], param_dtype),
                "log_step": initializers.log_uniform(keys[2], (self.states,), self.dt_min, self.dt_max, param_dtype),
            },
            "output": {"kernel": out.astype(param_dtype)},
            "skip": {"kernel": skip(keys[3], (self.input_size, self.hidden_size), param_dtype)},
        }

    def discretize(self, recurrent: Params) -> tuple[Complex, Complex]:
        return zero_order_hold(*(widened(recurrent[name]) for name in CONTINUOUS))

    def exponent(self, recurrent: Params) -> Complex:
        return held_exponent(*(widened(recurrent[name]) for name in CONTINUOUS))


@dataclasses.dataclass(frozen=True)
class S4D(ComplexDiagonalCell):
    """Diagonal structured state space model; equations and source at the top of this file.

    Carry: hₜ, `Complex(real [B, H, N], imaginary [B, H, N])`. Params: `input.kernel [D, H]`, `recurrent.log_rate`,
    `recurrent.frequency` `[H, N]`, `recurrent.log_step [H]`, `output.kernel [H, 2 N]` (Re C, then −Im C),
    `skip.scale [H]` (D). Parameters: D H + 4 N H + 2 H.

    Args:
        input_size: D.
        hidden_size: H.
        state_size: N, complex states of one channel, each for a conjugate pair.
        frequencies: "linear" or "inverse", what Im Λ starts as.
        dt_min: the least Δ at first.
        dt_max: the greatest Δ at first.
    """

    input_size: int
    hidden_size: int
    state_size: int = dataclasses.field(default=32, kw_only=True)
    frequencies: str = dataclasses.field(default="linear", kw_only=True)
    dt_min: float = dataclasses.field(default=0.001, kw_only=True)
    dt_max: float = dataclasses.field(default=0.1, kw_only=True)
    papers = (GU_2022,)
    timed = True

    def __post_init__(self):
        super().__post_init__()
        check_size("state_size", self.state_size)
        check_time_steps(self.dt_min, self.dt_max)
        check_choice("frequencies", self.frequencies, ("linear", "inverse"))

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        keys = jax.random.split(key, 4)
        channels, states, normal = self.hidden_size, self.state_size, jax.nn.initializers.normal
        n = np.arange(states)
        linear = self.frequencies == "linear"
        frequency = np.pi * n if linear else 2 * states / np.pi * (2 * states / (2 * n + 1) - 1)
        return {
            "input": {"kernel": initializers.glorot_uniform(keys[0], (self.input_size, channels), param_dtype)},
            "recurrent": {
                "log_rate": jnp.full((channels, states), math.log(0.5), param_dtype),
                "frequency": jnp.asarray(np.tile(frequency, (channels, 1)), param_dtype),
                "log_step": initializers.log_uniform(keys[1], (channels,), self.dt_min, self.dt_max, param_dtype),
            },
            "output": {"kernel": normal(math.sqrt(0.5))(keys[2], (channels, 2 * states), param_dtype)},
            "skip": {"scale": normal(1.0)(keys[3], (channels,), param_dtype)},
        }

    def initial_carry(self, batch_shape: tuple[int, ...] = (), dtype: DType = jnp.float32) -> Complex:
        return Complex.zeros((*batch_shape, self.hidden_size, self.state_size), dtype)

    def prepare(self, params: Params) -> Params:
        if "discrete" in params:
            return params
        log_rate, frequency, log_step = (widened(params["recurrent"][name]) for name in CONTINUOUS)
        decay, gain = zero_order_hold(log_rate, frequency, log_step[:, None])
        return params | {"discrete": {"decay": decay, "gain": gain}}

    def project(self, params: Params, xs: Inputs | Timed) -> Output | Timed:
        xs, dt = apart(xs)
        return together(dense(xs, params["input"]["kernel"]), dt)

    def elements(self, params: Params, z: Hidden | Timed) -> Affine:
        z, dt = apart(z)
        discrete, u = self.prepare(params)["discrete"], widened(z)[..., None]
        decay, gain = (Complex(*(along_last(part, u) for part in discrete[name])) for name in ("decay", "gain"))
        update = gain.scaled(u)
        if dt is None:
            return Affine(decay, update)
        log_rate, frequency, log_step = (widened(params["recurrent"][name]) for name in CONTINUOUS)
        return held_update(held_exponent(log_rate, frequency, log_step[:, None]), update, dt)

    def read(self, params: Params, carry: Complex, z: Hidden | Timed) -> Output:
        z, _ = apart(z)
        kernel = Complex.split(jnp.asarray(params["output"]["kernel"], z.dtype))
        seen = sum(jnp.einsum("...hn,hn->...h", part.astype(z.dtype), c) for part, c in zip(carry, kernel, strict=True))
        return 2 * seen + along_last(params["skip"]["scale"], z) * z
