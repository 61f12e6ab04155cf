"""Perplexities of replies: nothing is scored twice, and padding never."""

import math

import jax
import numpy as np
from flax import nnx

import rnn_jax
from experiments.chatbot.batches import PairBatches
from experiments.chatbot.writing import make_perplexity
from rnn_jax.data import BEGIN
from rnn_jax.models import EncoderDecoder
from rnn_jax.nnx import functional
from tests.experiments.chatbot.small_pairs import PAIRS, TOKENIZER


def test_perplexity_is_of_every_token_once_and_of_no_padding():
    rngs = nnx.Rngs(0)
    model = EncoderDecoder(8, rnn_jax.GRU(4, 4), rnn_jax.GRU(8, 4), rngs=rngs)
    params, rebuild = functional(model)
    pairs = [(TOKENIZER.context(pair.context), TOKENIZER.reply(pair.reply)) for pair in PAIRS]
    batch = PairBatches(PAIRS, TOKENIZER, 4, seed=0).batch(0)
    inputs = np.concatenate([np.full((1, 4), BEGIN, np.int32), batch["replies"][:-1]])
    logs = np.asarray(jax.nn.log_softmax(jax.jit(model)(batch["contexts"], batch["context_lengths"], inputs)))
    places = [(t, row) for row, length in enumerate(batch["reply_lengths"]) for t in range(length)]
    wanted = math.exp(-np.mean([logs[t, row, batch["replies"][t, row]] for t, row in places]))
    assert len(places) == 14
    np.testing.assert_allclose(make_perplexity(rebuild, 5, rows=3)(params, pairs), wanted, rtol=1e-5)
