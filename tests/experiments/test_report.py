import json
from collections.abc import Mapping

import pytest

from experiments import report
from experiments.registry import experiment_names, load_experiment
from experiments.results_table import overview_text, table_text
from experiments.standing import device_text
from experiments.text_generation import EXPERIMENT
from rnn_jax.train.fields import default_values
from rnn_jax.train.run import plain


def finished_run(folder, seed, value, **changes):
    folder.mkdir(parents=True)
    config = EXPERIMENT.configure({"seed": seed, "hidden_size": 8})
    (folder / "config.json").write_text(json.dumps(plain(config) | changes))
    result = {
        "experiment": "text_generation", "model": "gru 1 x 8", "metric": "nats/char", "value": value,
        "higher_is_better": False, "params": 1234, "baseline": {"unigram": 3.0, "of the split": 1.0 + seed},
        "published": [{"value": 1.5, "who": "A", "source": "B 2020"}], "seconds": 1.2, "device": "cpu",
    }  # fmt: skip
    (folder / "result.json").write_text(json.dumps(result))
    (folder / "manifest.json").write_text(
        json.dumps({"starts": [{"layout": "vmap", "processor": "P1"} if seed == 1 else {}]})
    )
    (folder / "sample.txt").write_text("to be")
    return folder


def test_runs_of_several_seeds_become_one_row(tmp_path):
    runs = [finished_run(tmp_path / f"run{seed}", seed, value) for seed, value in enumerate((1.0, 2.0, 3.0))]
    results = tmp_path / "results"
    for _ in range(2):  # collecting again replaces the row
        report.collect("text_generation/some-text", runs, results=results)
    (row,) = json.loads((results / "text_generation.json").read_text())["results"]
    assert (row["mean"], row["std"], row["n"], row["values"], row["seeds"]) == (2.0, 1.0, 3, [1.0, 2.0, 3.0], [0, 1, 2])
    assert row["layouts"] == ["single", "vmap", "single"]
    assert row["processors"] == ["not recorded", "P1", "not recorded"] and device_text(row) == f"{row['device']}; P1"
    assert row["command"] == "python -m experiments.text_generation --hidden-size 8 --seed SEED"
    assert (results / "text_generation/some-text-gru-1-x-8-sample.txt").read_text() == "to be"
    table = table_text(report.results_of(results))
    wanted = "| text_generation/some-text | nats/char ↓ | gru 1 x 8 | **2 ± 2 (3)** |  | **A 1.5** (B 2020) |"
    assert wanted in table, "what is best in its row is bold, and what is level with it"


def test_seeds_are_added_to_a_result_of_the_same_config(tmp_path):
    runs = [finished_run(tmp_path / f"run{seed}", seed, value) for seed, value in enumerate((1.0, 2.0, 6.0))]
    other = finished_run(tmp_path / "other", 3, 1.0, dropout=0.5)
    with pytest.raises(ValueError, match="has no text_generation/some-text gru 1 x 8 of this config"):
        report.collect("text_generation/some-text", runs[2:], add=True, results=tmp_path)
    report.collect("text_generation/some-text", runs[:2], results=tmp_path)
    stored = json.loads((tmp_path / "text_generation.json").read_text())
    before = stored["results"][0]["config"]
    del before["averaging"], stored["results"][0]["processors"]  # as in a result of before there were such
    (tmp_path / "text_generation.json").write_text(json.dumps(stored))
    report.collect("text_generation/some-text", runs[2:], add=True, results=tmp_path)
    (row,) = json.loads((tmp_path / "text_generation.json").read_text())["results"]
    assert (row["mean"], row["values"], row["seeds"], row["n"]) == (3.0, [1.0, 2.0, 6.0], [0, 1, 2], 3)
    assert row["baselines"] == {"unigram": 3.0, "of the split": 2.0}, "a seed may divide the data, too"
    with pytest.raises(ValueError, match="of this config"):
        report.collect("text_generation/some-text", [other], add=True, results=tmp_path)
    with pytest.raises(ValueError, match="each seed counts once"):
        report.collect("text_generation/some-text", runs[1:2], add=True, results=tmp_path)


