"""Variants of recordings and masks of features stay in their bounds."""

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnn_jax.data.augment import longest_variant, mask_features, vary_wave


@given(st.integers(100, 3000), st.floats(0, 2), st.integers(0, 2**31))
@settings(max_examples=50, deadline=None)
def test_variants_stay_in_their_bounds(samples, strength, seed):
    wave = np.ones(samples, np.float32)
    variant = vary_wave(np.random.default_rng(seed), wave, strength)
    assert variant.dtype == np.float32 and np.isfinite(variant).all()
    assert samples / 2 <= len(variant) <= longest_variant(samples, strength)
    silent = vary_wave(np.random.default_rng(seed), 0 * wave, strength)
    assert np.isfinite(silent).all() and np.abs(silent).max() < 1e-3


@pytest.mark.exhaustive
def test_masks_hide_strips_of_the_valid_part():
    features, lengths = np.ones((20, 64, 12), np.float32), np.full(64, 16)
    masked = np.asarray(mask_features(jax.random.key(0), features, lengths, bands=3, steps=5, stack=2))
    assert set(np.unique(masked)) == {0, 1}
    whole_steps = (masked == 0).all(axis=2).sum(axis=0)
    assert whole_steps.max() == 4 and (masked[16:].any(axis=2)).all()  # a quarter of 16 steps, and none of the padding
    bands = (masked == 0).all(axis=0)
    np.testing.assert_array_equal(bands[:, :6], bands[:, 6:])  # the same ones in each frame
    assert bands[:, :6].sum(axis=1).max() == 3
    off = mask_features(jax.random.key(0), features, lengths, bands=0, steps=0)
    np.testing.assert_array_equal(off, features)
