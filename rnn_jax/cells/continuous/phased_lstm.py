"""The phased LSTM: a long short-term memory whose units are open for a part of a period of their own.

    φₜ = ((tₜ − s) mod τ) / τ,    tₜ = tₜ₋₁ + dt
    kₜ = 2 φₜ / r where φₜ < r / 2,    2 − 2 φₜ / r where φₜ < r,    α φₜ elsewhere
    (h̃ₜ, c̃ₜ) = LSTM(xₜ, hₜ₋₁, cₜ₋₁), with peepholes
    cₜ = kₜ ⊙ c̃ₜ + (1 − kₜ) ⊙ cₜ₋₁,    hₜ = kₜ ⊙ h̃ₜ + (1 − kₜ) ⊙ hₜ₋₁,    yₜ = hₜ

Neil, Pfeiffer & Liu 2016, arXiv:1610.09513, section 2. τ is the period of a unit, s its shift and r the part of it in
which the unit is open; outside only a leak α of it is. The gates are those of `LSTM`, in its order and with its initial
values; the output gate's peephole sees c̃ₜ, as in the authors' code. That code sets α to zero where nothing is trained;
here it stays. tₜ is part of the carry, in float32 or wider: it starts at zero, and at each reset.

τ is exp(·), and starts log-uniform in [period_min, period_max], as in TensorFlow's; r is σ(·) and starts at `ratio`; s
starts uniform in [0, τ].
"""

import dataclasses
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

from rnn_jax import initializers
from rnn_jax.cells.base import GatedCell, along_last
from rnn_jax.cells.gated.lstm import LSTM, LSTMCarry
from rnn_jax.cells.papers import Paper
from rnn_jax.cells.timed import Timed, apart, duration, together
from rnn_jax.checks import check_number, check_rate
from rnn_jax.typing import (
    Carry,
    DType,
    Float,
    Hidden,
    Inputs,
    Key,
    Output,
    Params,
    Product,
    Projected,
    at_least_float32,
)

NEIL_2016 = Paper(
    key="neil2016phased",
    authors="Neil, Daniel and Pfeiffer, Michael and Liu, Shih-Chii",
    title="Phased LSTM: Accelerating recurrent network training for long or event-based sequences",
    year=2016,
    booktitle="Advances in Neural Information Processing Systems",
    arxiv="1610.09513",
)


class PhasedLSTMCarry(NamedTuple):
    """hₜ and cₜ, each `[B, H]`, and tₜ `[B]`."""

    hidden: Hidden
    cell: Hidden
    time: Float[jax.Array, "*B"]


def openness(clock: Params, time: Float[jax.Array, "*B"], leak: float) -> Hidden:
    """kₜ `[..., H]` from tₜ and the parameters `log_period`, `shift` and `ratio_logit` `[H]`."""
    now = time[..., None]
    log_period, shift, logit = (along_last(clock[name], now) for name in ("log_period", "shift", "ratio_logit"))
    turns = (now - shift) * jnp.exp(-log_period)
    phase = turns - jnp.floor(turns)
    ratio = jax.nn.sigmoid(logit)
    rise = 2 * phase / ratio
    return jnp.where(phase < ratio / 2, rise, jnp.where(phase < ratio, 2 - rise, leak * phase))


@dataclasses.dataclass(frozen=True)
class PhasedLSTM(GatedCell):
    """Phased long short-term memory; equations and source at the top of this file.

    Carry: `PhasedLSTMCarry(hidden [B, H], cell [B, H], time [B])`. Params: those of an `LSTM` with peepholes, and
    `clock.{log_period, shift, ratio_logit} [H]` (ln τ, s, the logit of r). Parameters: 4 (D + H + 1) H + 6 H.

    Args:
        input_size: D.
        hidden_size: H.
        ratio: what r starts as, above 0 and below 1.
        leak: α, at most 1.
        period_min: the least τ at first, in units of dt.
        period_max: the greatest τ at first.
        forget_bias: what the forget gate's bias starts as.
        heads: N, a divisor of H; with more than one the recurrent kernel is N blocks, `[N, H / N, 4 H / N]`.
    """

    input_size: int
    hidden_size: int
    ratio: float = dataclasses.field(default=0.05, kw_only=True)
    leak: float = dataclasses.field(default=0.001, kw_only=True)
    period_min: float = dataclasses.field(default=1.0, kw_only=True)
    period_max: float = dataclasses.field(default=1000.0, kw_only=True)
    forget_bias: float = dataclasses.field(default=1.0, kw_only=True)
    heads: int = dataclasses.field(default=1, kw_only=True)
    papers = (NEIL_2016,)
    timed = True
    additive = True

    def __post_init__(self):
        super().__post_init__()
        check_rate("ratio", self.ratio)
        check_number("ratio", self.ratio, above=0)
        check_number("leak", self.leak, least=0, most=1)
        check_number("period_min", self.period_min, above=0)
        check_number("period_max", self.period_max, least=self.period_min)

    @property
    def lstm(self) -> LSTM:
        """The cell behind the gate of time."""
        options = {"forget_bias": self.forget_bias, "heads": self.heads}
        return LSTM(self.input_size, self.hidden_size, peepholes=True, **options)

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        lstm_key, period_key, shift_key = jax.random.split(key, 3)
        shape = (self.hidden_size,)
        log_period = initializers.log_uniform(period_key, shape, self.period_min, self.period_max)
        shift = jax.random.uniform(shift_key, shape, log_period.dtype) * jnp.exp(log_period)
        logit = math.log(self.ratio / (1 - self.ratio))
        clock = {"log_period": log_period, "shift": shift, "ratio_logit": jnp.full(shape, logit)}
        return self.lstm.init(lstm_key, param_dtype) | {
            "clock": {name: a.astype(param_dtype) for name, a in clock.items()}
        }

    def initial_carry(self, batch_shape: tuple[int, ...] = (), dtype: DType = jnp.float32) -> PhasedLSTMCarry:
        hidden, cell = self.lstm.initial_carry(batch_shape, dtype)
        return PhasedLSTMCarry(hidden, cell, jnp.zeros(batch_shape, at_least_float32(dtype)))

    def state(self, carry: PhasedLSTMCarry) -> Carry:
        return jax.tree.unflatten(jax.tree.structure(carry), (True, True, False))

    def project(self, params: Params, xs: Inputs | Timed) -> Projected | Timed:
        xs, dt = apart(xs)
        return together(self.lstm.project(params, xs), dt)

    def recur(self, params: Params, carry: PhasedLSTMCarry) -> Product:
        return self.lstm.recur(params, LSTMCarry(carry.hidden, carry.cell))

    def gate(
        self, params: Params, carry: PhasedLSTMCarry, z: Projected | Timed, r: Product
    ) -> tuple[PhasedLSTMCarry, Output]:
        z, dt = apart(z)
        after, _ = self.lstm.gate(params, LSTMCarry(carry.hidden, carry.cell), z, r)
        time = carry.time + duration(dt, carry.time)
        part = openness(params["clock"], time, self.leak).astype(carry.cell.dtype)
        cell = carry.cell + part * (after.cell - carry.cell)
        hidden = carry.hidden + part * (after.hidden - carry.hidden)
        return PhasedLSTMCarry(hidden, cell, time), hidden.astype(z.dtype)

    def output(self, carry: PhasedLSTMCarry) -> Output:
        return carry.hidden
