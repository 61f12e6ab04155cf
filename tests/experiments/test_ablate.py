"""Studies of a tiny experiment: the same tables whatever happened, failures noted, mistakes told at once."""

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from experiments.ablate import ablate
from experiments.cli import run_command
from rnn_jax.studies import seed_runs
from rnn_jax.train.running import finish_run
from tests.experiments import tiny_study
from tests.experiments.kills import Killed, kill_at_writes

TINY = "tests.experiments.tiny_study"
BASE = [
    TINY,
    "--vary",
    "degree=1,2",
    "--vary",
    "scale=1.0,2.0",
    "--seeds",
    "2",
    "--set",
    "steps=8",
]
TABLES = ("table.md", "table.tex", "study.json")


def command(folder, *arguments) -> int:
    with pytest.raises(SystemExit) as stopped:
        run_command(ablate, [*map(str, arguments), "--study", str(folder)])
    return stopped.value.code


def tables(folder) -> dict[str, str]:
    return {name: (folder / name).read_text() for name in TABLES}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study") / "whole"
    assert command(folder, *BASE) == 0
    return folder


@pytest.mark.exhaustive(but=1)
def test_a_study_says_what_it_found(whole):
    study = json.loads((whole / "study.json").read_text())
    assert [cell["name"] for cell in study["cells"]][:2] == ["degree=1, scale=1.0", "degree=1, scale=2.0"]
    assert {cell["state"] for cell in study["cells"]} == {"done"} and study["reference"] == "degree=1, scale=1.0"
    wanted = f"python -m experiments.ablate {TINY} --vary degree=1,2 --vary scale=1.0,2.0 --set steps=8 --seeds 2"
    assert study["command"] == wanted and len(study["versions"]) == len(study["processors"]) == 1
    table = (whole / "table.md").read_text()
    rows = [line for line in table.splitlines() if line.startswith("| degree=") or line.startswith("| scale=")]
    assert len(rows) == 4 + 2 + 2 and table.count(f"`{wanted}`") == 3 + 2
    assert all(f"](figures/{figure}.png)" in table for figure in ("values", "curves"))
    assert rows[2].split("|")[1:3] == [" degree=2, scale=1.0 ", " 2 "] and rows[2].split("|")[-2] == " 3 "
    assert "degree over the others".replace(" over", ", over") in table
    assert (whole / "table.tex").read_text().count(r"\toprule") == 3
    costs = (whole / "costs.md").read_text()
    assert costs.startswith("| config | runs | seconds a run | seconds | memory, MB |") and "| 2 | " in costs
    assert float(costs.splitlines()[2].split("|")[5]) >= 0
    for figure in ("values", "curves"):
        assert (whole / "figures" / f"{figure}.png").stat().st_size > 5_000
    seed = study["cells"][3]["seeds"]["1"]
    assert seed["layout"] == "vmap" and seed["beside"] == [0, 1]
    run = whole / seed["run"]
    assert json.loads((run / "result.json").read_text())["value"] == seed["value"]
    assert json.loads((run / "manifest.json").read_text())["starts"][-1]["layout"] == "vmap"


@pytest.mark.exhaustive
def test_a_field_that_is_a_number_is_drawn(tmp_path):
    assert (
        command(
            tmp_path,
            TINY,
            "--vary",
            "degree=1,2,3",
            "--vary",
            "curve=true,false",
            "--seeds",
            "1",
        )
        == 0
    )
    assert sorted(file.stem for file in (tmp_path / "figures").iterdir()) == ["curves", "degree", "values"]
    costs = (tmp_path / "costs.md").read_text()
    assert "| cost | cheaper | than | at degree |" in costs and costs.count("\n| time | curve=") == 1


@pytest.mark.exhaustive(but=1)
def test_what_is_finished_is_not_trained_again(whole, monkeypatch):
    def never(*_, **__):
        raise AssertionError("trained again")

    before = tables(whole)
    monkeypatch.setattr(seed_runs, "fit_seeds", never)
    assert command(whole, *BASE) == 0 and tables(whole) == before


