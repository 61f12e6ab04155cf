"""Whether padding reaches anything: logits, loss and gradients of a classifier, compared bit by bit."""

import jax
import numpy as np

from rnn_jax.losses import token_cross_entropy
from rnn_jax.models import SequenceConfig
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


def make_layer(name, rngs):
    config = SequenceConfig(**{"hidden_size": 8, "dropout": 0.3, "heads": 2} | MODELS[name])
    return config.layer(6, rngs)
