"""`unroll` with masks and time steps is a loop over the cell, values and gradients, by every method."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st

import rnn_jax
from rnn_jax import LEM, LRU, LTC, S6, Bidirectional, CfC, CoRNN, Stack
from rnn_jax.testing import BATCH, LENGTH, Example, loop, quick_jit
from rnn_jax.unroll.fused import no_compiler

some_masks = st.integers(0, 2 ** (LENGTH * BATCH) - 1).map(
    lambda bits: np.array([bits >> i & 1 for i in range(LENGTH * BATCH)], bool).reshape(LENGTH, BATCH)
)
some_times = st.integers(0, 99).map(lambda seed: 2.0 ** np.random.default_rng(seed).uniform(-2, 2, (LENGTH, BATCH)))
needs_compiler = pytest.mark.skipif(bool(no_compiler()), reason=no_compiler())


@functools.cache
def example(cell):
    with jax.enable_x64(True), jax.ensure_compile_time_eval():
        return Example.draw(cell, jax.random.key(1))


def with_gradients(run, cell, dt):
    """The carry and outputs of `run`, and the gradients of a loss over all of them, by dt too where it is given."""
    ours = example(cell)

    def loss(params, xs, carry, dt):
        result = run(params, xs, carry, **({} if dt is None else {"dt": dt}))
        return sum(jnp.sin(leaf).sum() for leaf in jax.tree.leaves(tuple(result))), tuple(result)

    arguments = (0, 1, 2) if dt is None else (0, 1, 2, 3)
    gradients, result = jax.grad(loss, argnums=arguments, has_aux=True)(ours.params, ours.xs, ours.carry, dt)
    return result, gradients


@functools.partial(quick_jit, static_argnames=("cell", "method", "reverse"))
def by_method(cell, method, reverse, mask, resets, dt):
    run = functools.partial(rnn_jax.unroll, cell, method=method, reverse=reverse, mask=mask, resets=resets)
    return with_gradients(run, cell, dt)


@functools.partial(quick_jit, static_argnames=("cell", "reverse"))
def by_steps(cell, reverse, mask, resets, dt):
    """A plain loop over the cell, with what masks and resets mean written out."""
    start = cell.initial_carry((BATCH,), jnp.float64)

    def chosen(where, on, off):
        return jax.tree.map(lambda a, b: jnp.where(where.reshape(BATCH, *(1,) * (a.ndim - 1)), a, b), on, off)

    def run(params, xs, carry, dt=None):
        def step(carry, inputs):
            x, mask, resets, *time = inputs
            after, y = cell(params, chosen(resets, start, carry), x, *time)
            return chosen(mask, after, carry), chosen(mask, y, jnp.zeros_like(y))

        return jax.lax.scan(step, carry, (xs, mask, resets, *(() if dt is None else (dt,))), reverse=reverse)

    return with_gradients(run, cell, dt)


@pytest.mark.parametrize(
    ("cell", "method", "reverse"),
    [
        (rnn_jax.GRU(2, 3), "sequential", False),
        (rnn_jax.GRU(2, 3), "newton", True),
        pytest.param(rnn_jax.GRU(2, 3), "fused", False, marks=needs_compiler),
        (rnn_jax.MinGRU(2, 3), "associative", True),
        pytest.param(rnn_jax.MLSTM(2, 4, heads=2), "associative", False, marks=pytest.mark.exhaustive),
        (CoRNN(2, 3), "sequential", True),
        (LEM(2, 3), "newton", False),
        (LRU(2, 3), "associative", False),
        pytest.param(CoRNN(2, 3), "fused", False, marks=needs_compiler),
        pytest.param(S6(2, 3), "associative", True, marks=pytest.mark.exhaustive),
        pytest.param(LRU(2, 3), "sequential", True, marks=pytest.mark.exhaustive),
        pytest.param(LTC(2, 3), "newton", True, marks=pytest.mark.exhaustive),
        pytest.param(rnn_jax.PhasedLSTM(2, 3), "sequential", False, marks=pytest.mark.exhaustive),
        pytest.param(CfC(2, 3, backbone_size=3), "sequential", True, marks=pytest.mark.exhaustive),
    ],
)
@settings(derandomize=True, deadline=None, max_examples=5)
@given(mask=some_masks, resets=some_masks, times=some_times)
def test_masks_and_times_are_those_of_a_plain_loop(cell, method, reverse, mask, resets, times):
    with jax.enable_x64(True):
        times = times if cell.timed else None
        resets = resets & mask
        found = by_method(cell, method, reverse, mask, resets, times)
        close = functools.partial(chex.assert_trees_all_close, rtol=1e-9, atol=1e-9)
        if method == "newton":
            close = functools.partial(chex.assert_trees_all_close, rtol=1e-6, atol=1e-6)
        close(found, by_steps(cell, reverse, mask, resets, times))


def test_steps_that_are_left_out_take_no_time_whatever_their_dt_is(x64):
    ours, mask = example(LRU(2, 3)), np.arange(LENGTH * BATCH).reshape(LENGTH, BATCH) % 3 > 0
    lengths = np.array([LENGTH, 0, 3])
    padding = np.arange(LENGTH)[:, None] >= lengths

    @quick_jit
    def results(dt_of_mask, dt_of_lengths):
        def run(dt, **steps):
            return rnn_jax.unroll(LRU(2, 3), ours.params, ours.xs, ours.carry, dt=dt, **steps)

        gradient = jax.grad(lambda dt: run(dt, mask=mask).ys.sum())(dt_of_mask)
        return gradient, run(dt_of_mask, mask=mask), run(dt_of_lengths, lengths=lengths)

    found = results(np.where(mask, 0.5, np.nan), np.where(padding, 0.0, 0.5))
    chex.assert_trees_all_equal(found, results(np.full(mask.shape, 0.5), np.full(mask.shape, 0.5)))
    with pytest.raises(ValueError, match="dt has"):
        rnn_jax.unroll(LRU(2, 3), ours.params, ours.xs, dt=np.where(padding, 0.0, 0.5))
    rnn_jax.unroll(LRU(2, 3), ours.params, ours.xs[:0], dt=np.zeros((0, BATCH)))


def test_the_backward_half_takes_the_time_to_the_next_step(x64):
    cell = Bidirectional(LEM(2, 3), CfC(2, 2, backbone_size=3))
    ours = example(cell)
    dt = np.random.default_rng(0).uniform(0.2, 0.9, (LENGTH, BATCH))
    found = rnn_jax.unroll(cell, ours.params, ours.xs, ours.carry, dt=dt)
    forward = rnn_jax.unroll(cell.forward, ours.params["forward"], ours.xs, ours.carry.forward, dt=dt)
    after = np.concatenate([dt[1:], dt[:1]])
    backward = rnn_jax.unroll(
        cell.backward, ours.params["backward"], ours.xs, ours.carry.backward, dt=after, reverse=True
    )
    chex.assert_trees_all_close(found.ys, jnp.concatenate([forward.ys, backward.ys], axis=-1), rtol=1e-12)


@pytest.mark.exhaustive
def test_a_stack_gives_dt_to_the_layers_that_know_of_time_also_step_by_step(x64):
    cell = Stack([rnn_jax.GRU(2, 3), rnn_jax.Residual(rnn_jax.Zoneout(LTC(3, 3), 0.1)), LRU(3, 2)])
    ours = example(cell)
    dt = np.random.default_rng(0).uniform(0.2, 2, (LENGTH, BATCH))
    run = quick_jit(lambda *args, dt: rnn_jax.unroll(cell, *args, dt=dt))
    arguments = (ours.params, ours.xs, ours.carry)
    carry, ys = run(*arguments, dt=dt)
    chex.assert_trees_all_close((carry, ys), loop(cell, *arguments, dt=dt), rtol=1e-12)
    assert not np.allclose(ys, run(*arguments, dt=np.ones_like(dt)).ys)


@pytest.mark.exhaustive
def test_the_time_axis_and_layers_take_dt():
    cell, dt = CoRNN(2, 3), np.random.default_rng(0).uniform(0.5, 2, (3, 2)).astype(np.float32)
    xs = np.random.default_rng(1).normal(size=(3, 2, 2)).astype(np.float32)
    layer = rnn_jax.nnx.Recurrent(cell, rngs=nnx.Rngs(0))
    carry, ys = layer(xs, dt=dt.tolist())
    swapped = layer(np.swapaxes(xs, 0, 1), dt=dt.T, time_axis=1)
    np.testing.assert_allclose(np.swapaxes(swapped.ys, 0, 1), ys, rtol=1e-6)
    state = cell.initial_carry((2,))
    for x, step, y in zip(xs, dt, ys, strict=True):
        state, found = layer.step(state, x, step)
        np.testing.assert_allclose(found, y, rtol=1e-5, atol=1e-6)
    chex.assert_trees_all_close(state, carry, rtol=1e-5, atol=1e-6)


@pytest.mark.exhaustive
def test_narrow_inputs_leave_dt_as_it_is():
    """A step of 257 / 256 is one of 1 in bfloat16."""
    cell = LRU(2, 3, r_min=0.98, r_max=0.999)
    params, xs = cell.init(jax.random.key(0)), jnp.ones((100, 1, 2), jnp.bfloat16)
    run = quick_jit(lambda dt: rnn_jax.unroll(cell, params, xs, dt=dt))
    plain, longer = (run(np.full((100, 1), step, np.float32)) for step in (1, 257 / 256))
    chex.assert_trees_all_close(plain, rnn_jax.unroll(cell, params, xs), rtol=1e-3, atol=1e-3)
    assert longer.ys.dtype == jnp.bfloat16
    assert not np.allclose(longer.carry.real, plain.carry.real, rtol=1e-2)


ONE = np.ones((4, 5), np.float32)


@pytest.mark.parametrize(
    ("dt", "message"),
    [
        (np.ones((5, 4), np.float32), r"dt is float32\[5, 4\]: expected floating point \[4, 5\]"),
        (np.ones(5, np.float32), r"dt is float32\[5\]: expected floating point \[4, 5\]"),
        (np.ones((4, 5), int), r"dt is int\d+\[4, 5\]: expected floating point \[4, 5\]"),
        (0.5, r"dt=0\.5: expected an array"),
        (ONE * [1, 1, 0, 1, 1], r"dt has \[0\.0, 0\.0, 0\.0, 0\.0\]: expected finite numbers above 0"),
        (ONE * [1, 1, -2, 1, 1], r"dt has \[-2\.0"),
        (ONE * [1, np.nan, 1, 1, 1], r"dt has \[nan"),
        (ONE * [1, np.inf, 1, 1, 1], r"dt has \[inf"),
    ],
)
def test_a_wrong_dt_is_named(dt, message):
    cell, xs = LRU(2, 3), np.zeros((4, 5, 2), np.float32)
    with pytest.raises(ValueError, match=message):
        rnn_jax.unroll(cell, cell.init(jax.random.key(0)), xs, dt=dt)
    if np.shape(dt) == (4, 5):
        with pytest.raises(ValueError, match=message.replace("4, 5", "5").replace(", 0\\.0, 0\\.0, 0\\.0", "")):
            cell(cell.init(jax.random.key(0)), cell.initial_carry((5,)), xs[0], dt[0])


@pytest.mark.parametrize(
    "cell",
    [
        rnn_jax.GRU(2, 3),
        S6(2, 3, negative_eigenvalues=True),
        Stack([rnn_jax.GRU(2, 3), rnn_jax.LSTM(3, 2)]),
        Bidirectional(rnn_jax.GRU(2, 3)),
    ],
    ids=str,
)
def test_a_cell_without_a_notion_of_time_says_so(cell):
    xs, message = np.zeros((4, 5, 2), np.float32), rf"dt is given, but {type(cell).__name__}\(.* has no notion of time"
    with pytest.raises(ValueError, match=message):
        rnn_jax.unroll(cell, cell.init(jax.random.key(0)), xs, dt=ONE)
    if not isinstance(cell, Bidirectional):
        with pytest.raises(ValueError, match=message):
            cell(cell.init(jax.random.key(0)), cell.initial_carry((5,)), xs[0], ONE[0])


@pytest.mark.exhaustive
def test_a_cell_of_yours_takes_times_by_the_lines_of_the_docstring():
    import dataclasses

    from rnn_jax.cells import apart, duration, together
    from rnn_jax.cells.base import HiddenCell, dense

    @dataclasses.dataclass(frozen=True)
    class Leak(HiddenCell):
        input_size: int
        hidden_size: int
        timed = True

        def init(self, key, param_dtype=jnp.float32):
            params = rnn_jax.initializers.gated_kernels(key, self.input_size, self.hidden_size, 1, param_dtype)
            return {"input": params["input"]}

        def project(self, params, xs):
            xs, dt = apart(xs)
            return together(dense(xs, **params["input"]), dt)

        def step(self, params, carry, z):
            z, dt = apart(z)
            hidden = carry * jnp.exp(-duration(dt, carry)) + z.astype(carry.dtype)
            return hidden, hidden.astype(z.dtype)

    rnn_jax.testing.assert_cell_contract(Leak(2, 3), part="core")
