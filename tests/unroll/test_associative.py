"""The associative method is the sequential one, however long the sequence and wherever its blocks and chunks end."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_jax
from rnn_jax.cells.linear import chunks
from rnn_jax.testing import quick_jit
from rnn_jax.unroll import associative
from rnn_jax.unroll.maps import compose_maps, scan_maps

POINTWISE = ("mingru", "lru", "s4d", "s6")
CHUNKED = tuple(name for name, cell in rnn_jax.CELLS.items() if getattr(cell, "chunk_size", None))
B, D, H = 2, 3, 4


def values_and_gradients(name, length, method, lengths=None, resets=None, reverse=False):
    cell = rnn_jax.CELLS[name](D, H)
    rng = np.random.default_rng(0)
    xs = jnp.asarray(rng.normal(size=(length, B, D)))
    params = cell.init(jax.random.key(1), jnp.float64)
    carry = jax.tree.map(lambda c: c + 0.1 * rng.normal(size=c.shape), cell.initial_carry((B,), jnp.float64))

    def loss(params, xs, carry):
        result = rnn_jax.unroll(cell, params, xs, carry, lengths=lengths, resets=resets, reverse=reverse, method=method)
        return sum(jnp.sin(leaf).sum() for leaf in jax.tree.leaves(result)), result

    return quick_jit(jax.value_and_grad(loss, argnums=(0, 1, 2), has_aux=True))(params, xs, carry)


def assert_methods_agree(name, length, **options):
    found = values_and_gradients(name, length, "associative", **options)
    wanted = values_and_gradients(name, length, "sequential", **options)
    chex.assert_trees_all_close(found, wanted, rtol=1e-10, atol=1e-11)


def test_some_cells_have_chunks():
    names = {"mlstm", "retnet", "gla", "mamba2", "rwkv6", "hgrn2", "deltanet", "gated_deltanet"}
    assert names <= set(CHUNKED)


@pytest.mark.parametrize(
    ("name", "beyond"),
    [
        # Of each cell one end in any run, of the one with the most in its chunks all of them.
        pytest.param(name, beyond, marks=[pytest.mark.exhaustive] * (beyond != i % 3 - 1 and name != "gated_deltanet"))
        for i, name in enumerate(CHUNKED)
        for beyond in (-1, 0, 1)
    ],
)
def test_chunks_end_anywhere(x64, name, beyond):
    size = rnn_jax.CELLS[name].chunk_size
    length = 2 * size + beyond
    assert_methods_agree(name, length, lengths=np.array([length, size + 3]), reverse=beyond < 0)


@pytest.mark.exhaustive(but=1)
@pytest.mark.parametrize("name", ["mlstm", "gated_deltanet"])
def test_resets_mean_the_same_to_cells_with_chunks(x64, name):
    resets = np.random.default_rng(1).random((40, B)) < 0.1
    assert_methods_agree(name, 40, resets=resets)


@pytest.mark.parametrize(
    ("name", "reverse"),
    [
        pytest.param(name, reverse, marks=[pytest.mark.exhaustive] * (reverse == bool(i % 2)))
        for i, name in enumerate(POINTWISE)
        for reverse in (False, True)
    ],
)
def test_blocks_end_anywhere(x64, monkeypatch, name, reverse):
    monkeypatch.setattr(associative, "BLOCK", 5 * B * H)
    rng = np.random.default_rng(2)
    for length in (23, 30):
        resets = rng.random((length, B)) < 0.2
        assert_methods_agree(name, length, lengths=np.array([length, 14]), resets=resets, reverse=reverse)


@pytest.mark.parametrize(
    ("name", "reverse"),
    [
        pytest.param(name, reverse, marks=[pytest.mark.exhaustive] * (reverse == bool(i % 2)))
        for i, name in enumerate(("mingru", "lru", "deltanet", "mlstm"))
        for reverse in (False, True)
    ],
)
def test_maps_one_after_the_other_are_the_maps_composed(x64, name, reverse):
    """What a CPU does and what other devices do, both with all derivatives, resets and lengths."""
    length = 9
    cell, rng = rnn_jax.CELLS[name](D, H), np.random.default_rng(3)
    params = cell.prepare(cell.init(jax.random.key(1), jnp.float64))
    z = cell.project(params, jnp.asarray(rng.normal(size=(length, B, D))))
    elements = jax.tree.map(lambda e: jnp.broadcast_to(e, (e.shape[0], B, *e.shape[2:])), cell.elements(params, z))
    start = cell.initial_carry((B,), jnp.float64)
    carry = jax.tree.map(lambda c: c + 0.1 * rng.normal(size=c.shape), start)
    valid = jnp.asarray(np.arange(length)[:, None] < np.array([length, 5]))
    resets = jnp.asarray(rng.random((length, B)) < 0.3)

    def run(carries_of, elements, carry, start):
        carries = carries_of(cell, elements, carry, start, valid, resets, reverse)
        return jax.tree.map(jnp.sin, carries)

    @functools.partial(quick_jit, static_argnums=0)
    def derivatives(carries_of, point, tangents):
        found = functools.partial(run, carries_of)
        values, pull = jax.vjp(found, *point)
        return jax.jvp(found, point, tangents), pull(values)

    point = elements, carry, start
    tangents = jax.tree.map(lambda a: jnp.asarray(rng.normal(size=a.shape)), point)
    found, wanted = (derivatives(carries_of, point, tangents) for carries_of in (scan_maps, compose_maps))
    chex.assert_trees_all_close(found, wanted, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize(
    "name", ["mingru", "lru", "retnet", "gated_deltanet", pytest.param("rwkv7", marks=pytest.mark.exhaustive)]
)
def test_a_long_sequence_in_float32_is_as_in_float64(x64, name):
    """The largest error over 65,536 steps, in units of the largest output: the rounding of one step is 1e-7."""
    length, size = 65536, 16
    cell = rnn_jax.CELLS[name](D, size)
    params = cell.init(jax.random.key(1))
    xs = np.random.default_rng(4).normal(size=(length, 1, D)).astype(np.float32)

    @functools.partial(jax.jit, static_argnames="method")
    def outputs(params, xs, method):
        return rnn_jax.unroll(cell, params, xs, method=method).ys

    wide = jax.tree.map(lambda p: p.astype(jnp.float64), params)
    wanted = outputs(wide, jnp.asarray(xs, jnp.float64), "sequential")
    found = outputs(params, jnp.asarray(xs), "associative")
    assert found.dtype == jnp.float32
    wanted, found = np.asarray(wanted), np.asarray(found)
    assert np.abs(found - wanted).max() <= 1e-6 * np.abs(wanted).max()


@pytest.mark.exhaustive(but=1)
@pytest.mark.parametrize("name", ["gla", "mamba2", "gated_deltanet", "kda", "mlstm"])
def test_a_chunk_that_forgets_everything_midway_loses_no_digits(name):
    """Decays of e⁻⁵⁰⁰ are zero in float32: a quotient of products over them would be no number."""
    cell = rnn_jax.CELLS[name](D, H)
    params = cell.init(jax.random.key(1))
    xs = np.random.default_rng(5).normal(size=(40, B, D)).astype(np.float32)
    z = jax.jit(cell.project)(params, xs)
    often = jnp.asarray(np.arange(40) % 7 == 3)[:, None, None]
    forgotten = {"gla": 0.0, "mamba2": 1e-30}
    if name in forgotten:
        gates = jnp.where(jnp.broadcast_to(often[..., None], z.gates.shape), forgotten[name], z.gates)
        z = z._replace(gates=gates)
    elif name == "mlstm":
        log_forget = jnp.where(jnp.broadcast_to(often, z.gates.log_forget.shape), -500.0, z.gates.log_forget)
        z = z._replace(gates=z.gates._replace(log_forget=log_forget))
    else:
        (step,) = z.steps
        log_decay = jnp.where(jnp.broadcast_to(often[..., None], step.log_decay.shape), -500.0, step.log_decay)
        step = step._replace(log_decay=log_decay, removal=jnp.exp(log_decay) * step.key)
        z = z._replace(steps=(step,))
    carry = cell.initial_carry((B,))

    def by_chunk(z):
        return cell.chunk(params, carry, z, None)

    def by_steps(z):
        return jax.lax.scan(functools.partial(cell.step, params), carry, z)

    def loss(run, z):
        result = run(z)
        return sum(jnp.sin(leaf).sum() for leaf in jax.tree.leaves(result)), result

    gradient = jax.jit(jax.value_and_grad(loss, argnums=1, has_aux=True), static_argnums=0)
    chex.assert_trees_all_close(gradient(by_chunk, z), gradient(by_steps, z), rtol=1e-4, atol=1e-4)


def test_the_inverse_of_a_unit_triangular_matrix(x64):
    for size in (1, 2, 7, 32):
        a = np.tril(np.random.default_rng(size).normal(size=(3, size, size)), -1)
        chex.assert_trees_all_close(
            chunks.inverse(jnp.asarray(a)), np.linalg.inv(np.eye(size) + a), rtol=1e-9, atol=1e-9
        )
