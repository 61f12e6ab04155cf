"""Compression as a score: in nats per character, low for what has been read, near the entropy for what is random."""

import math

import numpy as np

from rnn_jax.metrics import compression_nats


def random_text(seed, size):
    return "".join(np.random.default_rng(seed).choice(list("abcdefgh"), size))


def test_random_text_costs_its_entropy_and_repeated_text_next_to_nothing():
    train, other = random_text(0, 4000), random_text(1, 4000)
    assert math.log(8) < compression_nats(train, other) < 1.2 * math.log(8)
    assert 0 <= compression_nats(train, train) < 0.05
