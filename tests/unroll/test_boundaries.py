"""Sequences end to end: resets, segment ids, both directions. No steps, no rows. What is refused."""

import functools

import chex
import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rnn_jax
from rnn_jax import GRU, LRU, LSTM, Bidirectional, Stack
from rnn_jax.data.padding import pack, unpack
from rnn_jax.testing import quick_jit

D = 3
CELLS = [
    (GRU(D, 4), False),
    pytest.param(GRU(D, 4), True, marks=pytest.mark.exhaustive),
    (LRU(D, 4), True),
    pytest.param(Bidirectional(LSTM(D, 4), GRU(D, 2)), False, marks=pytest.mark.exhaustive),
    (Bidirectional(LRU(D, 4), merge="sum"), True),
    (Stack([Bidirectional(GRU(D, 2)), Bidirectional(Stack([LSTM(4, 3), GRU(3, 2)]))]), False),
]


@functools.partial(jax.jit, static_argnames=("cell", "reverse"))
def run(cell, params, xs, reverse=False, **options):
    return rnn_jax.unroll(cell, params, xs, reverse=reverse, **options)


@pytest.mark.exhaustive(but=1)
@pytest.mark.parametrize(("cell", "reverse"), CELLS, ids=str)
@settings(derandomize=True, deadline=None, max_examples=5)
@given(lengths=st.lists(st.integers(1, 9), min_size=2, max_size=6), seed=st.integers(0, 99))
def test_packed_sequences_are_read_as_each_alone(cell, reverse, lengths, seed):
    random, params = np.random.default_rng(seed), cell.init(jax.random.key(seed))
    sequences = [random.normal(size=(n, D)).astype(np.float32) for n in lengths]
    packed = pack(sequences, 12)
    dt = [random.uniform(0.5, 2, (n, 1)).astype(np.float32) for n in lengths]
    times = {"dt": pack(dt, 12).values[..., 0]} if cell.timed else {}
    kinds = [{"segment_ids": np.cumsum(packed.resets, axis=0)}]
    if not reverse:  # resets of one cell alone belong to one direction
        kinds.append({"resets": packed.resets})
    for kind in kinds:
        ys = run(cell, params, packed.values, reverse, lengths=packed.lengths, **times, **kind).ys
        for alone, time, found in zip(sequences, dt, unpack(np.asarray(ys), packed, lengths), strict=True):
            padded = np.zeros((12, 1, D), np.float32)
            padded[: len(alone), 0] = alone
            times = {"dt": np.pad(time, ((0, 12 - len(time)), (0, 0)))} if times else {}
            wanted = run(cell, params, padded, reverse, lengths=np.array([len(alone)]), **times).ys
            np.testing.assert_allclose(found, wanted[: len(alone), 0], atol=2e-6)


def test_the_first_segment_of_each_direction_starts_from_the_carry():
    cell, xs = Bidirectional(GRU(D, 2)), np.ones((6, 1, D), np.float32)
    params, ids = cell.init(jax.random.key(0)), np.array([[0, 0, 1, 1, 1, 7]]).T
    carry = jax.tree.map(lambda a: a + 1, cell.initial_carry((1,)))
    found = rnn_jax.unroll(cell, params, xs, carry, segment_ids=ids)
    first = rnn_jax.unroll(cell.forward, params["forward"], xs[:2], carry.forward).ys
    last = rnn_jax.unroll(cell.forward, params["backward"], xs[5:], carry.backward, reverse=True).ys
    np.testing.assert_allclose(found.ys[:2, :, :2], first, atol=1e-6)
    np.testing.assert_allclose(found.ys[5:, :, 2:], last, atol=1e-6)


@pytest.mark.exhaustive(but=1)
@pytest.mark.parametrize("method", ["sequential", "associative"])
@pytest.mark.parametrize("cell", [GRU(D, 4), rnn_jax.S5(D, 4), rnn_jax.MLSTM(D, 4), rnn_jax.MinGRU(D, 4)], ids=str)
def test_without_steps_the_carry_stays_and_without_rows_there_is_nothing(cell, method):
    if method not in cell.methods:
        method = "newton"
    params = cell.init(jax.random.key(0))
    carry = jax.tree.map(lambda a: a + 1, cell.initial_carry((2,)))
    nothing = np.zeros((0, 2, D), np.float32), np.zeros((5, 0, D), np.float32)

    @quick_jit
    def run(params, carry):
        unroll = functools.partial(rnn_jax.unroll, cell, method=method)
        backwards = {"reverse": True, "checkpoint_every": 2, "resets": np.zeros((0, 2), bool)}
        anew = jax.grad(lambda params: unroll(params, nothing[1], checkpoint_every=2).ys.sum())(params)
        return [unroll(params, nothing[0], carry, **options) for options in ({}, backwards)], anew

    results, gradient = run(params, carry)
    for after, ys in results:
        jax.tree.map(np.testing.assert_array_equal, after, carry)
        assert ys.shape == (0, 2, 4)
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(gradient))
    assert jax.eval_shape(functools.partial(rnn_jax.unroll, cell, method=method), params, nothing[1]).ys.shape == (
        5,
        0,
        4,
    )


def test_lists_are_lengths_masks_and_resets():
    cell, xs = GRU(D, 4), np.ones((3, 2, D), np.float32)
    params, resets = cell.init(jax.random.key(0)), [[False, True], [True, False], [False, False]]
    mask = [[True, True], [True, False], [False, False]]
    masked = rnn_jax.unroll(cell, params, xs, mask=mask)
    chex.assert_trees_all_close(masked, rnn_jax.unroll(cell, params, xs, lengths=[2, 1]))
    found = rnn_jax.unroll(cell, params, xs, lengths=[3, 1], resets=resets)
    wanted = rnn_jax.unroll(cell, params, xs, lengths=np.array([3, 1]), resets=np.array(resets))
    np.testing.assert_array_equal(found.ys, wanted.ys)
    with pytest.raises(ValueError, match=r"lengths has \[4\]: expected 0 to 3, the steps in xs"):
        rnn_jax.unroll(cell, params, xs, lengths=[3, 4])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"carry": GRU(D, 4).initial_carry((5,))}, r"carry has shape \(5, 4\): expected \(2, 4\) .*say time_axis=1"),
        ({"lengths": [2] * 5}, r"lengths is int32\[5\]: expected integers \[2\].*say time_axis=1"),
        ({"segment_ids": np.zeros((5, 2))}, r"segment_ids is float.*\[5, 2\]: expected integers \[5, 2\]"),
        (
            {"resets": np.zeros((5, 2), bool), "segment_ids": np.zeros((5, 2), int)},
            "resets and segment_ids are both given",
        ),
    ],
)
def test_what_does_not_fit_is_told_with_a_remedy(options, message):
    cell = GRU(D, 4)
    with pytest.raises(ValueError, match=message):
        rnn_jax.unroll(cell, cell.init(jax.random.key(0)), np.zeros((5, 2, D), np.float32), **options)
