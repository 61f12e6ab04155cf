"""Minimal gated units: gates that see the input alone, which makes the recurrence linear.

minGRU                                     minLSTM
    zₜ = σ(W_zᵀ xₜ + b_z)                      fₜ = σ(W_fᵀ xₜ + b_f),    iₜ = σ(W_iᵀ xₜ + b_i)
    h̃ₜ = g(W_hᵀ xₜ + b_h)                      h̃ₜ = g(W_hᵀ xₜ + b_h)
    hₜ = (1 − zₜ) ⊙ hₜ₋₁ + zₜ ⊙ h̃ₜ             hₜ = (fₜ ⊙ hₜ₋₁ + iₜ ⊙ h̃ₜ) / (fₜ + iₜ)

    yₜ = hₜ,    g(a) = a + ½ where a ≥ 0, σ(a) elsewhere (`positive=True`); g(a) = a (`positive=False`)

Feng, Tung, Ahmed, Bengio & Hajimirsadeghi 2024, arXiv:2410.01201, section 3; g keeps the state positive, as the
log-space form of its appendix needs it. Here no logarithm of the state is taken: all maps are averages and cannot
overflow, so `positive` may also be off, and a carry may be negative.

minLSTM's f / (f + i) is σ(log f − log i), which has no 0 / 0 where both gates are shut.

Kernels stand side by side in the order z, h̃ (minGRU) and f, i, h̃ (minLSTM). Where the paper is silent: kernels start
Glorot-uniform, biases zero.
"""

import abc
import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp

from rnn_jax import initializers
from rnn_jax.cells.base import HiddenCell, sigmoid, widened
from rnn_jax.cells.linear.base import Affine, DiagonalCell
from rnn_jax.cells.papers import Paper
from rnn_jax.typing import DType, Hidden, Key, Output, Params, Projected

FENG_2024 = Paper(
    key="feng2024were",
    authors="Feng, Leo and Tung, Frederick and Ahmed, Mohamed Osama and Bengio, Yoshua and Hajimirsadeghi, Hossein",
    title="Were RNNs all we needed?",
    year=2024,
    arxiv="2410.01201",
)


def positive_candidate(a: Hidden) -> Hidden:
    """g: continuous, increasing and positive."""
    return jnp.where(a >= 0, a + 0.5, sigmoid(a))


def average(logit: Hidden, candidate: Hidden) -> Affine:
    """hₜ = σ(−logit) ⊙ hₜ₋₁ + σ(logit) ⊙ candidate."""
    return Affine(sigmoid(-logit), sigmoid(logit) * candidate)


class _Minimal(HiddenCell, DiagonalCell):
    """What both units share: one product for all gates, and an average of the state with a candidate."""

    input_size: int
    hidden_size: int
    positive: bool
    gates: ClassVar[int]

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        shape = (self.input_size, self.hidden_size)
        kernel = initializers.per_gate(initializers.glorot_uniform, key, shape, self.gates, param_dtype)
        return {"input": {"kernel": kernel, "bias": jnp.zeros(self.gates * self.hidden_size, param_dtype)}}

    @abc.abstractmethod
    def update_logit(self, gates: list[Hidden]) -> Hidden:
        """The weight of the candidate, before the logistic function."""

    def elements(self, params: Params, z: Projected) -> Affine:
        *gates, candidate = jnp.split(widened(z), self.gates, axis=-1)
        return average(self.update_logit(gates), positive_candidate(candidate) if self.positive else candidate)

    def read(self, params: Params, carry: Hidden, z: Projected) -> Output:
        return carry.astype(z.dtype)


@dataclasses.dataclass(frozen=True)
class MinGRU(_Minimal):
    """Minimal gated recurrent unit; equations and source at the top of this file.

    Carry: hₜ `[B, H]`. Params: `input.kernel [D, 2 H]`, `input.bias [2 H]`. Parameters: 2 (D + 1) H.

    Args:
        input_size: D.
        hidden_size: H.
        positive: whether the candidate goes through g.
    """

    input_size: int
    hidden_size: int
    positive: bool = dataclasses.field(default=True, kw_only=True)
    gates = 2
    papers = (FENG_2024,)

    def update_logit(self, gates: list[Hidden]) -> Hidden:
        return gates[0]


@dataclasses.dataclass(frozen=True)
class MinLSTM(_Minimal):
    """Minimal long short-term memory with gates that sum to one; equations and source at the top of this file.

    Carry: hₜ `[B, H]`. Params: `input.kernel [D, 3 H]`, `input.bias [3 H]`. Parameters: 3 (D + 1) H.

    Args:
        input_size: D.
        hidden_size: H.
        positive: whether the candidate goes through g.
    """

    input_size: int
    hidden_size: int
    positive: bool = dataclasses.field(default=True, kw_only=True)
    gates = 3
    papers = (FENG_2024,)

    def update_logit(self, gates: list[Hidden]) -> Hidden:
        forget, update = gates
        return jax.nn.log_sigmoid(update) - jax.nn.log_sigmoid(forget)
