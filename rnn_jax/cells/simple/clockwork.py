"""The clockwork network: modules of units that run at their own periods, fast ones reading from slow ones.

    uₜ = Wᵀ xₜ + b + Uᵀ hₜ₋₁
    hₜ = tanh(uₜ) in the modules whose period divides t, hₜ₋₁ in the others;    yₜ = hₜ,    t = 0 at the first step

Koutník, Greff, Gomez & Schmidhuber 2014, arXiv:1402.3511, section 3. The units are sorted from the shortest period to
the longest, and a module reads from itself and from slower ones only: with kernels (in, out), U is block lower
triangular. The kernel is stored whole; its blocks above the diagonal are never read and start as zero.

The carry counts the steps modulo the least common multiple of the periods: the count stays exact in any dtype that can
hold it, for sequences of any length. A reset starts the clock anew, padding stops it, and noise leaves it alone.
"""

import dataclasses
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from rnn_jax.cells.base import GatedCell, dense
from rnn_jax.cells.papers import Paper
from rnn_jax.typing import Bool, Carry, DType, Float, Hidden, Inputs, Int, Key, Output, Params, Product, Projected

KOUTNIK_2014 = Paper(
    key="koutnik2014clockwork",
    authors="Koutník, Jan and Greff, Klaus and Gomez, Faustino and Schmidhuber, Jürgen",
    title="A clockwork RNN",
    year=2014,
    booktitle="International Conference on Machine Learning",
    arxiv="1402.3511",
)


class ClockworkCarry(NamedTuple):
    """hₜ `[B, H]`, and the number of the next step `[B]`, modulo the least common multiple of the periods."""

    hidden: Hidden
    time: Float[jax.Array, "*B"]


def clockwork_gate(
    carry: ClockworkCarry, z: Hidden, r: Hidden, periods: Int[np.ndarray, "H"]
) -> tuple[ClockworkCarry, Output]:
    """hₜ, the next time and yₜ from the projected input `z`, the recurrent product `r` and the units' periods `[H]`."""
    new = jnp.tanh(z + r.astype(z.dtype))
    time = jnp.round(carry.time)
    every = jnp.asarray(periods, time.dtype).reshape((1,) * time.ndim + (-1,))
    runs = jnp.remainder(time[..., None], every) == 0
    hidden = jnp.where(runs, new.astype(carry.hidden.dtype), carry.hidden)
    time = jnp.remainder(time + 1, jnp.asarray(math.lcm(*periods.tolist()), time.dtype))
    return ClockworkCarry(hidden, time), hidden.astype(z.dtype)


@dataclasses.dataclass(frozen=True)
class Clockwork(GatedCell):
    """Clockwork network; equations and source at the top of this file.

    Carry: `ClockworkCarry(hidden [B, H], time [B])`.
    Params: `input.kernel [D, H]`, `input.bias [H]`, `recurrent.kernel [H, H]`. Parameters: (D + H + 1) H.

    Kernels start normal with standard deviation 0.1, as in the paper, b as zero.

    Args:
        input_size: D.
        hidden_size: H.
        periods: of the modules, in steps, each longer than the one before; modules have the same size, the first ones
            one unit more where H does not divide. None is 1, 2, 4, … for at most 8 modules of at least one unit; kept
            as a tuple.
    """

    input_size: int
    hidden_size: int
    periods: Any = dataclasses.field(default=None, kw_only=True)
    papers = (KOUTNIK_2014,)
    additive = True

    def __post_init__(self):
        super().__post_init__()
        periods = self.periods
        if periods is None:
            periods = tuple(2**i for i in range(min(self.hidden_size, 8)))
        whole = isinstance(periods, tuple | list) and all(type(period) is int and period >= 1 for period in periods)
        if not whole or not periods or list(periods) != sorted(set(periods)):
            raise ValueError(f"periods={periods!r}: expected a tuple of growing ints of at least 1, such as (1, 2, 4)")
        if len(periods) > self.hidden_size:
            raise ValueError(f"periods={periods!r}: expected at most {self.hidden_size}, one unit for each module")
        object.__setattr__(self, "periods", tuple(periods))

    @property
    def methods(self) -> tuple[str, ...]:
        return ("sequential",)  # Newton's method would have to guess the time: it counts, and has no derivative

    @property
    def unit_periods(self) -> Int[np.ndarray, "{self.hidden_size}"]:
        """The period of each unit, `[H]`."""
        modules = np.array_split(np.arange(self.hidden_size), len(self.periods))
        return np.repeat(self.periods, [len(units) for units in modules])

    @property
    def mask(self) -> Bool[np.ndarray, "H H"]:
        """Which unit (row) is read by which (column), `[H, H]`."""
        periods = self.unit_periods
        return periods[:, None] >= periods

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        input_key, recurrent_key = jax.random.split(key)
        kernel = 0.1 * jax.random.normal(input_key, (self.input_size, self.hidden_size), param_dtype)
        recurrent = 0.1 * jax.random.normal(recurrent_key, (self.hidden_size,) * 2, param_dtype)
        recurrent = jnp.where(self.mask, recurrent, jnp.zeros_like(recurrent))
        return {
            "input": {"kernel": kernel, "bias": jnp.zeros(self.hidden_size, param_dtype)},
            "recurrent": {"kernel": recurrent},
        }

    def initial_carry(self, batch_shape: tuple[int, ...] = (), dtype: DType = jnp.float32) -> ClockworkCarry:
        """Zeros.

        Raises:
            ValueError: `dtype` cannot count to the least common multiple of the periods.
        """
        exact, longest = 2 ** (jnp.finfo(dtype).nmant + 1), math.lcm(*self.periods)
        if longest > exact:
            raise ValueError(
                f"dtype={jnp.dtype(dtype).name} counts to {exact}: periods={self.periods} need {longest}; "
                "give unroll a carry of a wider dtype"
            )
        return ClockworkCarry(jnp.zeros((*batch_shape, self.hidden_size), dtype), jnp.zeros(batch_shape, dtype))

    def state(self, carry: ClockworkCarry) -> Carry:
        return jax.tree.unflatten(jax.tree.structure(carry), (True, False))

    def project(self, params: Params, xs: Inputs) -> Projected:
        return dense(xs, **params["input"])

    def recur(self, params: Params, carry: ClockworkCarry) -> Product:
        kernel = jnp.asarray(params["recurrent"]["kernel"])
        return dense(carry.hidden, jnp.where(self.mask, kernel, jnp.zeros_like(kernel)))

    def gate(self, params: Params, carry: ClockworkCarry, z: Projected, r: Product) -> tuple[ClockworkCarry, Output]:
        return clockwork_gate(carry, z, r, self.unit_periods)

    def output(self, carry: ClockworkCarry) -> Output:
        return carry.hidden