@pytest.mark.exhaustive(but=1)
def test_runs_from_two_kinds_of_processors_are_told(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "moved")
    file = sorted(tmp_path.glob("moved/runs/*/*-seed-1/manifest.json"))[0]
    manifest = json.loads(file.read_text())
    manifest["starts"][0]["processor"] = "another"
    file.write_text(json.dumps(manifest))
    assert command(tmp_path / "moved", *BASE) == 0
    assert "another" in json.loads((tmp_path / "moved" / "study.json").read_text())["processors"]
    told = "made with 2 kinds of processors"
    assert all(told in (tmp_path / "moved" / name).read_text() for name in ("table.md", "table.tex"))
    assert told not in (whole / "table.md").read_text()


@pytest.mark.exhaustive
@pytest.mark.parametrize("layout", ["vmap", pytest.param("single", marks=pytest.mark.exhaustive)])
def test_stopped_at_many_moments_the_tables_are_the_same(tmp_path, monkeypatch, layout):
    few = [TINY, "--vary", "degree=1,2", "--seeds", "2", "--layout", layout]
    assert command(tmp_path / "whole", *few) == 0
    finished = []

    def second_is_killed(*arguments):
        finished.append(None)
        if len(finished) == 2:
            raise Killed
        finish_run(*arguments)

    monkeypatch.setattr(seed_runs, "finish_run", second_is_killed)
    with pytest.raises(Killed):  # after one seed of a group has ended, and not the other
        run_command(ablate, [*few, "--study", str(tmp_path / "killed")])
    after = kill_at_writes(monkeypatch, 2, 5, 13, 22)
    while after:
        left = len(after)
        try:
            run_command(ablate, [*few, "--study", str(tmp_path / "killed")])
        except Killed:
            continue
        except SystemExit as stopped:
            assert stopped.code == 0 and left == len(after)
            break
    monkeypatch.undo()
    assert len(after) < 3, "the study was over before it could be stopped"
    assert command(tmp_path / "killed", *few) == 0
    assert tables(tmp_path / "killed") == tables(tmp_path / "whole")


@pytest.mark.exhaustive(but=1)
def test_failures_are_noted_and_do_not_stop_the_rest(tmp_path, monkeypatch):
    arguments = [
        TINY,
        "--vary",
        "degree=13,1",
        "--reference",
        "degree=1",
        "--seeds",
        "2",
        "--layout",
        "map",
    ]
    assert command(tmp_path, *arguments) == 0
    bad, good = json.loads((tmp_path / "study.json").read_text())["cells"]
    assert bad["state"] == "failed" and bad["seeds"]["1"]["message"] == "ValueError: degree=13 brings bad luck"
    assert good["state"] == "done" and "seed 0 failed: ValueError" in (tmp_path / "table.md").read_text()
    lucky = dataclasses.replace(
        tiny_study.EXPERIMENT, prepare=lambda config: tiny_study.prepare(dataclasses.replace(config, degree=1))
    )
    monkeypatch.setattr(tiny_study, "EXPERIMENT", lucky)
    assert command(tmp_path, *arguments, "--retry") == 0
    cells = json.loads((tmp_path / "study.json").read_text())["cells"]
    again, wanted = ([seed["value"] for seed in cell["seeds"].values()] for cell in cells)
    assert again == wanted


def with_task(monkeypatch, **changes):
    """The tiny experiment with another task."""

    def prepare(config):
        prepared = tiny_study.prepare(config)
        return dataclasses.replace(prepared, task=dataclasses.replace(prepared.task, **changes))

    monkeypatch.setattr(tiny_study, "EXPERIMENT", dataclasses.replace(tiny_study.EXPERIMENT, prepare=prepare))


def broken(error):
    def fails(*_):
        raise error

    return fails


