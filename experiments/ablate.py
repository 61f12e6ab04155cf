"""What does a choice change: any experiment, over any of its fields and over seeds, as tables with intervals.

    python -m experiments.ablate music_generation --vary cell=elman,lstm,gru --vary hidden_size=64,128 --seeds 8
    python -m experiments.ablate sentiment --vary cell=lstm,gru --set steps=200 --set buckets=1 --reference cell=lstm
    python -m experiments.ablate sentiment --vary hidden_size=32,64 --vary dropout=0.1,0.4 --zip     pairs, not a grid
    python -m experiments.ablate sentiment --sets FILE.json       {"small": {"hidden_size": 16}, "wide": {...}}

The same command goes on where it was stopped, in the folder it prints; given in several shells, it shares the work.
The seeds of a config are one compiled program (--layout vmap); `map` is bitwise what single runs give, `single` trains
them one by one, which is what happens, and is said, where seeds cannot share a program. A folder with study.json,
table.md, table.tex, figures, costs.md and .json, and under runs/ the usual directory of each run.
"""

import dataclasses
import sys
import traceback
import warnings
from pathlib import Path
from typing import Any

import tyro

from experiments.cli import Flags, as_command, run_command
from experiments.registry import load_experiment
from rnn_jax.studies.crossings import crossings_markdown
from rnn_jax.studies.figures import draw_study
from rnn_jax.studies.grid import find_reference, make_conditions
from rnn_jax.studies.matching import match_parameters, matched_before
from rnn_jax.studies.study import Condition, Study, default_path
from rnn_jax.studies.tables import costs, costs_markdown, latex, markdown, seconds_a_run
from rnn_jax.train import fit_config, share_compiled_programs
from rnn_jax.train.parallel import start_cpu_devices
from rnn_jax.train.run import Run, to_json, write_atomically


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """What is compared with what."""

    vary: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """FIELD=VALUE,VALUE,...; several make a grid."""
    set: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """FIELD=VALUE of all runs, where it is not the default."""
    zip: bool = False
    """Take the first values of all varied fields, the second, ..., in place of the grid."""
    sets: Path | None = None
    """A JSON file of named sets of fields, each of which is combined with all that varies."""
    seeds: int = 8
    """Runs of each config, with the seeds 0, 1, ..."""
    layout: str = "vmap"
    """vmap, map or single: see above."""
    match_parameters: bool = False
    """Give each config the hidden_size at which it has as many parameters as the reference, within 5 %."""
    reference: str = ""
    """FIELD=VALUE,... (or set=NAME) of the config that the others are tested against; the first by default."""
    question: str = ""
    """Above the tables."""
    study: Path | None = None
    """The folder; by default one under studies/ that is named after the command."""
    retry: bool = False
    """Train again what has failed."""


def ablate(experiment: tyro.conf.Positional[str], options: Flags[Options] = Options()) -> int:
    """Train all configs with all seeds, and compare them."""
    found = load_experiment(experiment)
    if options.seeds < 1:
        raise ValueError(f"seeds={options.seeds}: expected at least 1, and 6 or more for tests that mean something")
    conditions = make_conditions(found, options.set, options.vary, options.sets, options.zip)
    reference = find_reference(conditions, options.reference)
    start_cpu_devices(fit_config(conditions[0].config).cpu_devices)
    said = command(experiment, options)
    path = options.study or default_path(Path("studies"), found.name, said)
    if options.match_parameters:
        place = conditions.index(reference)
        conditions = matched_before(conditions, path, said) or match_parameters(conditions, reference, found.prepare)
        reference = conditions[place]
    question = options.question or f"What does {varied(conditions)} change? {found.question}"
    about = {"question": question, "command": said, "reference": reference.name}
    study = Study(path, found, conditions, range(options.seeds), options.layout, about)
    print(announced(study), flush=True)
    with share_compiled_programs():
        if not study.ended(reference):
            try:
                study.rehearse(reference)
            except ValueError as error:
                raise ValueError(f"{reference.name}: {error} [{place_of(error)}]; nothing was trained") from error
        code = study.run(options.retry)
    if code:
        print(f"stopped; the same command goes on: {said}")
        return code
    write_tables(study)
    print(f"\n{(path / 'table.md').read_text('utf-8')}\n{path}/table.md, table.tex, costs.md, study.json, figures/")
    if failures := study.failures():
        runs, (first, message) = len(conditions) * options.seeds, next(iter(failures.items()))
        print(
            f"{len(failures)} of {runs} runs failed, the first, {first}: {message}; mend it and go on with --retry",
            file=sys.stderr,
        )
        return int(len(failures) == runs)
    return 0


