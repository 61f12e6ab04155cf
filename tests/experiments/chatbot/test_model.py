"""The dual encoder: padding is never seen, vectors have unit length, and its loss is the formula."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import rnn_jax
from experiments.chatbot.model import DualEncoder, in_batch_loss
from rnn_jax.models import Transformer
from rnn_jax.nnx import Recurrent, functional

TOKENS = np.array([[4, 5], [6, 7], [8, 0], [9, 0]], np.int32)
LENGTHS = np.array([4, 2], np.int32)


def build(kind, **options):
    rngs = nnx.Rngs(0)
    layer = Recurrent(rnn_jax.GRU(8, 6), rngs=rngs) if kind == "recurrent" else Transformer(8, 8, 1, 2, rngs=rngs)
    return DualEncoder(layer, 12, rngs=rngs, **options)


@pytest.mark.parametrize("kind", ["recurrent", "transformer"])
def test_padding_has_no_influence_and_vectors_have_unit_length(kind):
    params, rebuild = functional(build(kind))
    other = np.where(TOKENS == 0, 11, TOKENS)

    @jax.jit
    def run(tokens):
        def total(params):
            vectors = rebuild(params)(tokens, LENGTHS)
            return vectors.sum(), vectors

        return jax.grad(total, has_aux=True)(params)

    (gradients, vectors), changed = run(TOKENS), run(other)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    for a, b in zip(jax.tree.leaves((gradients, vectors)), jax.tree.leaves(changed), strict=True):
        assert np.isfinite(a).all()
        np.testing.assert_array_equal(a, b)


def test_dropout_needs_a_key_and_hides_words():
    model = build("recurrent", word_dropout=0.5, embedding_dropout=0.2, dropout_rate=0.2)
    calm = model(TOKENS, LENGTHS)
    np.testing.assert_array_equal(calm, model(TOKENS, LENGTHS))
    assert not np.allclose(calm, model(TOKENS, LENGTHS, key=jax.random.key(0)))
    with pytest.raises(ValueError, match=r"word_dropout=1\.5"):
        build("recurrent", word_dropout=1.5)


def test_loss_is_the_formula_and_replies_of_one_text_are_no_distractors():
    scores = np.array([[2.0, 0.0, 1.0], [0.0, 1.0, 3.0], [1.0, 0.0, 2.0]], np.float32)

    def nats(right, *others):
        return np.log(sum(np.exp(s) for s in (right, *others))) - right

    rows = nats(2, 0, 1) + nats(1, 0, 3) + nats(2, 1, 0)
    columns = nats(2, 0, 1) + nats(1, 0, 0) + nats(2, 1, 3)
    np.testing.assert_allclose(in_batch_loss(jnp.array(scores), jnp.array([0, 1, 2])), (rows + columns) / 6, rtol=1e-6)
    rows = nats(2, 0) + nats(1, 0, 3) + nats(2, 0)
    columns = nats(2, 0) + nats(1, 0, 0) + nats(2, 3)
    loss, gradient = jax.value_and_grad(in_batch_loss)(jnp.array(scores), jnp.array([7, 1, 7]))
    np.testing.assert_allclose(loss, (rows + columns) / 6, rtol=1e-6)
    assert np.isfinite(gradient).all() and gradient[0, 2] == gradient[2, 0] == 0
