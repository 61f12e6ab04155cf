"""Sampling: what may be drawn, how often, and that a seed decides everything."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from scipy.special import softmax

import rnn_jax
from rnn_jax.decoding import sample_token, stream_tokens
from rnn_jax.models import LanguageModel

DRAWS = 20_000


def kept(logits, temperature, top_k, top_p):
    """The distribution after temperature, top-k and nucleus, one token at a time from the likeliest down."""
    probabilities = softmax(logits / temperature)
    order = np.argsort(-probabilities)[: top_k or None]
    probabilities = np.where(np.isin(np.arange(logits.size), order), probabilities, 0)
    probabilities /= probabilities.sum()
    result, mass = np.zeros_like(probabilities), 0.0
    for token in order:
        if mass >= top_p:
            break
        result[token] = probabilities[token]
        mass += probabilities[token]
    return result / result.sum()


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(
    ("temperature", "top_k", "top_p"),
    [(1.0, 0, 1.0), (0.5, 0, 1.0), (1.0, 3, 1.0), (1.0, 0, 0.7), (2.0, 0, 1e-6), (1.5, 4, 0.8), (1.0, 1, 1.0)],
)
def test_frequencies_are_those_of_the_kept_tokens(seed, temperature, top_k, top_p):
    logits = np.random.default_rng(seed).normal(scale=1.5, size=6)
    many = jnp.broadcast_to(jnp.asarray(logits, jnp.float32), (DRAWS, 6))
    tokens = sample_token(jax.random.key(seed), many, temperature, top_k, top_p)
    wanted, found = kept(logits, temperature, top_k, top_p), np.bincount(tokens, minlength=6) / DRAWS
    assert tokens.dtype == jnp.int32 and ((found > 0) <= (wanted > 0)).all()
    assert (np.abs(found - wanted) <= 5 * np.sqrt(wanted * (1 - wanted) / DRAWS)).all()


def test_temperature_zero_takes_the_likeliest():
    logits = np.random.default_rng(0).normal(size=(2, 3, 5)).astype(np.float32)
    np.testing.assert_array_equal(sample_token(jax.random.key(0), logits, 0.0), logits.argmax(-1))
    np.testing.assert_array_equal(sample_token(jax.random.key(0), logits, 1e-3), logits.argmax(-1))


def test_a_stream_is_its_seed_and_equals_sampling_from_the_logits_of_the_whole_sequence():
    compiled = []

    def step(model, carry, token):
        compiled.append(model)
        return model.step(carry, token)

    model, other = (LanguageModel(7, 4, rnn_jax.Elman(4, 4), rngs=nnx.Rngs(seed)) for seed in (0, 1))
    prompt, options = np.array([3, 1, 2]), {"temperature": 1.5, "top_k": 5, "top_p": 0.9}

    def stream(seed, model=model):
        tokens = stream_tokens(step, model, model.initial_carry(), prompt, jax.random.key(seed), **options)
        return list(itertools.islice(tokens, 8))

    streamed = stream(0)
    assert streamed == stream(0) != stream(1)
    assert streamed != stream(0, other)
    assert len(compiled) == 2, "reading and drawing are compiled once, whatever the key and the parameters"
    logits = model(np.concatenate([prompt, streamed]))[1][len(prompt) - 1 :]
    draw = functools.partial(sample_token, **options)
    drawn = [int(draw(jax.random.fold_in(jax.random.key(0), i), logits[i])) for i in range(8)]
    assert drawn == streamed


def silent(params, carry, token):
    return carry, jnp.zeros(5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": -0.5}, "temperature=-0.5: expected a number of at least 0"),
        ({"temperature": float("nan")}, "temperature=nan"),
        ({"top_k": -1}, r"top_k=-1: expected 0 \(all\)"),
        ({"top_k": 6}, r"top_k=6: expected 0 \(all\) to 5"),
        ({"top_p": 0.0}, "top_p=0.0: expected a probability above 0 and up to 1"),
        ({"top_p": 1.1}, r"top_p=1\.1"),
    ],
)
def test_errors(options, message):
    with pytest.raises(ValueError, match=message):
        sample_token(jax.random.key(0), jnp.zeros(5), **options)
    with pytest.raises(ValueError, match=message):
        next(stream_tokens(silent, {}, (), np.array([1]), jax.random.key(0), **options))


def test_a_stream_needs_a_prompt():
    with pytest.raises(ValueError, match="prompt is empty: expected at least one token"):
        next(stream_tokens(silent, {}, (), np.zeros(0, int), jax.random.key(0)))