def announced(study: Study) -> str:
    """What a study is going to do, and what that costs."""
    configs, seeds = len(study.conditions), len(study.seeds)
    steps = sorted({fit_config(condition.config).steps for condition in study.conditions})
    words = f"{configs} config{'s' * (configs != 1)} x {seeds} seed{'s' * (seeds != 1)}"
    updates = " to ".join(f"{count:,}" for count in dict.fromkeys((steps[0], steps[-1])))
    runs = f"{configs * seeds} run{'s' * (configs * seeds != 1)}"
    line = f"{words}: {runs} of {updates} updates, in {study.path}"
    if configs == 1:
        line += "\nnothing varies, so that only seeds are compared: --vary FIELD=VALUE,VALUE,... compares more"
    return line


def place_of(error: Exception) -> str:
    """The innermost line of what is no installed package, where a user would look first."""
    frames = traceback.extract_tb(error.__traceback__)
    frame = next((f for f in reversed(frames) if "site-packages" not in f.filename), frames[-1])
    return f"{frame.filename}:{frame.lineno}"


def varied(conditions: list[Condition]) -> str:
    return " and ".join(conditions[0].fields) or "the seed"


def command(experiment: str, options: Options) -> str:
    """The command that makes the study again, wherever its folder was."""
    asked = {name: value for name, value in vars(options).items() if name not in ("study", "retry")}
    defaults = vars(Options()) | {"seeds": None}  # their number is always said: intervals are read by it
    return as_command("experiments.ablate", experiment, values=asked, defaults=defaults)


def write_tables(study: Study) -> None:
    """Draw all that a study shows, from what is in its folder."""
    summary = study.summary()
    runs = {
        cell["name"]: [Run.open(study.path / s["run"]) for s in cell["seeds"].values() if "run" in s]
        for cell in summary["cells"]
    }
    results = {name: [run.read_json("result.json") for run in found] for name, found in runs.items()}
    starts = {
        name: [start for run in found for start in run.read_json("manifest.json")["starts"][:1]]
        for name, found in runs.items()
    }
    memory = {name: one["update_bytes"] for name, found in starts.items() for one in found if "update_bytes" in one}
    records = {name: list(map(records_of, found)) for name, found in runs.items()}
    seconds = {name: seconds_a_run(found) for name, found in results.items()}
    draw_study(summary, records, seconds, folder := study.path / "figures")
    figures = [f"figures/{file.name}" for file in sorted(folder.glob("*.png"))]
    spent = costs(results, memory)
    said = "\n".join(filter(None, [costs_markdown(summary, spent), crossings_markdown(summary, spent)]))
    pages = {"table.md": markdown(summary, figures), "table.tex": latex(summary),
             "costs.md": said, "costs.json": to_json(spent)}  # fmt: skip
    for name, content in pages.items():
        write_atomically(study.path / name, content)


def records_of(run: Run) -> list[dict[str, Any]]:
    """The metrics of a run; none where they are damaged, for only a figure is drawn of them."""
    try:
        return run.records()
    except ValueError as error:
        warnings.warn(f"not in the curves: {error}", RuntimeWarning, stacklevel=2)
        return []


if __name__ == "__main__":
    run_command(ablate)
