"""A search over the fields of a config, in one directory that several processes may share.

    STUDY/  journal.log  trials/NUMBER.lock/  runs/EXPERIMENT/trial-NUMBER/  tune.json  best.json

The journal is Optuna's, and the only truth; its lock is ours, which the death of a holder does not keep. A trial
belongs to the process that holds its lock; one whose process is gone goes on, as the same trial, from the last
checkpoint of its run. The sampler of a trial is seeded by its number, so that a search by one process gives the same
trials however often it was interrupted.
"""

import dataclasses
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from rnn_jax.extras import optional_imports
from rnn_jax.studies.lock import Lock, LockLost
from rnn_jax.studies.search_space import suggest
from rnn_jax.train import Diverged, Outcome, Run, Task
from rnn_jax.train.console import rounded
from rnn_jax.train.experiment import Experiment, Prepared
from rnn_jax.train.origin import refuse_other_data
from rnn_jax.train.run import is_begun, plain
from rnn_jax.train.running import RunOptions, train_experiment

with optional_imports():
    import optuna
    from optuna.distributions import BaseDistribution
    from optuna.pruners import MedianPruner, NopPruner
    from optuna.samplers import TPESampler
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
    from optuna.trial import FrozenTrial, Trial, TrialState

REMEDY = "bring back a copy of it, or begin anew in another folder"
POLL = 1.0  # seconds between two looks at the trials of other processes


class _JournalLock(JournalFileOpenLock):
    """Ours in the place of Optuna's, which is a link: a relative one leads nowhere, and is waited for without end."""

    def __init__(self, journal: Path):
        self._journal, self._lock = journal, Lock(journal.parent / "trials", "journal")

    def acquire(self) -> bool:
        self._lock.waited_for()
        # What was killed in the middle of a line has not said it: the next line must not be joined to it.
        with self._journal.open("rb+") as file:
            content = file.read()
            file.truncate(content.rfind(b"\n") + 1)
        return True

    def release(self) -> None:
        self._lock.release()


class Search:
    """Trials of an experiment.

    Args:
        path: the directory.
        experiment: whose config is searched.
        base: the values of the fields that are not searched.
        space: the fields that are.
        task: of `base`; trials are compared by the metric that it monitors, which is one of validation data.
        seed: of the search.
        prune_after: how many trials end before others are pruned by their median; 0 prunes none.
        definition: what two processes must agree on.

    Raises:
        ValueError: the directory holds something else, or another search, or its trials were trained with data that
            have changed since.
    """

    def __init__(
        self, path: Path, experiment: Experiment, base: Any, space: dict[str, BaseDistribution], task: Task,
        *, seed: int, prune_after: int, definition: dict[str, Any],
    ):  # fmt: skip
        self.path, self.experiment, self.base, self.space, self.task = path, experiment, base, space, task
        self.seed, self._locks = seed, dict[int, Lock]()
        journal = path / "journal.log"
        refuse_other_data(path)
        if not journal.exists() and path.exists() and any(entry.name != "trials" for entry in path.iterdir()):
            raise ValueError(f"study={str(path)!r} is not empty and holds no journal.log: name another folder")
        path.mkdir(parents=True, exist_ok=True)
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        with self.alone():
            if journal.exists():
                check_journal(journal)
            try:
                self._storage = JournalStorage(JournalFileBackend(str(journal), _JournalLock(journal)))
                self.study = optuna.create_study(
                    storage=self._storage,
                    study_name=experiment.name,
                    direction="maximize" if task.higher_is_better else "minimize",
                    pruner=MedianPruner(n_startup_trials=prune_after) if prune_after else NopPruner(),
                    load_if_exists=True,
                )
                stored = self.study.user_attrs.get("definition")
                if stored is None:
                    self.study.set_user_attr("definition", stored := plain(definition))
                stored = dict(stored)
            except OSError:
                raise
            except Exception as error:  # lines that are whole, and do not go together: Optuna says it in many ways
                raise ValueError(f"{journal} is damaged: {type(error).__name__}: {error}; {REMEDY}") from error
        asked = plain(definition)
        for name in asked | stored:
            if stored.get(name) != asked.get(name):
                raise ValueError(
                    f"study={str(path)!r} has {name}={stored.get(name)!r}, asked for is {asked.get(name)!r}: "
                    "name another folder"
                )

    def run(self, trials: int, report: Callable[[str], None] = print) -> int:
        """Take trials until there are so many, all of them ended, beside other processes that do the same.

        Returns:
            0, or 128 + the number of the signal that stopped it.
        """
        while len(ended := self.ended()) < trials or len(ended) < len(self.trials()):
            trial = self._take(trials)
            if trial is None:  # those that are left are in the hands of others
                time.sleep(POLL)
                continue
            with self._locks[trial.number] as lock:
                try:
                    if code := train_trial(self, trial, lock, report):
                        return code
                except LockLost as lost:
                    report(f"trial {trial.number}: {lost}")
        return 0

    def trials(self) -> list[FrozenTrial]:
        """All trials, by number."""
        return self.study.get_trials(deepcopy=False)

    def ended(self) -> list[FrozenTrial]:
        """Trials that nobody has to work on any more."""
        return [trial for trial in self.trials() if trial.state.is_finished()]

    def config(self, trial: FrozenTrial | Trial) -> Any:
        """The config of a trial."""
        return self.experiment.replace(self.base, trial.params)

    def run_path(self, number: int) -> Path:
        """Where the run of a trial is."""
        return self.path / "runs" / self.experiment.name / f"trial-{number:04d}"

    def alone(self) -> Lock:
        """No other process looks for a trial, or writes what was found, while this is held."""
        return Lock(self.path / "trials", "search").waited_for()

    def _take(self, trials: int) -> Trial | None:
        """A trial, locked: one that a process has left unfinished, or a new one."""
        with self.alone():
            known = self.trials()
            for number in [one.number for one in known if not one.state.is_finished()]:
                if self._lock(number).acquire():
                    if not self.trials()[number].state.is_finished():
                        return self._suggested(number)
                    self._lock(number).release()  # it has just ended
            if len(known) < trials and self._lock(len(known)).acquire():
                return self._suggested(len(known))
        return None

    def _lock(self, number: int) -> Lock:
        return self._locks.setdefault(number, Lock(self.path / "trials", f"{number:04d}"))

    def _suggested(self, number: int) -> Trial:
        seed = int(np.random.SeedSequence([self.seed, number]).generate_state(1)[0])
        self.study.sampler = TPESampler(seed=seed)
        # What was suggested to a trial before is suggested to it again.
        trial = self.study.ask() if number == len(self.trials()) else Trial(self.study, self._trial_id(number))
        for field, distribution in self.space.items():
            suggest(trial, field, distribution)
        return trial

    def _trial_id(self, number: int) -> int:
        study_id = self._storage.get_study_id_from_name(self.study.study_name)
        return self._storage.get_trial_id_from_study_id_trial_number(study_id, number)


