"""What the time between steps does to the cells that know of it."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_jax
from rnn_jax.cells.base import dense
from rnn_jax.cells.gated.gru import gru_step_reset_before
from rnn_jax.testing import Example, check_reference, quick_jit, times_of
from tests.cells.references import continuous, reference

TIMED = [name for name, cell in rnn_jax.CELLS.items() if cell(3, 4).timed]
EXACT = ("lru", "rg_lru", "s5", "s4d", "s6", "mamba2")
SOLVERS = ("cornn", "lem", "ltc", "mamba3")


@functools.cache
def example(name):
    with jax.enable_x64(True), jax.ensure_compile_time_eval():
        return Example.draw(rnn_jax.CELLS[name](3, 4), jax.random.key(2))


def test_these_cells_know_of_time():
    assert set(TIMED) >= {*EXACT, *SOLVERS, "cfc", "gru_d", "phased_lstm"}
    assert not rnn_jax.S6(3, 4, negative_eigenvalues=True).timed


@pytest.mark.exhaustive(but=1)
@pytest.mark.parametrize("name", TIMED)
def test_steps_of_any_length_follow_the_equations(x64, name):
    cell, params, carry, xs = (getattr(example(name), part) for part in ("cell", "params", "carry", "xs"))
    step = getattr(continuous, f"timed_{name}", None) or reference(name)
    dt = times_of(cell)["dt"]
    found = quick_jit(lambda *args, dt: rnn_jax.unroll(cell, *args, dt=dt))(params, xs, carry, dt=dt)
    params, carry, xs = jax.tree.map(np.asarray, (params, carry, xs))
    for t, y in enumerate(found.ys):
        carry, wanted = step(params, carry, jax.tree.map(lambda a, t=t: a[t], xs), elapsed=dt[t][:, None])
        np.testing.assert_allclose(y, wanted, rtol=1e-11, atol=1e-11)
    for leaf, wanted in zip(jax.tree.leaves(found.carry), jax.tree.leaves(carry), strict=True):
        np.testing.assert_allclose(leaf, wanted, rtol=1e-11, atol=1e-11)


@functools.partial(quick_jit, static_argnums=0)
def steps_of(cell, params, carry, x, steps, dt):
    """The carry after so many steps of `dt`, under an input that does not change."""
    return jax.lax.fori_loop(0, steps, lambda _, carry: cell(params, carry, x, dt)[0], carry)


def after(name, steps, total):
    """The numbers of a carry after so many equal steps that take a total time."""
    ours = example(name)
    carry = steps_of(ours.cell, ours.params, ours.carry, ours.xs[0], steps, np.full(3, total / steps))
    return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(carry)])


@pytest.mark.parametrize("name", EXACT)
def test_a_held_input_makes_one_long_step_of_many_short_ones(x64, name):
    many = after(name, 8, 3.2)
    for steps in (1, 2, 4):
        np.testing.assert_allclose(after(name, steps, 3.2), many, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", SOLVERS)
def test_solvers_are_of_the_first_order(x64, name):
    sizes = np.array([16, 32, 64])
    exact = 2 * after(name, 4096, 0.8) - after(name, 2048, 0.8)  # Richardson's: the first order cancels
    errors = [np.linalg.norm(after(name, steps, 0.8) - exact) for steps in sizes]
    order = -np.polyfit(np.log(sizes), np.log(errors), 1)[0]
    assert order == pytest.approx(1, abs=0.15), errors


def test_a_cfc_s_gate_is_half_open_at_once_and_closes_with_time(x64):
    ours = Example.draw(rnn_jax.CfC(3, 4, backbone_size=5), jax.random.key(0))
    cell, params, carry, x = ours.cell, ours.params, ours.carry, ours.xs[0]
    kernel, bias = params["output"]["kernel"].at[:, :4].set(0.0), params["output"]["bias"].at[:4].set(50.0)
    params = params | {"output": {"kernel": kernel, "bias": bias}}
    late, _ = cell(params, carry, x, np.full(3, 10.0))
    soon, _ = cell(params, carry, x, np.full(3, 1e-9))
    a = 1.7159 * np.tanh(2 / 3 * (dense(x, **params["input"]) + dense(carry, params["recurrent"]["kernel"])))
    g, s = np.split(np.tanh(dense(a, kernel, bias))[:, 4:], 2, axis=1)
    np.testing.assert_allclose(late, s, atol=1e-12)
    np.testing.assert_allclose(soon, (g + s) / 2, atol=1e-6)


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_a_cfc_may_have_more_layers(x64, layers):
    cell = rnn_jax.CfC(3, 4, backbone_size=5, backbone_layers=layers)
    check_reference(Example.draw(cell, jax.random.key(0)), continuous.cfc)


def test_an_ltc_stays_between_zero_and_its_targets_however_long_a_step_is():
    """Theorem 2 of the paper, and theorem 1: a leak alone takes τ, an open synapse alone less."""
    cell, random = rnn_jax.LTC(3, 6), np.random.default_rng(0)
    params = cell.init(jax.random.key(1))
    target = 3 * np.asarray(params["recurrent"]["target"])
    params["recurrent"]["target"] = target
    xs = 20 * random.normal(size=(200, 5, 3)).astype(np.float32)
    dt = (10.0 ** random.uniform(-3, 4, (200, 5))).astype(np.float32)
    ys = np.asarray(quick_jit(functools.partial(rnn_jax.unroll, cell))(params, xs, dt=dt).ys)
    assert (ys >= np.minimum(0, target) - 1e-5).all() and (ys <= np.maximum(0, target) + 1e-5).all()
    assert np.abs(ys).max() > 1


def test_gru_d_reads_what_is_seen_as_a_gru_with_the_reset_before(x64):
    ours = example("gru_d")
    params = ours.params | {"decay": jax.tree.map(jnp.zeros_like, ours.params["decay"])}
    value, seen = ours.xs["value"], jnp.ones((3, 3))
    z = dense(value[0], params["input"]["kernel"], params["input"]["bias"]) + seen @ params["mask"]["kernel"]
    wanted, _ = gru_step_reset_before(ours.carry.hidden, z, params["recurrent"]["kernel"])
    found, _ = ours.cell(params, ours.carry, {"value": value[0], "mask": seen})
    np.testing.assert_allclose(found.hidden, wanted, rtol=1e-12)


def test_gru_d_forgets_what_it_has_not_seen_for_long_and_never_sees_what_is_missing():
    cell = rnn_jax.GRUD(2, 3)
    params = cell.init(jax.random.key(0))
    params["input"]["mean"] = jnp.array([0.5, -1.0])
    value, mask = np.random.default_rng(0).normal(size=(4, 1, 2)).astype(np.float32), np.ones((4, 1, 2), bool)
    mask[1:, 0, 1] = False
    value[1:, 0, 1] = np.nan
    run = quick_jit(functools.partial(rnn_jax.unroll, cell, params))
    carry, ys = run({"value": value, "mask": mask}, dt=np.full((4, 1), 0.5, np.float32))
    assert np.isfinite(ys).all()
    np.testing.assert_allclose(carry.elapsed, [[0, 1.5]])
    np.testing.assert_allclose(carry.deviation, [[value[3, 0, 0] - 0.5, value[0, 0, 1] + 1]], rtol=1e-6)
    # After a long time it is as if nothing had ever been seen.
    nothing = {"value": np.zeros((1, 1, 2), np.float32), "mask": np.zeros((1, 1, 2), bool)}
    late = run(nothing, carry, dt=np.full((1, 1), 1e4, np.float32)).ys
    np.testing.assert_allclose(late, run(nothing, dt=np.full((1, 1), 1e4, np.float32)).ys, atol=1e-6)
    assert not cell.trainable(params)["input"]["mean"]


def test_a_phased_lstm_is_an_lstm_where_it_is_open_and_stays_where_it_is_closed(x64):
    cell = rnn_jax.PhasedLSTM(3, 4, leak=0.0)
    ours = example("phased_lstm")
    clock = {"log_period": jnp.log(jnp.full(4, 10.0)), "shift": jnp.zeros(4), "ratio_logit": jnp.zeros(4)}
    params, x = ours.params | {"clock": clock}, ours.xs[0]
    start = ours.carry._replace(time=jnp.array([0.0, 10.0, 7.0]))
    lstm = rnn_jax.PeepholeLSTM(3, 4)
    (hidden, memory), _ = lstm(
        {name: params[name] for name in ("input", "recurrent", "peephole")}, rnn_jax.LSTMCarry(*start[:2]), x
    )
    # At r / 2 of the period a unit is open, past r it is closed: at 2.5 and 12.5, and at 9.5.
    after, _ = cell(params, start, x, jnp.full(3, 2.5))
    np.testing.assert_allclose(after.hidden[:2], hidden[:2], rtol=1e-12)
    np.testing.assert_allclose(after.cell[:2], memory[:2], rtol=1e-12)
    np.testing.assert_array_equal(after.hidden[2], start.hidden[2])
    np.testing.assert_array_equal(after.time, [2.5, 12.5, 9.5])


def test_a_phased_lstm_counts_time_in_float32_at_least():
    cell = rnn_jax.PhasedLSTM(2, 3)
    carry = cell.initial_carry((1,), jnp.bfloat16)
    carry, _ = rnn_jax.unroll(cell, cell.init(jax.random.key(0)), np.zeros((300, 1, 2), np.float32), carry)
    assert carry.time.tolist() == [300.0] and carry.hidden.dtype == jnp.bfloat16


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: rnn_jax.CfC(3, 4, backbone_layers=0), "backbone_layers=0: expected an int of at least 1"),
        (lambda: rnn_jax.LTC(3, 4, solver_steps=0), "solver_steps=0: expected an int of at least 1"),
        (lambda: rnn_jax.PhasedLSTM(3, 4, ratio=0.0), r"ratio=0\.0: expected a finite number above 0"),
        (lambda: rnn_jax.PhasedLSTM(3, 4, period_max=0.5), r"period_max=0\.5: expected a finite number at least 1"),
    ],
)
def test_bad_options_are_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()
