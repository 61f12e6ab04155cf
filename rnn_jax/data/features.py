"""Log-mel features of speech, as pure functions of the samples: the same frame by frame as over a whole file.

A frame needs nothing but its own samples: there is no padding, no centring and no statistic over the file.
"""

import dataclasses
import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rnn_jax.checks import check_size
from rnn_jax.typing import Array


@dataclasses.dataclass(frozen=True)
class LogMel:
    """Logarithms of the energy in bands that are equally wide on the mel scale; Davis & Mermelstein 1980.

    Frame t has the samples from t · hop to t · hop + window. Each is weighted by a periodic Hann window w and
    transformed (rfft, with zeros up to the next power of two); the power, divided by Σ w², is summed with triangular
    weights of peak 1 whose corners are equally spaced in HTK's mel, 2595 log₁₀(1 + f / 700 Hz), and the feature is
    log(power + floor). `stack` frames one after the other are one step, so that a network takes fewer of them; frames
    and samples left over at the end are dropped.

    Args:
        rate: samples per second.
        bands: features of one frame.
        window: samples of a frame, 25 ms at 8 kHz.
        hop: samples from frame to frame, 10 ms at 8 kHz.
        stack: frames in a step.
        lowest: Hz, the lower corner of the lowest band; the upper corner of the highest is at half the rate.
        floor: added to the power of a band, about −70 dB of full scale: silence has finite features.

    Raises:
        ValueError: a value is out of range, or a band is so narrow that no frequency falls into it.
    """

    rate: int = 8000
    bands: int = 40
    window: int = 200
    hop: int = 80
    stack: int = 3
    lowest: float = 50.0
    floor: float = 1e-7

    def __post_init__(self):
        for name in ("rate", "bands", "window", "hop", "stack"):
            check_size(name, getattr(self, name))
        if not 0 <= self.lowest < self.rate / 2 or not self.floor > 0:
            raise ValueError(
                f"lowest={self.lowest}, floor={self.floor}: expected 0 to {self.rate / 2} Hz, and a floor above 0"
            )
        if not self.filters.any(axis=0).all():
            raise ValueError(f"bands={self.bands}: some have no frequency in them; use fewer, or a longer window")

    @property
    def size(self) -> int:
        """Features of a step."""
        return self.bands * self.stack

    @property
    def step_samples(self) -> int:
        """Samples that one step is made of."""
        return self.window + (self.stack - 1) * self.hop

    @property
    def step_hop(self) -> int:
        """Samples from step to step."""
        return self.stack * self.hop

    @functools.cached_property
    def filters(self) -> np.ndarray:
        """Triangular weights, float64 `[frequencies, bands]`."""
        points = 2 ** math.ceil(math.log2(self.window))
        frequencies = np.arange(points // 2 + 1) * self.rate / points
        low, high = (2595 * math.log10(1 + hertz / 700) for hertz in (self.lowest, self.rate / 2))
        corners = 700 * (10 ** (np.linspace(low, high, self.bands + 2) / 2595) - 1)
        low, peak, high = corners[:-2], corners[1:-1], corners[2:]
        rising = (frequencies[:, None] - low) / (peak - low)
        falling = (high - frequencies[:, None]) / (high - peak)
        return np.maximum(0, np.minimum(rising, falling))

    def steps(self, samples: Any) -> Any:
        """How many steps so many samples make: an int, or int arrays."""
        frames = (samples - self.window) // self.hop + 1
        return frames * (frames > 0) // self.stack

    def __call__(self, waves: Array) -> jax.Array:
        """Samples `[S, ...]` to features `[T, ..., D]`, float32; T is `steps(S)`, D is `size`."""
        count = int(self.steps(waves.shape[0])) * self.stack
        if not count:
            raise ValueError(f"waves has {waves.shape[0]} samples: expected at least {self.step_samples}, one step")
        batch = waves.shape[1:]
        frames = self._frames(jnp.asarray(waves, jnp.float32).reshape(waves.shape[0], -1).T, count)
        hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(self.window) / self.window)
        points = 2 * (len(self.filters) - 1)
        spectrum = jnp.fft.rfft(frames * hann.astype(np.float32)[None, None], points)
        power = (spectrum.real**2 + spectrum.imag**2) / np.float32(np.sum(hann**2))
        logs = jnp.log(power @ self.filters.astype(np.float32) + np.float32(self.floor))  # [B, frames, bands]
        stacked = logs.reshape(-1, count // self.stack, self.size)
        return jnp.swapaxes(stacked, 0, 1).reshape(-1, *batch, self.size)

    def _frames(self, rows: jax.Array, count: int) -> jax.Array:
        """`[B, S]` to frames `[B, count, window]`, by slices of blocks, which are faster than a gather."""
        block = math.gcd(self.window, self.hop)
        blocks = rows[:, : rows.shape[1] // block * block].reshape(len(rows), -1, block)
        stride = self.hop // block
        parts = [
            jax.lax.slice_in_dim(blocks, i, i + stride * (count - 1) + 1, stride, axis=1)
            for i in range(self.window // block)
        ]
        return jnp.concatenate(parts, axis=-1)
