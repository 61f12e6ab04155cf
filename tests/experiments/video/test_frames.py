"""Models of frames: patches and back, only the past counts, streaming, imagining."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.video.config import FrameModelConfig
from experiments.video.frames import build_frame_model, frame_nats, roll_out
from rnn_jax.losses import binary_cross_entropy
from rnn_jax.nnx import functional

FRAMES = np.random.default_rng(0).random((6, 2, 8, 8)).astype(np.float32)


@pytest.fixture(params=["conv_lstm", "conv_gru", "lstm"], scope="module")
def model(request):
    size = {"hidden_size": 3} if request.param == "lstm" else {"channels": 3}
    config = FrameModelConfig(frame_cell=request.param, layers=2, **size)
    return build_frame_model(config, 8, jax.random.key(0))


def test_patches_are_squares_of_neighbours(model):
    folded = model._fold(FRAMES)
    np.testing.assert_array_equal(model._unfold(folded), FRAMES)
    if not model.flat:
        np.testing.assert_array_equal(folded[3, 1, 2, 1], FRAMES[3, 1, 4:6, 2:4].ravel())


@pytest.mark.exhaustive(but=1)
def test_a_frame_is_expected_from_those_before_it(model):
    params, rebuild = functional(model)
    whole = jax.jit(lambda xs: rebuild(params)(xs))
    logits = whole(FRAMES)
    later = FRAMES.copy()
    later[3:] = 1 - later[3:]
    np.testing.assert_allclose(whole(later)[:3], logits[:3], atol=1e-6)
    assert np.abs(np.asarray(whole(later)[3] - logits[3])).max() > 1e-4
    carry, step = model.start(2), jax.jit(lambda carry, x: rebuild(params).step(carry, x))
    for frame, expected in zip(FRAMES, logits, strict=True):
        carry, streamed = step(carry, frame)
        np.testing.assert_allclose(streamed, expected, atol=1e-5)
    nats, count = frame_nats(model, FRAMES)
    p, targets = jax.nn.sigmoid(np.asarray(logits[:-1], np.float64)), FRAMES[1:]
    np.testing.assert_allclose(nats, -(targets * np.log(p) + (1 - targets) * np.log(1 - p)).sum(), rtol=1e-4)
    assert count == 10
    assert binary_cross_entropy(jnp.zeros((2, 3)), jnp.ones((2, 3)))[1] == 2


@pytest.mark.exhaustive(but=1)
def test_what_is_imagined_is_read_as_the_next_frame(model):
    params, rebuild = functional(model)
    imagined = jax.jit(lambda xs: roll_out(rebuild(params), xs, 3))(FRAMES)
    predictions = jax.nn.sigmoid(model(np.concatenate([FRAMES, imagined])))
    np.testing.assert_allclose(imagined, predictions[5:8], atol=1e-5)


def test_frames_that_cannot_be_cut_are_refused():
    with pytest.raises(ValueError, match="patch=3: expected a divisor of 8"):
        build_frame_model(FrameModelConfig(patch=3), 8, jax.random.key(0))
