"""What becomes of a run that was interrupted, damaged, changed or taken twice, as its user meets it."""

import dataclasses
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from rnn_jax.train import Checkpoints, Task, running
from rnn_jax.train.writer import claimed
from tests.experiments import tiny_study
from tests.experiments.as_user import Commands
from tests.experiments.tiny_runs import begin, damage, full_disk, plain, result, scored

ROOT = Path(__file__).parents[2]


@pytest.mark.exhaustive
def test_after_the_best_checkpoint_was_damaged_training_goes_on_and_says_so(tmp_path, capsys):
    run, words = begin(tmp_path)
    assert scored(5.0, 1.0, 3.0, 4.0, stop_after=4)(*words, "--steps", 32) == 143
    assert Checkpoints(run / "checkpoints").steps() == [8, 12, 16]
    damage(run, 8)
    assert scored(2.0, 1.5, 1.6, 1.7)("resume", run) == 0
    note = "best at 8 was damaged; this is 24"
    assert note in capsys.readouterr().err and result(run)["note"] == note and result(run)["value"] == 1.5
    assert plain("evaluate", run) == 0


def test_a_better_one_than_what_was_damaged_needs_no_word(tmp_path, capsys):
    run, words = begin(tmp_path)
    assert scored(5.0, 1.0, 3.0, 4.0, stop_after=4)(*words, "--steps", 24) == 143
    damage(run, 8)
    assert scored(2.0, 0.5)("resume", run) == 0
    assert "was damaged; this is" not in capsys.readouterr().err
    assert "note" not in result(run) and result(run)["value"] == 0.5


def test_a_run_that_was_over_when_its_best_checkpoint_was_damaged_ends_with_the_newest(tmp_path, capsys):
    run, words = begin(tmp_path)
    assert scored(5.0, 1.0, 3.0, 4.0, stop_after=4)(*words, "--steps", 16) == 143
    damage(run, 8)
    assert scored(9.0)("resume", run) == 0
    assert result(run)["note"] == "best at 8 was damaged; this is 16" and result(run)["value"] == 4.0


def test_a_checkpoint_that_is_damaged_while_it_trains_does_not_stop_it(tmp_path):
    run, words = begin(tmp_path)
    assert (
        scored(5.0, 1.0, 3.0, 4.0, after=lambda count: damage(run, 8) if count == 4 else None)(*words, "--steps", 16)
        == 0
    )
    assert result(run)["note"] == "best at 8 was damaged; this is 16" and result(run)["value"] == 4.0


def test_evaluate_takes_the_next_best_says_so_and_touches_nothing(tmp_path, capsys, caplog):
    run, words = begin(tmp_path)
    assert scored(5.0, 1.0, 3.0, 4.0)(*words, "--steps", 16) == 0
    damage(run, 8)
    before = sorted(run.rglob("*"))
    capsys.readouterr()
    assert plain("evaluate", run) == 0
    assert capsys.readouterr().out.splitlines()[1:] == ["scores of step 16, for the best (step 8) is damaged"]
    assert "step 8 is damaged" in caplog.text and "; this is step 16" in caplog.text
    assert sorted(run.rglob("*")) == before
    damage(run, 16)
    assert plain("evaluate", run) == 0
    assert capsys.readouterr().out.splitlines()[1:] == ["scores of step 12, for the best (step 8) is damaged"]
    damage(run, 12)
    said = plain.refused(capsys, "evaluate", run)
    remedy = f"--config {run}/config.json --runs {tmp_path} --name run --overwrite"
    assert "no intact checkpoint" in said and said.endswith(remedy)
    assert f"train it anew with: python -m {tiny_study.EXPERIMENT.module} {remedy}" in said
    assert scored(1.0)(*remedy.split()) == 0 and plain("evaluate", run) == 0
    assert "damaged" not in capsys.readouterr().out


def test_evaluate_says_so_where_what_is_damaged_may_have_been_better(tmp_path, capsys):
    run, words = begin(tmp_path)
    assert scored(5.0, 1.0, 3.0, 0.5)(*words, "--steps", 16) == 0
    damage(run, 16)
    capsys.readouterr()
    assert plain("evaluate", run) == 0
    assert capsys.readouterr().out.splitlines()[1:] == ["scores of step 12, for step 16 is damaged"]


def test_without_any_checkpoint_a_command_says_how_to_train(tmp_path, capsys):
    run, words = begin(tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Checkpoints, "save", full_disk)
        plain(*words)
    said = plain.refused(capsys, "evaluate", run)
    assert said.endswith(f"train it on with: python -m {tiny_study.EXPERIMENT.module} resume {run}")
    assert plain("resume", run) == 0 and plain("evaluate", run) == 0


HOLDER = """
import dataclasses, sys, time
from experiments.cli import main
from tests.experiments import tiny_study

def evaluate(params):
    print("trains", flush=True)
    time.sleep(600)

def prepare(config):
    prepared = tiny_study.prepare(config)
    return dataclasses.replace(prepared, task=dataclasses.replace(prepared.task, evaluate=evaluate))

main(dataclasses.replace(tiny_study.EXPERIMENT, prepare=prepare), sys.argv[1:])
"""