def test_damaged_files_are_named(tmp_path):
    for file in ("result.json", "config.json", "manifest.json"):
        run = finished_run(tmp_path / f"run-{file[0]}", 0, 1.0)
        for content in ("", "null", "[" * 100_000):
            (run / file).write_text(content)
            with pytest.raises(ValueError, match=f"{run / file} is damaged: .*; name runs that have finished"):
                report.collect("text_generation/some-text", [run], results=tmp_path)
    run = finished_run(tmp_path / "run-of-two", 0, 1.0)
    for config_hash in ("abc", "def"):
        stored = json.loads((run / "result.json").read_text()) | {"config_hash": config_hash}
        (run / "result.json").write_text(json.dumps(stored))
        (run / "manifest.json").write_text('{"starts": [{}], "config_hash": "def"}')
        if config_hash == "abc":
            with pytest.raises(ValueError, match=r"result.json and manifest.json are of two runs; name runs that have"):
                report.collect("text_generation/some-text", [run], results=tmp_path)
    report.collect("text_generation/some-text", [run], results=tmp_path)
    (tmp_path / "other.json").write_text('{"experiment": "other", "results": [null]}')
    with pytest.raises(ValueError, match=r"other.json is damaged: results\[0\] is None; bring back"):
        table_text(report.results_of(tmp_path))


def test_a_transformer_stands_beside_the_recurrent_model(tmp_path):
    rows = [
        {"task": "a", "metric": "nats/char", "higher_is_better": False, "mean": value, "std": None, "n": 1,
         "model": model, "config": {"model": model}, "published": [], "baselines": {"none": 9.0}, "params": params}
        for model, value, params in (("recurrent", 4.0, 100), ("smaller", 0.02, 50), ("transformer", 5.0, 105))
    ]  # fmt: skip
    (tmp_path / "some.json").write_text(json.dumps({"experiment": "some", "results": rows}))
    table = table_text(report.results_of(tmp_path))
    assert "| some/a | nats/char ↓ | recurrent | **4.000 (1)** | 5.000 (1) |  | none 9.000 |" in table
    assert "| smaller | **0.0200 (1)** |  |" in table and "Behind" not in table


def test_of_two_transformers_the_one_of_the_same_settings_stands_beside(tmp_path):
    models = {"gru": 4.0, "gru, mixed": 3.0, "transformer": 6.0, "transformer, mixed": 5.0}
    rows = [
        {"task": "a", "metric": "nats/char", "higher_is_better": False, "mean": value, "std": None, "n": 1,
         "model": model, "published": [], "baselines": {}, "params": 100 + i,
         "config": {"model": model.partition(",")[0], "learning_rate": i, "mixed": "mixed" in model}}
        for i, (model, value) in enumerate(models.items())
    ]  # fmt: skip
    (tmp_path / "some.json").write_text(json.dumps({"experiment": "some", "results": rows}))
    table = table_text(report.results_of(tmp_path))
    assert "| gru | **4.000 (1)** | 6.000 (1) |" in table and "| gru, mixed | **3.000 (1)** | 5.000 (1) |" in table


@pytest.mark.parametrize("higher", [False, True])
def test_the_overview_has_the_best_model_of_each_task_without_sources(tmp_path, higher):
    rows = [
        {"task": task, "metric": "score", "higher_is_better": higher, "mean": value, "std": None, "n": 1,
         "model": model, "config": {"model": model}, "baselines": {}, "params": 100,
         "published": [{"who": "A", "value": 4.5, "source": "B 2020"}]}
        for task in ("b", "a")
        for model, value in (("gru", 4.0), ("lstm", 5.0), ("transformer", 6.0 if higher else 3.0))
    ]  # fmt: skip
    (tmp_path / "some.json").write_text(json.dumps({"experiment": "some", "results": rows}))
    head, _, *lines = overview_text(report.results_of(tmp_path)).split("\n")
    best, beside = ("lstm | 5.000", "6.000") if higher else ("gru | 4.000", "3.000")
    assert head.startswith("| task | metric | model | here | transformer |")
    arrow = "↑" if higher else "↓"
    assert lines == [f"| some/{task} | score {arrow} | {best} (1) | **{beside} (1)** | A 4.5 |  |" for task in "ab"]


@pytest.mark.parametrize(("higher", "ahead"), [(False, "rule"), (True, "guess")])
def test_a_baseline_that_is_ahead_is_bold_and_said(tmp_path, higher, ahead):
    row = {"task": "a", "metric": "score", "higher_is_better": higher, "mean": 4.0, "std": None, "n": 1, "model": "gru",
           "config": {}, "published": [], "baselines": {"guess": 9.0, "rule": 1e-5}, "params": 100}  # fmt: skip
    (tmp_path / "some.json").write_text(json.dumps({"experiment": "some", "results": [row]}))
    table, text = table_text(report.results_of(tmp_path)), {"guess": "9.000", "rule": "1.0e-05"}[ahead]
    assert f"| **{ahead} {text}** |" in table and "| 4.000 (1) |" in table
    assert table.endswith(f"\n\nBehind a simple baseline of the same run:\n\n- some/a, gru: {ahead} {text}")


