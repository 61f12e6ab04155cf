"""All carries out, and a carry that is learned: both in every method are what a plain loop over the steps has."""

import dataclasses
import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_jax
from rnn_jax import Bidirectional, LearnedCarry, Stack
from rnn_jax.testing import BATCH, LENGTH, Example, quick_jit
from rnn_jax.testing.unrolling import lengths_and_resets, one_step
from rnn_jax.unroll.fused import no_compiler
from rnn_jax.unroll.scope import where_rows

OPTIONS = lengths_and_resets()
unroll = quick_jit(rnn_jax.unroll, static_argnames=("cell", "method", "return_carries", "time_axis"))
needs_compiler = pytest.mark.skipif(bool(no_compiler()), reason=no_compiler())


def loop_with_carries(cell, params, xs, lengths, resets, reverse):
    """Like `unroll(..., return_carries=True)` without a carry, in Python."""
    start = carry = cell.start(params, (BATCH,), jnp.float64)
    lengths, resets, ys, carries = jnp.asarray(lengths), jnp.asarray(resets), {}, {}
    for t in reversed(range(LENGTH)) if reverse else range(LENGTH):
        after, y = one_step(cell, params, where_rows(resets[t], start, carry), xs[t])
        carry = carries[t] = where_rows(t < lengths, after, carry)
        ys[t] = where_rows(t < lengths, y, jnp.zeros_like(y))
    ys, carries = (jax.tree.map(lambda *steps: jnp.stack(steps), *(a[t] for t in range(LENGTH))) for a in (ys, carries))
    return carry, ys, carries


def with_gradients(run, params, xs):
    """The results of `run(params, xs)` and the gradients of a loss over all of them."""

    def loss(params, xs):
        results = tuple(run(params, xs))
        floating = [leaf for leaf in jax.tree.leaves(results) if jnp.issubdtype(leaf.dtype, jnp.floating)]
        return sum(jnp.sin(leaf).sum() for leaf in floating), results

    return jax.grad(loss, argnums=(0, 1), has_aux=True)(params, xs)


@pytest.mark.parametrize(
    ("cell", "method", "reverse", "every"),
    [
        (rnn_jax.GRU(2, 3), "sequential", False, 3),
        (rnn_jax.Clockwork(2, 3), "auto", True, None),
        (rnn_jax.Elman(2, 3), "newton", True, 3),
        (rnn_jax.MinGRU(2, 3), "associative", False, None),
        (rnn_jax.LRU(2, 3), "associative", True, 3),
        pytest.param(rnn_jax.LSTM(2, 3), "auto", False, 3, marks=pytest.mark.exhaustive),
        pytest.param(rnn_jax.LSTM(2, 3), "newton", False, None, marks=pytest.mark.exhaustive),
        pytest.param(rnn_jax.MLSTM(2, 4, heads=2), "associative", False, None, marks=pytest.mark.exhaustive),
    ],
    ids=str,
)
def test_learned_carries_and_all_carries_are_those_of_a_loop(x64, cell, method, reverse, every):
    cell = LearnedCarry(cell)
    example = Example.draw(cell, jax.random.key(0))
    by_loop = functools.partial(loop_with_carries, cell, reverse=reverse, **OPTIONS)
    wanted = quick_jit(functools.partial(with_gradients, by_loop))(example.params, example.xs)
    assert all(np.all(leaf) for leaf in jax.tree.leaves(wanted[0][0]["initial"]))
    run = functools.partial(
        rnn_jax.unroll, cell, return_carries=True, method=method, reverse=reverse, checkpoint_every=every, **OPTIONS
    )
    found = quick_jit(functools.partial(with_gradients, run))(example.params, example.xs)
    chex.assert_trees_all_close(found, wanted, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    ("cell", "method"),
    [
        (rnn_jax.GRU(2, 3), "sequential"),
        (rnn_jax.Clockwork(2, 3), "sequential"),
        (rnn_jax.MinGRU(2, 3), "associative"),
        pytest.param(rnn_jax.GRU(2, 3), "fused", marks=needs_compiler),
        pytest.param(rnn_jax.LSTM(2, 3), "newton", marks=pytest.mark.exhaustive),
    ],
    ids=str,
)
def test_a_learned_carry_has_its_gradient_where_only_the_last_carry_is_returned(x64, cell, method):
    cell = LearnedCarry(cell)
    example = Example.draw(cell, jax.random.key(0))
    by_loop = functools.partial(loop_with_carries, cell, reverse=False, **OPTIONS)
    arguments = example.params, example.xs
    wanted = quick_jit(functools.partial(with_gradients, lambda *arguments: by_loop(*arguments)[:2]))(*arguments)
    for chosen in (method, "auto"):
        run = functools.partial(rnn_jax.unroll, cell, method=chosen, **OPTIONS)
        found = jax.jit(functools.partial(with_gradients, run))(*arguments)
        chex.assert_trees_all_close(found, wanted, rtol=1e-10, atol=1e-10)


