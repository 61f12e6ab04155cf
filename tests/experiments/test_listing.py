"""`python -m experiments` tells of every experiment, and of what was reached with it."""

import json

import pytest

from experiments import __main__ as listing
from experiments.registry import FOLDER, experiment_names


def test_every_experiment_is_listed_with_its_question_and_results(capsys):
    listing.main()
    said = capsys.readouterr().out
    for name in experiment_names():
        question = listing.question_of(name)
        assert question.strip() and question.split()[0] in said.split(f"{name}\n")[1]
        file = FOLDER / "results" / f"{name}.json"
        tasks = {result["task"] for result in json.loads(file.read_text())["results"]} if file.exists() else set()
        assert all(f"    {task}: " in said for task in tasks)


@pytest.mark.parametrize("higher", [True, False])
def test_the_best_is_the_best(tmp_path, monkeypatch, higher):
    monkeypatch.setattr(listing, "FOLDER", tmp_path)
    one = {"task": "t", "metric": "m", "higher_is_better": higher, "device": "a processor", "seconds": [30.0, 50.0]}
    results = [one | {"model": "small", "mean": 1.0}, one | {"model": "large", "mean": 2.0}]
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "some.json").write_text(json.dumps({"results": results}))
    wanted = "large" if higher else "small"
    assert listing.results_of("some") == [f"t: m {2 if higher else 1} by {wanted}, 40 s on a processor"]
