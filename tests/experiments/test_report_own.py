"""One's own runs and studies on the page of results: what has finished is shown, what has not is named."""

import json

import pytest

from experiments import page
from experiments.report_page.overview import overview
from experiments.report_page.own import own_studies, own_tasks
from experiments.standing import further_scores
from rnn_jax.train.run import config_hash
from tests.experiments.test_report_page import Document


def finished(runs, name, value=1.0, seed=0, data="my.csv", result=(), **changes):
    """A run as training leaves it."""
    folder = runs / "forecasting" / name
    (folder / "figures").mkdir(parents=True)
    config = {"task": "own", "seed": seed, "cell": "gru", "dropout": 0.0} | changes
    stored = {
        "experiment": "forecasting", "model": "gru 1 x 8", "metric": "error", "value": value, "published": [],
        "higher_is_better": False, "baseline": {"persistence": 2.0, "broken": None}, "params": 100, "seconds": 3.0,
        "device": "cpu", "seed": seed, "scores": {"greedy": value, "by class": {"a": 1.0}},
    }  # fmt: skip
    start = {"command": ["python", "-m", "experiments.forecasting", "--csv", data], "data": {f"/home/me/{data}": "abc"}}
    manifest = {"program": "rnn_jax", "starts": [start], "config_hash": config_hash(config), "configs": [config]}
    files = {"config": config, "result": stored | dict(result), "manifest": manifest}
    for file, content in files.items():
        (folder / f"{file}.json").write_text(json.dumps(content))
    (folder / "figures" / "curves.png").write_bytes(b"png")
    (folder / "sample.txt").write_text(f"it was {name} <b>")
    return folder


def test_seeds_of_a_model_are_one_row_and_models_of_one_name_are_told_apart(tmp_path):
    for seed, value in enumerate((1.0, 2.0, 3.0)):
        finished(tmp_path, f"seed-{seed}", value, seed)
    finished(tmp_path, "dropped", 1.5, dropout=0.5)
    finished(tmp_path, "elsewhere", 9.0, data="other.csv")
    (task, other), notes = own_tasks(tmp_path)
    assert not notes and (task.name, other.name) == ("forecasting/own, my.csv", "forecasting/own, other.csv")
    rows = [(row["model"], row["mean"], row["std"], row["n"], row["names"]) for row in task.ranked]
    assert rows == [
        ("gru 1 x 8, dropout=0.5", 1.5, None, 1, ["dropped"]),
        ("gru 1 x 8, dropout=0.0", 2.0, 1.0, 3, ["seed-0", "seed-1", "seed-2"]),
    ]
    assert task.baselines == {"persistence": 2.0} and other.rows[0]["model"] == "gru 1 x 8"
    assert own_tasks(tmp_path / "forecasting" / "elsewhere")[0][0].rows == other.rows, "a run alone"
    assert len(own_tasks(tmp_path / "forecasting")[0]) == 2, "the runs of one experiment"


def test_further_scores_and_baselines_are_means_over_seeds_and_what_is_no_score_is_left_out(tmp_path):
    for seed, scores in enumerate(({"greedy": 1.0, "by class": {"a": 1}}, {"greedy": 3.0}, ["no scores"])):
        finished(tmp_path, f"seed-{seed}", 1.0, seed, result={"scores": scores, "baseline": {"nearest": float(seed)}})
    ((task,), _) = own_tasks(tmp_path)
    (row,) = task.rows
    assert further_scores(row) == {"greedy": "2 ± 13"} and row["baselines"] == {"nearest": 1.0}


def test_a_seed_that_was_trained_again_counts_once(tmp_path):
    first = finished(tmp_path, "20250101", 1.0)
    finished(tmp_path, "20250102", 3.0)
    (task,), notes = own_tasks(tmp_path)
    assert [(row["mean"], row["n"], row["names"]) for row in task.rows] == [(3.0, 1, ["20250102"])]
    assert notes == [f"{first}: of the same config and seed as 20250102, which is shown"]


def test_an_experiment_without_tasks_or_data_has_its_own_name(tmp_path):
    folder = finished(tmp_path, "one", task="")
    (folder / "manifest.json").write_text(json.dumps({"starts": [{"data": None, "command": None}]}))
    (task,), _ = own_tasks(tmp_path)
    assert (task.task, task.rows[0]["command"]) == ("forecasting", "not known")


