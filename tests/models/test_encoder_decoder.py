"""Both encoder-decoders: streaming is teacher forcing, the past is all that counts, padding has no influence."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import rnn_jax
from rnn_jax.models import EncoderDecoder, TransformerEncoderDecoder
from rnn_jax.models.attention import Attention

V, S, T, B = 11, 5, 4, 3
RANDOM = np.random.default_rng(0)
SOURCE = RANDOM.integers(4, V, (S, B)).astype(np.int32)
LENGTHS = np.array([5, 3, 1], np.int32)
INPUTS = RANDOM.integers(2, V, (T, B)).astype(np.int32)


def recurrent(attention="multiplicative", cell=rnn_jax.GRU, **options):
    encoder, decoder = rnn_jax.Bidirectional(cell(6, 4)), rnn_jax.Stack([cell(12, 6), cell(6, 6)])
    rngs = nnx.Rngs(params=jax.random.key(0))
    return EncoderDecoder(V, encoder, decoder, attention=attention, rngs=rngs, **options)


MODELS = {
    "multiplicative": recurrent,
    "additive": functools.partial(recurrent, "additive", rnn_jax.LSTM),
    "transformer": lambda **options: TransformerEncoderDecoder(
        V, 6, 8, 2, 2, rngs=nnx.Rngs(params=jax.random.key(0)), **options
    ),
}


@pytest.fixture(params=MODELS)
def model(request):
    return MODELS[request.param]()


@pytest.mark.exhaustive(but=1)
def test_step_by_step_is_teacher_forcing(model):
    @nnx.jit
    def streamed(model):
        memory = model.encode(SOURCE, LENGTHS)
        carry, logits = model.start(memory, T), []
        for token in INPUTS:
            carry, scores = model.step(memory, carry, token)
            logits.append(scores)
        return jnp.stack(logits)

    np.testing.assert_allclose(streamed(model), nnx.jit(lambda m: m(SOURCE, LENGTHS, INPUTS))(model), atol=2e-5)


@pytest.mark.exhaustive(but=1)
def test_only_the_past_and_the_valid_source_count(model):
    call = nnx.jit(lambda m, *a: m(*a))
    logits = call(model, SOURCE, LENGTHS, INPUTS)
    padded = np.where(np.arange(S)[:, None] < LENGTHS, SOURCE, 4 + SOURCE % 3)
    np.testing.assert_array_equal(call(model, padded, LENGTHS, INPUTS), logits)
    later = np.concatenate([INPUTS[:2], INPUTS[:2]])
    np.testing.assert_array_equal(call(model, SOURCE, LENGTHS, later)[:2], logits[:2])
    assert jnp.abs(call(model, SOURCE[::-1], LENGTHS, INPUTS) - logits).max() > 1e-3, "the source counts"


@pytest.mark.exhaustive(but=1)
def test_alignments_are_means_over_the_valid_source(model):
    weights = nnx.jit(lambda m: m.align(SOURCE, LENGTHS, INPUTS))(model)
    assert weights.shape == (T, B, S)
    np.testing.assert_allclose(weights.sum(-1), np.ones((T, B)), atol=1e-5)
    assert (weights[:, 2, 1:] == 0).all() and (weights[:, 1, 3:] == 0).all()


@pytest.mark.exhaustive(but=1)
@pytest.mark.parametrize("name", MODELS)
def test_a_key_means_dropout(name):
    model = MODELS[name](dropout_rate=0.4, embedding_dropout=0.4)
    call = nnx.jit(lambda m, key: m(SOURCE, LENGTHS, INPUTS, key=key))
    first, again, other = (call(model, jax.random.key(k)) for k in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert jnp.abs(first - other).max() > 1e-3
    plain = nnx.jit(lambda m: m(SOURCE, LENGTHS, INPUTS))
    np.testing.assert_array_equal(plain(model), plain(MODELS[name]()))


@pytest.mark.parametrize("kind", ["additive", "multiplicative"])
def test_attention_is_its_equation(kind):
    attention = Attention(kind, 3, 4, 5, rngs=nnx.Rngs(params=jax.random.key(2)))
    values, query = RANDOM.normal(size=(1, 6, 4)).astype(np.float32), RANDOM.normal(size=(1, 3)).astype(np.float32)
    valid = np.array([[True] * 4 + [False] * 2])
    found, weights = attention(jnp.asarray(query), attention.read(jnp.asarray(values), jnp.asarray(valid)))
    w, u = np.asarray(attention.query.kernel[...]), np.asarray(attention.key.kernel[...])
    if kind == "additive":
        scores = np.tanh(query[0] @ w + values[0] @ u) @ np.asarray(attention.weigh.kernel[...])[:, 0]
    else:
        scores = values[0] @ u @ (query[0] @ w) / np.sqrt(5)
    expected = np.where(valid[0], np.exp(scores), 0)
    expected /= expected.sum()
    np.testing.assert_allclose(weights[0], expected, atol=1e-6)
    np.testing.assert_allclose(found[0], expected @ values[0], atol=1e-6)


def test_sizes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="decoder has inputs of 6: expected 12, twice the encoder's"):
        EncoderDecoder(V, rnn_jax.GRU(6, 4), rnn_jax.GRU(6, 4), rngs=nnx.Rngs(0))
    with pytest.raises(ValueError, match="attention='dot'"):
        recurrent("dot")
