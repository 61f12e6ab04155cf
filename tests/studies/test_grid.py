"""The configs of a study from words: grids, pairs, named sets, and the types of fields."""

import json
from pathlib import Path

import pytest

from experiments.registry import experiment_names, load_experiment
from rnn_jax.studies.grid import find_reference, make_conditions
from tests.experiments import tiny_study

TINY = load_experiment("tests.experiments.tiny_study")


def names(*arguments, **options):
    return [cell.name for cell in make_conditions(TINY, *arguments, **options)]


def test_grids_pairs_and_named_sets(tmp_path):
    vary = ["degree=1,2", "scale=0.5,1.5"]
    grid = ["degree=1, scale=0.5", "degree=1, scale=1.5", "degree=2, scale=0.5", "degree=2, scale=1.5"]
    assert names([], vary) == grid and names([], vary, zipped=True) == [grid[0], grid[3]]
    assert names(["degree=3"], []) == ["as it is"]
    (file := tmp_path / "sets.json").write_text(json.dumps({"a": {"curve": True}, "b": {"scale": 2, "data": None}}))
    cells = make_conditions(TINY, ["learning-rate=0.5"], ["degree=1,2"], file)
    assert [cell.name for cell in cells] == [f"{s}, degree={d}" for d in (1, 2) for s in "ab"]
    assert cells[2].config == tiny_study.Config(learning_rate=0.5, degree=2, curve=True)
    assert cells[3].config.scale == 2.0 and isinstance(cells[3].config.scale, float)
    assert find_reference(cells, "set=b,degree=2") is cells[3] and find_reference(cells, "") is cells[0]
    with pytest.raises(ValueError, match="is 2 configs of: a, degree=1; b, degree=1"):
        find_reference(cells, "set=b")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot be read: No such file"),
        ('{"a": ', "is not JSON"),
        ("[]", "expected {"),
        ('{"a": 1}', "expected {"),
    ],
)
def test_a_file_of_sets_that_is_none_is_refused(tmp_path, text, message):
    file = tmp_path / "sets.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(ValueError, match="sets=.*sets.json.*" + message):
        make_conditions(TINY, [], [], file)


def test_a_field_is_set_or_varies():
    with pytest.raises(ValueError, match="degree is set for all and varies: leave out one of --set and --vary"):
        make_conditions(TINY, ["degree=2"], ["degree=1,3"])


@pytest.mark.parametrize("name", ["forecasting", "speech"])
def test_a_study_is_of_one_task(name, tmp_path):
    experiment = load_experiment(name)
    one, _, other, *_ = experiment.Config
    wanted = f"task={one},{other}: expected one, .* with --set task={one}"
    with pytest.raises(ValueError, match=wanted):
        make_conditions(experiment, [], [f"task={one},{other}"])
    (file := tmp_path / "sets.json").write_text(json.dumps({"a": {}, "b": {"task": other}}))
    with pytest.raises(ValueError, match=wanted):
        make_conditions(experiment, [], [], file)
    assert len(make_conditions(experiment, [f"task={other}"], ["cell=gru,lstm"])) == 2


def test_a_cell_is_known_by_its_config_without_the_seed():
    one, other = make_conditions(TINY, ["seed=3"], []), make_conditions(TINY, [], ["degree=1,2"])
    assert one[0].key == other[0].key != other[1].key


def test_every_experiment_is_found_and_its_fields_have_types():
    assert {"sentiment", "text_generation"} <= set(experiment_names()) and "ablate" not in experiment_names()
    found = load_experiment("sentiment").configure({"hidden_size": "8", "bidirectional": "false", "dropout": 0})
    assert (found.model.hidden_size, found.model.bidirectional, found.model.dropout) == (8, False, 0.0)
    assert TINY.configure({"data": "a/b"}).data == Path("a/b") and TINY.configure({"data": "none"}).data is None
    for field, value in (("degree", 1.5), ("degree", True), ("curve", "yes"), ("data", [1]), ("degree", None)):
        with pytest.raises(ValueError, match=f"{field}="):
            TINY.configure({field: value})
