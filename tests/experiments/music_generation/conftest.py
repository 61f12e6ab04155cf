"""A small model of piano rolls, recurrent, a transformer, or with a joint output, and a few random rolls."""

import jax
import numpy as np
import pytest

from experiments.music_generation.config import PianoRollConfig
from experiments.music_generation.midi import PITCHES


@pytest.fixture(params=["recurrent", "transformer", "nade"], scope="module")
def model(request):
    kind = {"output": "nade", "nade_size": 6} if request.param == "nade" else {"model": request.param}
    config = PianoRollConfig(**kind, hidden_size=8, heads=1, transformer_layers=1)
    return config.build(jax.random.key(0))


@pytest.fixture(scope="module")
def rolls():
    rng = np.random.default_rng(0)
    return [(rng.random((steps, PITCHES)) < 0.1).astype(np.uint8) for steps in (5, 11, 2, 8, 3)]
