"""Seeds side by side against `fit`, seed by seed: values, early stops, divergence, interruptions."""

import dataclasses
import functools
import os
import signal

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rnn_jax.train import Checkpoints, Diverged, Run, best_params, fit, key_for
from rnn_jax.train.multi_seed import SeedsDiffer, fit_seeds
from tests.train import tiny

SEEDS = (2, 3)
PATIENT = {"patience": 2, "steps": 60}


def settings(seed, **changes):
    return dataclasses.replace(tiny.settings(), **({"seed": seed, "averaging": 0.5} | PATIENT | changes))


@functools.cache  # with what its evaluation has compiled
def plain_task(seed):
    return task(seed, poison=None)


def task(seed, poison=None, **changes):
    """Initial values and batches of a seed; the batches of the poisoned one are not finite after a while."""

    base = tiny.task()

    def batch(i):
        values = base.batch(100 * seed + i)
        return values | {"xs": values["xs"] * np.float32(np.nan if seed == poison and i == 13 else 1)}

    params = {"cell": tiny.CELL.init(key_for(seed, "init")), "readout": jnp.full((8, 1), 0.1)}
    return tiny.task(**({"params": params, "batch": batch} | changes))


def new_runs(folder):
    return [Run.create(folder, "tiny", f"seed-{seed}", settings(seed), overwrite=True) for seed in SEEDS]


def without_time(run):
    return [{k: v for k, v in record.items() if k != "seconds"} for record in run.records()]


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """What `fit` makes of each seed."""
    runs = new_runs(tmp_path_factory.mktemp("alone"))
    return runs, [fit(plain_task(seed), settings(seed), run) for seed, run in zip(SEEDS, runs, strict=True)]


def train_together(folder, runs, poison=None, **options):
    tasks = [plain_task(seed) if seed != poison else task(seed, poison) for seed in SEEDS]
    return fit_seeds(tasks, [settings(seed) for seed in SEEDS], runs, folder / "seeds", **options)


def assert_same(found, wanted, check=np.testing.assert_array_equal):
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        check(a, b)


def test_one_after_the_other_in_one_program_is_bitwise_what_fit_gives(tmp_path, alone):
    runs = new_runs(tmp_path)
    steps = [int(outcome.state.step) for outcome in alone[1]]
    assert len(set(steps)) > 1, "seeds that stop at different updates are what this test is for"
    for seed, found, run, other, wanted in zip(
        SEEDS, train_together(tmp_path, runs, layout="map"), runs, *alone, strict=True
    ):
        assert_same((found.params, found.state), (wanted.params, wanted.state))
        assert found.reason == wanted.reason and without_time(run) == without_time(other)
        assert_same(best_params(plain_task(seed).params, plain_task(seed).carry, settings(seed), run), wanted.params)
        assert set(Checkpoints(run.checkpoints).steps()) <= set(Checkpoints(other.checkpoints).steps())


@pytest.mark.exhaustive
def test_vmapped_it_is_the_same_up_to_rounding_and_resumes_bitwise(tmp_path, alone):
    runs = new_runs(tmp_path)
    whole = train_together(tmp_path, runs)
    for run, other in zip(runs, alone[0], strict=True):
        first, wanted = ([r["loss"] for r in x.records() if "loss" in r][:4] for x in (run, other))
        np.testing.assert_allclose(first, wanted, rtol=1e-3)

    stopping = [plain_task(seed) for seed in SEEDS]
    evaluate, asked = stopping[-1].evaluate, []

    def stop(params):
        asked.append(os.kill(os.getpid(), signal.SIGTERM) if not asked else None)
        return evaluate(params)

    stopping[-1] = dataclasses.replace(stopping[-1], evaluate=stop)
    again = new_runs(tmp_path / "again")
    stopped = fit_seeds(stopping, [settings(seed) for seed in SEEDS], again, tmp_path / "again" / "seeds")
    assert {(one.reason, one.exit_code) for one in stopped} == {("signal", 143)}
    assert not any(run.checkpoints.exists() for run in again)
    resumed = train_together(tmp_path / "again", again, resume=True)
    for one, other, run, first in zip(resumed, whole, again, runs, strict=True):
        assert_same((one.params, one.state), (other.params, other.state))
        assert one.reason == other.reason and without_time(run) == without_time(first)


def test_a_seed_that_diverges_leaves_the_others_alone(tmp_path, alone):
    found = train_together(tmp_path, runs := new_runs(tmp_path), poison=SEEDS[0], layout="map")
    assert isinstance(found[0], Diverged) and "update 14: stopped, the last good checkpoint" in str(found[0])
    assert Checkpoints(runs[0].checkpoints).steps() == [10]
    assert_same(found[1].state, alone[1][1].state)


def test_seeds_that_cannot_share_a_program_are_told(tmp_path):
    def run_both(*tasks, layout="vmap"):
        return fit_seeds(tasks, [settings(0), settings(1)], new_runs(tmp_path)[:2], tmp_path / "seeds", layout=layout)

    other = task(1, params=task(1).params | {"readout": jnp.zeros((8, 2))})
    with pytest.raises(SeedsDiffer, match="parameters of the seeds differ"):
        run_both(task(0), other)
    base = task(1)
    scaled = task(1, loss=lambda *args: jax.tree.map(lambda leaf: leaf * np.float32(1.001), base.loss(*args)))
    with pytest.raises(SeedsDiffer, match="losses of the seeds are different programs"):
        run_both(task(0), scaled)


def test_bad_arguments_are_refused(tmp_path):
    runs = new_runs(tmp_path)[:2]
    with pytest.raises(ValueError, match=r"layout='pmap'.*'vmap'"):
        fit_seeds([task(0)], [settings(0)], runs[:1], tmp_path, layout="pmap")
    with pytest.raises(ValueError, match="1 tasks, 2 configs, 2 runs"):
        fit_seeds([task(0)], [settings(0), settings(1)], runs, tmp_path)
    with pytest.raises(ValueError, match="configs differ in more than the seed"):
        fit_seeds([task(0), task(1)], [settings(0), settings(1, steps=50)], runs, tmp_path)
