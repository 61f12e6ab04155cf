"""Several studies as one table: ranks, scaled scores and costs against a computation by hand; mistakes told at once."""

import json
import re

import numpy as np
import pytest

from experiments.cli import run_command
from experiments.compare import compare
from rnn_jax.studies import statistics
from rnn_jax.studies.overview import overview

SIGNS = {"LSTM": [80.0, 84.0, 82.0], "GRU": [90.0, 92.0, 94.0], "LRU": [60.0, 62.0, 64.0]}
WEATHER = {"LSTM": [5.0, 5.2, 5.4], "GRU": [5.0, 5.3, 5.0], "LRU": [4.8, 5.0, 4.9]}


def study(values, higher, width=8, reference="LSTM"):
    cells = [
        {"name": f"{name}, hidden_size={width + i}", "fields": {"set": name, "hidden_size": width + i},
         "seeds": {str(s): {"value": v, "metric": "what", "higher_is_better": higher} for s, v in enumerate(found)}}
        for i, (name, found) in enumerate(values.items())
    ]  # fmt: skip
    name = next(cell["name"] for cell in cells if cell["fields"]["set"] == reference)
    return {"cells": cells, "reference": name, "question": "?", "command": "python"}


def costs(of, seconds):
    return {
        cell["name"]: {"runs": 3, "seconds": s, "bytes": 1000 * s, "device": "cpu"}
        for cell, s in zip(of["cells"], seconds, strict=True)
    }


STUDIES = {"signs": study(SIGNS, True), "weather": study(WEATHER, False, width=20)}
COSTS = {"signs": costs(STUDIES["signs"], [2, 4, 6]), "weather": costs(STUDIES["weather"], [10, 5, 10])}


@pytest.fixture
def folders(tmp_path):
    for name in STUDIES:
        (tmp_path / name).mkdir()
        (tmp_path / name / "study.json").write_text(json.dumps(STUDIES[name]))
        (tmp_path / name / "costs.json").write_text(json.dumps(COSTS[name]))
    return [tmp_path / name for name in STUDIES]


def call(*arguments):
    with pytest.raises(SystemExit) as stopped:
        run_command(compare, [*map(str, arguments)])
    return stopped.value.code


def test_rows_are_those_of_a_computation_by_hand():
    rows = {row["name"]: row for row in overview(STUDIES, COSTS)}
    assert list(rows) == ["LSTM", "GRU", "LRU"]
    assert rows["GRU"]["means"] == {"signs": 92.0, "weather": pytest.approx(5.1)}
    # On signs GRU, LSTM, LRU; in the weather, where less is better, LRU, GRU, LSTM.
    assert [rows[name]["rank"] for name in rows] == [2.5, 1.5, 2.0]
    scaled = [(np.array(SIGNS["LSTM"]) - 62) / 30, (5.2 - np.array(WEATHER["LSTM"])) / 0.3]
    assert rows["LSTM"]["iqm"] == pytest.approx(statistics.iqm(scaled))
    np.testing.assert_allclose(rows["LSTM"]["iqm interval"], statistics.bootstrap_interval(scaled))
    assert rows["GRU"]["better"] == pytest.approx((9 + 6) / 18)  # of 9 pairs each
    assert rows["GRU"]["seconds"] == pytest.approx((4 / 2 * 5 / 10) ** 0.5)
    assert rows["LRU"]["bytes"] == pytest.approx((6 / 2 * 10 / 10) ** 0.5)
    # Two tasks are two pairs, whatever the number of seeds.
    assert np.isnan(rows["LSTM"]["p"]) and (rows["GRU"]["p"], rows["LRU"]["p"]) == (0.5, 1.0)


def test_p_values_are_signed_ranks_of_tasks_and_corrected_for_the_number_of_rows():
    tasks = {str(i): {"LSTM": [5.0, 5.1], "GRU": [6.0, 6.1], "LRU": [4.0 + 2.5 * (i % 2)] * 2} for i in range(7)}
    studies = {name: study(one, True) for name, one in tasks.items()}
    rows = {row["name"]: row for row in overview(studies, dict.fromkeys(tasks, COSTS["signs"]))}
    assert rows["GRU"]["p"] == pytest.approx(2 / 2**7), "ahead on all of seven tasks"
    assert rows["GRU"]["p holm"] == 2 * rows["GRU"]["p"] < 0.05 < rows["LRU"]["p"] == rows["LRU"]["p holm"]


def test_a_winner_on_few_tasks_is_no_proof(folders, tmp_path):
    always = {name: study({"LSTM": [1.0, 2.0], "GRU": [4.0, 5.0]}, True) for name in STUDIES}
    costs = {name: {label: COSTS["signs"][label] for label in COSTS["signs"] if "LRU" not in label} for name in always}
    (_, gru) = overview(always, costs)
    assert gru["p"] == 0.5


def test_the_page_has_what_makes_it_again(folders, tmp_path):
    assert call(*folders, "--question", "Which?", "--folder", tmp_path / "all") == 0
    text = (tmp_path / "all" / "overview.md").read_text()
    assert (
        text.startswith("# Which?") and "| GRU | **92.00** | 5.100 |" in text and "| LRU | 62.00 | **4.900** |" in text
    )
    assert text.count("# Which?") == 1
    wanted = f"`python -m experiments.compare {folders[0]} {folders[1]} --question 'Which?'`"
    assert text.count(wanted) == 3
    assert (tmp_path / "all" / "figures" / "overview.png").stat().st_size > 5_000


def test_two_studies_of_one_name_are_refused(folders, capsys):
    assert call(folders[0], folders[0]) == 1
    assert "expected names that differ, which head the columns" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda one: one["cells"].pop(), "weather has the configs LSTM, GRU, signs LSTM, GRU, LRU: expected the same"),
        (lambda one: one.update(reference="GRU, hidden_size=21"), "the references differ: .*'weather': 'GRU'"),
        (lambda one: one["cells"][1]["seeds"].clear(), "weather: no run of GRU has finished"),
        (lambda one: one["cells"][1]["seeds"]["0"].update(metric="QLIKE"), "weather has several metrics: QLIKE, what;"),
    ],
)
def test_studies_that_do_not_fit_are_refused(folders, tmp_path, change, message, capsys):
    other = json.loads(json.dumps(STUDIES["weather"]))
    change(other)
    (folders[1] / "study.json").write_text(json.dumps(other))
    assert call(*folders, "--folder", tmp_path / "all") == 1
    said = capsys.readouterr().err
    assert re.search(message, said), said


def test_a_folder_that_is_no_study_is_named(folders, tmp_path, capsys):
    assert call(folders[0], tmp_path / "nowhere") == 1
    assert (
        "nowhere/study.json cannot be read: No such file or directory; name a study's folder" in capsys.readouterr().err
    )
    assert call(folders[0]) == 1 and "expected two or more" in capsys.readouterr().err