@pytest.mark.parametrize(("std", "level"), [(0.1, True), (0.01, False), (None, False)])
def test_what_lies_in_the_interval_of_the_best_is_bold_and_said_to_be_level(tmp_path, std, level):
    row = {"task": "a", "metric": "score", "higher_is_better": True, "mean": 4.0, "std": std, "n": 4, "model": "gru",
           "config": {}, "published": [], "baselines": {"rule": 3.9}, "params": 100}  # fmt: skip
    (tmp_path / "some.json").write_text(json.dumps({"experiment": "some", "results": [row]}))
    table = table_text(report.results_of(tmp_path))
    assert ("| **rule 3.900** |" in table) == level and "| **4" in table and "Behind" not in table
    said = "Level, by the interval over seeds, with a simple baseline of the same run:\n\n- some/a, gru: rule 3.900"
    assert table.endswith(said) == level


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ("sentiment/sst2", "is a run of text_generation, which cannot have a result sentiment/sst2"),
        ("nosuch/own", "expected one of anomaly_detection, chatbot, .* before the /"),
        ("text_generation/a/b", "expected EXPERIMENT/TASK and at least one run directory"),
        ("text_generation", "expected EXPERIMENT/TASK and at least one run directory"),
    ],
)
def test_a_result_is_of_a_task_of_its_experiment(tmp_path, task, message):
    run = finished_run(tmp_path / "a", 0, 1.0)
    with pytest.raises(ValueError, match=message):
        report.collect(task, [run], results=tmp_path / "results")
    assert not (tmp_path / "results").exists()


def test_models_of_one_task_have_one_metric(tmp_path):
    report.collect("text_generation/some-text", [finished_run(tmp_path / "a", 0, 1.0)], results=tmp_path / "results")
    other = finished_run(tmp_path / "b", 1, 1.0)
    stored = json.loads((other / "result.json").read_text())
    (other / "result.json").write_text(json.dumps(stored | {"model": "lstm", "metric": "bits/char"}))
    with pytest.raises(ValueError, match="the metric is 'bits/char', where gru 1 x 8 has 'nats/char'"):
        report.collect("text_generation/some-text", [other], results=tmp_path / "results")


@pytest.mark.parametrize("older", [0, 1])
def test_runs_of_before_and_after_a_field_came_are_one_result(tmp_path, older):
    runs = [finished_run(tmp_path / f"run{seed}", seed, 1.0) for seed in (0, 1)]
    config = json.loads((runs[older] / "config.json").read_text())
    del config["hold_out_test"]
    (runs[older] / "config.json").write_text(json.dumps(config))
    report.collect("text_generation/some-text", runs, results=tmp_path)
    (row,) = json.loads((tmp_path / "text_generation.json").read_text())["results"]
    assert row["n"] == 2 and row["config"]["hold_out_test"] is False


def test_runs_that_differ_in_more_than_the_seed_are_refused(tmp_path):
    runs = [finished_run(tmp_path / "a", 0, 1.0), finished_run(tmp_path / "b", 1, 1.0, dropout=0.5)]
    with pytest.raises(ValueError, match=r"b: dropout=0.5, in .*a 0.0; only seeds may differ"):
        report.collect("text_generation/some-text", runs, results=tmp_path)
    again = [runs[0], finished_run(tmp_path / "c", 0, 1.0)]
    with pytest.raises(ValueError, match="each seed counts once"):
        report.collect("text_generation/some-text", again, results=tmp_path)


def test_a_command_has_the_flags_that_differ():
    config = plain(EXPERIMENT.configure({"seed": 3, "tied": True, "corpus": "my text.txt"}))
    assert report.command("text_generation", config) == (
        "python -m experiments.text_generation --corpus 'my text.txt' --tied --seed SEED"
    )


@pytest.mark.parametrize("name", experiment_names())
def test_a_command_says_which_task_unless_it_is_the_first(name):
    found = load_experiment(name)
    tasks = list(found.Config) if isinstance(found.Config, Mapping) else []
    for task in tasks:
        config = default_values(found.Config[task])
        said = f" --task {task}" if task != tasks[0] else ""
        assert report.command(name, config) == f"python -m experiments.{name}{said} --seed SEED"
