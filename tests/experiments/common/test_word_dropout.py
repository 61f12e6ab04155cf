"""Words are hidden at their rate, only where there is a key."""

import jax
import numpy as np

from experiments.common.word_dropout import hide_words
from rnn_jax.data import UNKNOWN


def test_hides_about_the_rate_and_leaves_the_others():
    tokens = np.full((200, 50), 7, np.int32)
    hidden = np.asarray(hide_words(jax.random.key(0), tokens, 0.3))
    assert hidden.dtype == np.int32 and set(np.unique(hidden)) == {UNKNOWN, 7}
    assert abs((hidden == UNKNOWN).mean() - 0.3) < 0.02
    other = np.asarray(hide_words(jax.random.key(1), tokens, 0.3))
    assert (other != hidden).any()


def test_hides_nothing_without_a_key_or_a_rate():
    tokens = np.arange(20)
    for key, rate in ((None, 0.5), (jax.random.key(0), 0.0)):
        np.testing.assert_array_equal(hide_words(key, tokens, rate), tokens)
