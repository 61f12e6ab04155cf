"""Search against all sequences that there are, written down one by one."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnn_jax.decoding import beam_search, greedy_search

V, END, BEGIN, STEPS = 4, 3, 0, 3


def tables(seed, batch=2):
    """Logits of the next token, by row and the last token, and how the sum of all tokens before shifts them."""
    random = np.random.default_rng(seed)
    return random.normal(size=(batch, V, V)).astype(np.float32) * 2, random.normal(size=(V,)).astype(np.float32)


def make_step(logits, shift):
    """A decoder with a memory: its carry is (row of the batch, sum of the tokens read)."""

    def step(carry, token):
        row, total = carry[:, 0], carry[:, 1] + token
        scores = jnp.asarray(logits)[row, token] + jnp.sin(
            total[:, None].astype(jnp.float32) * jnp.asarray(shift)[None]
        )
        return jnp.stack([row, total], axis=1), scores

    return step


def start(batch=2):
    return np.stack([np.arange(batch), np.zeros(batch, int)], axis=1).astype(np.int32)


def log_probability(logits, shift, row, sequence, forbidden=()):
    total, last, score = 0, BEGIN, 0.0
    for token in sequence:
        total += last
        scores = logits[row, last] + np.sin(np.float32(total) * shift)
        logs = scores - np.log(np.exp(scores).sum())
        score += -np.inf if token in forbidden else logs[token]
        last = token
    return score


def everything(logits, shift, row, alpha, forbidden=()):
    """All ended sequences with their scores, the best first."""
    found = []
    for length in range(1, STEPS + 1):
        for body in itertools.product([t for t in range(V) if t != END], repeat=length - 1):
            score = log_probability(logits, shift, row, (*body, END), forbidden)
            found.append((score / ((5 + length) / 6) ** alpha, (*body, END)))
    return sorted((pair for pair in found if pair[0] > -np.inf), reverse=True)


@functools.partial(jax.jit, static_argnames=("steps", "beams", "alpha", "forbidden"))
def run(tables, carry, **options):
    return beam_search(make_step(*tables), carry, **{"begin": BEGIN, "end": END, "steps": STEPS} | options)


def search(seed, batch=2, **options):
    beams = run(tables(seed, batch), start(batch), **options)
    return [
        [tuple(map(int, t[:n])) for t, n in zip(*row, strict=True)]
        for row in zip(np.asarray(beams.tokens), np.asarray(beams.lengths), strict=True)
    ], beams


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10**6), alpha=st.sampled_from([0.0, 0.6, 2.0]))
def test_a_beam_wide_enough_finds_the_best_of_all_sequences(seed, alpha):
    found, beams = search(seed, beams=16, alpha=alpha)  # 9 sequences are open after two steps
    scores, lengths = np.asarray(beams.scores), np.asarray(beams.lengths)
    for row in range(2):
        expected = everything(*tables(seed), row, alpha)[:13]
        np.testing.assert_allclose(scores[row][: len(expected)], [score for score, _ in expected], atol=1e-4)
        assert found[row][0] == expected[0][1]
        assert np.isneginf(scores[row][13:]).all() and (lengths[row][13:] == 0).all()


def test_forbidden_tokens_are_never_written():
    found, beams = search(3, beams=16, alpha=0.0, forbidden=(1,))
    expected = everything(*tables(3), 0, 0.0, forbidden=(1,))
    np.testing.assert_allclose(beams.scores[0][: len(expected)], [score for score, _ in expected], atol=1e-4)
    assert not any(1 in sequence for row in found for sequence in row)


@pytest.mark.parametrize("beams", [1, 3])
def test_rows_are_searched_apart_and_scores_are_those_of_the_sequences(beams):
    found, both = search(5, beams=beams, alpha=1.0)
    for row in range(2):
        for sequence, score in zip(found[row], both.scores[row], strict=True):
            if sequence and sequence[-1] == END:
                length = len(sequence)
                expected = log_probability(*tables(5), row, sequence) / ((5 + length) / 6)
                np.testing.assert_allclose(score, expected, atol=1e-4)
    swapped = run(tables(5), start()[::-1], beams=beams, alpha=1.0)
    np.testing.assert_array_equal(both.tokens[::-1], swapped.tokens)


def test_a_sequence_that_cannot_end_is_given_as_it_stands():
    def never(carry, token):
        return carry, jnp.broadcast_to(jnp.array([0.0, 1.0, 0.0, -jnp.inf]), (len(token), V))

    beams = beam_search(never, start(), begin=BEGIN, end=END, steps=STEPS, beams=2)
    np.testing.assert_array_equal(beams.tokens[:, 0], [[1, 1, 1]] * 2)
    np.testing.assert_array_equal(beams.lengths, [[3, 3]] * 2)


def test_an_open_sequence_is_followed_while_its_length_can_still_make_it_the_best():
    """It is behind at its own length, and ahead at that at which it ends; the other row is done before."""

    def step(carry, token):
        first, rest = jnp.log(jnp.array([0.01, 0.44, 0.05, 0.5])), jnp.log(jnp.array([0.001, 0.001, 0.001, 0.997]))
        undecided = (token == BEGIN) & (carry[:, 0] == 1)
        return carry, jnp.where(undecided[:, None], first[None], rest[None])

    found = beam_search(step, start(), begin=BEGIN, end=END, steps=STEPS, beams=1, alpha=2.0)
    score = (np.log(0.44) + np.log(0.997)) / (7 / 6) ** 2
    assert score > np.log(0.5) > np.log(0.44)
    np.testing.assert_array_equal(found.tokens[:, 0], [[END, 0, 0], [1, END, 0]])
    np.testing.assert_allclose(found.scores[:, 0], [np.log(0.997), score], atol=1e-6)


def test_greedy_search_writes_the_likeliest_token_until_the_end():
    found = jax.jit(lambda: greedy_search(make_step(*tables(7, 4)), start(4), begin=BEGIN, end=END, steps=6))()
    for row in range(4):
        sequence = []
        while END not in sequence and len(sequence) < 6:
            sequence.append(max(range(V), key=lambda t: log_probability(*tables(7, 4), row, (*sequence, t))))
        assert [int(t) for t in found.tokens[row, 0][: len(sequence)]] == sequence
        assert found.lengths[row, 0] == len(sequence) and (found.tokens[row, 0][len(sequence) :] == 0).all()
        np.testing.assert_allclose(found.scores[row, 0], log_probability(*tables(7, 4), row, sequence), atol=1e-4)


def test_parameters_out_of_range_are_refused():
    for wrong in ({"beams": 0}, {"steps": 0}, {"alpha": -1.0}):
        with pytest.raises(ValueError, match=f"{next(iter(wrong))}="):
            search(0, **wrong)