def test_a_run_has_one_writer_and_a_dead_one_holds_nothing(tmp_path, capsys):
    run, words = begin(tmp_path)
    command = [sys.executable, "-c", HOLDER, *map(str, words)]
    holder = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        assert holder.stdout.readline() == "trains\n", holder.stderr.read()
        before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
        for second in (["resume", run], words, [*words, "--overwrite"], [*words, "--resume"]):
            said = plain.refused(capsys, *second)
            assert f"{run} is being written by process {holder.pid} on {platform.node()}; " in said
            assert said.endswith(f"let it save and stop with: kill {holder.pid}")
        assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
    finally:
        holder.kill()
        holder.communicate()
    assert plain("resume", run) == 0
    assert [path.name for path in run.parent.iterdir()] == ["run"]


def refusals() -> dict[str, Callable[[Task], Task]]:
    def odd(i):
        return {"x": np.zeros((3, 2), np.float32), "y": np.zeros(3, np.float32)}

    def refuse(*_):
        raise ValueError("this is refused")

    return {
        "a batch that devices cannot share": lambda task: dataclasses.replace(task, batch=odd),
        "a carry that devices cannot share": lambda task: dataclasses.replace(task, carry=np.zeros((3, 2))),
        "a batch that cannot be made": lambda task: dataclasses.replace(task, batch=refuse),
        "a loss that takes no such batch": lambda task: dataclasses.replace(task, loss=refuse),
    }


def with_task(change: Callable[[Task], Task]) -> Commands:
    def prepare(config):
        prepared = tiny_study.prepare(config)
        return dataclasses.replace(prepared, task=change(prepared.task))

    return Commands(dataclasses.replace(tiny_study.EXPERIMENT, prepare=prepare))


@pytest.mark.parametrize("change", refusals().values(), ids=refusals())
def test_what_is_refused_before_the_first_update_leaves_no_directory(tmp_path, capsys, change):
    run, words = begin(tmp_path / "runs")
    said = with_task(change).refused(capsys, *words)
    assert "cannot be divided by 4 devices" in said or "this is refused" in said
    assert not (tmp_path / "runs").exists()
    assert plain(*words) == 0
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    with_task(change).refused(capsys, *words, "--overwrite")
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def test_a_run_that_is_over_says_so_and_goes_further_when_told(tmp_path, capsys):
    run, words = begin(tmp_path)
    assert plain(*words) == 0
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    capsys.readouterr()
    assert plain("resume", run) == 0
    said = " ".join(capsys.readouterr().err.split())
    remedy = f"resume {run} --steps 16"
    value = f"{result(run)['value']:.4g}"
    assert said.startswith(f"{run} has already finished: error {value} after 8 updates;") and said.endswith(
        f"go further with: python -m {plain.experiment.module} {remedy}"
    )
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
    assert "steps=8:" in plain.refused(capsys, "resume", run, "--steps", 8)
    assert plain(*remedy.split()) == 0
    said = capsys.readouterr().err
    assert "cosine schedule over 16 updates in place of 8: after 8 the learning rate is 0.0" in said
    assert "going on after step 8" in said and "step 16/16" in said
    assert result(run)["steps"] == 16 and tiny_study.EXPERIMENT.open(run)[1].steps == 16
    assert [record["step"] for record in tiny_study.EXPERIMENT.open(run)[0].records() if "loss" in record] == [
        2, 4, 6, 8, 10, 12, 14, 16,
    ]  # fmt: skip
    assert plain("resume", run) == 0 and "has already finished" in capsys.readouterr().err


def test_runs_that_begin_in_the_same_second_go_to_different_directories(tmp_path, monkeypatch):
    monkeypatch.setattr(running, "default_name", lambda: "20300101-000000")
    assert [plain("--runs", tmp_path) for _ in range(3)] == [0, 0, 0]
    names = sorted(path.name for path in (tmp_path / "tiny_study").iterdir())
    assert names == ["20300101-000000", "20300101-000000-2", "20300101-000000-3"]
    assert all((tmp_path / "tiny_study" / name / "result.json").exists() for name in names)


def test_threads_that_claim_one_name_get_a_directory_each(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: claimed(tmp_path, "now", "-gru"), range(16)))
    assert len(set(made)) == 16 and {path.name for path in made} == {"now-gru", *(f"now-{n}-gru" for n in range(2, 17))}


def test_a_refused_training_leaves_no_directory(tmp_path, capsys):
    plain.refused(capsys, "--runs", tmp_path, "--degree", 13)
    assert not any(tmp_path.iterdir())


