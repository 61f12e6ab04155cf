"""What becomes of a run whose config, data, code or checkpoints have changed since, as its user meets it."""

import dataclasses
import importlib
import json
import shutil
from pathlib import Path

import pytest

from rnn_jax.data.sources import digests
from tests.experiments import tiny_study
from tests.experiments.as_user import Commands
from tests.experiments.tiny_runs import begin, plain, stopped


def assert_only_trusted(run: Path, capsys, said: str, commands: Commands = plain) -> None:
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    for command in ("evaluate", "resume"):
        refused = commands.refused(capsys, command, run)
        assert said in refused and "--trust-changes" in refused
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
    for command in ("evaluate", "resume"):
        capsys.readouterr()
        assert commands(command, run, "--trust-changes") == 0
        assert said in " ".join(capsys.readouterr().err.split())
    assert commands("evaluate", run) == 0, "what was resumed by trust is what it was made of from then on"


@pytest.mark.exhaustive(but=1)
@pytest.mark.parametrize(("field", "then", "now"), [("seed", 0, 5), ("steps", 8, 12), ("shapes", "'same'", "'odd'")])
def test_a_config_that_was_edited_is_told_by_its_field(tmp_path, capsys, field, then, now):
    run = stopped(tmp_path)
    file = run / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {field: now if isinstance(now, int) else "odd"}))
    assert_only_trusted(run, capsys, f"config.json has {field}={now}, and had {then}")


def test_an_edited_config_of_an_earlier_version_is_noticed_too(tmp_path, capsys):
    run = stopped(tmp_path)
    manifest = json.loads((run / "manifest.json").read_text())
    del manifest["configs"], manifest["id"]
    (run / "manifest.json").write_text(json.dumps(manifest))
    assert plain("evaluate", run) == 0
    (run / "config.json").write_text((run / "config.json").read_text().replace('"seed": 0', '"seed": 5'))
    assert_only_trusted(run, capsys, "config.json was edited")


def test_data_that_changed_are_told_by_their_name(tmp_path, capsys):
    def prepare(config):
        return dataclasses.replace(tiny_study.prepare(config), data=digests(config.data))

    with_data = Commands(dataclasses.replace(tiny_study.EXPERIMENT, prepare=prepare))
    (data := tmp_path / "table.csv").write_text("1,2")
    run, words = begin(tmp_path)
    assert with_data(*words, "--data", data) == 0
    data.write_text("1,3")
    shutil.copytree(tmp_path, tmp_path.with_name(f"{tmp_path.name}-copy"))
    said = with_data.refused(capsys, "evaluate", run)
    assert "data table.csv: SHA-256" in said and "--trust-changes" in said
    assert with_data("resume", run, "--steps", 8) == 1
    assert "data table.csv" in with_data.refused(capsys, "resume", run, "--steps", 12)
    assert with_data("resume", run, "--steps", 12, "--trust-changes") == 0
    assert with_data("evaluate", run) == 0
    data.unlink()
    assert with_data("evaluate", run) == 0, "a run is used where its data are not, too"


def test_a_module_that_changed_is_told_by_its_name(tmp_path, capsys, monkeypatch):
    (source := tmp_path / "changing_cells.py").write_text("x = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module("changing_cells")
    run = stopped(tmp_path, "--shapes", "changing_cells:x")
    source.write_text("x = 2\n")
    assert_only_trusted(run, capsys, "module changing_cells: its source has changed")


def test_a_checkpoint_of_another_run_is_noticed(tmp_path, capsys):
    run, other = stopped(tmp_path), stopped(tmp_path / "other")
    shutil.rmtree(run / "checkpoints" / "4")
    shutil.copytree(other / "checkpoints" / "4", run / "checkpoints" / "4")
    for command in ("evaluate", "resume"):
        said = plain.refused(capsys, command, run)
        assert f"step 4 in {run}/checkpoints is of another run" in said
        assert f"mv {run}/checkpoints/4 {tmp_path}/tiny_study/step-4-of-" in said
        assert not (run / "result.json").exists()
    assert plain("evaluate", run, "--trust-changes") == 0 and plain("resume", run, "--trust-changes") == 0
    moved = run.rename(tmp_path / "tiny_study" / "renamed")
    assert plain("evaluate", moved, "--trust-changes") == 0