def test_a_composite_has_the_tree_of_its_carries(x64):
    cell = Stack(
        [LearnedCarry(rnn_jax.LSTM(2, 3)), Bidirectional(LearnedCarry(rnn_jax.GRU(3, 2)), rnn_jax.Elman(3, 2))]
    )
    example = Example.draw(cell, jax.random.key(0))
    params, xs = example.params, example.xs
    found = unroll(cell, params, xs, return_carries=True, **OPTIONS)
    assert isinstance(found, rnn_jax.UnrolledCarries)
    assert jax.tree.structure(found.carries) == jax.tree.structure(found.carry)
    chex.assert_trees_all_close(tuple(found[:2]), tuple(unroll(cell, params, xs, **OPTIONS)), rtol=1e-12)
    run = functools.partial(unroll, return_carries=True, **OPTIONS)
    first = run(cell.layers[0], params["layer_0"], xs)
    forward = run(cell.layers[1].forward, params["layer_1"]["forward"], first.ys)
    chex.assert_trees_all_close(found.carries[0], first.carries, rtol=1e-12)
    chex.assert_trees_all_close(found.carries[1].forward, forward.carries, rtol=1e-12)
    # The backward half ends at the first step, and in the padding it is where it starts.
    chex.assert_trees_all_equal(found.carries[1].backward[0], found.carry[1].backward)
    assert not np.any(found.carries[1].backward[4:, 2])
    batch_first = unroll(
        cell, params, xs.swapaxes(0, 1), return_carries=True, time_axis=1,
        lengths=OPTIONS["lengths"], resets=OPTIONS["resets"].T,
    )  # fmt: skip
    swapped = jax.tree.map(lambda a: a.swapaxes(0, 1), batch_first.carries)
    chex.assert_trees_all_close(swapped, found.carries, rtol=1e-12)


@pytest.mark.parametrize(
    ("cell", "method"), [(rnn_jax.GRU(2, 3), "newton"), (rnn_jax.MinGRU(2, 3), "associative")], ids=["GRU", "MinGRU"]
)
def test_at_a_step_that_a_mask_leaves_out_there_is_the_carry_that_stays(x64, cell, method):
    example, mask = Example.draw(cell, jax.random.key(0)), np.arange(LENGTH * BATCH).reshape(LENGTH, BATCH) % 3 > 0
    arguments = cell, example.params, example.xs, example.carry
    found = unroll(*arguments, mask=mask, method=method, return_carries=True)
    chex.assert_trees_all_close(tuple(found), tuple(unroll(*arguments, mask=mask, return_carries=True)), rtol=1e-10)
    before = np.concatenate([example.carry[None], found.carries[:-1]])
    np.testing.assert_array_equal(np.all(found.carries == before, axis=-1), ~mask)
    np.testing.assert_array_equal(found.carries[-1], found.carry)


def test_what_is_given_goes_before_what_is_learned():
    cell = LearnedCarry(rnn_jax.GRU(2, 3))
    params, xs = cell.init(jax.random.key(0)), np.ones((4, 2, 2), np.float32)
    moved = params | {"initial": jnp.full(3, 0.5)}
    given = cell.initial_carry((2,))
    assert not np.any(params["initial"])
    before = unroll(cell, moved, xs, given).ys
    np.testing.assert_array_equal(before, unroll(cell, params, xs).ys)
    np.testing.assert_array_equal(unroll(cell, moved, xs).ys, unroll(cell, params, xs, jnp.full((2, 3), 0.5)).ys)
    np.testing.assert_array_equal(cell.start(moved, (2,)), jnp.full((2, 3), 0.5))
    np.testing.assert_allclose(
        cell(moved, given, xs[0])[1], rnn_jax.GRU(2, 3)(rnn_jax.GRU(2, 3).init(jax.random.key(0)), given, xs[0])[1]
    )


def test_a_clock_is_not_learned():
    params = LearnedCarry(rnn_jax.Clockwork(2, 3)).init(jax.random.key(0))
    assert [leaf.shape for leaf in jax.tree.leaves(params["initial"])] == [(3,)]


def test_carries_keep_their_dtype():
    cell, xs = rnn_jax.Clockwork(2, 3), jnp.ones((4, 2, 2), jnp.bfloat16)
    carry = jax.tree.map(lambda a: a.astype(jnp.bfloat16) if a.dtype == jnp.float32 else a, cell.initial_carry((2,)))
    found = rnn_jax.unroll(cell, cell.init(jax.random.key(0)), xs, carry, return_carries=True)
    assert [a.dtype for a in jax.tree.leaves(found.carries)] == [a.dtype for a in jax.tree.leaves(carry)]


@dataclasses.dataclass(frozen=True)
class LastAlone(rnn_jax.Sequential):
    """A user's method that knows nothing of carries."""

    def run(self, *arguments):
        return super().run(*arguments)[:2]


@pytest.mark.parametrize(
    ("method", "message"),
    [
        pytest.param("fused", r"method='fused': its loop keeps no carries.*'auto'", marks=needs_compiler),
        (LastAlone(), r"method=LastAlone\(\): it gives no carries .*expected 'auto' or another method"),
    ],
)
def test_a_method_without_carries_says_so(method, message):
    cell = rnn_jax.GRU(2, 3)
    with pytest.raises(ValueError, match=message):
        rnn_jax.unroll(cell, cell.init(jax.random.key(0)), np.ones((4, 2, 2), np.float32), method=method,
                       return_carries=True)  # fmt: skip


def test_a_composite_is_not_given_a_carry_of_its_own():
    with pytest.raises(
        ValueError, match=r"cell=Stack.*: a composite starts from the carries of its parts; expected Le"
    ):
        LearnedCarry(Stack([rnn_jax.GRU(2, 3)]))