def test_what_has_not_finished_or_is_damaged_is_said_and_left_out(tmp_path):
    finished(tmp_path, "whole")
    (finished(tmp_path, "killed") / "result.json").unlink()
    (finished(tmp_path, "cut") / "result.json").write_text('{"exp')
    (finished(tmp_path, "unlike") / "config.json").write_text("[]")
    finished(tmp_path, "diverged", result={"value": None})
    finished(tmp_path, "huge", result={"value": 10**400})
    finished(tmp_path, "mixed", result={"config_hash": "of another"})
    (tmp_path / "forecasting" / "empty").mkdir()
    (tmp_path / "forecasting" / "notes.txt").write_text("no folder")
    tasks, notes = own_tasks(tmp_path)
    assert [row["names"] for task in tasks for row in task.rows] == [["whole"]]
    said = {
        "cut": "result.json is damaged", "diverged": "value is None", "empty": "is no run: it has no manifest.json",
        "huge": "nothing to be compared", "killed": "unfinished: it has no result.json", "mixed": "are of two runs",
        "unlike": "config.json is damaged",
    }  # fmt: skip
    assert len(notes) == len(said)
    for note, (name, words) in zip(notes, said.items(), strict=True):
        assert note.startswith(str(tmp_path / "forecasting" / name)) and words in note and note.count(name) == 1


def test_studies_and_searches_are_told_from_what_is_unfinished(tmp_path):
    for name, files in {
        "done": ["study.json", "table.md"], "over": ["overview.md"], "search": ["tune.json"], "begun": ["study.json"],
        "strange": [],
    }.items():  # fmt: skip
        (tmp_path / name).mkdir()
        for file in files:
            (tmp_path / name / file).write_text("")
    (tmp_path / "file").write_text("")
    done, searches, notes = own_studies(tmp_path)
    assert [one.name for one in done] == ["done", "over"] and [one.name for one in searches] == ["search"]
    assert notes == [
        f"{tmp_path / 'begun'}: unfinished: its command goes on with it", f"{tmp_path / 'strange'}: is no study"
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["runs", "studies"])
def test_a_folder_that_is_not_there_is_named(tmp_path, name):
    with pytest.raises(
        ValueError, match=rf"{name}='.*nowhere': there is no such folder; name the one that your {name}"
    ):
        page.build(tmp_path / "report", **{name: tmp_path / "nowhere"})
    assert not (tmp_path / "report").exists()


def test_the_page_shows_ones_own_and_says_that_they_are(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(page, "RESULTS", tmp_path / "none")  # the committed ones have tests of their own
    monkeypatch.setattr(page, "STUDIES", tmp_path / "none")
    monkeypatch.setattr(page, "results_text", lambda: "")
    monkeypatch.setattr(page, "overview", lambda tasks, *rest: overview(tasks, *rest) if tasks else "")
    runs, studies = tmp_path / "runs", tmp_path / "studies"
    (finished(runs, "first", 0.5).parent / "empty").mkdir()
    for name, files in {
        "ours": {"table.md": "# Which <cell>?"},
        "tune-1": {"tune.json": json.dumps({
            "experiment": "forecasting", "metric": "validation_loss", "higher_is_better": False, "command": "tune it",
            "trials": [{"number": i, "value": value, "state": "finished", "params": {"rate": rate, "b": "<x>"}}
                       for i, (value, rate) in enumerate([(0.5, 0.1), (0.25, 0.123456789012345), (None, 1.0)])]})},
        "tune-2": {"tune.json": "{"},
    }.items():  # fmt: skip
        (studies / name).mkdir(parents=True)
        for file, text in files.items():
            (studies / name / file).write_text(text)
    page.build(tmp_path / "report", runs=runs, studies=studies)
    document = Document((tmp_path / "report" / "index.html").read_text())
    first, models, compared, further, trials = document.tables
    assert further[1] == ["greedy", "gru 1 x 8", "0.500"]
    assert first[1][0].startswith("yours forecasting own, my.csv") and "0.500 (best)" in first[1][2]
    assert models[1][0] == "gru 1 x 8 first" and compared[1][0] == "persistence"
    assert trials == [
        ["trial", "validation_loss", "state", "rate", "b"], ["1", "0.250", "finished", "0.1234567890", "<x>"],
        ["0", "0.500", "finished", "0.1", "<x>"],
    ]  # fmt: skip
    assert document.words.count("yours") == 4 and "it was first <b>" in document.words
    assert "python -m experiments.forecasting --csv my.csv" in document.words and "Which <cell>?" in document.words
    assert [picture["src"] for picture in document.pictures] == [
        "figures/own-runs/forecasting/first/figures/curves.png"
    ]
    for place in (document.words, capsys.readouterr().err):
        assert "empty: is no run" in place and "tune.json is damaged" in place
