"""The language model streams what it scores, shares what it says it shares, and is random only with a key."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import rnn_jax
from rnn_jax.models import LanguageModel
from rnn_jax.nnx import functional

V, D = 7, 4
TOKENS = np.random.default_rng(0).integers(0, V, (5, 3))


def model(**options):
    stack = rnn_jax.Stack([rnn_jax.LSTM(D, 3), rnn_jax.Elman(3, D)])
    return LanguageModel(V, D, stack, rngs=nnx.Rngs(0), **options)


@pytest.mark.exhaustive(but=1)
@pytest.mark.parametrize("tied", [False, True])
def test_step_by_step_equals_the_whole_sequence(tied):
    language_model = model(tied=tied)
    carry, logits = language_model(TOKENS)
    chex.assert_shape(logits, (*TOKENS.shape, V))
    streamed = language_model.initial_carry((3,))
    for t, token in enumerate(TOKENS):
        streamed, scores = language_model.step(streamed, token)
        np.testing.assert_allclose(scores, logits[t], rtol=1e-5, atol=1e-6)
    chex.assert_trees_all_close(streamed, carry, rtol=1e-5, atol=1e-6)
    middle, first = language_model(TOKENS[:2])
    _, last = language_model(TOKENS[2:], middle, checkpoint_every=2)
    np.testing.assert_allclose(np.concatenate([first, last]), logits, rtol=1e-5, atol=1e-6)


def test_a_tied_model_scores_with_its_embedding():
    params, rebuild = functional(model(tied=True))
    free, _ = functional(model())
    assert params.keys() == {"embed", "recurrent"} and free.keys() == {"embed", "recurrent", "score"}
    assert rnn_jax.count_parameters(free) - rnn_jax.count_parameters(params) == D * V + V
    embedding = params["embed"]["embedding"]
    ys = rebuild(params).recurrent(embedding[TOKENS]).ys
    np.testing.assert_allclose(rebuild(params)(TOKENS)[1], ys @ embedding.T, rtol=1e-5, atol=1e-6)


@pytest.mark.exhaustive(but=1)
@pytest.mark.parametrize("where", ["dropout_rate", "embedding_dropout"])
def test_dropout_acts_only_with_a_key(where):
    dropping, plain = model(**{where: 0.5}), model()
    np.testing.assert_array_equal(dropping(TOKENS)[1], plain(TOKENS)[1])
    np.testing.assert_array_equal(plain(TOKENS, key=jax.random.key(0))[1], plain(TOKENS)[1])
    first, same, other = (dropping(TOKENS, key=jax.random.key(seed))[1] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, same)
    assert (first != other).any() and (first != plain(TOKENS)[1]).any()


@pytest.mark.exhaustive
def test_low_precision_is_for_the_computation_alone():
    low, full = model(dtype=jnp.bfloat16), model()
    carry, logits = low(TOKENS)
    assert logits.dtype == jnp.float32
    assert {leaf.dtype for leaf in jax.tree.leaves((carry, low.initial_carry()))} == {jnp.dtype("float32")}
    chex.assert_trees_all_equal(functional(low)[0], functional(full)[0])
    np.testing.assert_allclose(logits, full(TOKENS)[1], atol=0.05)
    assert low.step(low.initial_carry((3,)), TOKENS[0])[1].dtype == jnp.float32


@pytest.mark.parametrize(
    ("embedding_size", "options", "message"),
    [
        (5, {}, "embedding_size=5: expected 4, the stack's input size"),
        (4, {"tied": True}, "tied=True with embedding_size=4 and outputs of 3: a tied output needs them equal"),
    ],
)
def test_errors(embedding_size, options, message):
    with pytest.raises(ValueError, match=message):
        LanguageModel(V, embedding_size, rnn_jax.LSTM(4, 3), rngs=nnx.Rngs(0), **options)
