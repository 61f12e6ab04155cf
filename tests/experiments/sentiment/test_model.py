"""The classifier of texts: padding changes nothing, and bags are sums of their vectors."""

import jax
import numpy as np
import pytest
from flax import nnx

import rnn_jax
from experiments.sentiment.model import TextClassifier
from rnn_jax.nnx import Recurrent
from tests.models.padding import LENGTHS, VALID, assert_same_bits, make_layer, make_outcome

TOKENS = np.random.default_rng(0).integers(1, 20, (7, 4, 3)).astype(np.int32)


@pytest.mark.parametrize(("name", "pooling"), [("gru", "last"), ("transformer", "attention")])
def test_tokens_in_the_padding_change_nothing(name, pooling):
    rngs = nnx.Rngs(params=jax.random.key(0))
    options = {"pooling": pooling, "dropout_rate": 0.3, "input_dropout": 0.3, "rngs": rngs}
    model = TextClassifier(make_layer(name, rngs), 2, 20, word_dropout=0.2, bag_dropout=0.2, direct=True, **options)
    outcome = make_outcome(model, training=True)
    assert_same_bits(outcome(np.where(VALID[..., None], TOKENS, 0)), outcome(TOKENS))


@pytest.mark.exhaustive
def test_a_bag_of_one_is_a_token_and_words_are_scored_past_the_layers():
    rngs = nnx.Rngs(params=jax.random.key(0))
    model = TextClassifier(Recurrent(rnn_jax.GRU(6, 8), rngs=rngs), 2, 20, direct=True, rngs=rngs)
    tokens = TOKENS[..., 0]
    logits = model(tokens, LENGTHS)
    np.testing.assert_array_equal(logits, model(np.pad(tokens[..., None], ((0, 0), (0, 0), (0, 2))), LENGTHS))
    vectors = np.asarray(model.embed(tokens)) * VALID[..., None]
    words = vectors.sum(0) / np.sqrt(LENGTHS)[:, None]
    direct, model.direct = model.direct, None
    np.testing.assert_allclose(logits, model(tokens, LENGTHS) + direct(words.astype(np.float32)), atol=1e-5)
