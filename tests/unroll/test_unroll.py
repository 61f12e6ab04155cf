"""`unroll` is a loop over the cell, for any lengths, resets, direction, segments and layout: values and gradients."""

import functools
import math

import chex
import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rnn_jax
from rnn_jax.testing import BATCH, LENGTH, Example, loop, quick_jit, times_of
from rnn_jax.unroll.fused import no_compiler

LSTM, GRU = rnn_jax.LSTM(2, 3), rnn_jax.GRU(2, 3)
STACK = rnn_jax.Stack([rnn_jax.GRU(2, 3), rnn_jax.LSTM(3, 2)])
BACK_IN_TIME = rnn_jax.Bidirectional(rnn_jax.LRU(2, 2), rnn_jax.LEM(2, 2, dt=0.5))
BOTH_WAYS = rnn_jax.Stack([rnn_jax.LSTM(2, 3), rnn_jax.Bidirectional(rnn_jax.GRU(3, 2))])

examples = functools.partial(settings, derandomize=True, deadline=None)
some_lengths = st.lists(st.integers(0, LENGTH), min_size=BATCH, max_size=BATCH).map(np.array)
some_resets = st.integers(0, 2 ** (LENGTH * BATCH) - 1).map(
    lambda bits: np.array([bits >> i & 1 for i in range(LENGTH * BATCH)], bool).reshape(LENGTH, BATCH)
)
close = functools.partial(chex.assert_trees_all_close, rtol=1e-12, atol=1e-12)


@functools.cache
def example(cell):
    with jax.enable_x64(True), jax.ensure_compile_time_eval():
        return Example.draw(cell, jax.random.key(1))


def with_gradients(run, cell):
    """The carry and outputs of `run(cell, params, xs, carry)` and the gradients of a loss over all of them."""

    def loss(*args):
        carry, ys = run(cell, *args)
        return sum(jnp.sin(leaf).sum() for leaf in jax.tree.leaves((carry, ys))), (carry, ys)

    ours = example(cell)
    gradients, result = jax.grad(loss, argnums=(0, 1, 2), has_aux=True)(ours.params, ours.xs, ours.carry)
    return result, gradients


@functools.partial(quick_jit, static_argnames=("cell", "reverse"))
def three_ways(cell, lengths, resets, reverse):
    """At once, in segments with a rest, and in two calls, the second starting from the first one's carry."""

    def at_once(cell, params, xs, carry):
        return rnn_jax.unroll(cell, params, xs, carry, lengths=lengths, resets=resets, reverse=reverse)

    def in_segments(cell, params, xs, carry):
        return rnn_jax.unroll(
            cell, params, xs, carry, lengths=lengths, resets=resets, reverse=reverse, checkpoint_every=3
        )

    def in_two_calls(cell, params, xs, carry):
        ys = {}
        for part in reversed(("first", "last")) if reverse else ("first", "last"):
            steps = slice(0, 4) if part == "first" else slice(4, None)
            valid = jnp.minimum(lengths, 4) if part == "first" else jnp.maximum(lengths - 4, 0)
            carry, ys[part] = rnn_jax.unroll(
                cell, params, xs[steps], carry, lengths=valid, resets=resets[steps], reverse=reverse
            )
        return carry, jnp.concatenate([ys["first"], ys["last"]])

    return [with_gradients(run, cell) for run in (at_once, in_segments, in_two_calls)]


@pytest.mark.parametrize(
    ("cell", "reverse"),
    [
        (LSTM, True),
        (GRU, False),
        pytest.param(LSTM, False, marks=pytest.mark.exhaustive),
        pytest.param(GRU, True, marks=pytest.mark.exhaustive),
    ],
)
@examples(max_examples=10)
@given(lengths=some_lengths, resets=some_resets)
def test_unroll_is_a_loop(cell, reverse, lengths, resets):
    with jax.enable_x64(True):
        reference = functools.partial(loop, lengths=lengths, resets=resets, reverse=reverse)
        wanted = with_gradients(reference, cell)
        for found in three_ways(cell, lengths, resets, reverse):
            close(found, wanted)


def test_padding_has_no_influence_whatever_it_holds(x64):
    lengths = np.array([LENGTH, 0, 4])
    padding = np.arange(LENGTH)[:, None] >= lengths

    @jax.jit
    def padded_with(value):
        def run(cell, params, xs, carry):
            xs = jnp.where(padding[..., None], value, xs)
            return rnn_jax.unroll(cell, params, xs, carry, lengths=lengths, checkpoint_every=3)

        return with_gradients(run, BOTH_WAYS)

    zero = padded_with(0.0)
    (carry, ys), (_, xs_gradient, _) = zero
    assert not np.any(ys[padding]) and not np.any(xs_gradient[padding])
    assert np.all(ys[~padding]) and np.all(xs_gradient[~padding])
    chex.assert_trees_all_equal(*jax.tree.map(lambda a: a[1], (carry, example(BOTH_WAYS).carry)))
    for value in (1e30, jnp.nan, jnp.inf):
        chex.assert_trees_all_equal(padded_with(value), zero)


