"""A trial of a search: one training, stopped where its validation curve is poor, and its end told to the search."""

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from optuna.trial import Trial, TrialState

from rnn_jax.studies.lock import Lock, LockLost
from rnn_jax.train import Diverged, Outcome, Prepared, Run, RunOptions, train_experiment
from rnn_jax.train.run import is_begun

if TYPE_CHECKING:
    from rnn_jax.studies.search import Search


def train_trial(search: "Search", trial: Trial, lock: Lock, said: Callable[[str], None]) -> int:
    """Train a trial to its end, whatever that is, and tell it.

    Args:
        search: that the trial is of.
        trial: with its parameters.
        lock: of the trial, which this process holds.
        said: gets a line at the beginning and one at the end.

    Returns:
        0, or 128 + the number of the signal that stopped it.

    Raises:
        LockLost: another process has taken the trial.
    """
    path, metric = search.run_path(trial.number), search.task.monitor
    options = RunOptions(runs=path.parent.parent, name=path.name, resume=is_begun(path))
    shown = ", ".join(f"{field}={trial.params[field]}" for field in search.space)
    said(f"trial {trial.number}: {shown}{' goes on' if options.resume else ''}")

    def prune(step: int, scores: dict[str, float]) -> bool:
        lock.check()
        if step not in search.trials()[trial.number].intermediate_values:
            trial.report(scores[metric], step)
        return trial.should_prune()

    def tell(state: TrialState, ended: str, value: float | None = None) -> None:
        lock.check()
        trial.set_user_attr("ended", ended)
        search.study.tell(trial.number, value, state)
        said(f"trial {trial.number}: {ended}")

    def prepare(config: Any) -> Prepared:
        return without_test(search.experiment.prepare(config))

    try:
        code = train_experiment(search.experiment.name, search.config(trial), options, prepare, prune)
    except LockLost:
        raise
    except Diverged as error:  # poorer than any value, which is what a sampler takes a pruned trial without one for
        tell(TrialState.PRUNED, f"diverged: {error}")
    except Exception as error:
        tell(TrialState.FAIL, f"failed: {type(error).__name__}: {error}")
    else:
        if code:
            return code
        run = Run.open(path)
        reason = run.read_json("manifest.json")["starts"][-1]["exit_reason"]
        if reason == "pruned":
            tell(TrialState.PRUNED, reason)
        else:
            value = run.read_json("result.json")["value"]
            tell(TrialState.COMPLETE, f"{reason}, {metric} {value:.6g}", value)
    return 0


def without_test(prepared: Prepared) -> Prepared:
    """An experiment without its `finish`, which looks at the test data."""

    def finish(outcome: Outcome, run: Run) -> dict[str, Any]:
        return {"model": "", "metric": prepared.task.monitor, "value": outcome.progress.best,
                "higher_is_better": prepared.task.higher_is_better, "baseline": {}, "published": []}  # fmt: skip

    return dataclasses.replace(prepared, finish=finish)
