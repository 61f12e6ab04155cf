"""Methods are values: names stand for some of them, equal ones are traced once, and a user's own goes where they go."""

import dataclasses
import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_jax
from rnn_jax.unroll import METHODS, Method
from rnn_jax.unroll.checks import resolve
from rnn_jax.unroll.scope import where_rows

CELL = rnn_jax.Stack([rnn_jax.GRU(2, 3), rnn_jax.Bidirectional(rnn_jax.Elman(3, 2))])
XS = np.random.default_rng(0).normal(size=(4, 3, 2)).astype(np.float32)
OPTIONS = {"lengths": np.array([4, 0, 2]), "resets": np.arange(12).reshape(4, 3) % 5 == 2}


@dataclasses.dataclass(frozen=True)
class Loop:
    """A user's method: a loop that Python unrolls, for cells whose hidden state is their output."""

    def applies(self, cell):
        return cell.methods[0] == "sequential" and not isinstance(cell, rnn_jax.LSTM)

    def run(self, cell, params, xs, carry, scope, reverse, key):
        steps = reversed(range(len(xs))) if reverse else range(len(xs))
        ys, start = {}, scope.start(cell, carry)
        for t in steps:
            before = carry if scope.resets is None else where_rows(scope.resets[t], start, carry)
            after, ys[t] = cell.step(params, before, cell.project(params, xs[t]))
            carry = after if scope.valid is None else where_rows(scope.valid[t], after, carry)
        return carry, jnp.stack([ys[t] for t in range(len(xs))])


def test_a_users_method_is_as_good_as_ours():
    params = CELL.init(jax.random.key(0))
    run = functools.partial(rnn_jax.unroll, CELL, params, XS, **OPTIONS)
    found, wanted = jax.jit(lambda: (run(method=Loop()), run()))()
    chex.assert_trees_all_close(found, wanted, rtol=1e-6, atol=1e-6)
    assert isinstance(Loop(), Method) and all(isinstance(method, Method) for method in METHODS.values())
    layer = rnn_jax.LSTM(2, 3)
    with pytest.raises(ValueError, match=r"method=Loop\(\): LSTM can use 'sequential', 'newton'"):
        rnn_jax.unroll(layer, layer.init(jax.random.key(0)), XS, method=Loop())


@pytest.mark.exhaustive
def test_reports_come_in_the_order_in_which_cells_run():
    params = CELL.init(jax.random.key(0))
    run = functools.partial(rnn_jax.unroll_with_reports, CELL, params, XS, **OPTIONS)
    unrolled, traces = run(method=rnn_jax.Traced())
    chex.assert_trees_all_close(unrolled, rnn_jax.unroll(CELL, params, XS, **OPTIONS), rtol=1e-6, atol=1e-6)
    assert [(type(trace.cell), trace.reverse) for trace in traces] == [
        (rnn_jax.GRU, False),
        (rnn_jax.Elman, False),
        (rnn_jax.Elman, True),
    ]
    _, reports = jax.jit(lambda: run(method="newton"))()
    assert [bool(report.converged) for report in reports] == [True] * 3
    assert run(method=Loop())[1] == run()[1] == [None] * 3


@pytest.mark.exhaustive(but=2)
@pytest.mark.parametrize(
    "make",
    [rnn_jax.Sequential, functools.partial(rnn_jax.Newton, max_iterations=3), rnn_jax.Traced, Loop, lambda: "newton"],
)
def test_equal_methods_share_one_trace(make):
    cell, traces = rnn_jax.GRU(2, 3), []
    params = cell.init(jax.random.key(0))

    @functools.partial(jax.jit, static_argnames="method")
    def run(params, xs, method):
        traces.append(method)
        return rnn_jax.unroll(cell, params, xs, method=method).ys

    for _ in range(2):
        run(params, XS, make())
    assert len(traces) == 1


@pytest.mark.parametrize("method", [3, [], "parallel", None, rnn_jax.Newton])
def test_what_is_no_method_is_refused(method):
    names = "'sequential', 'associative', 'newton', 'fused', 'cudnn'"
    with pytest.raises(ValueError, match=rf"expected 'auto', one of {names}, or rnn_jax"):
        resolve(method, METHODS)


class Half:
    def applies(self, cell):
        return True


class Shadowed(Loop):
    run = None


@pytest.mark.parametrize(
    ("method", "message"),
    [
        (rnn_jax.Sequential, r"this is a class, call it: Sequential\(...\)$"),
        (Loop, r"this is a class, call it: Loop\(...\)$"),
        (Half(), "it is no rnn_jax.Method, for it has no method run$"),
        (Shadowed(), "it is no rnn_jax.Method, for it has no method run$"),
        (Half, "it is no rnn_jax.Method, for it has no method run$"),
        (rnn_jax.LSTM, "it is no rnn_jax.Method, for it has no method applies and no method run$"),
        (None, "it is no rnn_jax.Method, for it has no method applies and no method run$"),
        ("parallel", r"or rnn_jax.Newton\(...\)$"),
    ],
)
def test_what_is_nearly_a_method_is_told_what_it_lacks(method, message):
    with pytest.raises(ValueError, match=message):
        resolve(method, METHODS)
