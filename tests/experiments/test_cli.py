"""The command line that all experiments share: configs from flags and files, commands on runs, and every mistake."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import pytest

from experiments.registry import load_experiment
from experiments.translation.data import MULTI30K
from rnn_jax.data import download, sources
from rnn_jax.train import Experiment, FitConfig, Run, Trained
from tests.experiments import tiny_study
from tests.experiments.as_user import Commands

command = Commands(tiny_study.EXPERIMENT)


def test_flags_go_before_the_file(tmp_path, capsys):
    file = tmp_path / "best.json"
    file.write_text('{"degree": 3, "scale": 4, "data": "a/b", "curve": true}')
    wanted = tiny_study.Config(degree=2, scale=4.0, data=Path("a/b"), curve=True)
    assert command.config("--config", file, "--degree", 2) == wanted
    changed = dataclasses.replace(wanted, degree=3, curve=False)
    assert command.config("train", "--no-curve", f"--config={file}") == changed
    assert command.config() == tiny_study.Config()
    assert command("--help") == 0
    assert "--config FILE" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"degree": 2, "width": 3, "depth": 1}', "has fields that this experiment has not: width, depth;"),
        ('{"degree": 2.5}', "degree=2.5: expected int"),
        ('{"degree": 0}', "degree=0: expected at least 1"),
        ('{"degree": ', "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[1]", "expected {"),
        (None, "cannot be read: No such file"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(tmp_path, capsys, text, message):
    file = tmp_path / "best.json"
    if text is not None:
        file.write_text(text)
    assert message in command.refused(capsys, "--config", file)
    assert "--config needs a FILE" in command.refused(capsys, "--config", "--degree", "2")
    twice = "--config is given twice: one FILE is allowed"
    assert twice in command.refused(capsys, "--config", file, "--degree", "2", "--config", file)
    assert twice in command.refused(capsys, f"--config={file}", f"--config={file}")
    assert "the command evaluate takes no config" in command.refused(capsys, "evaluate", "RUN", f"--config={__file__}")


def test_a_wrong_command_is_named_with_those_that_there_are(capsys):
    said = command.refused(capsys, "evalute", "RUN")
    assert "unknown command 'evalute': did you mean 'evaluate'? The commands are train, resume, evaluate" in said


def test_commands_on_a_run_get_what_was_trained(tmp_path, capsys):
    assert command("--runs", tmp_path, "--name", "run") == 0
    capsys.readouterr()
    assert command("evaluate", tmp_path / "tiny_study" / "run") == 0
    trained = tiny_study.EXPERIMENT.load(tmp_path / "tiny_study" / "run")
    assert capsys.readouterr().out.strip() == str(trained.model["w"].tolist())
    said = command.refused(capsys, "evaluate", tmp_path)
    assert "is not a run: it has no manifest.json" in said
    assert command("evaluate", "--help") == 0
    assert "RUN" in capsys.readouterr().out


@dataclasses.dataclass(frozen=True, kw_only=True)
class Layer:
    size: int = 4


@dataclasses.dataclass(frozen=True, kw_only=True)
class Small:
    task: Literal["small"] = "small"
    layer: Layer = Layer()
    fit: FitConfig = FitConfig(steps=10, evaluate_every=10)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Deep:
    task: Literal["deep"] = "deep"
    depth: int = 2
    layer: Layer = Layer(size=8)
    fit: FitConfig = FitConfig(steps=20, evaluate_every=10)


def never(*arguments) -> Any:
    raise AssertionError("nothing is trained")


def with_tasks(upgrade=lambda stored: stored) -> Commands:
    tasks: Mapping[str, type] = {"small": Small, "deep": Deep}
    return Commands(Experiment("tests.experiments.test_cli", tasks, never, never, upgrade=upgrade))


def test_each_task_has_flags_of_its_own(tmp_path, capsys):
    deep = with_tasks()
    assert deep.config() == Small()
    assert deep.config("--task", "deep", "--size", 3) == Deep(layer=Layer(size=3))
    assert deep.config("--task=deep", "--seed", 5, "--depth", 1) == Deep(
        depth=1, fit=FitConfig(steps=20, evaluate_every=10, seed=5)
    )
    assert "task='deap': did you mean 'deep'? expected one of 'small', 'deep'" in deep.refused(capsys, "--task", "deap")
    said = deep.refused(capsys, "--depth", "3")
    assert "--depth is a flag of task deep, not of small: choose that task (--task deep), or leave the flag out" in said
    assert "--wide" in deep.refused(capsys, "--wide", "3")
    file = tmp_path / "deep.json"
    file.write_text('{"task": "deep", "depth": 5}')
    assert deep.config("--config", file, "--size", 1) == Deep(depth=5, layer=Layer(size=1))
    file.write_text('{"task": ["deep"]}')
    assert "task=['deep']: expected one of 'small', 'deep'" in deep.refused(capsys, "--config", file)
    file.write_text('{"task": "small", "depth": 5}')
    assert "has fields that task small has not: depth;" in deep.refused(capsys, "--config", file)


@pytest.mark.parametrize("text", ['{"size": 1}', '{"task": "small", "size": 1}', '{"task": "deep", "size": 1}'])
def test_the_task_of_a_flag_goes_before_that_of_the_file(tmp_path, text):
    (file := tmp_path / "some.json").write_text(text)
    words, wanted = ["--task", "deep", "--depth", 3], Deep(depth=3, layer=Layer(size=1))
    assert with_tasks().config("--config", file, *words) == with_tasks().config(*words, "--config", file) == wanted


def test_a_file_needs_only_what_no_flag_says(tmp_path, capsys):
    (file := tmp_path / "some.json").write_text('{"steps": 10, "evaluate_every": 10}')
    forecasting = Commands(load_experiment("forecasting"))
    config = forecasting.config("--config", file, "--csv", "my.csv", "--target", "load", "--no-fill-gaps")
    assert (config.task, config.csv, config.fill_gaps, config.fit.steps) == ("own", "my.csv", False, 10)
    assert "steps='ten': expected int" in forecasting.refused(capsys, "--config", file, "--steps", "ten")
    file.write_text('{"csv": "my.csv", "target": "load"}')
    assert "task weather has not: csv, target;" in forecasting.refused(capsys, "--config", file, "--task", "weather")


@pytest.mark.parametrize("config", [dict, {}, {"small": Small, "deep": Deep()}])
def test_a_config_that_is_no_dataclass_is_refused(config):
    with pytest.raises(ValueError, match=r"Config=.* of experiment 'x': expected a dataclass, or a dict"):
        Experiment("mine.x", config, never, never)


def test_a_file_of_an_earlier_version_is_read(tmp_path, capsys):
    file = tmp_path / "old.json"
    file.write_text('{"task": "deep", "levels": 7}')

    def upgrade(stored: dict) -> dict:
        return {{"levels": "depth"}.get(name, name): value for name, value in stored.items()}

    assert with_tasks(upgrade).config("--config", file) == Deep(depth=7)
    assert "levels" in with_tasks().refused(capsys, "--config", file)


def restore(run: Run, config: Any) -> Trained:
    return Trained(run, config, never, None)


def test_a_run_of_another_experiment_is_refused(tmp_path):
    assert command("--runs", tmp_path, "--name", "run") == 0
    other = Experiment("tests.experiments.test_cli", Small, never, restore)
    run = tmp_path / "tiny_study" / "run"
    with pytest.raises(ValueError, match=r"is a run of tests\.experiments\.tiny_study: python -m tests"):
        other.load(run)
    manifest = run / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"tiny_study"', '"test_cli"'))
    with pytest.raises(ValueError, match=r"is a run of tests\.experiments\.tiny_study: python -m tests"):
        other.load(run)
    manifest.write_text(manifest.read_text().replace('"tests.experiments.tiny_study"', '"tests.experiments.test_cli"'))
    with pytest.raises(ValueError, match="belongs to another version: its config has"):
        other.load(run)


def test_the_same_command_of_the_experiment_that_a_run_is_of_is_named(tmp_path, capsys):
    assert command("--runs", tmp_path, "--name", "run") == 0
    run = tmp_path / "tiny_study" / "run"
    other = Commands(Experiment("tests.experiments.test_cli", Small, never, restore, commands=(tiny_study.evaluate,)))
    for words in (["evaluate", run], ["resume", run, "--steps", 16]):
        said = other.refused(capsys, *words)
        start = f"python -m {command.experiment.module} {' '.join(map(str, words))}"
        assert f"{run}' is a run of {command.experiment.module}: {start}" in said


def test_data_that_cannot_be_had_lead_to_those_of_the_user(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("RNN_JAX_DATA", str(tmp_path))
    monkeypatch.setattr(download, "user_cache_path", lambda name: tmp_path / "cache")
    monkeypatch.setattr(sources, "RAW_ADDRESS", "http://127.0.0.1:9")
    words = ("--corpus", "multi30k", "--runs", tmp_path)
    said = Commands(load_experiment("translation")).refused(capsys, *words)
    own = "with data of your own: python -m experiments.translation --corpus FILE with those of this experiment: "
    assert f"error: {own}multi30k/" in said
    assert all(said.count(f"DIR/multi30k/{file.name} ") == 1 for file in MULTI30K.files)
