"""Data that change between two commands are refused by all of them, before anything is written."""

import dataclasses
import json

import pytest

from experiments import ablate as ablation
from experiments import tune as tuning
from experiments.cli import run_command
from rnn_jax.data import digests
from rnn_jax.studies.study import Study
from tests.experiments import tiny_study
from tests.experiments.as_user import Commands

NAME = "tests.experiments.tiny_study"


def prepare(config):
    text = config.data.read_text()
    if "?" in text:
        raise ValueError("what was read cannot be")
    return dataclasses.replace(tiny_study.prepare(config), data=digests(config.data))


EXPERIMENT = dataclasses.replace(tiny_study.EXPERIMENT, prepare=prepare)


@pytest.fixture
def data(tmp_path, monkeypatch):
    for program in (ablation, tuning):
        monkeypatch.setattr(program, "load_experiment", lambda name: EXPERIMENT)
    (file := tmp_path / "own.csv").write_text("when,load\n2013-01-01,20.94\n")
    return file


def content(folder) -> dict:
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def command(program, *words) -> int:
    with pytest.raises(SystemExit) as stopped:
        run_command(program, [str(word) for word in words])
    return stopped.value.code


@pytest.mark.exhaustive(but=1)
@pytest.mark.parametrize(
    ("program", "words", "more"),
    [
        (ablation.ablate, ["--vary", "degree=1", "--seeds", 1], ["--seeds", 2]),
        (ablation.ablate, ["--vary", "degree=1", "--seeds", 1], []),
        (tuning.tune, ["--search", "degree=int:1:3", "--trials", 1], ["--trials", 2]),
    ],
    ids=["ablate further", "ablate again", "tune further"],
)
def test_a_study_does_not_go_on_with_other_data(data, tmp_path, capsys, program, words, more):
    command_line = [NAME, *words, "--set", f"data={data}", "--study", tmp_path / "study"]
    assert command(program, *command_line) == 0
    text, before = data.read_text(), content(tmp_path / "study")
    data.write_text(text.replace("20.94", "62.83"))
    capsys.readouterr()
    assert command(program, *command_line, *more) == 1
    said = capsys.readouterr().err
    assert "data own.csv: SHA-256" in said and "was trained with other data than are there now" in said
    assert "put the data back, or name another folder with --study" in said
    assert content(tmp_path / "study") == before
    data.write_text(text)
    assert command(program, *command_line, *more) == 0


@pytest.mark.parametrize("now", ["when,load\n2013-01-01,62.83\n", "?"], ids=["another unit", "cannot be read"])
def test_a_run_does_not_go_on_with_other_data(data, tmp_path, capsys, now):
    commands = Commands(EXPERIMENT)
    assert commands("train", "--data", data, "--runs", tmp_path, "--name", "run") == 0
    run = tmp_path / EXPERIMENT.name / "run"
    before = content(run)
    data.write_text(now)
    again = ["train", "--data", data, "--runs", tmp_path, "--name", "run", "--resume", "--steps", 12]
    for words in (["resume", run, "--steps", 12], ["evaluate", run], again):
        said = commands.refused(capsys, *words)
        assert content(run) == before
        if words != again:  # whose steps are others than those that were stored
            assert "data own.csv: SHA-256" in said and "the file is not the one that was trained with" in said
            assert "begin another run with another --name, or say --trust-changes" in said


def test_a_damaged_run_is_left_to_those_who_read_it(data, tmp_path):
    (folder := tmp_path / "study" / "runs" / "a" / "b").mkdir(parents=True)
    (tmp_path / "study" / "cells").mkdir()
    for text in ("{", "[]", "[" * 100_000, json.dumps({"program": "rnn_jax", "starts": [{"data": {"own.csv": "0"}}]})):
        (folder / "manifest.json").write_text(text)
        Study(tmp_path / "study", EXPERIMENT, [], [0])
