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
    assert linear.CROSSOVERS.read_text() == linear.crossovers_text(), "run `python -m benchmarks.linear --write`"
    assert auto.CROSSOVERS["cpu"]["MinGRU"], "no result file of a CPU"


def test_the_bounds_of_fused_loops_are_what_the_result_files_say():
    wanted = fused.fused_text()
    if wanted is None:
        pytest.skip("benchmarks/results/ has no file of `python -m benchmarks.fused`")
    assert fused.FUSED.read_text() == wanted, "run `python -m benchmarks.fused --write`"


class Mine(type(MINGRU)):
    """A user's cell."""


@pytest.mark.parametrize(
    ("cell", "length", "batch_shape", "platform", "wanted"),
    [
        (MINGRU, 16, (), "cpu", "associative"),
        (MINGRU, 15, (1,), "cpu", "sequential"),
        (MINGRU, 16, (3, 5), "cpu", "associative"),
        (MINGRU, 10**6, (4, 4), "cpu", "sequential"),
        (Mine(2, 3), 16, (), "cpu", "associative"),
        (rnn_jax.CELLS["s6"](2, 3), 16, (0,), "cpu", "associative"),
        (rnn_jax.CELLS["lru"](2, 3), 10**6, (), "cpu", "sequential"),
        (rnn_jax.CELLS["lru"](2, 3), 1, (), "tpu", "associative"),
        (rnn_jax.LSTM(2, 3), 10**6, (), "cpu", "sequential"),
        (rnn_jax.LSTM(2, 3), 10**6, (), "tpu", "sequential"),
    ],
)
def test_the_choice(monkeypatch, cell, length, batch_shape, platform, wanted):
    measured = {"cpu": {"MinGRU": {"1": 16, "16": None}, "S6": {"8": 4}}}
    monkeypatch.setattr(auto, "CROSSOVERS", measured)
    assert auto.choose(cell, length, batch_shape, platform) == wanted


@pytest.mark.parametrize("least", [4, 5])
def test_unroll_follows_the_choice(monkeypatch, least):
    monkeypatch.setattr(auto, "CROSSOVERS", {jax.default_backend(): {"MinGRU": {"1": least}}})
    params = MINGRU.init(jax.random.key(0))
    xs = np.random.default_rng(0).normal(size=(4, 2, 2)).astype(np.float32)

    def text(method):
        run = functools.partial(rnn_jax.unroll, MINGRU, method=method)
        return str(jax.make_jaxpr(run)(params, xs))

    programs = {method: text(method) for method in ("auto", "sequential", "associative")}
    chosen, other = ("associative", "sequential") if least == 4 else ("sequential", "associative")
    assert programs["auto"] == programs[chosen] != programs[other]
    chex.assert_trees_all_close(
        rnn_jax.unroll(MINGRU, params, xs), rnn_jax.unroll(MINGRU, params, xs, method=other), rtol=1e-6, atol=1e-6
    )


def test_from_which_length_on():
    assert linear._from_here_on({4: False, 16: True, 64: True}) == 16
    assert linear._from_here_on({4: True, 16: False, 64: True}) == 64
    assert linear._from_here_on({4: True, 16: False}) is None
