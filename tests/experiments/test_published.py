"""What others have reached: of tasks that exist, once each, with its source, and the same wherever it is shown."""

import fnmatch
import json
import re

import pytest

from experiments import report, results_table
from experiments.published import FILE, GOALS, REMARKS, goal, published, remarks, values_of
from experiments.registry import experiment_names

TASKS = json.loads(FILE.read_text("utf-8"))


@pytest.mark.parametrize("task", TASKS)
def test_each_value_has_who_reached_it_and_where_that_stands(task):
    assert task.partition("/")[0] in experiment_names()
    rows = published(task)
    assert len({(row["who"], row["source"]) for row in rows}) == len(rows) > 0
    for row in rows:
        assert row.keys() == {"who", "value", "source"} and isinstance(row["value"], float)
        assert (len(row["who"]) > 2 and any(year in row["source"] for year in map(str, range(1980, 2100)))) or (
            "Benchmark" in row["source"]
        )


def test_nothing_is_published_about_data_of_ones_own_and_what_is_given_out_is_a_copy():
    assert published("music_generation/my/folder") == []
    published("video/libras")[0]["value"] = 0.0
    assert values_of(published("video/libras"))["TWIESN"] == 79.4


def test_committed_results_stand_beside_what_is_published_today(tmp_path):
    for file in report.RESULTS.glob("*.json"):
        (tmp_path / file.name).write_text(file.read_text())
    report.refresh(tmp_path)
    for file in report.RESULTS.glob("*.json"):
        assert (tmp_path / file.name).read_text() == file.read_text(), "run `python -m experiments.report table`"
    (other,) = tmp_path.glob("video.json")
    stored = json.loads(other.read_text())
    for row in stored["results"]:
        row["published"] = []
    other.write_text(json.dumps(stored))
    report.refresh(tmp_path)
    assert json.loads(other.read_text()) == json.loads((report.RESULTS / "video.json").read_text())


def test_remarks_are_sentences_of_tasks_with_results_and_hold_no_figure_of_a_result():
    known = {
        f"{file.stem}/{row['task']}"
        for file in report.RESULTS.glob("*.json")
        for row in report.read_results(file)["results"]
    }
    assert all(fnmatch.filter(known, tasks) for tasks in json.loads(REMARKS.read_text("utf-8")))
    assert remarks("forecasting/etth1-96") == remarks("forecasting/etth1-720") != []
    for task in known:
        for remark in remarks(task):
            assert remark[-1] == "." and not re.search(r"\d\.\d|\d %", remark), remark


def test_a_remark_stands_below_the_table(tmp_path, monkeypatch):
    stored = json.loads((report.RESULTS / "video.json").read_text())
    (tmp_path / "video.json").write_text(json.dumps(stored))
    said = {"video/libras": ["Be careful.", "_Very_."]}
    monkeypatch.setattr(results_table, "remarks", lambda task: said.get(task, []))
    text = results_table.table_text(report.results_of(tmp_path))
    assert text.endswith("To be read with:\n\n- video/libras: Be careful. \\_Very\\_.")


def test_a_goal_that_is_missed_is_said_with_what_was_tried(tmp_path, monkeypatch):
    monkeypatch.setattr(results_table, "goal", {"some/a": (95.5, "More of it."), "some/b": (3.0, "")}.get)
    rows = [
        {"task": task, "metric": "score", "higher_is_better": True, "mean": 4.0, "std": None, "n": 1, "model": "gru",
         "config": {}, "published": [], "baselines": {}, "params": 100}
        for task in "abc"
    ]  # fmt: skip
    text = results_table.table_text([{"experiment": "some", "results": rows}])
    wanted = "after earlier results:\n\n- some/a, gru: 4.000 (1), goal 95.5. More of it."
    assert text.endswith(wanted)


def test_goals_are_of_tasks_with_results_and_those_missed_say_what_was_tried():
    stored = report.results_of()
    known = {f"{one['experiment']}/{row['task']}" for one in stored for row in one["results"]}
    goals = json.loads(GOALS.read_text("utf-8"))
    assert goals.keys() <= known
    for task in results_table._tasks(stored):
        if results_table._missed(task):
            assert len(goal(task.name)[1]) > 20, f"{task.name}: say in goals.json what was tried"
