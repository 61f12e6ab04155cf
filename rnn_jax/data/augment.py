"""What makes more recordings out of few: changes that leave the words what they are, for training only."""

import jax
import jax.numpy as jnp
import numpy as np

from rnn_jax.typing import Array


def vary_wave(rng: np.random.Generator, wave: np.ndarray, strength: float = 1.0) -> np.ndarray:
    """Another speed, loudness, beginning and end, and some noise.

    At strength 1: the speed changes by a factor up to 1.15 (pitch and all: linear interpolation; Ko et al. 2015, "Audio
    augmentation for speech recognition"), the loudness by up to 6 dB, up to 25 ms at 8 kHz (200 samples) are cut off
    or added as silence at both ends, and white noise is 15 to 50 dB below the speech.

    Args:
        rng: of all draws.
        wave: float32 `[S]`.
        strength: 0 for none; scales every change.

    Returns:
        float32 `[S']`; S' is at most `longest_variant(S)`, and at least half of S.
    """
    if not strength:
        return wave
    factor = 1.15 ** (strength * rng.uniform(-1, 1))
    count = max(1, int(len(wave) / factor))
    places = np.minimum(np.arange(count) * factor, len(wave) - 1)
    left = places.astype(np.int32)
    rest = (places - left).astype(np.float32)
    wave = wave[left] * (1 - rest) + wave[np.minimum(left + 1, len(wave) - 1)] * rest
    for _ in range(2):  # at the end, then reversed at the beginning, and reversed back
        shift = int(strength * rng.uniform(-200, 200))
        wave = (wave[: max(shift, -(len(wave) // 8))] if shift < 0 else np.append(wave, np.zeros(shift, np.float32)))[
            ::-1
        ]
    noise = (float(np.sqrt(np.mean(wave**2))) + 1e-5) * 10 ** (-rng.uniform(15, 50) / 20) * min(strength, 1)
    wave = wave + rng.standard_normal(len(wave), np.float32) * np.float32(noise)
    return wave * np.float32(10 ** (strength * rng.uniform(-6, 6) / 20))


def longest_variant(samples: int, strength: float = 1.0) -> int:
    """How many samples `vary_wave` may make of so many."""
    return int(samples * 1.15**strength + 2 * 200 * strength) + 1 if strength else samples


def mask_features(
    key: jax.Array, features: Array, lengths: Array, *, bands: int = 8, steps: int = 4, stack: int = 1
) -> jax.Array:
    """Zero a strip of neighbouring bands and one of steps in each row: SpecAugment, Park et al. 2019, arXiv:1904.08779.

    Args:
        key: a typed key.
        features: `[T, B, D]`, standardised, so that zero is the mean.
        lengths: int `[B]`.
        bands: the widest strip of bands.
        steps: the longest strip of steps; it is also at most a quarter of the row's length.
        stack: frames in a step: D is stack × bands of a frame, and the same bands are masked in each.
    """
    features, lengths = jnp.asarray(features), jnp.asarray(lengths)
    length, batch, size = features.shape
    width_key, low_key, duration_key, start_key = jax.random.split(key, 4)
    of_frame = size // stack
    width = jax.random.randint(width_key, (batch,), 0, bands + 1)
    low = jax.random.randint(low_key, (batch,), 0, jnp.maximum(1, of_frame - width))
    band = jnp.arange(size) % of_frame
    in_bands = (band[None] >= low[:, None]) & (band[None] < (low + width)[:, None])  # [B, D]
    duration = jnp.minimum(jax.random.randint(duration_key, (batch,), 0, steps + 1), lengths // 4)
    start = jax.random.randint(start_key, (batch,), 0, jnp.maximum(1, lengths - duration))
    step = jnp.arange(length)[:, None]
    in_steps = (step >= start[None]) & (step < (start + duration)[None])  # [T, B]
    return jnp.where(in_bands[None] | in_steps[..., None], 0.0, features)