def taken_first(mask, *arrays):
    """The steps that a mask takes, row by row, before all others; and how many there are in each row."""
    order = np.argsort(~mask, axis=0, kind="stable")
    along = [np.take_along_axis(a, order.reshape(*order.shape, *(1,) * (a.ndim - 2)), axis=0) for a in arrays]
    return order, mask.sum(axis=0), along


@functools.partial(quick_jit, static_argnames=("cell", "reverse", "method", "kind"))
def masked(cell, xs, mask, boundaries, reverse, method, kind):
    options = {kind: boundaries} | times_of(cell)
    ours = example(cell)
    return rnn_jax.unroll(cell, ours.params, xs, ours.carry, mask=mask, reverse=reverse, method=method, **options)


@pytest.mark.parametrize(
    ("cell", "reverse", "kind", "method"),
    [
        (BOTH_WAYS, False, "resets", "auto"),
        pytest.param(BOTH_WAYS, True, "segment_ids", "auto", marks=pytest.mark.exhaustive),
        (BACK_IN_TIME, False, "segment_ids", "auto"),
        pytest.param(BACK_IN_TIME, True, "resets", "auto", marks=pytest.mark.exhaustive),
        (rnn_jax.MinGRU(2, 3), True, "resets", "associative"),
        (rnn_jax.GRU(2, 3), False, "segment_ids", "newton"),
        (rnn_jax.MLSTM(2, 4, heads=2), False, "resets", "associative"),
        pytest.param(GRU, True, "resets", "fused", marks=pytest.mark.skipif(bool(no_compiler()), reason=no_compiler())),
    ],
)
@examples(max_examples=8)
@given(mask=some_resets, resets=some_resets)
def test_steps_that_a_mask_leaves_out_are_as_if_they_were_not_there(cell, reverse, kind, method, mask, resets):
    with jax.enable_x64(True):
        ours = example(cell)
        # A boundary of segments at a step that is left out counts at the next one; a reset there does not.
        marks = resets if kind == "resets" else np.cumsum(resets, axis=0)
        xs = np.where(mask[..., None], np.asarray(ours.xs), np.nan)
        carry, ys = masked(cell, xs, mask, marks, reverse, method, kind)
        times = times_of(cell)
        order, lengths, (some_xs, some_marks, *dt) = taken_first(mask, np.asarray(ours.xs), marks, *times.values())
        times = dict(zip(times, dt, strict=True))
        run = functools.partial(rnn_jax.unroll, cell, ours.params, some_xs, ours.carry)
        wanted = run(lengths=lengths, **{kind: some_marks}, **times, reverse=reverse, method="sequential")
        there = np.arange(LENGTH)[:, None] < lengths
        back = np.zeros_like(ys)
        np.put_along_axis(back, order[..., None], np.where(there[..., None], wanted.ys, 0), axis=0)
        tolerance = {"rtol": 1e-7, "atol": 1e-7} if method == "newton" else {}
        close((carry, ys), (wanted.carry, back), **tolerance)


@examples(max_examples=10)
@given(mask=some_resets, lengths=some_lengths, reverse=st.booleans())
def test_a_mask_and_lengths_are_a_loop_over_the_steps_that_both_take(mask, lengths, reverse):
    with jax.enable_x64(True):
        mask = mask & (np.arange(LENGTH)[:, None] < lengths)
        reference = functools.partial(loop, lengths=lengths, mask=mask, reverse=reverse)
        wanted = with_gradients(reference, GRU)
        close(
            with_gradients(
                functools.partial(rnn_jax.unroll, mask=mask, lengths=lengths, reverse=reverse, method="sequential"), GRU
            ),
            wanted,
        )


@pytest.mark.exhaustive(but=1)
@pytest.mark.parametrize("batch_shape", [(), (2, 3)])
def test_batch_dims_and_the_time_axis_are_a_matter_of_layout(x64, batch_shape):
    rows = math.prod(batch_shape)
    rng = np.random.default_rng(0)
    xs, resets = rng.normal(size=(LENGTH, rows, 2)), rng.random((LENGTH, rows)) < 0.3
    lengths = rng.integers(0, LENGTH + 1, rows)
    cell, params = BOTH_WAYS, example(BOTH_WAYS).params
    run = jax.jit(functools.partial(rnn_jax.unroll, cell), static_argnames="time_axis")
    flat = run(params, xs, lengths=lengths, resets=resets)

    def shaped(a, axis=0):
        return np.reshape(a, (*a.shape[:axis], *batch_shape, *a.shape[axis + 1 :]))

    wanted = rnn_jax.Unrolled(jax.tree.map(shaped, flat.carry), shaped(flat.ys, 1))
    xs, resets, lengths = shaped(xs, 1), shaped(resets, 1), shaped(lengths)
    close(run(params, xs, lengths=lengths, resets=resets), wanted)
    if batch_shape:
        xs, resets, ys = (np.moveaxis(a, 0, 1) for a in (xs, resets, wanted.ys))
        found = run(params, xs, lengths=lengths, resets=resets, time_axis=1)
        close(found, rnn_jax.Unrolled(wanted.carry, ys))


