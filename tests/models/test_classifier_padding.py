"""What stands in the padding reaches neither logits nor loss nor gradients: not one bit of them."""

import jax
import numpy as np
import pytest
from flax import nnx

from rnn_jax.losses import token_cross_entropy
from rnn_jax.models import Classifier, SequenceConfig
from rnn_jax.models.text_classifier import TextClassifier
from rnn_jax.nnx import functional

LENGTHS = np.array([7, 1, 4, 6], np.int32)
LABELS = np.array([0, 1, 1, 0])
VALID = np.arange(7)[:, None] < LENGTHS
MODELS = {
    "gru": {"cell": "gru", "bidirectional": False},
    "both directions": {"cell": "lstm", "layers": 2, "recurrent_dropout": 0.2},
    "linear": {"cell": "mingru"},
    "transformer": {"model": "transformer"},
    "causal transformer": {"model": "transformer", "bidirectional": False},
}


def make_outcome(model, training):
    """A function from inputs to logits, loss and gradients, as the loop of training computes them."""
    params, rebuild = functional(model)

    @jax.jit
    def compute(inputs, key):
        def loss(params):
            logits = rebuild(params)(inputs, LENGTHS, key=key)
            nats, count = token_cross_entropy(logits, LABELS)
            return nats / count, logits

        return jax.value_and_grad(loss, has_aux=True)(params)

    return lambda inputs: compute(inputs, jax.random.key(5) if training else None)


def assert_same_bits(one, other):
    for (path, a), b in zip(jax.tree.leaves_with_path(one), jax.tree.leaves(other), strict=True):
        name = jax.tree_util.keystr(path)
        assert np.isfinite(a).all(), name
        np.testing.assert_array_equal(np.asarray(a).view(np.uint32), np.asarray(b).view(np.uint32), err_msg=name)


def layer(name, rngs):
    settings = SequenceConfig(**{"hidden_size": 8, "dropout": 0.3, "heads": 2} | MODELS[name])
    return settings.layer(6, rngs)


@pytest.mark.parametrize(
    ("name", "pooling", "bags"),
    [
        ("gru", "last", True),
        ("both directions", "last", False),
        ("linear", "max", False),
        ("transformer", "attention", True),
        ("causal transformer", "mean", False),
    ],
)
def test_tokens_in_the_padding_change_nothing(name, pooling, bags):
    rngs = nnx.Rngs(params=jax.random.key(0))
    options = {"pooling": pooling, "dropout_rate": 0.3, "input_dropout": 0.3, "rngs": rngs}
    if bags:
        model = TextClassifier(layer(name, rngs), 2, 20, word_dropout=0.2, bag_dropout=0.2, direct=True, **options)
    else:
        model = Classifier(layer(name, rngs), 2, vocabulary_size=20, **options)
    tokens = np.random.default_rng(0).integers(1, 20, (7, 4, 3) if bags else (7, 4)).astype(np.int32)
    outcome = make_outcome(model, training=True)
    assert_same_bits(outcome(np.where(VALID[..., None] if bags else VALID, tokens, 0)), outcome(tokens))


@pytest.mark.parametrize("name", ["both directions", "transformer"])
def test_vectors_in_the_padding_change_nothing_whatever_they_are(name):
    rngs = nnx.Rngs(params=jax.random.key(0))
    outcome = make_outcome(Classifier(layer(name, rngs), 2, pooling="attention", rngs=rngs), training=False)
    vectors = np.random.default_rng(0).normal(size=(7, 4, 6)).astype(np.float32)
    wanted = outcome(np.where(VALID[..., None], vectors, np.float32(0)))
    for padding in (1e30, np.inf, np.nan):
        assert_same_bits(wanted, outcome(np.where(VALID[..., None], vectors, np.float32(padding))))


def test_every_valid_step_counts():
    rngs = nnx.Rngs(params=jax.random.key(0))
    tokens = np.random.default_rng(0).integers(1, 20, (7, 4)).astype(np.int32)
    model = Classifier(layer("transformer", rngs), 2, vocabulary_size=20, pooling="mean", rngs=rngs)
    score = jax.jit(lambda tokens: model(tokens, LENGTHS))
    logits = np.asarray(score(tokens))
    for step, row in np.argwhere(VALID):
        changed = tokens.copy()
        changed[step, row] = tokens[step, row] % 19 + 1
        assert np.flatnonzero((np.asarray(score(changed)) != logits).any(1)).tolist() == [row]
