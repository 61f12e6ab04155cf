import functools

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rnn_jax
from rnn_jax.data.padding import pack, pad, unpack

some_lengths = st.lists(st.integers(1, 9), min_size=1, max_size=12)


def sequences(lengths):
    rng = np.random.default_rng(0)
    return [rng.normal(size=(n, 2)).astype(np.float32) for n in lengths]


@settings(derandomize=True, deadline=None)
@given(some_lengths, st.integers(0, 3))
def test_padding_keeps_every_step(lengths, more):
    given_sequences = sequences(lengths)
    padded = pad(given_sequences, max(lengths) + more, value=7)
    assert padded.values.shape == (max(lengths) + more, len(lengths), 2)
    for row, sequence in enumerate(given_sequences):
        assert (padded.values[: len(sequence), row] == sequence).all()
        assert (padded.values[len(sequence) :, row] == 7).all()
    assert padded.wasted == pytest.approx(1 - sum(lengths) / padded.values[..., 0].size)


@settings(derandomize=True, deadline=None)
@given(some_lengths)
def test_packing_loses_and_overlaps_nothing(lengths):
    given_sequences = sequences(lengths)
    packed = pack(given_sequences, 10)
    assert packed.resets.sum() == len(lengths) and packed.lengths.sum() == sum(lengths)
    for found, wanted in zip(unpack(packed.values, packed, lengths), given_sequences, strict=True):
        assert (found == wanted).all()
    assert packed.values.shape[1] <= 2 * -(-sum(lengths) // 10) + 1


def test_a_row_is_packed_full():
    assert pack(sequences([6, 4, 5, 5, 10]), 10).lengths.tolist() == [10, 10, 10]


def test_a_network_reads_packed_sequences_as_padded_ones():
    lengths = [3, 9, 1, 4, 4, 2]
    cell = rnn_jax.GRU(2, 5)
    params = cell.init(jax.random.key(0))
    padded, packed = pad(sequences(lengths)), pack(sequences(lengths), 10)
    assert packed.values.shape[1] == 3 and packed.wasted < padded.wasted
    run = jax.jit(functools.partial(rnn_jax.unroll, cell))
    wanted = np.asarray(run(params, padded.values, lengths=padded.lengths).ys)
    found = run(params, packed.values, lengths=packed.lengths, resets=packed.resets).ys
    for row, ys in enumerate(unpack(np.asarray(found), packed, lengths)):
        np.testing.assert_allclose(ys, wanted[: lengths[row], row], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pad([]), "sequences is empty"),
        (lambda: pad(sequences([3, 5]), 4), r"sequences\[1\] has 5 steps: expected at most length=4"),
        (
            lambda: pad([np.zeros((3, 2)), np.zeros((3, 1))]),
            r"sequences\[1\] is float64\[3, 1\]: expected float64\[t, 2\]",
        ),
        (lambda: pack(sequences([3, 5]), 4), r"sequences\[1\] has 5 steps: expected 1 to length=4"),
        (lambda: pack([np.zeros((0, 2))], 4), r"sequences\[0\] has 0 steps"),
    ],
)
def test_what_does_not_fit_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
