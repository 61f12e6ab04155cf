"""Grey levels are read as numbers from 0 to 1."""

import jax
import numpy as np
import pytest

from experiments.sequential_images.model import PixelClassifierConfig
from rnn_jax.models import Classifier

KEY = jax.random.key(0)


@pytest.mark.exhaustive
def test_grey_levels_are_numbers_from_0_to_1():
    model = PixelClassifierConfig(cell="elman", hidden_size=4).classifier(2, 3, KEY)
    pixels = np.random.default_rng(0).integers(256, size=(5, 2, 2)).astype(np.uint8)
    lengths = np.full(2, 5)
    logits = model(pixels, lengths)
    assert logits.shape == (2, 3)
    of_numbers = Classifier.__call__(model, pixels.astype(np.float32) / 255, lengths)
    np.testing.assert_allclose(logits, of_numbers, rtol=1e-5, atol=1e-6)


def test_a_pooling_that_is_not_known_is_refused():
    with pytest.raises(ValueError, match="pooling='median'"):
        PixelClassifierConfig(pooling="median").classifier(1, 2, KEY)
