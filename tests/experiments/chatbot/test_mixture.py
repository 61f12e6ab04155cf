"""n-grams as a program are the formula; a network mixed with them is a distribution, step by step as all at once."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.chatbot.config import WriterConfig
from experiments.chatbot.mixture import MixedWriter, NGrams, best_share
from rnn_jax.data import BEGIN, END
from tests.experiments.slow_ngram import grams, slow_probability

V = 7
some = settings(max_examples=10, deadline=None, derandomize=True)
replies_of_some_words = st.lists(
    st.lists(st.integers(4, V - 1), min_size=1, max_size=6).map(lambda words: np.array([*words, END], np.int32)),
    min_size=2, max_size=8,
)  # fmt: skip


def reply_probability(replies, history, token, order):
    """P(token | history): replies begin behind ends, and every token of theirs is counted once."""
    texts = [[END] * (order - 1) + list(reply) for reply in replies]
    return slow_probability(grams(texts, order), V, history, token, order)


@some
@given(replies_of_some_words, st.integers(1, 4), st.lists(st.integers(0, V - 1), min_size=3, max_size=3))
def test_ngrams_are_the_formula_and_sum_to_one(replies, order, history):
    found = np.asarray(NGrams(replies, V, order)(np.array(history[3 - order + 1 :], np.int32)))
    wanted = [reply_probability(replies, history, token, order) for token in range(V)]
    np.testing.assert_allclose(found, wanted, rtol=1e-5)
    np.testing.assert_allclose(found.sum(), 1, rtol=1e-5)


@pytest.mark.exhaustive
@pytest.mark.parametrize(("model", "order"), [("recurrent", 1), ("recurrent", 3), ("transformer", 2)])
def test_steps_are_what_all_at_once_is(model, order):
    config = WriterConfig(model=model, hidden_size=28, embedding_size=16, heads=2, transformer_layers=2)
    network = config.encoder_decoder(V, jax.random.key(0))
    random = np.random.default_rng(0)
    replies = [np.append(random.integers(4, V, 5), END).astype(np.int32) for _ in range(6)]
    writer = MixedWriter(network, NGrams(replies, V, order), 0.4)
    source, lengths = jnp.asarray(random.integers(4, V, (3, 2))), jnp.array([3, 2])
    inputs = jnp.array([[BEGIN, BEGIN], *random.integers(4, V, (3, 2))], jnp.int32)
    whole = jax.jit(writer)(source, lengths, inputs)
    np.testing.assert_allclose(jnp.exp(whole).sum(-1), 1, rtol=1e-5)
    memory = jax.jit(writer.encode)(source, lengths)
    carry, step = writer.start(memory, 4), jax.jit(writer.step)
    for t, tokens in enumerate(inputs):
        carry, logs = step(memory, carry, tokens)
        np.testing.assert_allclose(logs, whole[t], rtol=1e-4, atol=1e-5)
    history = [END, END, END, *np.asarray(inputs[1:, 0])]
    alone = jax.nn.softmax(network(source, lengths, inputs))[-1, 0]
    wanted = [0.4 * float(alone[w]) + 0.6 * reply_probability(replies, history, w, order) for w in range(V)]
    np.testing.assert_allclose(jnp.exp(whole[-1, 0]), wanted, rtol=1e-4)


def test_the_share_is_the_one_with_the_fewest_nats():
    network, ngrams = np.array([0.5, 0.1, 0.0]), np.array([0.1, 0.6, 0.2])
    share, nats = best_share(network, ngrams)
    every = [-np.log(s * network + (1 - s) * ngrams).mean() for s in np.linspace(0, 0.99, 100)]
    assert math.isclose(nats, min(every)) and math.isclose(share, int(np.argmin(every)) / 100)


@pytest.mark.parametrize(("size", "order", "highest"), [(1000, 5, 4), (2, 40, 31)])
def test_orders_beyond_what_fits_are_refused(size, order, highest):
    with pytest.raises(ValueError, match=f"ngram={order} with {size} tokens: expected 1 to {highest}"):
        NGrams([np.array([5, END])], size, order)
