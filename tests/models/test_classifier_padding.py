"""What stands in the padding reaches neither logits nor loss nor gradients: not one bit of them."""

import jax
import numpy as np
import pytest
from flax import nnx

from rnn_jax.models import Classifier
from tests.models.padding import LENGTHS, VALID, assert_same_bits, make_layer, make_outcome


@pytest.mark.parametrize(
    ("name", "pooling"), [("both directions", "last"), ("linear", "max"), ("causal transformer", "mean")]
)
def test_tokens_in_the_padding_change_nothing(name, pooling):
    rngs = nnx.Rngs(params=jax.random.key(0))
    options = {"pooling": pooling, "dropout_rate": 0.3, "input_dropout": 0.3, "rngs": rngs}
    model = Classifier(make_layer(name, rngs), 2, vocabulary_size=20, **options)
    tokens = np.random.default_rng(0).integers(1, 20, (7, 4)).astype(np.int32)
    outcome = make_outcome(model, training=True)
    assert_same_bits(outcome(np.where(VALID, tokens, 0)), outcome(tokens))


@pytest.mark.filterwarnings("ignore:a gradient is taken through")  # without dropout, as it is asked for here
@pytest.mark.parametrize("name", ["both directions", "transformer"])
def test_vectors_in_the_padding_change_nothing_whatever_they_are(name):
    rngs = nnx.Rngs(params=jax.random.key(0))
    outcome = make_outcome(Classifier(make_layer(name, rngs), 2, pooling="attention", rngs=rngs), training=False)
    vectors = np.random.default_rng(0).normal(size=(7, 4, 6)).astype(np.float32)
    wanted = outcome(np.where(VALID[..., None], vectors, np.float32(0)))
    for padding in (1e30, np.inf, np.nan):
        assert_same_bits(wanted, outcome(np.where(VALID[..., None], vectors, np.float32(padding))))


def test_every_valid_step_counts():
    rngs = nnx.Rngs(params=jax.random.key(0))
    tokens = np.random.default_rng(0).integers(1, 20, (7, 4)).astype(np.int32)
    model = Classifier(make_layer("transformer", rngs), 2, vocabulary_size=20, pooling="mean", rngs=rngs)
    score = jax.jit(lambda tokens: model(tokens, LENGTHS))
    logits = np.asarray(score(tokens))
    for step, row in np.argwhere(VALID):
        changed = tokens.copy()
        changed[step, row] = tokens[step, row] % 19 + 1
        assert np.flatnonzero((np.asarray(score(changed)) != logits).any(1)).tolist() == [row]
