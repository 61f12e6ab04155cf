"""Streams as properties: tokens are their own positions, so every array says where it comes from."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnn_jax.data import TokenStream, evaluation_rows

SEEDS = st.integers(0, 2**32)


def positions(n: int) -> np.ndarray:
    return np.arange(n, dtype=np.int32)


@st.composite
def streams(draw):
    batch_size, length = draw(st.integers(1, 5)), draw(st.integers(1, 6))
    n = draw(st.integers(batch_size * length + 1, batch_size * length * 4 + 3))
    return TokenStream(positions(n), batch_size, length, draw(SEEDS))


@given(streams(), st.integers(0, 3))
def test_an_epoch_is_contiguous_rows_with_each_target_at_most_once(stream, epoch):
    n, steps = len(stream.tokens), stream.batches_per_epoch
    batches = [stream.batch(epoch * steps + step) for step in range(steps)]
    assert [bool(batch["fresh"]) for batch in batches] == [True] + [False] * (steps - 1)
    assert all(batch["inputs"].shape == (stream.length, stream.batch_size) for batch in batches)
    inputs = np.concatenate([batch["inputs"] for batch in batches])
    targets = np.concatenate([batch["targets"] for batch in batches])
    assert inputs.dtype == targets.dtype == np.int32
    # Within a batch and from each batch to the next, every row reads on where it was, and predicts what it reads next.
    np.testing.assert_array_equal(targets, (inputs + 1) % n)
    np.testing.assert_array_equal(inputs[1:], targets[:-1])
    assert len(np.unique(targets)) == targets.size > n - 1 - stream.batch_size * stream.length


@given(streams(), st.lists(st.integers(0, 50), min_size=1, max_size=5))
def test_a_batch_depends_on_its_number_and_the_seed_alone(stream, numbers):
    again = TokenStream(stream.tokens.copy(), stream.batch_size, stream.length, stream.seed)
    for i in numbers:
        for name, value in stream.batch(i).items():
            np.testing.assert_array_equal(value, again.batch(i)[name])


def test_epochs_and_seeds_begin_at_different_places():
    starts = {
        int(stream.batch(epoch * stream.batches_per_epoch)["inputs"][0, 0])
        for stream in (TokenStream(positions(10_000), 4, 16, seed) for seed in range(5))
        for epoch in range(5)
    }
    assert len(starts) >= 24


@given(st.integers(2, 60), st.integers(1, 7), st.integers(1, 8), st.integers(0, 70))
def test_evaluation_scores_each_token_once_after_its_context(n, batch_size, length, context):
    rows = evaluation_rows(positions(n), batch_size, length, context)
    assert all(array.shape[1:] == (length, batch_size) for array in rows.values())
    assert [rows[name].dtype for name in ("inputs", "targets", "weights")] == [np.int32, np.int32, np.float32]
    inputs, targets, weights = (rows[name].reshape(-1, batch_size) for name in ("inputs", "targets", "weights"))
    assert sorted(targets[weights == 1]) == list(range(1, n)) and weights.sum() == n - 1
    for row in range(batch_size):
        scored = np.flatnonzero(weights[:, row])
        if scored.size:
            first, end = scored[0], scored[-1] + 1
            # Up to its last score a row reads the real text without a gap, from its context on and nothing before.
            np.testing.assert_array_equal(inputs[:end, row], inputs[0, row] + np.arange(end))
            np.testing.assert_array_equal(targets[:end, row], inputs[:end, row] + 1)
            assert scored.size == end - first
            assert first == min(context, inputs[first, row])


def test_evaluation_rows_have_no_batch_without_a_score():
    assert evaluation_rows(positions(1001), batch_size=4, length=50, context=50)["weights"].shape == (6, 50, 4)


def test_a_text_too_short_says_how_long_it_has_to_be():
    with pytest.raises(
        ValueError, match=r"has 64 tokens; batch_size=4 x length=16 needs at least 65: lower batch_size"
    ):
        TokenStream(positions(64), 4, 16, 0)
    assert TokenStream(positions(65), 4, 16, 0).batches_per_epoch == 1
    with pytest.raises(ValueError, match="tokens has 1 tokens; at least 2"):
        evaluation_rows(positions(1), 1, 1, 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 0}, "batch_size=0 must be at least 1"),
        ({"length": -2}, "length=-2 must be at least 1"),
        ({"seed": -1}, "seed=-1 must be at least 0"),
        ({"tokens": np.arange(99)}, r"tokens has shape \(99,\) and type int64; a vector int32"),
        ({"tokens": positions(99)[None]}, r"tokens has shape \(1, 99\)"),
    ],
)
def test_invalid_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        TokenStream(**{"tokens": positions(99), "batch_size": 2, "length": 3, "seed": 0, **arguments})


def test_invalid_calls_are_named():
    with pytest.raises(ValueError, match="i=-1 must be at least 0"):
        TokenStream(positions(9), 2, 3, 0).batch(-1)
    with pytest.raises(ValueError, match="context=-1 must be at least 0"):
        evaluation_rows(positions(9), 2, 3, -1)
