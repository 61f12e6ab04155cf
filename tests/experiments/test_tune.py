"""Searches of a tiny experiment: the same trials whatever happened, pruned by the median, and a config to take back."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from experiments.cli import run_command
from experiments.registry import load_experiment
from experiments.tune import check_space, tune
from rnn_jax.studies.search_space import parse_space
from rnn_jax.train import Run, RunOptions, train_experiment
from tests.experiments import tiny_study
from tests.experiments.as_user import Commands
from tests.experiments.kills import Killed, kill_at_writes

COUNT = 9
TINY = "tests.experiments.tiny_study"
SEARCH = ["--search", "learning_rate=log:1e-3:1.0", "--search", "degree=int:1:3", "--search", "curve=true,false"]
BASE = [TINY, *SEARCH, "--prune-after", "3", "--trials", str(COUNT)]
FILES = ("tune.json", "best.json")


def command(folder, *arguments) -> int:
    with pytest.raises(SystemExit) as stopped:
        run_command(tune, [*map(str, arguments), "--study", str(folder)])
    return stopped.value.code


def found(folder) -> dict:
    return json.loads((folder / "tune.json").read_text())


def started(folder, *arguments) -> subprocess.Popen:
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "JAX_NUM_CPU_DEVICES": "4"}
    words = [sys.executable, "-m", "experiments.tune", *arguments, "--study", str(folder)]
    return subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tune") / "whole"
    assert command(folder, *BASE) == 0
    return folder


def test_the_best_is_the_best_and_is_taken_back(whole, tmp_path):
    summary = found(whole)
    rows = {row["number"]: row for row in summary["trials"]}
    finished = [row for row in rows.values() if row["state"] == "finished"]
    assert len(rows) == COUNT and summary["best"] == min(finished, key=lambda row: row["value"])
    assert set(summary["importance"]) == {"learning_rate", "degree", "curve"}
    assert sum(summary["importance"].values()) == pytest.approx(1)
    assert max(summary["importance"], key=summary["importance"].get) != "curve", "a field that changes nothing"
    assert len({row["params"]["learning_rate"] for row in rows.values()}) == COUNT, "trials that are the same"
    result = json.loads((whole / summary["best"]["run"] / "result.json").read_text())
    assert result["metric"] == "validation_loss", "the experiment's own result, of the test data, has been made"
    config = Commands(tiny_study.EXPERIMENT).config("--config", whole / "best.json")
    assert {field: getattr(config, field) for field in summary["best"]["params"]} == summary["best"]["params"]
    assert train_experiment(tiny_study.EXPERIMENT, config, RunOptions(runs=tmp_path, name="run")) == 0
    again = json.loads((tmp_path / "tiny_study" / "run" / "result.json").read_text())
    assert again["metric"] == "error" and again["value"] == summary["best"]["value"]


@pytest.mark.exhaustive
def test_trials_that_are_equally_accurate_are_set_apart_by_their_loss(tmp_path, monkeypatch):
    tiny = tiny_study.EXPERIMENT

    def prepare(config):
        prepared = tiny.prepare(config)
        evaluate = lambda params: prepared.task.evaluate(params) | {"validation_accuracy": 100.0}  # noqa: E731
        watched = {"evaluate": evaluate, "monitor": "validation_accuracy", "higher_is_better": True}
        return dataclasses.replace(prepared, task=dataclasses.replace(prepared.task, **watched))

    monkeypatch.setattr(tiny_study, "EXPERIMENT", dataclasses.replace(tiny, prepare=prepare))
    words = [TINY, "--search", "learning_rate=log:1e-5:0.1", "--trials", "4"]
    assert command(tmp_path / "a", *words) == command(tmp_path / "b", *words, "--by-loss") == 0
    accuracy, loss = found(tmp_path / "a"), found(tmp_path / "b")
    assert accuracy["metric"] == "validation_accuracy" and accuracy["best"]["number"] == 0
    assert loss["metric"] == "validation_loss" and not loss["higher_is_better"] and loss["by_loss"]
    assert loss["best"] == min(loss["trials"], key=lambda row: row["value"]) and loss["best"]["number"] > 0
    assert loss["command"].endswith("--by-loss")


def test_what_is_below_the_median_is_pruned(whole):
    curves, pruned = {}, 0
    for row in found(whole)["trials"]:
        run = Run.open(whole / row["run"])
        curve = {one["step"]: one["validation_loss"] for one in run.records() if "validation_loss" in one}
        poor = row["number"] >= 3 and min(curve[4], np.inf) > np.median([other[4] for other in curves.values()])
        assert (row["state"] == "pruned") == poor and list(curve) == ([4] if poor else [4, 8])
        if poor:
            pruned += 1
            assert run.read_json("manifest.json")["starts"][-1]["exit_reason"] == "pruned"
            assert not (run.path / "result.json").exists() and row["value"] == curve[4]
        else:
            curves[row["number"]] = curve  # only trials that end in full are compared with
    assert 0 < pruned < COUNT - 3


@pytest.mark.exhaustive
def test_stopped_at_many_moments_it_finds_the_same(whole, tmp_path, monkeypatch):
    after = kill_at_writes(monkeypatch, 2, 6, 11, 17, 23, 40, 60)
    while after:
        with pytest.raises(Killed):
            run_command(tune, [*BASE, "--study", str(tmp_path / "s")])
    assert command(tmp_path / "s", *BASE) == 0
    for file in FILES:
        assert (tmp_path / "s" / file).read_text() == (whole / file).read_text()


def numbers(lines) -> list[int]:
    """The trials that are said to begin or to go on."""
    return [int(line.split()[1].strip(":")) for line in lines if line.startswith("trial ") and "learning_rate" in line]


@pytest.mark.exhaustive
def test_killed_and_shared_no_trial_is_lost_or_done_twice(whole, tmp_path, capsys):
    folder = tmp_path / "s"
    with started(folder, *BASE) as process:
        next(line for line in process.stdout if line.startswith("trial 4: curve"))
        process.send_signal(signal.SIGKILL)
    assert command(folder, *BASE) == 0
    assert numbers(capsys.readouterr().out.splitlines()) == list(range(4, COUNT))
    for file in FILES:
        assert (folder / file).read_text() == (whole / file).read_text()
    # Further trials, by two processes.
    more = [*BASE[:-1], str(COUNT + 8)]
    with started(folder, *more) as process:
        next(process.stdout)
        assert command(folder, *more) == 0
        mine, theirs = numbers(capsys.readouterr().out.splitlines()), numbers(process.stdout)
    assert process.returncode == 0 and mine and theirs
    assert sorted(mine + theirs) == list(range(COUNT, COUNT + 8))
    assert "open" not in [row["state"] for row in found(folder)["trials"]]


@pytest.mark.exhaustive
def test_a_signal_stops_it_and_it_goes_on(whole, tmp_path, monkeypatch, capsys):
    log, few = Run.log, [*BASE[:-1], "4"]

    def logged(run, metrics):
        log(run, metrics)
        if run.path.name == "trial-0002" and "loss" not in metrics and metrics["step"] == 4:
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(Run, "log", logged)
        assert command(tmp_path / "s", *few) == 143
    assert "the same command goes on" in capsys.readouterr().out and len(found(tmp_path / "s")["trials"]) == 3
    assert command(tmp_path / "s", *few) == 0
    assert "goes on" in capsys.readouterr().out
    assert found(tmp_path / "s")["trials"] == found(whole)["trials"][:4]
    run = Run.open(tmp_path / "s" / found(whole)["trials"][2]["run"])
    reasons = [start["exit_reason"] for start in run.read_json("manifest.json")["starts"]]
    assert reasons[0] == "signal" and len(reasons) == 2, "it did not go on, but began again"


def test_trials_that_fail_or_diverge_leave_the_others_alone(tmp_path, monkeypatch, capsys):
    def higher(config):
        prepared = tiny_study.prepare(config)
        return dataclasses.replace(prepared, task=dataclasses.replace(prepared.task, higher_is_better=True))

    monkeypatch.setattr(tiny_study, "EXPERIMENT", dataclasses.replace(tiny_study.EXPERIMENT, prepare=higher))
    words = [
        TINY,
        "--search",
        "degree=1,2,13",
        "--search",
        "scale=1.0,1e30,2.0",
        "--trials",
        8,
        "--prune-after",
        0,
    ]
    assert command(tmp_path / "s", *words) == 0
    summary = found(tmp_path / "s")
    ended = {row["ended"].split(":")[0].split(",")[0] for row in summary["trials"]}
    assert ended == {"finished", "diverged", "failed"}
    values = [row["value"] for row in summary["trials"] if row["state"] == "finished"]
    assert summary["best"]["value"] == max(values) > min(values)
    assert command(tmp_path / "t", *words[:3], "--search", "scale=1e30", "--trials", "2") == 1
    assert "no trial has finished" in capsys.readouterr().err and not (tmp_path / "t" / "best.json").exists()


def test_the_space_is_what_the_words_say():
    words = ["learning-rate=log:1e-4:1e-2", "steps=log:10:1000", "degree=int:2:9:3", "scale=float:-1:1", "shapes=a:b,c"]
    assert parse_space(tiny_study.Config, [*words, "curve=true", "data=None,x"]) == {
        "learning_rate": FloatDistribution(1e-4, 1e-2, log=True),
        "steps": IntDistribution(10, 1000, log=True),
        "degree": IntDistribution(2, 8, step=3),
        "scale": FloatDistribution(-1, 1),
        "shapes": CategoricalDistribution(["a:b", "c"]),
        "curve": CategoricalDistribution([True]),
        "data": CategoricalDistribution([None, "x"]),
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--search", "degre=int:1:2"], "field 'degre' is not known"),
        (["--search", "degree"], "expected FIELD=log:LOW:HIGH"),
        (["--search", "degree=int:1"], "expected int:LOW:HIGH[:STEP]"),
        (["--search", "degree=int:1:2.5"], "degree='2.5': expected int"),
        (["--search", "degree=float:1:2"], "degree is no float: use int"),
        (["--search", "scale=int:1:2"], "scale is no int: use float or log"),
        (["--search", "degree=int:3:1"], "expected LOW < HIGH"),
        (["--search", "degree=int:1:3:5"], "STEP=5"),
        (["--search", "scale=log:0:1"], "expected 0 < LOW < HIGH"),
        (["--search", "scale=1,nan"], "nan is not a number to search by"),
        (["--search", "scale=1,1.0"], "a value is given twice"),
        (["--search", "degree=1,2", "--search", "degree=3,4"], "given twice"),
        (["--search", "seed=1,2"], "all trials have one"),
        (["--search", "degree=1,2", "scale=1,2"], "repeat it for each, as in --search degree=1,2 --search scale=1,2"),
        ([], "search is empty"),
        (["--search", "degree=1,2", "--trials", "0"], "trials=0"),
        (["--search", "degree=1,2", "--set", "degree=0"], "degree=0: expected at least 1"),
        (["--search", "degree=1,2", "--set", "degree=13"], "bad luck"),
        (
            ["--search", "degree=1,0", "--search", "scale=1,2"],
            "no trial can have degree=0: degree=0: expected at least 1",
        ),
        (["--search", "degree=int:0:2"], "no trial can have degree=0"),
        (["--search", "degree=1,2", "--prune-after", "-1"], "prune_after=-1"),
    ],
)
def test_mistakes_end_in_one_clear_line(tmp_path, capsys, arguments, message):
    assert command(tmp_path / "s", TINY, *arguments) == 1
    assert message in capsys.readouterr().err and not (tmp_path / "s").exists()


def test_one_trial_is_no_trials(tmp_path, capsys):
    assert command(tmp_path / "s", TINY, "--search", "degree=1,2", "--trials", "1") == 0
    said = capsys.readouterr().out
    assert "1 trial of degree by " in said and "1 trial: 1 finished" in said and "1 trials" not in said


def test_a_task_is_fixed_and_not_searched(tmp_path, capsys):
    for fixed in ([], ["--set", "task=returns"]):
        assert command(tmp_path / "s", "forecasting", "--search", "task=returns,weather", *fixed) == 1
        said = " ".join(capsys.readouterr().err.split())
        assert "search='task=returns,weather': a task is no value to tune" in said and "--set task=NAME" in said
    assert command(tmp_path / "s", TINY, "--search", "task=a,b") == 1
    assert "field 'task' is not known" in capsys.readouterr().err


def test_another_search_has_another_folder(whole, tmp_path, capsys):
    assert command(whole, *BASE, "--seed", "1") == 1
    assert "has seed=0, asked for is 1: name another folder" in capsys.readouterr().err
    assert command(whole, *BASE, "--by-loss") == 1
    assert "has by_loss=None, asked for is True: name another folder" in capsys.readouterr().err
    (tmp_path / "letter").write_text("")
    assert command(tmp_path, *BASE) == 1 and "holds no journal.log" in capsys.readouterr().err


@pytest.mark.exhaustive
def test_killed_as_it_writes_its_journal_it_goes_on_by_a_relative_path(tmp_path):
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "JAX_NUM_CPU_DEVICES": "4"}
    program = textwrap.dedent(f"""
        import os, sys
        from experiments.cli import run_command
        from experiments.tune import tune
        sync, left = os.fsync, int(sys.argv[1])

        def killed(descriptor):  # while the journal is locked, with half a line in it
            global left
            if sys._getframe(1).f_code.co_name == "append_logs":
                left -= 1
                if not left:
                    os.truncate("s/journal.log", os.path.getsize("s/journal.log") - 7)
                    os._exit(9)
            sync(descriptor)

        os.fsync = killed
        run_command(tune, [{TINY!r}, "--search", "degree=1,2,3", "--trials", "2", "--study", "s"])
    """)
    for moment, code in ((3, 9), (9, 9), (0, 0)):
        words = [sys.executable, "-c", program, str(moment)]
        done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == code, done.stderr
    assert [row["state"] for row in found(tmp_path / "s")["trials"]] == ["finished"] * 2


def test_a_value_is_refused_where_no_other_makes_it_right():
    sentiment, video = map(load_experiment, ("sentiment", "video"))
    with pytest.raises(ValueError, match=r"search=cell: no trial can have cell='lsmt': .*lstm"):
        check_space(sentiment, sentiment.configure({}), {"cell": ["gru", "lsmt"], "layers": [1, 2]})
    frames, cells = video.configure({"task": "frames", "channels": 8}), ["conv_lstm", "lstm"]
    with pytest.raises(ValueError, match="no trial can have frame_cell='lstm': channels=8"):
        check_space(video, frames, {"frame_cell": cells, "layers": [1, 2]})
    check_space(video, frames, {"frame_cell": cells, "channels": [8, None]})
