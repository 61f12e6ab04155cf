"""Newton's method is the sequential one: values, derivatives of both orders, and wherever it does not converge."""

import functools
import importlib

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_jax
from rnn_jax.testing import BATCH, LENGTH, Example, lengths_and_resets, quick_jit
from rnn_jax.unroll.fixed_point import fixed_point
from rnn_jax.unroll.vectors import Inputs, VectorSteps

close = functools.partial(chex.assert_trees_all_close, rtol=1e-11, atol=1e-12)
DENSE, DIAGONAL = rnn_jax.Newton(jacobian="dense"), rnn_jax.Newton(jacobian="diagonal")
BACKWARD = {"reverse": True, "checkpoint_every": 3}


def drawn(cell):
    return Example.draw(cell, jax.random.key(1))


def sum_of_sines(tree):
    return jnp.stack([jnp.sin(leaf).sum() for leaf in jax.tree.leaves(tree)]).sum()


def with_gradients(cell, method, arguments, **options):
    """The result of `unroll` and the gradients of a loss over all of it."""

    @quick_jit
    def run(*arguments):
        def loss(*arguments):
            result = rnn_jax.unroll(cell, *arguments, method=method, **options)
            return sum_of_sines(result), result

        return jax.grad(loss, argnums=(0, 1, 2), has_aux=True)(*arguments)

    return run(*arguments)


@pytest.mark.parametrize(
    ("cell", "method", "options"),
    [
        pytest.param(rnn_jax.Elman(2, 3), DENSE, {}, marks=pytest.mark.exhaustive),
        (rnn_jax.LSTM(2, 3), DENSE, BACKWARD),
        (rnn_jax.GRU(2, 3), DIAGONAL, BACKWARD),
        pytest.param(rnn_jax.LEM(2, 3), DIAGONAL, {}, marks=pytest.mark.exhaustive),
        (rnn_jax.Bidirectional(rnn_jax.SLSTM(2, 2), rnn_jax.GRUResetBefore(2, 2)), DENSE, {}),
    ],
)
def test_values_and_gradients_are_those_of_the_steps(x64, cell, method, options):
    example = drawn(cell)
    arguments = (example.params, example.xs, example.carry)
    found, wanted = (
        with_gradients(cell, m, arguments, **lengths_and_resets(), **options) for m in (method, "sequential")
    )
    close(found, wanted)


@pytest.mark.exhaustive
@pytest.mark.parametrize("every", [pytest.param(None, marks=pytest.mark.exhaustive), 2])
def test_second_derivatives_of_all_modes(x64, every):
    """In segments too, where `lax.scan` drops the rule of a custom JVP."""
    cell = rnn_jax.Elman(2, 3)
    example = drawn(cell)

    def derivatives(method):
        def loss(at):
            params = jax.tree.map(lambda p: p + at * jnp.cos(9 * p), example.params)
            options = {"method": method, "checkpoint_every": every}
            return sum_of_sines(rnn_jax.unroll(cell, params, example.xs[:4], example.carry, **options))

        def slope(at):
            return jax.jvp(loss, (at,), (1.0,))[1]

        def forward_over(f):
            return lambda at: jax.jvp(f, (at,), (1.0,))[1]

        all_modes = (slope, jax.grad(loss), forward_over(slope), forward_over(jax.grad(loss)), jax.grad(jax.grad(loss)))
        return quick_jit(lambda at: [f(at) for f in all_modes])(0.0)

    close(derivatives("newton"), derivatives("sequential"))


def scaled(cell, factor):
    """Float32 parameters whose recurrent ones are larger, and normal inputs `[200, 3, D]`."""
    params = cell.init(jax.random.key(0))
    params["recurrent"] = jax.tree.map(lambda a: factor * a, params["recurrent"])
    return params, jax.random.normal(jax.random.key(1), (200, 3, cell.input_size))


def compared(cell, params, xs, method=rnn_jax.Newton(), **options):  # noqa: B008
    """Both methods and the report, and the gradients of a loss over what is finite."""

    def loss(params, run):
        result, report = run(params)
        ys = jnp.where(jnp.isfinite(result.ys), result.ys, jnp.zeros_like(result.ys))
        return jnp.sin(ys).sum(), (result, report)

    def newton(params):
        return rnn_jax.newton_report(cell, params, xs, method=method, **options)

    def steps(params):
        return rnn_jax.unroll(cell, params, xs, method="sequential", **options), None

    both = jax.jit(lambda params: [jax.grad(loss, has_aux=True)(params, run) for run in (newton, steps)])
    (gradients, (found, report)), (wanted_gradients, (wanted, _)) = both(params)
    return found, wanted, gradients, wanted_gradients, report