def test_resets_keep_packed_sequences_apart(x64):
    params, xs, carry = example(STACK).params, example(STACK).xs[:6], example(STACK).carry
    run = jax.jit(functools.partial(rnn_jax.unroll, STACK, params), static_argnames="reverse")
    for reverse, boundaries in ((False, [0, 3]), (True, [2, 5])):
        resets = np.isin(np.arange(6), boundaries)[:, None].repeat(BATCH, axis=1)
        packed = run(xs, carry, resets=resets, reverse=reverse)
        apart = [run(part, reverse=reverse) for part in (xs[:3], xs[3:])]
        close(packed.ys, jnp.concatenate([part.ys for part in apart]))
        close(packed.carry, apart[0 if reverse else 1].carry)


def test_no_steps_give_back_the_carry(x64):
    params, carry = example(BOTH_WAYS).params, example(BOTH_WAYS).carry
    for options in ({}, {"reverse": True, "lengths": np.zeros(BATCH, int), "resets": np.zeros((0, BATCH), bool)}):
        result = rnn_jax.unroll(BOTH_WAYS, params, np.zeros((0, BATCH, 2)), carry, checkpoint_every=2, **options)
        chex.assert_trees_all_equal(result.carry, carry)
        assert result.ys.shape == (0, BATCH, BOTH_WAYS.output_size)


def test_low_precision_inputs_leave_the_carry_and_parameters_in_float32():
    cell, ours = LSTM, example(LSTM)
    params, xs, carry = jax.tree.map(lambda a: a.astype(np.float32), (ours.params, ours.xs, ours.carry))

    @jax.jit
    def run(params, xs):
        def loss(params):
            result = rnn_jax.unroll(cell, params, xs, carry)
            return result.ys.astype(jnp.float32).sum(), result

        return jax.grad(loss, has_aux=True)(params)

    gradients, low = run(params, xs.astype(jnp.bfloat16))
    wanted_gradients, wanted = run(params, xs)
    assert low.ys.dtype == jnp.bfloat16
    assert {leaf.dtype for leaf in jax.tree.leaves((low.carry, gradients))} == {np.dtype("float32")}
    chex.assert_trees_all_close(low.carry, wanted.carry, atol=0.03)
    chex.assert_trees_all_close(gradients, wanted_gradients, atol=0.3, rtol=0.03)
    start = jax.eval_shape(functools.partial(rnn_jax.unroll, cell), params, xs.astype(jnp.bfloat16)).carry
    assert {leaf.dtype for leaf in jax.tree.leaves(start)} == {jnp.dtype("float32")}


def test_a_carried_carry_is_a_constant_to_the_gradient_of_the_next_chunk(x64):
    params, xs = example(LSTM).params, example(LSTM).xs

    def loss(params, xs, carry=None):
        carry, ys = rnn_jax.unroll(LSTM, params, xs, carry)
        return jnp.sin(ys).sum(), carry

    def truncated(params, cut):
        first, carry = loss(params, xs[:4])
        return first + loss(params, xs[4:], cut(carry))[0]

    gradient, whole_gradient = jax.jit(jax.grad(loss, has_aux=True)), jax.jit(jax.grad(truncated), static_argnums=1)
    first, carry = gradient(params, xs[:4])
    last, _ = gradient(params, xs[4:], carry)
    in_chunks = jax.tree.map(np.add, first, last)
    close(in_chunks, whole_gradient(params, jax.lax.stop_gradient))
    whole = whole_gradient(params, lambda carry: carry)
    assert not np.allclose(in_chunks["recurrent"]["kernel"], whole["recurrent"]["kernel"])


def test_checkpoint_every_saves_memory():
    cell, length = rnn_jax.LSTM(4, 16), 1024
    params, xs = cell.init(jax.random.key(0)), jnp.zeros((length, 4, 4))

    def peak(every):
        loss = jax.jit(jax.grad(lambda params: rnn_jax.unroll(cell, params, xs, checkpoint_every=every).ys.sum()))
        return loss.lower(params).compile().memory_analysis().temp_size_in_bytes

    assert peak(None) > 8 * peak(math.isqrt(length))


