"""The loop: what it computes, what it writes, how it stops, and that stopping changes nothing."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_jax.train.loop
from rnn_jax.train import CheckpointError, Checkpoints, Diverged, FitConfig, Run, best_params, fit, key_for
from rnn_jax.train.parallel import data_mesh
from rnn_jax.train.replica import Progress
from tests.train import tiny


def new_run(folder: Path, settings=None) -> Run:
    return Run.create(folder, "tiny", "run", settings or tiny.settings())


def assert_bitwise(found, wanted):
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    run = new_run(tmp_path_factory.mktemp("uninterrupted"))
    return run, fit(tiny.task(), tiny.settings(), run)


def test_training_learns_and_writes_it_down(uninterrupted):
    run, outcome = uninterrupted
    losses = [r["loss"] for r in run.records() if "loss" in r]
    assert len(losses) == 8 and losses[-1] < 0.5 * losses[0]
    validation = {r["step"]: r["validation_loss"] for r in run.records() if "validation_loss" in r}
    assert list(validation) == [10, 20, 30, 40]
    assert outcome.progress.best == min(validation.values()) == validation[outcome.progress.best_step]
    assert (outcome.reason, outcome.exit_code, int(outcome.state.step)) == ("finished", 0, 40)
    rates = [r["learning_rate"] for r in run.records() if "loss" in r]
    assert rates[0] == pytest.approx(0.024) and rates[-1] < 0.001
    task = tiny.task()
    assert_bitwise(best_params(task.params, task.carry, tiny.settings(), run), outcome.params)


def test_averaged_parameters_are_those_evaluated_kept_and_resumed(tmp_path):
    settings, task = tiny.settings(averaging=0.9), tiny.task()
    outcome = fit(task, settings, run := new_run(tmp_path / "whole", settings))
    average = outcome.state.optimizer[-1].average
    assert not np.array_equal(average["readout"], outcome.state.params["readout"])
    last = [r for r in run.records() if "validation_loss" in r][-1]
    assert task.evaluate(jax.tree.map(np.asarray, average))["validation_loss"] == last["validation_loss"]
    assert_bitwise(best_params(task.params, task.carry, settings, run), outcome.params)

    stopping = tiny.task(evaluate=lambda params: os.kill(os.getpid(), signal.SIGTERM) or task.evaluate(params))
    half = new_run(tmp_path / "half", settings)
    assert fit(stopping, settings, half).reason == "signal"
    assert_bitwise(fit(task, settings, half, resume=True).state, outcome.state)


@pytest.mark.parametrize(("higher", "better", "worse"), [(True, 2.0, 0.5), (False, 0.5, 2.0)])
def test_only_what_is_better_is_a_gain_and_of_equals_the_first_is_kept(higher, better, worse):
    progress = Progress()
    gains = [progress.gained(value, step, higher) for step, value in enumerate((1.0, worse, 1.0, better, better), 1)]
    assert gains == [True, False, False, True, False]
    assert (progress.best, progress.best_step, progress.without_gain) == (better, 4, 1)
    progress.gained(worse, 6, higher)
    assert progress.without_gain == 2


def test_each_update_draws_with_a_key_of_its_own(tmp_path):
    """Else dropout would leave out the same units in every one."""

    def loss(params, carry, batch, key):
        return (params["readout"] ** 2).sum(), (carry, {"drawn": jax.random.uniform(key)})

    settings = tiny.settings(steps_per_dispatch=1, steps=10)
    fit(tiny.task(loss=loss), settings, run := new_run(tmp_path, settings))
    drawn = [record["drawn"] for record in run.records() if "drawn" in record]
    key = key_for(settings.seed, "training")
    assert len(set(drawn)) == 10
    assert drawn == [float(jax.random.uniform(jax.random.fold_in(key, i))) for i in range(10)]


def test_one_update_a_dispatch_gives_the_same(tmp_path, uninterrupted):
    settings = tiny.settings(steps_per_dispatch=1)
    outcome = fit(tiny.task(), settings, new_run(tmp_path, settings))
    for a, b in zip(jax.tree.leaves(outcome.state), jax.tree.leaves(uninterrupted[1].state), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_four_devices_give_what_one_gives(tmp_path, uninterrupted, monkeypatch):
    assert data_mesh().size == 4, "the tests run on four simulated devices"
    assert uninterrupted[1].state.carry.sharding.num_devices == 4
    one = jax.make_mesh((1,), ("batch",), (jax.sharding.AxisType.Auto,), devices=jax.devices()[:1])
    monkeypatch.setattr(rnn_jax.train.loop, "data_mesh", lambda: one)
    outcome = fit(tiny.task(), tiny.settings(), new_run(tmp_path))
    for a, b in zip(jax.tree.leaves(outcome.state), jax.tree.leaves(uninterrupted[1].state), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_a_batch_that_devices_cannot_share_is_refused(tmp_path):
    odd = {"xs": np.zeros((6, 6, 2), np.float32), "targets": np.zeros((6, 6, 1), np.float32)}
    with pytest.raises(ValueError, match="batch_size=6 cannot be divided by 4 devices"):
        fit(tiny.task(batch=lambda i: odd, carry=()), tiny.settings(), new_run(tmp_path))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_resuming_changes_nothing(tmp_path, uninterrupted, number):
    def batch(i):
        if i == 22:
            os.kill(os.getpid(), number)
        return tiny.task().batch(i)

    run = new_run(tmp_path)
    stopped = fit(tiny.task(batch=batch), tiny.settings(), run)
    assert (stopped.reason, stopped.exit_code) == ("signal", 128 + number)
    assert Checkpoints(run.checkpoints).latest_step == int(stopped.state.step) == 25
    run.log({"step": 30, "loss": 1.0})  # what a kill after the checkpoint would leave
    resumed = fit(tiny.task(), tiny.settings(), run, resume=True)
    assert_bitwise(resumed.state, uninterrupted[1].state)
    assert_bitwise(resumed.params, uninterrupted[1].params)

    def without_time(run):
        return [{k: v for k, v in record.items() if k != "seconds"} for record in run.records()]

    assert without_time(run) == without_time(uninterrupted[0])


def test_a_run_without_a_checkpoint_goes_on_from_the_beginning(tmp_path, uninterrupted, capsys):
    run = new_run(tmp_path)
    run.log({"step": 5, "loss": 1.0})  # killed before the first evaluation
    assert_bitwise(fit(tiny.task(), tiny.settings(), run, resume=True).state, uninterrupted[1].state)
    assert "going on after step 0" in capsys.readouterr().err and len(run.records()) == len(uninterrupted[0].records())


def test_a_run_whose_checkpoints_are_all_damaged_does_not_start_anew_in_silence(tmp_path):
    run = new_run(tmp_path)
    fit(tiny.task(), tiny.settings(steps=10), run)
    (run.checkpoints / "10").rename(run.checkpoints / "10.corrupt-20200101T000000Z")
    with pytest.raises(CheckpointError, match="no intact checkpoint"):
        fit(tiny.task(), tiny.settings(), run, resume=True)


@pytest.mark.exhaustive
@pytest.mark.slow
def test_killed_at_random_moments_and_resumed_ends_bitwise_equal(tmp_path):
    program = [sys.executable, Path(__file__).parent / "tiny.py"]
    environment = os.environ | {"JAX_COMPILATION_CACHE_DIR": str(tmp_path / "cache")}
    subprocess.run([*program, tmp_path / "whole"], check=True, capture_output=True, env=environment)
    random = np.random.default_rng(0)
    for _ in range(2):
        process = subprocess.Popen([*program, tmp_path / "killed"], stderr=subprocess.PIPE, env=environment)
        process.stderr.readline()  # imports and compilation take seconds: wait for the first evaluation
        time.sleep(random.uniform(0, 0.3))
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL, "the run was over before it could be killed"
    subprocess.run([*program, tmp_path / "killed"], check=True, capture_output=True, env=environment)
    whole, killed = np.load(tmp_path / "whole/final.npz"), np.load(tmp_path / "killed/final.npz")
    assert whole.files == killed.files
    for name in whole.files:
        np.testing.assert_array_equal(whole[name], killed[name])


@pytest.mark.exhaustive(but=1)
@pytest.mark.parametrize("poison", [np.nan, np.inf])
def test_a_loss_that_is_not_finite_stops_and_keeps_the_last_good_checkpoint(tmp_path, poison):
    def batch(i):
        batch = tiny.task().batch(i)
        return batch | {"xs": batch["xs"] * np.float32(poison if i == 13 else 1)}

    run = new_run(tmp_path)
    with pytest.raises(Diverged, match=r"update 14.*last good checkpoint is step 10.*learning_rate"):
        fit(tiny.task(batch=batch), tiny.settings(), run)
    assert Checkpoints(run.checkpoints).steps() == [10]
    assert np.isfinite(fit(tiny.task(), tiny.settings(), run, resume=True).state.params["readout"]).all()


def test_an_evaluation_that_is_not_finite_stops_too(tmp_path):
    scores = iter([1.0, np.nan])
    run = new_run(tmp_path)
    with pytest.raises(
        Diverged, match="validation_loss nan after update 20: stopped, the last good checkpoint is step 10"
    ):
        fit(tiny.task(evaluate=lambda params: {"validation_loss": next(scores)}), tiny.settings(), run)
    assert Checkpoints(run.checkpoints).steps() == [10]


def test_early_stopping_returns_the_best(tmp_path):
    scores = iter([3.0, 1.0, 2.0, 2.0, 0.0])
    settings = tiny.settings(steps=100, patience=2)
    run = new_run(tmp_path, settings)
    outcome = fit(tiny.task(evaluate=lambda params: {"validation_loss": next(scores)}), settings, run)
    assert (outcome.reason, int(outcome.state.step)) == ("stopped early", 40)
    assert (outcome.progress.best, outcome.progress.best_step) == (1.0, 20)
    assert not np.array_equal(outcome.params["readout"], outcome.state.params["readout"])


def test_higher_can_be_better(tmp_path):
    scores = iter([0.1, 0.9, 0.5, 0.6])
    task = tiny.task(evaluate=lambda params: {"accuracy": next(scores)}, monitor="accuracy", higher_is_better=True)
    assert fit(task, tiny.settings(), new_run(tmp_path)).progress.best_step == 20


def test_a_metric_that_is_not_measured_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"monitor='accuracy': expected one of \['validation_loss'\]"):
        fit(tiny.task(monitor="accuracy"), tiny.settings(), new_run(tmp_path))


def test_resuming_another_model_names_the_leaf(tmp_path, uninterrupted):
    other = tiny.task(params=tiny.task().params | {"readout": jnp.zeros((8, 2))})
    with pytest.raises(CheckpointError, match=r"params/readout: checkpoint float32\[8,1\], model float32\[8,2\]"):
        fit(other, tiny.settings(), uninterrupted[0], resume=True)


def test_training_leaves_the_task_as_it_was(tmp_path):
    task = tiny.task()
    before = jax.tree.map(np.array, task.params)
    fit(task, tiny.settings(steps=10), new_run(tmp_path))
    assert_bitwise(task.params, before)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": 0}, "steps=0"),
        ({"evaluate_every": 7}, "evaluate_every=7.*multiple of steps_per_dispatch=5"),
        ({"seed": -1}, "seed=-1"),
        ({"patience": -1}, "patience=-1"),
        ({"learning_rate": 0.0}, "learning_rate=0.0"),
        ({"clip_norm": -1.0}, "clip_norm=-1.0"),
        ({"schedule": "step"}, "schedule='step'.*'cosine'"),
        ({"optimizer": "lion"}, "optimizer='lion'.*'adamw'"),
        ({"final_fraction": 2.0}, "final_fraction=2.0"),
    ],
)
def test_bad_settings_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        tiny.settings(**changes)


def test_settings_are_values():
    assert FitConfig() == FitConfig() and hash(FitConfig()) == hash(FitConfig())