@pytest.mark.exhaustive(but=1)
def test_a_chaotic_cell_takes_the_steps_one_by_one():
    found, wanted, _, _, report = compared(cell := rnn_jax.Elman(3, 8), *scaled(cell, 3.0))
    # Not to the bit: the same steps stand in two places of a program, and XLA may round each in its own way.
    chex.assert_trees_all_close(found, wanted, rtol=1e-4, atol=1e-4)
    assert not report.converged and report.residual > 0.1 and report.iterations == 30


@pytest.mark.exhaustive(but=1)
def test_few_iterations_do_for_cells_that_forget():
    found, wanted, gradients, wanted_gradients, report = compared(cell := rnn_jax.GRU(3, 8), *scaled(cell, 2.0))
    chex.assert_trees_all_close(found, wanted, rtol=1e-5, atol=1e-5)
    chex.assert_trees_all_close(gradients, wanted_gradients, rtol=1e-4, atol=1e-3)
    assert report.converged and report.iterations <= 8 and report.residual < 2e-6


@pytest.mark.exhaustive(but=1)
def test_a_gradient_takes_one_parallel_solve(monkeypatch):
    """Nothing but time would tell if the Jacobians of the adjoint were wrong: steps one by one would put it right."""
    reports = []

    def recorded(*arguments, **options):
        x, report = fixed_point(*arguments, **options)
        jax.debug.callback(lambda *report: reports.append(report), *report)
        return x, report

    monkeypatch.setattr(importlib.import_module("rnn_jax.unroll.newton"), "fixed_point", recorded)
    cell = rnn_jax.GRU(3, 4)
    params, xs = scaled(cell, 1.0)
    jax.block_until_ready(jax.jit(jax.grad(lambda p: rnn_jax.unroll(cell, p, xs, method="newton").ys.sum()))(params))
    jax.effects_barrier()
    assert all(converged for _, _, converged in reports)
    nothing_for_zero, adjoint, values = sorted(int(iterations) for iterations, _, _ in reports)
    assert (nothing_for_zero, adjoint) == (0, 1) and values > 1


@pytest.mark.exhaustive(but=1)
def test_damping_reaches_what_plain_iterations_do_not():
    cell = rnn_jax.GRU(3, 8)
    params, xs = scaled(cell, 2.5)
    for damping in (0.1, 0.0):
        method = rnn_jax.Newton(max_iterations=20, damping=damping)
        _, report = jax.jit(functools.partial(rnn_jax.newton_report, cell, method=method))(params, xs)
        assert report.converged == bool(damping)


@pytest.mark.exhaustive
def test_huge_inputs():
    cell = rnn_jax.LSTM(3, 4)
    params, xs = scaled(cell, 1.0)
    found, wanted, gradients, wanted_gradients, _ = compared(cell, params, 1e4 * xs)
    chex.assert_trees_all_close(found, wanted, rtol=1e-5, atol=1e-5)
    chex.assert_trees_all_close(gradients, wanted_gradients, rtol=1e-4, atol=1e-4)


@pytest.mark.exhaustive
def test_overflow_is_that_of_the_steps():
    cell = rnn_jax.IRNN(3, 4)
    params, xs = scaled(cell, 4.0)
    found, wanted, _, _, report = compared(cell, params, xs)
    assert np.isinf(wanted.ys).any() and not report.converged
    chex.assert_trees_all_equal(found, wanted)