def test_equal_cells_share_one_trace():
    traces = []

    @functools.partial(jax.jit, static_argnums=0)
    def run(cell, params, xs):
        traces.append(cell)
        return rnn_jax.unroll(cell, params, xs).ys

    for seed in (0, 1):
        cell = rnn_jax.Stack([rnn_jax.LSTM(2, 3), rnn_jax.Bidirectional(rnn_jax.GRU(3, 2))])
        run(cell, cell.init(jax.random.key(seed)), jnp.full((2, 1, 2), float(seed)))
    assert len(traces) == 1


def test_lengths_out_of_range_act_as_the_nearest_in_range_under_jit():
    xs, params = jnp.ones((4, 2, 2)), LSTM.init(jax.random.key(0))
    run = jax.jit(lambda lengths: rnn_jax.unroll(LSTM, params, xs, lengths=lengths))
    chex.assert_trees_all_equal(run(np.array([-3, 9])), run(np.array([0, 4])))


PARAMS = {"input": {"kernel": np.zeros((2, 12)), "bias": np.zeros(12)}, "recurrent": {"kernel": np.zeros((3, 12))}}
XS = np.zeros((4, 5, 2), np.float32)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"xs": XS.astype(int)}, r"xs has dtype int64: .*embed tokens"),
        ({"xs": XS[..., :1]}, r"xs has shape \(4, 5, 1\): expected \[\.\.\., 2\]"),
        ({"xs": XS[0, 0]}, r"xs has shape \(2,\): expected time on axis 0"),
        ({"xs": XS[0], "time_axis": 1}, r"xs has shape \(5, 2\): expected time on axis 1"),
        ({"time_axis": 2}, r"time_axis=2: expected 0 or 1"),
        ({"params": {"input": PARAMS["input"]}}, r"params\['recurrent'\]\['kernel'\] is missing: .*\[3, 12\]"),
        ({"params": PARAMS | {"output": XS}}, r"params\['output'\] is not part of this cell"),
        (
            {"params": PARAMS | {"recurrent": {"kernel": XS}}},
            r"params\['recurrent'\]\['kernel'\] has shape \(4, 5, 2\)",
        ),
        ({"carry": LSTM.initial_carry((4,))}, r"carry\.hidden has shape \(4, 3\): expected \(5, 3\)"),
        ({"carry": np.zeros((5, 3))}, r"carry\.\w+ is missing"),
        ({"lengths": np.zeros(4, int)}, r"lengths is int\d+\[4\]: expected integers \[5\]"),
        ({"lengths": np.zeros(5)}, r"lengths is float\d+\[5\]: expected integers \[5\]"),
        ({"lengths": np.array([0, 4, 5, -1, 2])}, r"lengths has \[5, -1\]: expected 0 to 4"),
        ({"mask": "x"}, "mask='x': expected an array"),
        ({"mask": np.zeros((5, 4), bool)}, r"mask is bool\[5, 4\]: expected bool\[4, 5\]"),
        ({"mask": np.ones((4, 5), int)}, r"mask is int\d+\[4, 5\]: expected bool\[4, 5\]"),
        (
            {"mask": np.ones((4, 5), bool), "lengths": np.array([4, 4, 4, 3, 2])},
            r"mask takes step 3 of row \[3\], whose length is 3 by lengths: leave one of the two out",
        ),
        ({"resets": np.zeros((5, 4), bool)}, r"resets is bool\[5, 4\]: expected bool\[4, 5\]"),
        ({"resets": np.zeros((4, 5), int)}, r"resets is int\d+\[4, 5\]: expected bool\[4, 5\]"),
        ({"method": "parallel"}, r"method='parallel': expected 'auto', one of 'sequential'"),
        ({"checkpoint_every": 0}, r"checkpoint_every=0: expected an int of at least 1"),
    ],
)
def test_errors_name_the_argument_and_its_value(options, message):
    arguments = {"params": PARAMS, "xs": XS} | options
    with pytest.raises(ValueError, match=message):
        rnn_jax.unroll(LSTM, **arguments)


@pytest.mark.parametrize("cell", [LSTM, GRU], ids=["lstm", "gru"])
def test_a_key_costs_nothing_where_nothing_is_random(x64, cell):
    """A training step passes a key whatever the model: the loop must be the same fast one."""
    ours = example(cell)

    def program(key):
        run = functools.partial(rnn_jax.unroll, cell, key=key)
        gradient = jax.grad(lambda *args: run(*args).ys.sum(), argnums=(0, 1))
        return str(jax.make_jaxpr(gradient)(ours.params, ours.xs))

    assert program(jax.random.key(0)) == program(None)


def test_reverse_is_true_or_false(monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # whose check would come before
    with pytest.raises(ValueError, match="reverse='no': expected True or False"):
        rnn_jax.unroll(LSTM, example(LSTM).params, example(LSTM).xs, reverse="no")
