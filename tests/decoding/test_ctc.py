"""CTC decoding against all alignments, one by one."""

import itertools
import math

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnn_jax.decoding import ctc_beam, ctc_greedy

SHAPES = st.tuples(st.integers(1, 5), st.integers(1, 3), st.integers(0, 2**31))


def log_probs(steps, labels, seed) -> np.ndarray:
    return np.asarray(jax.nn.log_softmax(3 * np.random.default_rng(seed).normal(size=(steps, labels + 1))), np.float64)


def merged(alignment) -> tuple[int, ...]:
    """What an alignment says: repeats merged, then blanks removed."""
    return tuple(label for label, _ in itertools.groupby(alignment) if label)


def likelihoods(scores) -> dict[tuple[int, ...], float]:
    total: dict[tuple[int, ...], float] = {}
    for alignment in itertools.product(range(scores.shape[1]), repeat=len(scores)):
        said = merged(alignment)
        total[said] = total.get(said, 0.0) + math.exp(sum(scores[t, k] for t, k in enumerate(alignment)))
    return total


@given(SHAPES)
@settings(max_examples=60, deadline=None)
def test_a_wide_beam_is_exact(shape):
    scores = log_probs(*shape)
    wanted, found = likelihoods(scores), ctc_beam(scores, beam=10_000)
    assert {labels for labels, _ in found} == set(wanted)
    np.testing.assert_allclose([math.exp(score) for _, score in found], [wanted[labels] for labels, _ in found], 1e-6)
    assert [score for _, score in found] == sorted((score for _, score in found), reverse=True)
    assert wanted[found[0][0]] == pytest.approx(max(wanted.values()))


@given(SHAPES, st.integers(1, 4))
@settings(max_examples=40, deadline=None)
def test_a_narrow_beam_never_claims_more_than_there_is(shape, beam):
    scores = log_probs(*shape)
    wanted, found = likelihoods(scores), ctc_beam(scores, beam)
    assert 1 <= len(found) <= beam
    for labels, score in found:
        assert math.exp(score) <= wanted[labels] * (1 + 1e-6)


def test_the_beam_finds_what_greedy_decoding_misses():
    scores = np.log(np.array([[0.4, 0.35, 0.25], [0.4, 0.35, 0.25]]))
    assert int(ctc_greedy(scores[:, None], np.array([2]))[1][0]) == 0
    assert ctc_beam(scores)[0][0] == (1,)  # 0.16 for nothing, 0.4025 for the alignments of 1
    assert math.exp(ctc_beam(scores)[0][1]) == pytest.approx(2 * 0.4 * 0.35 + 0.35**2)


def test_greedy_decoding_reads_the_likeliest_alignment_of_each_row():
    logits = np.random.default_rng(0).normal(size=(9, 20, 4)).astype(np.float32)
    lengths = np.arange(20) % 10
    run = jax.jit(ctc_greedy)
    labels, counts = map(np.asarray, run(logits, lengths))
    for row, length in enumerate(lengths):
        said = merged(logits[:length, row].argmax(axis=-1))
        assert tuple(labels[row, : counts[row]]) == said and not labels[row, counts[row] :].any()
    other = np.where((np.arange(9)[:, None] < lengths)[..., None], logits, 99.0)
    np.testing.assert_array_equal(run(other, lengths)[0], labels)


def test_edges():
    assert ctc_beam(np.zeros((0, 3))) == [((), 0.0)]
    certain = np.full((4, 2), -np.inf)
    certain[[0, 1, 2, 3], [1, 1, 0, 1]] = 0
    assert ctc_beam(certain) == [((1, 1), 0.0)]


@pytest.mark.parametrize(
    ("scores", "beam", "message"),
    [
        (np.zeros((3, 1)), 4, r"shape \(3, 1\)"),
        (np.zeros((3, 3)), 0, "beam=0"),
        (np.ones((3, 3)), 4, "values up to 1.0"),
        (np.full((3, 3), np.nan), 4, "values up to nan"),
    ],
)
def test_wrong_input_is_refused(scores, beam, message):
    with pytest.raises(ValueError, match=message):
        ctc_beam(scores, beam)