@pytest.mark.parametrize("field", ["loss", "batch"])
def test_a_mistake_shows_before_anything_is_trained(tmp_path, capsys, monkeypatch, field):
    few = [TINY, "--vary", "degree=1,2", "--seeds", "2", "--set", "steps=4"]
    with_task(monkeypatch, **{field: broken(ValueError("it is wrong"))})
    assert command(tmp_path / "s", *few) == 1 and not (tmp_path / "s").exists()
    said = capsys.readouterr().err
    assert said.startswith(f"error: degree=1: it is wrong [{__file__}:") and "nothing was trained" in said
    with_task(monkeypatch, **{field: broken(TypeError("it is wrong"))})
    with pytest.raises(TypeError, match="it is wrong"):  # with its traceback
        run_command(ablate, [*few, "--study", str(tmp_path / "s")])
    assert not (tmp_path / "s").exists()


@pytest.mark.exhaustive(but=1)
@pytest.mark.parametrize("layout", ["vmap", "single"])
def test_a_study_of_which_nothing_is_left_has_failed(tmp_path, capsys, monkeypatch, layout):
    few = [TINY, "--vary", "degree=1,2", "--seeds", "2", "--set", "steps=4", "--layout", layout]
    with_task(monkeypatch, evaluate=broken(TypeError("it is wrong")))  # which is called after some updates only
    assert command(tmp_path, *few) == 1
    said = capsys.readouterr().err
    assert "4 of 4 runs failed, the first, degree=1, seed 0: TypeError: it is wrong; mend it and go on with" in said
    assert said.count("Traceback") == 2, "one for each config"
    assert (tmp_path / "table.md").exists() and command(tmp_path, *few) == 1


@pytest.mark.exhaustive(but=1)
def test_who_has_lost_its_lock_writes_nothing_down(tmp_path, monkeypatch, capsys):
    fit, finish, events = seed_runs.fit, seed_runs.finish_run, []

    def slept(*arguments, **options):
        outcome = fit(*arguments, **options)
        events.append("trained")
        if len(events) == 1:  # and meanwhile another has taken the lock, and given it back
            (token,) = (one for one in tmp_path.glob("cells/*.lock/*-*-*") if one.parent.stem != "study")
            token.rename(token.with_name("99-free"))
        return outcome

    def finished(*arguments):
        events.append("finished")
        finish(*arguments)

    monkeypatch.setattr(seed_runs, "fit", slept)
    monkeypatch.setattr(seed_runs, "finish_run", finished)
    assert command(tmp_path, TINY, "--set", "steps=4", "--seeds", "1", "--layout", "single") == 0
    assert events == ["trained", "trained", "finished"] and "another has taken it" in capsys.readouterr().out
    (manifest,) = tmp_path.glob("runs/*/*/manifest.json")
    assert [one["exit_reason"] for one in json.loads(manifest.read_text())["starts"]] == [None, "finished"]


@pytest.mark.exhaustive(but=1)
def test_a_study_says_what_it_is_going_to_do(tmp_path, capsys):
    assert command(tmp_path / "a", TINY, "--seeds", "1", "--set", "steps=4") == 0
    said = capsys.readouterr().out.splitlines()
    assert not any("damaged" in line for line in said)
    assert said[0] == f"1 config x 1 seed: 1 run of 4 updates, in {tmp_path / 'a'}" and "--vary FIELD=VALUE" in said[1]
    assert command(tmp_path / "b", TINY, "--seeds", "2", "--vary", "steps=4,8") == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == f"2 configs x 2 seeds: 4 runs of 4 to 8 updates, in {tmp_path / 'b'}" and "varies" not in said[1]


@pytest.mark.exhaustive(but=1)
def test_seeds_that_cannot_share_a_program_are_trained_one_by_one(tmp_path, capsys):
    assert command(tmp_path, TINY, "--set", "shapes=other", "--seeds", "2") == 0
    (cell,) = json.loads((tmp_path / "study.json").read_text())["cells"]
    assert cell["state"] == "done" and {seed["layout"] for seed in cell["seeds"].values()} == {"single"}
    assert "the first batch of the seeds differ in their shapes: trained one by one" in cell["notes"][0]
    assert cell["notes"][0] in (tmp_path / "table.md").read_text()


