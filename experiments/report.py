"""From run directories to the results that the project stands by, and from these to tables.

    python -m experiments.report collect text_generation/tinyshakespeare runs/text_generation/gru-seed-*
    python -m experiments.report collect text_generation/tinyshakespeare RUN --add       one more seed
    python -m experiments.report table

`collect` writes experiments/results/EXPERIMENT.json, with the figures and texts of the first run beside it;
`table` draws from all such files the README's table, the best model of each task, and experiments/results/README.md,
all models and what is to be said of them. No figure in the documentation is typed by hand.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import tyro

from experiments.cli import RunPaths, as_command, run_commands
from experiments.published import published
from experiments.registry import experiment_names, load_experiment
from experiments.results_table import overview_text, table_text
from experiments.standing import UNKNOWN, mean_baselines, over_seeds, slug, value_text
from rnn_jax.studies.stored import read_run, read_stored
from rnn_jax.train.fields import default_values

RESULTS = Path(__file__).parent / "results"
WHOLE = "name runs that have finished"
README = Path(__file__).parent.parent / "README.md"
BEGIN, END = "<!-- results: written by `python -m experiments.report table` -->", "<!-- end of results -->"


def collect(task: tyro.conf.Positional[str], runs: RunPaths, add: bool = False, results: Path = RESULTS) -> None:
    """Sum up finished runs that differ only in their seed as one result, EXPERIMENT/TASK.

    Args:
        task: EXPERIMENT/TASK.
        runs: their directories.
        add: to the seeds that this result has already, of the same config.
        results: the folder of all results.
    """
    experiment, _, name = task.partition("/")
    if not name or "/" in name or not runs:
        raise ValueError(f"task={task!r}, {len(runs)} runs: expected EXPERIMENT/TASK and at least one run directory")
    if experiment not in experiment_names():
        raise ValueError(f"task={task!r}: expected one of {', '.join(experiment_names())} before the /")
    read = [read_run(run, {"value": int | float, "experiment": str, "baseline": dict}, WHOLE) for run in runs]
    finished, starts = [result for result, _ in read], [every[-1] for _, every in read]
    for run, result in zip(runs, finished, strict=True):
        if result["experiment"] != experiment:
            raise ValueError(f"{run} is a run of {result['experiment']}, which cannot have a result {task}")
    today = load_experiment(experiment).today  # some runs may be older than a field
    configs = [today(read_stored(run / "config.json", dict, WHOLE)) for run in runs]
    for run, config in zip(runs, configs, strict=True):
        for field in sorted((config.keys() | configs[0].keys()) - {"seed"}):
            here, there = config.get(field), configs[0].get(field)
            if here != there:
                raise ValueError(f"{run}: {field}={here!r}, in {runs[0]} {there!r}; only seeds may differ")
    first = finished[0]
    each: dict[str, list[Any]] = {
        "values": [result["value"] for result in finished],
        "seeds": [config["seed"] for config in configs],
        "layouts": [start.get("layout", "single") for start in starts],  # vmap differs from single runs by rounding
        "processors": [start.get("processor", UNKNOWN) for start in starts],
        "seconds": [round(result["seconds"]) for result in finished],
        "scores": [result.get("scores", {}) for result in finished],
    }
    entry: dict[str, Any] = {
        "task": name, "model": first["model"], "metric": first["metric"], "higher_is_better": first["higher_is_better"],
        "published": first["published"], "params": first["params"],
        "config": {k: v for k, v in configs[0].items() if k != "seed"}, "command": command(experiment, configs[0]),
        "device": first["device"],
    }  # fmt: skip
    file = results / f"{experiment}.json"
    stored = read_results(file) if file.exists() else {"experiment": experiment, "results": []}
    same = [row for row in stored["results"] if (row["task"], row["model"]) == (name, entry["model"])]
    if other := [row for row in stored["results"] if row["task"] == name and row["metric"] != entry["metric"]]:
        told = f"{entry['metric']!r}, where {other[0]['model']} has {other[0]['metric']!r}"
        raise ValueError(f"{task}: the metric is {told}: expected runs of the same task")
    baselines, weights = [result["baseline"] for result in finished], [1] * len(finished)
    if add:
        if not same or command(experiment, same[0]["config"]) != entry["command"]:
            raise ValueError(f"add: {file} has no {task} {entry['model']} of this config; collect all seeds anew")
        before = {"layouts": ["single"] * same[0]["n"], "processors": [UNKNOWN] * same[0]["n"]} | same[0]
        each = {key: before[key] + values for key, values in each.items()}
        baselines, weights = [same[0]["baselines"], *baselines], [same[0]["n"], *weights]
    if len(set(each["seeds"])) < len(each["seeds"]):
        raise ValueError(f"seeds {each['seeds']}: each seed counts once")
    entry |= {"baselines": mean_baselines(baselines, weights), **over_seeds(each["values"]), **each}
    others = [row for row in stored["results"] if row not in same]
    stored["results"] = sorted([*others, entry], key=lambda r: (r["task"], r["model"]))
    results.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(stored, indent=1) + "\n")
    shown = [] if add else [path for kind in ("figures/*.png", "figures/*.gif", "*.txt") for path in runs[0].glob(kind)]
    for path in sorted(path for path in shown if path.resolve().is_relative_to(runs[0].resolve())):
        (results / experiment).mkdir(exist_ok=True)
        shutil.copy(path, results / experiment / f"{prefix(entry)}{path.name}")
    print(f"{file}: {task} {entry['model']}: {entry['metric']} {value_text(entry)}")


def prefix(row: dict[str, Any]) -> str:
    """How the names of the figures and texts of a result begin."""
    model = slug(row["model"])
    return f"{row['task']}-{model}-"


def read_results(file: Path) -> dict[str, Any]:
    """What `collect` has written."""
    return read_stored(file, {"experiment": str, "results": [dict]}, "bring back the committed one")


def command(experiment: str, config: dict[str, Any]) -> str:
    """The command of a run, with the flags that differ from the experiment's defaults.

    Fields that its config has not, as they came later, have the defaults by which everything is as it was.
    """
    found = load_experiment(experiment)
    config = found.today(config)
    defaults = default_values(found.config_type(config))
    values = {field: config.get(field, value) for field, value in defaults.items() if field != "seed"}
    if "task" in values:  # without a word, the first one
        defaults["task"] = default_values(found.config_type({}))["task"]
    return f"{as_command(found.module, values=values, defaults=defaults)} --seed SEED"


def results_of(results: Path = RESULTS) -> list[dict[str, Any]]:
    """What `collect` has written of each experiment, in the order of their names."""
    return [read_results(file) for file in sorted(results.glob("*.json"))]


def refresh(results: Path = RESULTS) -> None:
    """Give stored results what is published today; of tasks that published.json lacks they keep what they say."""
    for file in sorted(results.glob("*.json")):
        stored = read_results(file)
        for row in stored["results"]:
            row["published"] = published(f"{stored['experiment']}/{row['task']}") or row["published"]
        if (text := json.dumps(stored, indent=1) + "\n") != file.read_text():
            file.write_text(text)


def table(check: bool = False) -> int:
    """Write the tables, or only check that they are those that stand in the files."""
    if not check:
        refresh()
    text, stored = README.read_text(), results_of()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    pages = {
        README: f"{before}{BEGIN}\n{overview_text(stored)}\n{END}{after}",
        RESULTS / "README.md": f"# All results\n\n{table_text(stored)}\n",
    }
    if check:
        return int(any(not page.exists() or page.read_text() != wanted for page, wanted in pages.items()))
    for page, wanted in pages.items():
        page.write_text(wanted)
    return 0


if __name__ == "__main__":
    run_commands({"collect": collect, "table": table}, default="table")
