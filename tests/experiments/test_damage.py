"""Files of studies and searches that were damaged: told with file and remedy, and one never blocks the others."""

import json
import shutil

import pytest

from experiments import ablate, compare, tune
from experiments.cli import run_command

TINY = "tests.experiments.tiny_study"
STUDY = [TINY, "--vary", "degree=1,2", "--seeds", "2", "--set", "steps=4", "--layout", "single"]
SEARCH = [TINY, "--search", "degree=1,2", "--trials", "2"]
DAMAGES = {
    "empty": lambda content: b"",
    "null": lambda content: b"null",
    "list": lambda content: b"[1, 2]",
    "cut": lambda content: content[: 2 * len(content) // 3],
    "deep": lambda content: b"[" * 100_000,
    "bytes": lambda content: b"\xff\xfe" + content,
    "object": lambda content: b'{"groups": null, "cells": [null], "starts": [null], "failures": {"0": 1}}\n',
}


def command(program, *words) -> int:
    with pytest.raises(SystemExit) as stopped:
        run_command(program, list(map(str, words)))
    return stopped.value.code


@pytest.fixture(autouse=True)
def no_figures(monkeypatch):
    monkeypatch.setattr(ablate, "draw_study", lambda study, records, seconds, folder: folder.mkdir(exist_ok=True))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    assert command(ablate.ablate, *STUDY, "--study", folder / "study") == 0
    assert command(tune.tune, *SEARCH, "--study", folder / "search") == 0
    return folder


@pytest.fixture
def study(whole, tmp_path):
    shutil.copytree(whole / "study", tmp_path / "study")
    return tmp_path / "study"


def damaged(file, damage):
    file.write_bytes(DAMAGES[damage](file.read_bytes()))
    return file


def states(folder) -> list[list[str]]:
    cells = json.loads((folder / "study.json").read_text())["cells"]
    return [[seed["state"] for seed in cell["seeds"].values()] for cell in cells]


@pytest.mark.exhaustive(but=1)
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_study_json_can_be_deleted(study, whole, capsys, damage):
    file = damaged(study / "study.json", damage)
    assert command(ablate.ablate, *STUDY, "--study", study) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"error: {file} is damaged: ") and "delete it" in said and said.count("\n") == 1
    assert len(said) < 400, "the content of the file"
    file.unlink()
    assert command(ablate.ablate, *STUDY, "--study", study) == 0
    assert file.read_text() == (whole / "study" / "study.json").read_text()


@pytest.mark.exhaustive(but=2)
@pytest.mark.parametrize("damage", DAMAGES)
def test_what_a_damaged_record_said_is_found_again(study, whole, capsys, damage):
    file = damaged(sorted((study / "cells").glob("*.json"))[0], damage)
    assert command(ablate.ablate, *STUDY, "--study", study) == 0
    said = capsys.readouterr().out
    assert f"{file} is damaged: " in said and f"kept as {file.name}.damaged" in said
    assert file.with_name(f"{file.name}.damaged").exists()
    assert (study / "table.md").read_text() == (whole / "study" / "table.md").read_text()


@pytest.mark.parametrize(
    "damage", [pytest.param(name, marks=[pytest.mark.exhaustive] * (name not in ("cut", "object"))) for name in DAMAGES]
)
@pytest.mark.parametrize("name", ["result.json", "manifest.json"])
def test_a_damaged_run_fails_alone_and_is_trained_again(study, whole, capsys, name, damage):
    file = damaged(sorted(study.glob(f"runs/*/*-seed-1/{name}"))[0], damage)
    assert command(ablate.ablate, *STUDY, "--study", study) == 0
    said = capsys.readouterr()
    assert "1 of 4 runs failed, the first, degree=" in said.err and f"{file} is damaged: " in said.err
    assert sorted(map(sorted, states(study))) == [["done", "done"], ["done", "failed"]]
    assert f"delete {file.parent.name}, and --retry" in said.err
    shutil.rmtree(file.parent)
    assert command(ablate.ablate, *STUDY, "--study", study, "--retry") == 0
    found, wanted = (json.loads((one / "study.json").read_text())["cells"] for one in (study, whole / "study"))
    values = [[[seed["value"] for seed in cell["seeds"].values()] for cell in cells] for cells in (found, wanted)]
    assert values[0] == values[1]


def test_damaged_metrics_leave_the_tables_alone(study, whole):
    file = sorted(study.glob("runs/*/*-seed-1/metrics.jsonl"))[0]
    file.write_bytes(b"nonsense\n" + file.read_bytes())
    with pytest.warns(RuntimeWarning, match=r"not in the curves: .*metrics.jsonl"):
        assert command(ablate.ablate, *STUDY, "--study", study) == 0
    assert (study / "table.md").read_text() == (whole / "study" / "table.md").read_text()


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", ["study.json", "costs.json"])
def test_studies_are_compared_if_they_are_whole(study, whole, tmp_path, capsys, name, damage):
    file = damaged(study / name, damage)
    assert command(compare.compare, whole / "study", study, "--folder", tmp_path / "all") == 1
    said = capsys.readouterr().err
    assert said.startswith(f"error: {file} is damaged: ") and "to the end, which writes it" in said


@pytest.mark.exhaustive(but=2)
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_journal_is_told_with_its_line(whole, tmp_path, capsys, damage):
    shutil.copytree(whole / "search", tmp_path / "search")
    journal = tmp_path / "search" / "journal.log"
    lines = journal.read_bytes().splitlines(keepends=True)
    for place in (0, 2, len(lines) - 1):
        changed = [*lines[:place], DAMAGES[damage](lines[place]).rstrip(b"\n") + b"\n", *lines[place + 1 :]]
        journal.write_bytes(b"".join(changed))
        assert command(tune.tune, *SEARCH, "--study", tmp_path / "search") == 1
        said = capsys.readouterr().err
        assert said.startswith(f"error: {journal}, line {place + 1}, is damaged: ") and "another folder" in said
    for left in (
        lines[1:],
        lines[2:],
        lines[::-1],
        [lines[0], b'{"op_code": 77}\n'],
        [lines[0] + b'{"op_code": null}\n'],
    ):
        journal.write_bytes(b"".join(left))
        assert command(tune.tune, *SEARCH, "--study", tmp_path / "search") in (0, 1)
        assert "Traceback" not in capsys.readouterr().err
