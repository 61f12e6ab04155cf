"""The quasi-recurrent network: a causal convolution over time makes the gates, a gated average pools them.

    uₜ = b + Σₖ Wₖᵀ xₜ₋ₖ,    k = 0 … window − 1,    split into z, f, o, i
    hₜ = σ(fₜ) ⊙ hₜ₋₁ + (1 − σ(fₜ)) ⊙ tanh(zₜ),    yₜ = hₜ                 pooling "f"
    cₜ = σ(fₜ) ⊙ cₜ₋₁ + (1 − σ(fₜ)) ⊙ tanh(zₜ),    yₜ = σ(oₜ) ⊙ cₜ         pooling "fo"
    cₜ = σ(fₜ) ⊙ cₜ₋₁ + σ(iₜ) ⊙ tanh(zₜ),          yₜ = σ(oₜ) ⊙ cₜ         pooling "ifo"

Bradbury, Merity, Xiong & Socher 2016, arXiv:1611.01576, equations 1 to 5; the bias, which the paper leaves out, is in
the authors' code. x before the first step, and before a reset, is zero.

Every step computes what its input adds to the gates of the next window − 1 steps, and the carry holds these sums until
they are complete: streaming, lengths and resets are exact, and all taps of a sequence are one product.

The kernel holds the taps side by side, W₀ first, and within a tap the gates in the order z, f, o, i (as many as there
are).
"""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp

from rnn_jax import initializers
from rnn_jax.cells.base import Cell, along_last, dense, interpolate, sigmoid
from rnn_jax.cells.papers import Paper
from rnn_jax.checks import check_choice, check_size
from rnn_jax.typing import Carry, DType, Float, Hidden, Inputs, Key, Output, Params, Projected

BRADBURY_2016 = Paper(
    key="bradbury2016quasi",
    authors="Bradbury, James and Merity, Stephen and Xiong, Caiming and Socher, Richard",
    title="Quasi-recurrent neural networks",
    year=2016,
    arxiv="1611.01576",
)
GATES = {"f": 2, "fo": 3, "ifo": 4}
"""How many gates a kind of pooling has, the candidate z among them."""


class QRNNCarry(NamedTuple):
    """cₜ `[B, H]`, and what past inputs add to the gates of the next steps, `[B, window − 1, gates H]`."""

    cell: Hidden
    pending: Float[jax.Array, "*B W G"]


def shift_taps(
    pending: Float[jax.Array, "*B L G"], taps: Float[jax.Array, "*B W G"]
) -> tuple[Float[jax.Array, "*B L G"], Float[jax.Array, "*B G"]]:
    """What is pending after a step, and the gates that are complete in it; `taps [..., window, gates H]`."""
    sums = jnp.concatenate([pending, jnp.zeros_like(pending, shape=taps[..., :1, :].shape)], axis=-2)
    gates = taps[..., 0, :] + sums[..., 0, :].astype(taps.dtype)
    return sums[..., 1:, :] + taps[..., 1:, :].astype(pending.dtype), gates


def qrnn_pool(cell: Hidden, gates: Projected, pooling: str = "fo") -> tuple[Hidden, Output]:
    """cₜ and yₜ from the previous cell state and the gates `[..., gates H]`."""
    candidate, forget, *more = jnp.split(gates, GATES[pooling], axis=-1)
    candidate, forget = jnp.tanh(candidate), sigmoid(forget)
    if pooling == "ifo":
        update = sigmoid(more[1]) * candidate
        cell = forget.astype(cell.dtype) * cell + update.astype(cell.dtype)
        y = cell.astype(gates.dtype)
    else:
        cell, y = interpolate(cell, forget, candidate)
    return cell, sigmoid(more[0]) * y if more else y


@dataclasses.dataclass(frozen=True)
class QRNN(Cell):
    """Quasi-recurrent network; equations and source at the top of this file.

    Carry: `QRNNCarry(cell [B, H], pending [B, W − 1, 3 H])`. Params: `input.kernel [D, W 3 H]`, `input.bias [3 H]`;
    2 instead of 3 for pooling "f", 4 for "ifo". Parameters: 3 (W D + 1) H.

    Args:
        input_size: D.
        hidden_size: H.
        window: W, how many inputs a gate sees, the present one among them.
        pooling: "f", "fo" or "ifo".
    """

    input_size: int
    hidden_size: int
    window: int = dataclasses.field(default=2, kw_only=True)
    pooling: str = dataclasses.field(default="fo", kw_only=True)
    papers = (BRADBURY_2016,)

    def __post_init__(self):
        super().__post_init__()
        check_size("window", self.window)
        check_choice("pooling", self.pooling, tuple(GATES))

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        shape, gates = (self.input_size, self.hidden_size), GATES[self.pooling]
        glorot = initializers.glorot_uniform
        kernel = initializers.per_gate(glorot, key, shape, self.window * gates, param_dtype)
        return {"input": {"kernel": kernel, "bias": jnp.zeros(gates * self.hidden_size, param_dtype)}}

    def initial_carry(self, batch_shape: tuple[int, ...] = (), dtype: DType = jnp.float32) -> QRNNCarry:
        pending = (*batch_shape, self.window - 1, GATES[self.pooling] * self.hidden_size)
        return QRNNCarry(jnp.zeros((*batch_shape, self.hidden_size), dtype), jnp.zeros(pending, dtype))

    def state(self, carry: QRNNCarry) -> Carry:
        return jax.tree.unflatten(jax.tree.structure(carry), (True, False))

    def project(self, params: Params, xs: Inputs) -> Float[jax.Array, "*B W G"]:
        taps = dense(xs, params["input"]["kernel"])
        return taps.reshape(*taps.shape[:-1], self.window, taps.shape[-1] // self.window)

    def step(self, params: Params, carry: QRNNCarry, z: Float[jax.Array, "*B W G"]) -> tuple[QRNNCarry, Output]:
        pending, gates = shift_taps(carry.pending, z)
        cell, y = qrnn_pool(carry.cell, gates + along_last(params["input"]["bias"], gates), self.pooling)
        return QRNNCarry(cell, pending), y
