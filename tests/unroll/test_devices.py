"""Rows spread over four devices: checked `jax.shard_map` and explicit shardings give what one device gives."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, PartitionSpec

import rnn_jax
from rnn_jax import Bidirectional, Stack, Zoneout
from rnn_jax.testing import quick_jit

T, B, D, H = 9, 8, 3, 4
ROWS = PartitionSpec(None, "rows")
STEPS, LINEAR = ("lstm", "slstm", "gru", "clockwork"), ("s5", "mingru", "mlstm")
CELLS = [
    *((rnn_jax.CELLS[name](D, H), "sequential") for name in (*STEPS, *LINEAR)),
    *((rnn_jax.CELLS[name](D, H), "associative") for name in LINEAR),
    (rnn_jax.GRU(D, H), "newton"),
    (Stack([Bidirectional(Zoneout(rnn_jax.GRU(D, H), 0.1)), rnn_jax.LRU(2 * H, H)]), "auto"),
]
xs = np.random.default_rng(0).normal(size=(T, B, D)).astype(np.float32)
resets = np.random.default_rng(1).random((T, B)) < 0.2
lengths = np.array([9, 0, 3, 9, 1, 8, 9, 5])


def with_gradient(cell, method, every, params, xs, lengths, resets):
    """Outputs with a carry given and none, and the gradient of a loss of both by the parameters."""

    def loss(params):
        run = functools.partial(rnn_jax.unroll, cell, params, xs, method=method, checkpoint_every=every)
        first = run(resets=resets, lengths=lengths)
        second = run(first.carry, reverse=True)
        return jnp.sum(jnp.sin(first.ys)) + jnp.sum(jnp.cos(second.ys)), (first.ys, second.ys)

    return jax.grad(loss, has_aux=True)(params)


def cells(*guarded):
    """All cells and methods; those that are not at these places in the exhaustive run alone."""
    return pytest.mark.parametrize(
        ("cell", "method"),
        [pytest.param(*one, marks=[pytest.mark.exhaustive] * (i not in guarded)) for i, one in enumerate(CELLS)],
        ids=str,
    )


@pytest.mark.parametrize("every", [None, pytest.param(4, marks=pytest.mark.exhaustive)])
@cells(0, 3, 10)
def test_in_shard_map(cell, method, every):
    mesh = jax.make_mesh((4,), ("rows",), axis_types=(AxisType.Auto,))
    params, run = cell.init(jax.random.key(0)), functools.partial(with_gradient, cell, method, every)
    specs = (PartitionSpec(), ROWS, PartitionSpec("rows"), ROWS)
    # The gradient by parameters that are the same on all devices is the sum over the devices.
    spread = jax.shard_map(run, mesh=mesh, in_specs=specs, out_specs=(PartitionSpec(), (ROWS, ROWS)))
    close(quick_jit(spread)(params, xs, lengths, resets), quick_jit(run)(params, xs, lengths, resets))


@pytest.mark.parametrize("every", [None, pytest.param(4, marks=pytest.mark.exhaustive)])
@cells(1, 2, 6, 7, 11)
def test_with_explicit_shardings(cell, method, every):
    params, run = cell.init(jax.random.key(0)), quick_jit(functools.partial(with_gradient, cell, method, every))
    wanted = run(params, xs, lengths, resets)
    with jax.set_mesh(jax.make_mesh((4,), ("rows",), axis_types=(AxisType.Explicit,))):
        params = jax.device_put(params, PartitionSpec())
        placed = [jax.device_put(a, spec) for a, spec in ((xs, ROWS), (lengths, PartitionSpec("rows")), (resets, ROWS))]
        gradient, (first, second) = run(params, *placed)
        assert tuple(first.sharding.spec[:2]) == tuple(second.sharding.spec[:2]) == tuple(ROWS)
    close((gradient, (first, second)), wanted)


def close(found, wanted):
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=1e-4, atol=1e-5)


@pytest.mark.exhaustive
def test_masks_and_noise_lie_where_the_inputs_lie():
    noisy = Zoneout(rnn_jax.RecurrentDropout(rnn_jax.GRU(D, H), 0.3), 0.2)
    cell = Stack([noisy, Bidirectional(rnn_jax.GRU(H, H)), rnn_jax.GRU(2 * H, H)], dropout=0.3)
    params, ids = cell.init(jax.random.key(0)), np.cumsum(resets, axis=0)

    @quick_jit
    def run(params, xs):
        unroll = functools.partial(rnn_jax.unroll, cell, params, xs, key=jax.random.key(1), lengths=lengths.tolist())
        return unroll(resets=resets).ys, unroll(segment_ids=ids, reverse=True).ys

    wanted = run(params, xs)
    with jax.set_mesh(jax.make_mesh((4,), ("rows",), axis_types=(AxisType.Explicit,))):
        found = run(jax.device_put(params, PartitionSpec()), jax.device_put(xs, ROWS))
    close(found, wanted)


def test_vmapped_over_an_axis_that_is_spread():
    cell = rnn_jax.GRU(D, H)
    params, many = cell.init(jax.random.key(0)), np.stack([xs, xs + 1, 2 * xs, -xs])
    run = quick_jit(jax.vmap(lambda xs: rnn_jax.unroll(cell, params, xs, resets=resets).ys))
    wanted = run(many)
    with jax.set_mesh(jax.make_mesh((4,), ("models",), axis_types=(AxisType.Explicit,))):
        close(run(jax.device_put(many, PartitionSpec("models"))), wanted)
