"""Which settings are best: a search over the fields of any experiment, by its validation data, that ends in a config.

    python -m experiments.tune sentiment --search learning_rate=log:1e-4:1e-2 --search hidden_size=int:16:128:8
    python -m experiments.tune music_generation --search cell=gru,lstm --search dropout=float:0:0.6 --set steps=500
    python -m experiments.sentiment --config studies/sentiment-tune-HASH/best.json     what was found, in full

Trials are chosen by a tree-structured Parzen estimator (Bergstra et al. 2011), as Optuna has it, and stopped where
their validation curve is below the median of those before. The test data are not looked at. The same command goes on
where it was stopped, in the folder it prints; given in several shells, it shares the work; with more --trials it goes
further. One process with one --seed finds the same every time.
"""

import dataclasses
import itertools
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import optuna
import tyro

from experiments.cli import Flags, as_command, run_command
from experiments.registry import load_experiment
from rnn_jax.checks import check_size
from rnn_jax.studies.grid import merged
from rnn_jax.studies.search import Search
from rnn_jax.studies.search_space import edges, parse_space
from rnn_jax.studies.study import default_path
from rnn_jax.train import fit_config, flatten, share_compiled_programs
from rnn_jax.train.console import rounded
from rnn_jax.train.experiment import Experiment, Prepared
from rnn_jax.train.fields import read_pairs
from rnn_jax.train.parallel import start_cpu_devices
from rnn_jax.train.run import plain, to_json, write_atomically
from rnn_jax.train.seeds import check_seed

