"""One's own runs and studies: what has finished is shown, and what has not is named."""

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from experiments.report_page.captions import words
from experiments.report_page.elements import anchor, command, escaped, fold, table
from experiments.standing import Standing, mean_baselines, number_text, over_seeds, standings
from rnn_jax.studies.stored import read_run, read_stored
from rnn_jax.train.run import to_json

NUMBER = int | float
RESULT = {
    "experiment": str, "model": str, "metric": str, "value": NUMBER | None, "higher_is_better": bool, "params": int,
    "seconds": NUMBER, "device": str, "baseline": {...: NUMBER | None},
    "published": [{"who": str, "value": NUMBER | None, "source": str}],
}  # fmt: skip
LARGEST = 1e300
TRIALS = 10
"""Of a search: the best ones are shown."""


def own_tasks(runs: Path) -> tuple[list[Standing], list[str]]:
    """What one's own runs come to, those that differ in their seed only as one model, and notes on what is left out.

    Raises:
        ValueError: there is no such folder.
    """
    found: dict[str, dict[str, list[dict[str, Any]]]] = {}
    notes = []
    for path in run_folders(existing("runs", runs)):
        try:
            run = read(path)
        except (ValueError, OSError) as error:
            notes.append(str(error) if str(path) in str(error) else f"{path}: {error}")
            continue
        config = {field: value for field, value in run["config"].items() if field != "seed"}
        same = to_json([run["experiment"], run["task"], run["metric"], run["model"], config])
        found.setdefault(run["experiment"], {}).setdefault(same, []).append(run)
    tasks = []
    for experiment, models in sorted(found.items()):
        tasks += standings(experiment, [summed_up(once(same, notes)) for same in models.values()])
    for task in tasks:
        tell_apart(task.rows)
    return tasks, notes


def own_studies(studies: Path) -> tuple[list[Path], list[Path], list[str]]:
    """The finished studies and searches of a folder, and notes on those that have not finished.

    Raises:
        ValueError: there is no such folder.
    """
    finished, searches, notes = [], [], []
    for path in sorted(existing("studies", studies).iterdir()):
        if (path / "table.md").is_file() or (path / "overview.md").is_file():
            finished.append(path)
        elif (path / "tune.json").is_file():
            searches.append(path)
        elif path.is_dir():
            known = (path / "study.json").is_file() or (path / "trials").is_dir()
            notes.append(f"{path}: {'unfinished: its command goes on with it' if known else 'is no study'}")
    return finished, searches, notes


def existing(name: str, folder: Path) -> Path:
    """A folder that is there."""
    if not folder.is_dir():
        raise ValueError(f"{name}={str(folder)!r}: there is no such folder; name the one that your {name} are in")
    return folder


def run_folders(folder: Path, depth: int = 2) -> Iterator[Path]:
    """The folders RUNS/EXPERIMENT/NAME, or RUNS itself where that is a run."""
    if not depth or (folder / "manifest.json").exists():
        yield folder
        return
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            yield from run_folders(path, depth - 1)


def read(path: Path) -> dict[str, Any]:
    """A finished run; what it says is not trusted to be of the right form.

    Raises:
        ValueError: it has not finished, is damaged, or is no run.
    """
    if not (path / "manifest.json").exists():
        raise ValueError("is no run: it has no manifest.json")
    if not (path / "result.json").exists():
        raise ValueError("unfinished: it has no result.json, resume it to get one")
    result, starts = read_run(path, RESULT, "train it again")
    config = read_stored(path / "config.json", dict, "train it again")
    for name in ("value", "params", "seconds"):
        if not usable(result[name]):
            raise ValueError(f"{name} is {result[name]!r:.40}: nothing to be compared")
    start = starts[-1] if starts else {}
    data, said = start.get("data"), start.get("command")
    names = sorted(Path(str(name)).name for name in data) if isinstance(data, dict) else []
    named = [str(config.get("task", "")), *names[:2], "…" if len(names) > 2 else ""]
    task = ", ".join(name for name in named if name) or result["experiment"]
    return result | {
        "task": task, "path": path, "config": config,
        "command": shlex.join(map(str, said)) if isinstance(said, list) else "not known",
        "baseline": {name: value for name, value in result["baseline"].items() if usable(value)},
        "published": [one for one in result["published"] if usable(one["value"])],
    }  # fmt: skip


def usable(value: Any) -> bool:
    """Whether something is a number that can be compared and printed."""
    return isinstance(value, NUMBER) and abs(value) < LARGEST  # which NaN is not


def once(runs: list[dict[str, Any]], notes: list[str]) -> list[dict[str, Any]]:
    """The last run of each seed: one that was trained again counts once, which is noted."""
    last = {str(run["config"].get("seed")): run for run in runs}
    for run in runs:
        if (same := last[str(run["config"].get("seed"))]) is not run:
            notes.append(f"{run['path']}: of the same config and seed as {same['path'].name}, which is shown")
    return list(last.values())


def summed_up(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Runs that differ in their seed as one row, such as `experiments.report collect` makes."""
    return runs[0] | over_seeds([run["value"] for run in runs]) | {
        "seconds": [run["seconds"] for run in runs],
        "baselines": mean_baselines([run["baseline"] for run in runs], [1] * len(runs)),
        "scores": [scores if isinstance(scores := run.get("scores"), dict) else {} for run in runs],
        "names": [run["path"].name for run in runs],
    }  # fmt: skip


def tell_apart(rows: list[dict[str, Any]], most: int = 3) -> None:
    """Add to the names of models that are equal the fields of their configs that are not."""
    for name in {row["model"] for row in rows}:
        same = [row for row in rows if row["model"] == name]
        fields = {field: None for row in same for field in row["config"] if field != "seed"}
        differ = [f for f in fields if len({to_json(row["config"].get(f)) for row in same}) > 1]
        for row in same if len(same) > 1 else ():
            said = [f"{field}={row['config'].get(field)}" for field in differ[:most]]
            row["model"] = ", ".join([name, *said, *["…"] * (len(differ) > most)])


def search_fold(path: Path, badge: str) -> str:
    """The best trials of a search.

    Raises:
        ValueError: its file is damaged.
    """
    trial = {"number": int, "value": NUMBER | None, "state": str, "params": dict}
    form = {"experiment": str, "metric": str, "higher_is_better": bool, "command": str, "trials": [trial]}
    found = read_stored(path / "tune.json", form, "its command makes it again")
    done = [one for one in found["trials"] if usable(one["value"])]
    done.sort(key=lambda one: one["value"], reverse=found["higher_is_better"])
    fields = list(dict.fromkeys(str(name) for one in done for name in one["params"]))
    rows = [
        [str(one["number"]), number_text(one["value"]), escaped(one["state"])]
        + [escaped(f"{one['params'].get(field, '')!s:.12}") for field in fields]
        for one in done[:TRIALS]
    ]
    title = f"Search: {escaped(found['experiment'])}"
    body = (
        f"<p>The best {len(rows)} of {len(found['trials'])} trials, by {escaped(words(found['metric']).lower())}.</p>\n"
        f"{table(('trial', found['metric'], 'state', *fields), rows)}<h4>Command</h4>\n{command(found['command'])}"
    )
    return fold(anchor("own-studies", path.name), title, f"{badge}{escaped(path.name)}", body, "study")