def check_journal(journal: Path) -> None:
    """Raise a ValueError that names the first line which is none of a journal."""
    for number, line in enumerate(journal.read_bytes().splitlines(keepends=True), 1):
        try:
            whole = not line.endswith(b"\n") or "op_code" in dict(json.loads(line))  # half a line at the end is cut
        except (ValueError, TypeError, RecursionError):
            whole = False
        if not whole:
            raise ValueError(f"{journal}, line {number}, is damaged: {line[:40]!r}; {REMEDY}")


def train_trial(search: Search, trial: Trial, lock: Lock, report: Callable[[str], None]) -> int:
    """Train a trial to its end, whatever that is, and tell it.

    Args:
        search: that the trial is of.
        trial: with its parameters.
        lock: of the trial, which this process holds.
        report: gets a line at the beginning and one at the end.

    Returns:
        0, or 128 + the number of the signal that stopped it.

    Raises:
        LockLost: another process has taken the trial.
    """
    path, metric = search.run_path(trial.number), search.task.monitor
    options = RunOptions(runs=path.parent.parent, name=path.name, resume=is_begun(path))
    shown = ", ".join(f"{field}={trial.params[field]}" for field in search.space)
    report(f"trial {trial.number}: {shown}{' goes on' if options.resume else ''}")

    def prune(step: int, scores: dict[str, float]) -> bool:
        lock.check()
        if step not in search.trials()[trial.number].intermediate_values:
            trial.report(scores[metric], step)
        return bool(trial.should_prune())

    def tell(state: TrialState, ended: str, value: float | None = None) -> None:
        lock.check()
        trial.set_user_attr("ended", ended)
        search.study.tell(trial.number, value, state)
        report(f"trial {trial.number}: {ended}")

    experiment = dataclasses.replace(
        search.experiment, prepare=lambda config: without_test(search.experiment.prepare(config))
    )
    try:
        code = train_experiment(experiment, search.config(trial), options, prune)
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
            tell(TrialState.COMPLETE, f"{reason}, {metric} {rounded(value)}", value)
    return 0


def without_test(prepared: Prepared) -> Prepared:
    """An experiment without its `finish`, which looks at the test data."""

    def finish(outcome: Outcome, run: Run) -> dict[str, Any]:
        return {"model": "", "metric": prepared.task.monitor, "value": outcome.progress.best,
                "higher_is_better": prepared.task.higher_is_better, "baseline": {}, "published": []}  # fmt: skip

    return dataclasses.replace(prepared, finish=finish)