@pytest.mark.exhaustive
@pytest.mark.slow
def test_two_processes_share_a_study_and_one_is_killed(tmp_path):
    arguments = ["--vary", "degree=1,2,3", "--seeds", "2"]
    program = [sys.executable, "-m", TINY, *arguments, "--study"]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    both = [
        subprocess.Popen(
            [*program, tmp_path / "shared"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        for _ in range(2)
    ]
    cells = tmp_path / "shared" / "cells"
    while not (cells.exists() and any("lock" in path.name and "study" not in path.name for path in cells.iterdir())):
        assert both[0].poll() is None, both[0].stdout.read()
        time.sleep(0.01)
    both[0].send_signal(signal.SIGKILL)
    said = [process.communicate()[0].decode() for process in both]
    assert both[1].returncode == 0, said[1]
    assert command(tmp_path / "alone", TINY, *arguments) == 0
    shared = json.loads((tmp_path / "shared" / "study.json").read_text())
    alone = json.loads((tmp_path / "alone" / "study.json").read_text())
    assert {cell["state"] for cell in shared["cells"]} == {"done"} and shared["cells"] == alone["cells"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], "experiment='nothing': expected one of "),
        (["../tiny_study"], "experiment='../tiny_study'"),
        (
            [TINY, "--vary", "size=1,2"],
            "field 'size' is not known: expected one of averaging",
        ),
        ([TINY, "--vary", "degre=1,2"], "field 'degre' is not known: did you mean 'degree'? expected one of"),
        ([TINY, "--vary", "degree=1,many"], "degree='many': expected int"),
        ([TINY, "--vary", "curve=1"], "curve='1': expected true or false"),
        ([TINY, "--vary", "degree=0,1"], "degree=0: expected at least 1"),
        ([TINY, "--vary", "degree"], "vary='degree': expected FIELD=VALUE,VALUE"),
        ([TINY, "--vary", "seed=1,2"], "seed cannot vary: use --seeds"),
        ([TINY, "--vary", "degree=1,1"], "'degree=1' and 'degree=1' have the same config"),
        ([TINY, "--vary", "degree=1,2", "--vary", "degree=3"], "degree is given twice"),
        ([TINY, "--vary", "degree=1,2", "--vary", "scale=3", "--zip"], "degree 2, scale 1"),
        ([TINY, "--set", "degree"], "'degree': expected FIELD=VALUE"),
        ([TINY, "--set", "degree="], "degree='': expected int"),
        (
            [TINY, "--vary", "degree=1,2", "--reference", "degree=3"],
            "reference='degree=3' is 0 configs of",
        ),
        (
            [TINY, "--set", "steps=10", "evaluate_every=5"],
            "'evaluate_every=5' has no flag: repeat it for each, as in --set steps=10 --set evaluate_every=5",
        ),
        ([TINY, "--vary", "degree=1,2", "scale=1,2", "--zip"], "as in --vary degree=1,2 --vary scale=1,2"),
        ([TINY, "--vary", "degree=1,2", "--steps", "10"], "--steps is a flag of"),
        ([TINY, "--learning-rate=1"], "say it here as --set learning_rate=1"),
        ([TINY, "--seeds", "0"], "seeds=0"),
        ([TINY, "--layout", "pmap"], "layout='pmap'"),
        ([TINY, "--sets", "SETS"], "expected one of averaging"),
    ],
)
def test_mistakes_end_in_one_clear_line(tmp_path, capsys, arguments, message):
    (tmp_path / "sets.json").write_text('{"small": {"size": 1}}')
    assert command(tmp_path / "study", *(tmp_path / "sets.json" if a == "SETS" else a for a in arguments)) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert message in said, said
    assert not (tmp_path / "study").exists()


def test_a_folder_of_another_study_is_refused(whole, tmp_path, capsys):
    assert command(whole, *BASE, "--layout", "map") == 1
    assert "has layout='vmap', asked for is 'map'" in capsys.readouterr().err
    (tmp_path / "notes.txt").write_text("mine")
    assert command(tmp_path, *BASE) == 1 and "holds no study.json" in capsys.readouterr().err
