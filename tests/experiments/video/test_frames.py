"""Models of frames: patches and back, only the past counts, streaming, imagining; and captions of frames."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.video.captions import LONGEST, CaptionBatches, FrameReader, caption_words, exact_captions
from experiments.video.data import Digits
from experiments.video.frames import build_frame_model, frame_nats, roll_out
from rnn_jax.losses import binary_cross_entropy
from rnn_jax.models import EncoderDecoderConfig
from rnn_jax.models.translation import make_writer, target_nats
from rnn_jax.nnx import functional

FRAMES = np.random.default_rng(0).random((6, 2, 8, 8)).astype(np.float32)
DIGITS = Digits(np.random.default_rng(1).random((10, 8, 8)).astype(np.float32), np.arange(10))


@pytest.fixture(params=["conv_lstm", "conv_gru", "lstm"], scope="module")
def model(request):
    return build_frame_model(request.param, 3, 2, 8, jax.random.key(0), patch=2)


def test_patches_are_squares_of_neighbours(model):
    folded = model._fold(FRAMES)
    np.testing.assert_array_equal(model._unfold(folded), FRAMES)
    if not model.flat:
        np.testing.assert_array_equal(folded[3, 1, 2, 1], FRAMES[3, 1, 4:6, 2:4].ravel())


def test_a_frame_is_expected_from_those_before_it(model):
    params, rebuild = functional(model)
    whole = jax.jit(lambda xs: rebuild(params)(xs))
    logits = whole(FRAMES)
    later = FRAMES.copy()
    later[3:] = 1 - later[3:]
    np.testing.assert_allclose(whole(later)[:3], logits[:3], atol=1e-6)
    assert np.abs(np.asarray(whole(later)[3] - logits[3])).max() > 1e-4
    carry, step = model.start(2), jax.jit(lambda carry, x: rebuild(params).step(carry, x))
    for frame, wanted in zip(FRAMES, logits, strict=True):
        carry, streamed = step(carry, frame)
        np.testing.assert_allclose(streamed, wanted, atol=1e-5)
    nats, count = frame_nats(model, FRAMES)
    p, seen = jax.nn.sigmoid(np.asarray(logits[:-1], np.float64)), FRAMES[1:]
    np.testing.assert_allclose(nats, -(seen * np.log(p) + (1 - seen) * np.log(1 - p)).sum(), rtol=1e-4)
    assert count == 10


def test_what_is_imagined_is_read_as_if_it_had_been_seen(model):
    params, rebuild = functional(model)
    imagined = jax.jit(lambda xs: roll_out(rebuild(params), xs, 3))(FRAMES)
    seen = np.concatenate([FRAMES, imagined])
    expected = jax.nn.sigmoid(model(seen))
    np.testing.assert_allclose(imagined, expected[5:8], atol=1e-5)


def test_frames_that_cannot_be_cut_are_refused():
    with pytest.raises(ValueError, match="patch=3: expected a divisor of 8"):
        build_frame_model("conv_lstm", 3, 1, 8, jax.random.key(0), patch=3)
    with pytest.raises(ValueError, match="cell='conv' is unknown"):
        build_frame_model("conv", 3, 1, 8, jax.random.key(0))


@pytest.mark.parametrize("kind", ["recurrent", "transformer"])
def test_an_encoder_decoder_reads_frames(kind):
    words = caption_words(DIGITS)
    assert set(words.vocabulary.words) >= {"a", "an", "moves", "then", "zero", "nine", "up", "left", "and", ","}
    settings = EncoderDecoderConfig(model=kind, hidden_size=12, embedding_size=16, heads=1, transformer_layers=1)
    model = settings.encoder_decoder(len(words), jax.random.key(0), make_reader=FrameReader)
    params, rebuild = functional(model)
    batch = CaptionBatches(DIGITS, words, 3, 0).batch(0)
    assert batch["source"].shape == (LONGEST, 3, 24, 24) and batch["targets"].shape == (LONGEST, 3)
    score = jax.jit(lambda batch: target_nats(rebuild(params), batch))
    nats, count = score(batch)
    assert int(count) == batch["target_lengths"].sum() and np.isfinite(nats)
    lengths = batch["source_lengths"]
    padded = np.where(np.arange(LONGEST)[:, None, None, None] < lengths[:, None, None], batch["source"], 1.0)
    np.testing.assert_allclose(score(batch | {"source": padded.astype(np.float32)})[0], nats, rtol=1e-6)
    assert abs(score(batch | {"source": 1 - batch["source"]})[0] - nats) > 1e-3
    videos = [batch["source"][: lengths[k], k] for k in range(3)]
    assert len(make_writer(rebuild, beams=1, rows=2)(params, videos)) == 3


def test_a_caption_is_exact_or_it_is_not():
    a, b = np.array([1, 2, 3]), np.array([1, 2])
    assert exact_captions([a, b, a, b], [a, a, b, b]) == 50.0
    assert binary_cross_entropy(jnp.zeros((2, 3)), jnp.ones((2, 3)))[1] == 2