def test_nan_stays_in_its_row_and_before_its_reset():
    cell = rnn_jax.GRU(3, 4)
    params, xs = scaled(cell, 1.0)
    resets = np.zeros((200, 3), bool)
    resets[100, 0] = True
    lengths = np.array([200, 150, 200])
    spoilt = xs.at[50, 0].set(jnp.nan).at[150:, 1].set(jnp.nan)

    def gradient(xs, method):
        def loss(xs):
            ys = rnn_jax.unroll(cell, params, xs, method=method, lengths=lengths, resets=resets).ys
            return jnp.sin(ys[100:]).sum(), ys

        return jax.grad(loss, has_aux=True)(xs)

    both = jax.jit(lambda xs: [gradient(xs, method) for method in ("newton", "sequential")])
    (found_gradient, found), (wanted_gradient, wanted) = both(spoilt)
    assert np.isnan(found[50:100, 0]).all() and np.isfinite(found[100:]).all()
    chex.assert_trees_all_close(found, wanted, rtol=1e-5, atol=1e-6)
    chex.assert_trees_all_close(found_gradient[100:], wanted_gradient[100:], rtol=1e-5, atol=1e-6)
    chex.assert_trees_all_close(found_gradient[:, 2], both(xs)[1][0][:, 2], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("cell", [rnn_jax.GRU(2, 3), rnn_jax.LSTM(2, 3), rnn_jax.IndRNN(2, 3), rnn_jax.LEM(2, 3)])
def test_the_diagonal_is_that_of_the_jacobian(x64, cell):
    example = drawn(cell)
    steps = VectorSteps(cell, False, jax.tree.map(lambda a: a[0], example.carry))
    options = lengths_and_resets()
    valid = np.arange(LENGTH)[:, None] < options["lengths"]

    @quick_jit
    def jacobians(params, xs, carry):
        x = jnp.stack([steps.vector(carry, (BATCH,))] * LENGTH)
        inputs = Inputs(cell.project(params, xs), None, jnp.asarray(valid), jnp.asarray(options["resets"]))
        row = jax.tree.map(lambda a: a[0, 0], inputs)
        one = jax.jacobian(lambda x: steps(params, x, row)[0])(x[0, 0])
        return one, *(steps.jacobian(params, inputs, kind)(x) for kind in ("dense", "diagonal"))

    one, dense, diagonal = jacobians(example.params, example.xs, example.carry)
    close(diagonal, np.diagonal(dense, axis1=-2, axis2=-1))
    close(dense[0, 0], one)


def test_noise_is_that_of_the_steps(x64):
    cell = rnn_jax.Zoneout(rnn_jax.RecurrentDropout(rnn_jax.GRU(2, 3), 0.5), 0.3)
    example = drawn(cell)
    run = jax.jit(functools.partial(rnn_jax.unroll, cell), static_argnames="method")
    found, wanted = (
        run(example.params, example.xs, method=method, key=jax.random.key(0)) for method in ("newton", "sequential")
    )
    close(found, wanted)


@pytest.mark.parametrize(("length", "batch_shape"), [(0, ()), (1, ()), (1, (2, 1))])
def test_short_sequences_and_batch_dims(x64, length, batch_shape):
    cell = rnn_jax.LSTM(2, 3)
    params, xs = drawn(cell).params, np.ones((length, *batch_shape, 2))
    run = jax.jit(functools.partial(rnn_jax.unroll, cell), static_argnames="method")
    close(run(params, xs, method="newton"), run(params, xs, method="sequential"))


def test_low_precision_is_computed_in_float32():
    cell = rnn_jax.GRU(3, 8)
    params, xs = scaled(cell, 1.0)
    low = xs.astype(jnp.bfloat16)
    found, report = jax.jit(functools.partial(rnn_jax.newton_report, cell))(params, low)
    exact = rnn_jax.unroll(cell, params, low.astype(jnp.float32), method="sequential")
    assert report.converged and report.residual.dtype == jnp.float32
    assert found.carry.dtype == jnp.float32 and found.ys.dtype == jnp.bfloat16
    steps = rnn_jax.unroll(cell, params, low, method="sequential")
    chex.assert_trees_all_close(found.carry, steps.carry, atol=1e-5)
    assert np.abs(np.asarray(found.ys, np.float32) - exact.ys).mean() < 2e-3


@pytest.mark.exhaustive
def test_a_report_covers_all_layers_and_segments():
    good, chaotic = rnn_jax.GRU(3, 8), rnn_jax.Elman(8, 8)
    params, xs = scaled(good, 1.0)
    run = functools.partial(rnn_jax.newton_report, rnn_jax.Stack([good, chaotic]), xs=xs, checkpoint_every=64)
    layers = {"layer_0": params, "layer_1": chaotic.init(jax.random.key(0))}
    assert jax.jit(run)(layers)[1].converged
    layers["layer_1"] = scaled(chaotic, 4.0)[0]
    assert not jax.jit(run)(layers)[1].converged


@pytest.mark.parametrize(
    ("cell", "method", "message"),
    [
        (rnn_jax.LRU(2, 3), "newton", "method='newton': LRU can use 'sequential', 'associative'"),
        (rnn_jax.Clockwork(2, 3), DENSE, "Clockwork can use 'sequential'$"),
        (rnn_jax.Stack([rnn_jax.GRU(2, 3), rnn_jax.MinGRU(3, 3)]), "newton", "Stack can use 'sequential', 'fused'$"),
    ],
)
def test_cells_that_cannot_use_it_say_so(cell, method, message):
    with pytest.raises(ValueError, match=message):
        rnn_jax.unroll(cell, cell.init(jax.random.key(0)), np.zeros((4, 2), np.float32), method=method)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_iterations": 0}, "max_iterations=0: expected an int"),
        ({"tolerance": 0.0}, "tolerance=0.0: expected a relative residual above 0"),
        ({"jacobian": "sparse"}, "jacobian='sparse': expected one of 'auto', 'dense', 'diagonal'"),
        ({"damping": 1.0}, "damping=1.0"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        rnn_jax.Newton(**options)
