"""Captions of frames by an encoder-decoder, and how many are exact."""

import jax
import numpy as np
import pytest

from experiments.video.captions import LONGEST, CaptionBatches, caption_words, exact_captions
from experiments.video.data import Digits
from experiments.video.readers import make_reader
from rnn_jax.models import EncoderDecoderConfig, make_generate, target_nats
from rnn_jax.nnx import functional

DIGITS = Digits(np.random.default_rng(1).random((10, 8, 8)).astype(np.float32), np.arange(10))


@pytest.mark.exhaustive(but=1)
@pytest.mark.parametrize(("kind", "reader"), [("recurrent", "coarse"), ("recurrent", "fine"), ("transformer", "fine")])
def test_an_encoder_decoder_reads_frames(kind, reader):
    words = caption_words(DIGITS)
    assert set(words.vocabulary.words) >= {"a", "an", "moves", "then", "zero", "nine", "up", "left", "and", ","}
    config = EncoderDecoderConfig(model=kind, hidden_size=12, embedding_size=16, heads=1, transformer_layers=1)
    model = config.encoder_decoder(len(words), jax.random.key(0), make_reader=make_reader(reader, 4))
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
    assert len(make_generate(rebuild, beams=1, rows=2)(params, videos)) == 3


def test_a_caption_is_exact_or_it_is_not():
    a, b = np.array([1, 2, 3]), np.array([1, 2])
    assert exact_captions([a, b, a, b], [a, a, b, b]) == 50.0
