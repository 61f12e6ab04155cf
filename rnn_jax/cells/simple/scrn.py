"""The structurally constrained recurrent network: a plain one beside context units that change slowly.

    sₜ = (1 − α) Bᵀ xₜ + α sₜ₋₁                    the context
    hₜ = σ(Pᵀ sₜ + Aᵀ xₜ + Rᵀ hₜ₋₁)
    yₜ = (hₜ, sₜ)

Mikolov et al. 2014, arXiv:1412.7753, section 3.2. α is one constant near one: the context is an exponential moving
average of what the input is mapped to, over about 1 / (1 − α) steps, and its gradient cannot explode. The paper's last
layer reads both h and s, so the output here is both, side by side.

A and B start Glorot-uniform, as does P, and R orthogonal; there are no biases.
"""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp

from rnn_jax import initializers
from rnn_jax.cells.base import Cell, dense, sigmoid
from rnn_jax.cells.papers import Paper
from rnn_jax.checks import check_number, check_size
from rnn_jax.typing import DType, Float, Hidden, Inputs, Key, Output, Params, Projected

MIKOLOV_2014 = Paper(
    key="mikolov2014learning",
    authors="Mikolov, Tomas and Joulin, Armand and Chopra, Sumit and Mathieu, Michael and Ranzato, Marc'Aurelio",
    title="Learning longer memory in recurrent neural networks",
    year=2014,
    arxiv="1412.7753",
)


class SCRNCarry(NamedTuple):
    """hₜ `[B, H]` and sₜ `[B, S]`."""

    hidden: Hidden
    context: Float[jax.Array, "*B S"]


@dataclasses.dataclass(frozen=True)
class SCRN(Cell):
    """Structurally constrained recurrent network; equations and source at the top of this file.

    Carry: `SCRNCarry(hidden [B, H], context [B, S])`. The output is `[B, H + S]`.
    Params: `input.kernel [D, H + S]` (A, B), `recurrent.kernel [H, H]` (R), `context.kernel [S, H]` (P).
    Parameters: (D + H + S) H + D S.

    Args:
        input_size: D.
        hidden_size: H.
        context_size: S; None is half of H, one at least.
        alpha: α, from 0 to below 1: how slow the context is.
    """

    input_size: int
    hidden_size: int
    context_size: int | None = dataclasses.field(default=None, kw_only=True)
    alpha: float = dataclasses.field(default=0.95, kw_only=True)
    papers = (MIKOLOV_2014,)

    def __post_init__(self):
        super().__post_init__()
        if self.context_size is None:
            object.__setattr__(self, "context_size", max(1, self.hidden_size // 2))
        check_size("context_size", self.context_size)
        check_number("alpha", self.alpha, least=0)
        if self.alpha >= 1:
            raise ValueError(f"alpha={self.alpha}: expected a number below 1; with 1 the context never changes")

    @property
    def output_size(self) -> int:
        return self.hidden_size + (self.context_size or 0)

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        input_key, recurrent_key, context_key = jax.random.split(key, 3)
        size, context = self.hidden_size, self.context_size or 0
        glorot = initializers.glorot_uniform
        return {
            "input": {"kernel": initializers.columns(glorot, input_key, self.input_size, (size, context), param_dtype)},
            "recurrent": {"kernel": initializers.orthogonal(recurrent_key, (size, size), param_dtype)},
            "context": {"kernel": glorot(context_key, (context, size), param_dtype)},
        }

    def initial_carry(self, batch_shape: tuple[int, ...] = (), dtype: DType = jnp.float32) -> SCRNCarry:
        return SCRNCarry(*(jnp.zeros((*batch_shape, n), dtype) for n in (self.hidden_size, self.context_size or 0)))

    def project(self, params: Params, xs: Inputs) -> Projected:
        return dense(xs, params["input"]["kernel"])

    def step(self, params: Params, carry: SCRNCarry, z: Projected) -> tuple[SCRNCarry, Output]:
        z_hidden, z_context = jnp.split(z, [self.hidden_size], axis=-1)
        context = self.alpha * carry.context + (1 - self.alpha) * z_context.astype(carry.context.dtype)
        r = dense(context, params["context"]["kernel"]) + dense(carry.hidden, params["recurrent"]["kernel"])
        hidden = sigmoid(z_hidden + r.astype(z.dtype))
        after = SCRNCarry(hidden.astype(carry.hidden.dtype), context)
        return after, jnp.concatenate([hidden, context.astype(z.dtype)], axis=-1)

    def output(self, carry: SCRNCarry) -> Output:
        return jnp.concatenate(carry, axis=-1)