STATES = {"COMPLETE": "finished", "PRUNED": "pruned", "FAIL": "failed", "RUNNING": "open", "WAITING": "open"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """What is searched, and for how long."""

    search: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """FIELD=log:LOW:HIGH, FIELD=float:LOW:HIGH, FIELD=int:LOW:HIGH[:STEP] or FIELD=VALUE,VALUE,..."""
    set: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """FIELD=VALUE of all trials, where it is not the default."""
    trials: int = 20
    """Of the whole search, however many processes share it."""
    prune_after: int = 5
    """Trials that end before others are pruned; 0 prunes none."""
    by_loss: bool = False
    """Compare trials by their validation loss, whatever else the experiment watches: a small validation part gives many
    the same accuracy."""
    seed: int = 0
    """Of the search; that of the trainings is the one of the experiment."""
    study: Path | None = None
    """The folder; by default one under studies/ that is named after the command."""


def tune(experiment: tyro.conf.Positional[str], options: Flags[Options] = Options()) -> int:
    """Search, and say what was found."""
    found = load_experiment(experiment)
    check_size("trials", options.trials)
    check_seed(options.seed)
    if options.prune_after < 0:
        raise ValueError(f"prune_after={options.prune_after}: expected 0 (never prune) or more")
    base = found.configure(merged(map(read_pairs, options.set)))
    if not flatten(base).get("hold_out", True):
        raise ValueError("hold_out=false leaves no validation data to search by: leave it out")
    space = parse_space(type(base), options.search)
    check_space(found, base, {field: edges(distribution) for field, distribution in space.items()})
    definition = {"experiment": found.name, "search": {k: str(v) for k, v in space.items()}, "base": plain(base),
                  "seed": options.seed, "prune_after": options.prune_after}  # fmt: skip
    if options.by_loss:
        found, definition["by_loss"] = watching_loss(found), True
    path = options.study or default_path(Path("studies"), f"{found.name}-tune", definition)
    start_cpu_devices(fit_config(base).cpu_devices)
    with share_compiled_programs():
        task = found.prepare(base).task  # which metric, and whether there are data at all
        search = Search(path, found, base, space, task, seed=options.seed, prune_after=options.prune_after,
                        definition=definition)  # fmt: skip
        print(f"{counted(options.trials)} of {', '.join(space)} by {task.monitor} in {path}", flush=True)
        code = search.run(options.trials, report=lambda line: print(line, flush=True))
    asked = {name: value for name, value in vars(options).items() if name != "study"}
    said = as_command("experiments.tune", experiment, values=asked, defaults=vars(Options()))
    with search.alone():
        write_atomically(path / "tune.json", to_json(summary := summarize(search, said)))
        if best := summary["best"]:
            write_atomically(path / "best.json", to_json(search.config(search.trials()[best["number"]])))
    if code:
        print(f"stopped; the same command goes on: {said}")
        return code
    if best is None:
        raise ValueError(
            f"no trial has finished, see {path / 'tune.json'}; the last one {summary['trials'][-1]['ended']}"
        )
    again = f"python -m {found.module} --config {path / 'best.json'}"
    print(f"\n{described(summary)}\n\nthe best, in full: {again}")
    return 0


def check_space(experiment: Experiment, base: Any, values: Mapping[str, Sequence[Any]]) -> None:
    """Raise a ValueError where a config can have none of the values of other fields beside some value of a field.

    Args:
        experiment: whose config it is.
        base: the config of all trials.
        values: of each field that is searched, those to be tried.
    """
    for field, of_field in values.items():
        others = {name: of for name, of in values.items() if name != field}
        for value in of_field:
            trials = (dict(zip(others, beside, strict=True)) for beside in itertools.product(*others.values()))
            refused = _refusal(experiment, base, {field: value})
            if refused and all(_refusal(experiment, base, trial | {field: value}) for trial in trials):
                raise ValueError(f"search={field}: no trial can have {field}={value!r}: {refused}")


def _refusal(experiment: Experiment, base: Any, values: Mapping[str, Any]) -> ValueError | None:
    try:
        experiment.replace(base, values)
    except ValueError as error:
        return error
    return None


def watching_loss(experiment: Experiment) -> Experiment:
    """The experiment with its best update, its early end and its result by the validation loss."""

    def prepare(config: Any) -> Prepared:
        prepared = experiment.prepare(config)
        task = dataclasses.replace(prepared.task, monitor="validation_loss", higher_is_better=False)
        return dataclasses.replace(prepared, task=task)

    return dataclasses.replace(experiment, prepare=prepare)


def summarize(search: Search, said: str) -> dict[str, Any]:
    """What tune.json holds: no time, so that the same search gives the same file."""
    rows = []
    for trial in search.trials():
        run = search.run_path(trial.number)
        rows.append({
            "number": trial.number, "state": STATES[trial.state.name], "ended": trial.user_attrs.get("ended"),
            "value": trial.value, "step": trial.last_step, "params": trial.params,
            "run": str(run.relative_to(search.path)) if run.exists() else None,
        })  # fmt: skip
    finished = [row for row in rows if row["state"] == "finished"]
    best = rows[search.study.best_trial.number] if finished else None
    return {"experiment": search.experiment.name, "metric": search.task.monitor,
            "higher_is_better": search.task.higher_is_better, "command": said, **search.study.user_attrs["definition"],
            "best": best, "importance": importance(search), "trials": rows}  # fmt: skip


def importance(search: Search) -> dict[str, float]:
    """How much of what sets the best trials apart from the others is in each field; nothing where nothing does."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # which says that all trials are as good
        try:
            return optuna.importance.get_param_importances(search.study)
        except UserWarning:
            return {}


def counted(trials: int) -> str:
    return f"{trials} trial{'s' * (trials != 1)}"


def described(summary: dict[str, Any]) -> str:
    """The end of a search in words."""
    states = [row["state"] for row in summary["trials"]]
    counts = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
    best, share = summary["best"], summary["importance"]
    lines = [
        f"{counted(len(states))}: {counts}",
        f"best {summary['metric']}: {rounded(best['value'])}, trial {best['number']}",
    ]
    lines += [f"  {field:20} {value!s:12.12} {share.get(field, 0):4.0%} of the importance" if share else
              f"  {field:20} {value}" for field, value in best["params"].items()]  # fmt: skip
    return "\n".join(lines)


if __name__ == "__main__":
    run_command(tune)