@pytest.mark.exhaustive
def test_going_further_is_on_as_many_devices_as_before(tmp_path):
    run, words = begin(tmp_path)
    program = "import sys; from experiments.cli import main; from tests.experiments import tiny_study as tiny; "
    program += "main(tiny.EXPERIMENT, sys.argv[1:])"
    environment = {
        name: value for name, value in os.environ.items() if name not in ("JAX_NUM_CPU_DEVICES", "XLA_FLAGS")
    }
    for arguments in ([*words, "--cpu-devices", 2], ["resume", run, "--steps", 16]):
        done = subprocess.run(
            [sys.executable, "-c", program, *map(str, arguments)],
            cwd=ROOT, env=environment, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0 and "updates on 2 x cpu" in done.stderr, done.stderr


def test_a_run_that_went_further_and_was_stopped_is_resumed_as_any_other(tmp_path):
    run, words = begin(tmp_path)
    assert plain(*words) == 0
    assert scored(3.0, 2.0, stop_after=1)("resume", run, "--steps", 16) == 143
    assert plain("resume", run) == 0 and result(run)["steps"] == 16


def test_a_run_that_stopped_early_tells_how_to_begin_one_that_does_not(tmp_path, capsys):
    run, words = begin(tmp_path)
    assert scored(1.0, 2.0)(*words, "--patience", 1, "--steps", 40) == 0
    assert "has already stopped early" in (plain("resume", run), capsys.readouterr().err)[1]
    said = plain.refused(capsys, "resume", run, "--steps", 80)
    assert "stopped early, for patience=1" in said and said.strip().endswith("--patience 0 --steps 80 --name NAME")
    other = run.with_name("begun-from-it")
    begun = [*words[: words.index("--name")], "--name", other.name, *words[words.index("--name") + 2 :]]
    assert scored(1.0, 2.0)(*begun, "--patience", 1, "--steps", 40, "--init-from", run) == 0
    said = plain.refused(capsys, "resume", other, "--steps", 80)
    assert said.strip().endswith(f"--patience 0 --steps 80 --name NAME --init-from {run}")


@pytest.mark.parametrize("resumed", [False, True])
def test_a_loss_that_grows_and_grows_is_a_failure(tmp_path, capsys, resumed):
    run, words = begin(tmp_path)
    grows = ["--optimizer", "sgd", "--learning-rate", 3, "--schedule", "constant", "--clip-norm", 1e9]
    if resumed:
        assert scored(3.0, stop_after=1)(*words, *grows) == 143
    said = plain.refused(capsys, *(["resume", run] if resumed else [*words, *grows]))
    assert "diverged: worse than at the start by" in said and "Try a lower learning_rate" in said
    assert not (run / "result.json").exists()
    assert tiny_study.EXPERIMENT.open(run)[0].read_json("manifest.json")["starts"][-1]["exit_reason"] == "diverged"


def test_a_loss_that_is_beyond_measure_after_the_first_updates_is_a_failure(tmp_path, capsys):
    run, words = begin(tmp_path)
    said = plain.refused(capsys, *words, "--steps-per-dispatch", 4, "--learning-rate", 1e12)
    assert "diverged: a loss of" in said and "in update 4" in said and "Try a lower learning_rate" in said
    assert not (run / "result.json").exists()


def test_killed_before_its_first_checkpoint_the_same_command_begins_again(tmp_path, capsys):
    run, words = begin(tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Checkpoints, "save", full_disk)
        assert plain(*words) == 1
    said = plain.refused(capsys, *words, "--degree", 2)
    assert f"{run} is not empty" in said
    assert plain(*words) == 0
    other, words = begin(tmp_path / "other")
    assert plain(*words) == 0 and result(run)["value"] == result(other)["value"]
    assert len((run / "metrics.jsonl").read_text().splitlines()) == len(
        (other / "metrics.jsonl").read_text().splitlines()
    )


@pytest.mark.parametrize("value", ["inf", "nan"])
def test_a_number_that_json_cannot_hold_is_refused_at_the_start(tmp_path, capsys, value):
    _, words = begin(tmp_path / "runs")
    said = plain.refused(capsys, *words, "--scale", value)
    assert f"scale={value} cannot be kept in config.json: use finite numbers" in said
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_a_result_without_a_value_is_a_failure(tmp_path, capsys, value):
    def prepare(config):
        prepared = tiny_study.prepare(config)
        return dataclasses.replace(prepared, finish=lambda *given: prepared.finish(*given) | {"value": value})

    run, words = begin(tmp_path)
    said = Commands(dataclasses.replace(tiny_study.EXPERIMENT, prepare=prepare)).refused(capsys, *words)
    assert f"the result has error={value}" in said
    assert not (run / "result.json").exists()
    assert tiny_study.EXPERIMENT.open(run)[0].exit_reason == "diverged"


def test_an_error_at_the_end_is_in_the_manifest(tmp_path, capsys):
    run, words = begin(tmp_path)
    broken = dataclasses.replace(
        tiny_study.EXPERIMENT,
        prepare=lambda config: dataclasses.replace(tiny_study.prepare(config), finish=full_disk),
    )
    assert "No space left" in Commands(broken).refused(capsys, *words)
    assert tiny_study.EXPERIMENT.open(run)[0].exit_reason == "OSError: No space left on device"
    assert plain("resume", run) == 0 and result(run)["value"] is not None
