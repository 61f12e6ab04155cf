"""`method="auto"` is the faster method by the measurements that the project keeps."""

import functools

import chex
import jax
import numpy as np
import pytest

import rnn_jax
from benchmarks import fused, linear
from rnn_jax.unroll import auto

MINGRU = rnn_jax.CELLS["mingru"](2, 3)


def test_the_table_is_what_the_result_files_say():
    assert linear.FASTEST.read_text() == linear.fastest_text(), "run `python -m benchmarks.linear --write`"
    assert auto.LINEAR["cpu"]["MinGRU"], "no result file of a CPU"


def test_the_bounds_of_fused_loops_are_what_the_result_files_say():
    wanted = fused.fused_text()
    if wanted is None:
        pytest.skip("benchmarks/results/ has no file of `python -m benchmarks.fused`")
    assert fused.FUSED.read_text() == wanted, "run `python -m benchmarks.fused --write`"


class Mine(type(MINGRU)):
    """A user's cell."""


A, F, S = "associative", "fused", "sequential"


@pytest.mark.parametrize(
    ("cell", "length", "batch_shape", "platform", "wanted"),
    [
        (MINGRU, 16, (), "cpu", (A, A)),
        (MINGRU, 15, (1,), "cpu", (S, S)),
        (MINGRU, 16, (3, 5), "cpu", (A, A)),
        (MINGRU, 10**6, (4, 4), "cpu", (F, A)),
        (Mine(2, 3), 16, (), "cpu", (A, A)),
        (Mine(2, 3), 16, (16,), "cpu", (F, A)),
        (rnn_jax.CELLS["s6"](2, 3), 16, (0,), "cpu", (F, S)),
        (rnn_jax.CELLS["lru"](2, 3), 10**6, (), "cpu", (S, S)),
        (rnn_jax.CELLS["lru"](2, 3), 1, (), "tpu", (A, A)),
        (rnn_jax.LSTM(2, 3), 10**6, (), "cpu", (F, S)),
        (rnn_jax.LSTM(2, 3), 10**6, (), "tpu", (S, S)),
    ],
)
def test_the_choice(monkeypatch, cell, length, batch_shape, platform, wanted):
    by_length = {"4": [S, A, F], "16": [A, S, F]}
    measured = {"cpu": {"MinGRU": {"1": by_length, "16": {"16": [F, A, S]}}, "S6": {"8": {"4": [F, S, A]}}}}
    monkeypatch.setattr(auto, "LINEAR", measured)
    for available, method in zip((True, False), wanted, strict=True):
        monkeypatch.setattr(auto, "is_available", lambda available=available: available)
        assert auto.choose(cell, length, batch_shape, platform) == method


@pytest.mark.exhaustive(but=1)
@pytest.mark.parametrize(("chosen", "other"), [(A, S), (S, A)])
def test_unroll_follows_the_choice(monkeypatch, chosen, other):
    monkeypatch.setattr(auto, "LINEAR", {jax.default_backend(): {"MinGRU": {"1": {"4": [F, chosen, other]}}}})
    params = MINGRU.init(jax.random.key(0))
    xs = np.random.default_rng(0).normal(size=(4, 2, 2)).astype(np.float32)

    def text(method):
        run = functools.partial(rnn_jax.unroll, MINGRU, method=method)
        return str(jax.make_jaxpr(run)(params, xs))

    programs = {method: text(method) for method in ("auto", "sequential", "associative")}
    assert programs["auto"] == programs[chosen] != programs[other]
    chex.assert_trees_all_close(
        rnn_jax.unroll(MINGRU, params, xs), rnn_jax.unroll(MINGRU, params, xs, method=other), rtol=1e-6, atol=1e-6
    )


def test_the_fastest_method_is_so_by_both_works():
    works = {"forward": {A: [1.0], S: [3.0], F: [2.0]}, "training": {A: [9.0], S: [8.0], F: [4.0], "gru": [0.1]}}
    assert linear.in_order(works) == [F, A, S]
