"""A study: conditions (configs that differ in some fields) times seeds, in a directory that processes may share.

    STUDY/  study.json  cells/KEY.json  cells/KEY.lock/  runs/EXPERIMENT/KEY-seed-SEED/  tables and figures

KEY is the hash of a condition's config without its seed: a finished (KEY, seed) is never trained again.
`cells/KEY.json` is written by the process that holds the condition's lock, and says which seeds were trained together,
how, and how each ended. `study.json` follows from these files and the results of the runs, and holds no time, so that
the same study gives the same file.
"""

import contextlib
import dataclasses
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax

from rnn_jax.checks import check_choice
from rnn_jax.studies.lock import Lock, LockLost
from rnn_jax.studies.seed_runs import SEED_LAYOUTS, SeedGroup
from rnn_jax.studies.stored import read_run, read_stored
from rnn_jax.train.experiment import Experiment
from rnn_jax.train.fields import replace_fields
from rnn_jax.train.origin import refuse_other_data
from rnn_jax.train.run import config_hash, plain, to_json
from rnn_jax.train.seeds import key_for

KEPT = {"metric": str, "value": int | float | None, "higher_is_better": bool, "params": int, "steps": int}
RECORD = {"groups": [{"seeds": [int], "layout": str, "note": str}], "failures": {...: str}}
POLL = 2.0  # seconds between two looks at what other processes have done


@dataclasses.dataclass(frozen=True)
class Condition:
    """One config of a study.

    Attributes:
        fields: what distinguishes it, by name, in the order of the study.
        config: its config; the seed in it does not count.
    """

    fields: dict[str, Any]
    config: Any

    @property
    def name(self) -> str:
        """The fields in words; a named set is its name."""
        words = (str(value) if field == "set" else f"{field}={value}" for field, value in self.fields.items())
        return ", ".join(words) or "as it is"

    @property
    def key(self) -> str:
        """The hash of the config without its seed."""
        return config_hash({field: value for field, value in plain(self.config).items() if field != "seed"})


@dataclasses.dataclass(frozen=True)
class Study:
    """Cells times seeds of one experiment.

    Attributes:
        path: the directory.
        experiment: that is studied.
        conditions: the configs, no two the same.
        seeds: of each condition.
        layout: vmap, map or single; see `SeedGroup`.
        about: what study.json says beside: question, command, reference.

    Raises:
        ValueError: two conditions are the same, a layout is not known, the directory holds a study of another
            experiment or layout, or its runs were trained with data that have changed since.
    """

    path: Path
    experiment: Experiment
    conditions: Sequence[Condition]
    seeds: Sequence[int]
    layout: str = "vmap"
    about: dict[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        check_choice("layout", self.layout, SEED_LAYOUTS)
        names: dict[str, str] = {}
        for condition in self.conditions:
            if condition.key in names:
                raise ValueError(
                    f"conditions {names[condition.key]!r} and {condition.name!r} have the same config: leave one out"
                )
            names[condition.key] = condition.name
        refuse_other_data(self.path)
        file = self.path / "study.json"
        if not file.exists():
            # A process that was killed at its very beginning leaves the folder cells, and so does who deletes the file.
            if self.path.exists() and any(self.path.iterdir()) and not self._folder.is_dir():
                raise ValueError(f"study={str(self.path)!r} is not empty and holds no study.json: name another folder")
            return
        stored = read_stored(
            file, {"experiment": str, "layout": str}, "delete it: it is made again from what is beside it"
        )
        for name, asked in (("experiment", self.experiment.name), ("layout", self.layout)):
            if stored.get(name) != asked:
                raise ValueError(
                    f"study={str(self.path)!r} has {name}={stored.get(name)!r}, asked for is {asked!r}: "
                    "name another folder"
                )

    def run(self, retry: bool = False, report: Callable[[str], None] = print) -> int:
        """Train what is not there yet, beside other processes that do the same, until everything has ended.

        Args:
            retry: train again what has failed.
            report: gets a line about each condition.

        Returns:
            0, or 128 + the number of the signal that stopped it.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        self.write_summary()
        locks = {condition.key: Lock(self._folder, condition.key) for condition in self.conditions}
        again = {condition.key for condition in self.conditions if retry}
        while left := [
            condition for condition in self.conditions if condition.key in again or not self.ended(condition)
        ]:
            worked = False
            for condition in left:
                if not locks[condition.key].acquire():
                    continue
                worked, code = True, 0
                report(f"{condition.name}: {self.experiment.name}, {len(self.seeds)} seeds, {self.layout}")
                try:
                    with locks[condition.key] as lock:
                        code = self._train(condition, lock, condition.key in again, report)
                except LockLost as lost:
                    report(f"{condition.name}: {lost}")
                again.discard(condition.key)
                self.write_summary()
                if code:
                    return code
            if not worked:
                time.sleep(POLL)
        self.write_summary()
        return 0

    def rehearse(self, condition: Condition) -> None:
        """Prepare a condition and trace the gradient of one batch: nothing is trained, but a mistake shows at once."""
        task = self.experiment.prepare(replace_fields(condition.config, seed=self.seeds[0])).task
        arguments = (task.params, task.carry, task.batch(0), key_for(0, "training"))
        jax.eval_shape(jax.grad(task.loss, has_aux=True), *arguments)

    @property
    def _folder(self) -> Path:
        return self.path / "cells"

    def record(self, condition: Condition) -> dict[str, Any]:
        """What is known of a condition: `groups`, seeds that were trained together; `failures`, "" for no failure."""
        file = self._folder / f"{condition.key}.json"
        try:
            return read_stored(file, RECORD, "") if file.exists() else {"groups": [], "failures": {}}
        except ValueError:  # nothing is known, as at the beginning; `_train` says it
            return {"groups": [], "failures": {}}

    def ended(self, condition: Condition) -> bool:
        """Whether all its seeds have finished or failed."""
        failures = self.record(condition)["failures"]
        return all(str(seed) in failures for seed in self.seeds)

    def failures(self) -> dict[str, str]:
        """Why runs have failed, by the name of their condition with their seed."""
        return {
            f"{cell['name']}, seed {seed}": one["message"]
            for cell in self.summary()["cells"]
            for seed, one in cell["seeds"].items()
            if one["state"] == "failed"
        }

    def _train(self, condition: Condition, lock: Lock, retry: bool, report: Callable[[str], None]) -> int:
        file = self._folder / f"{condition.key}.json"
        try:
            if file.exists():
                read_stored(file, RECORD, f"it is kept as {file.name}.damaged, and its runs are gone through again")
        except ValueError as error:
            report(f"{condition.name}: {error}")
            file.replace(file.with_name(f"{file.name}.damaged"))
        record = self.record(condition)
        if retry:
            failed = [
                int(seed)
                for seed, failure in record["failures"].items()
                if failure or not self._is_whole(condition, int(seed))
            ]
            for group in record["groups"]:
                group["seeds"] = [seed for seed in group["seeds"] if seed not in failed]
            record["failures"] = {seed: "" for seed in record["failures"] if int(seed) not in failed}
        # Which seeds share a program is decided once: a killed study goes on with the same.
        begun = {seed for group in record["groups"] for seed in group["seeds"]}
        if new := [seed for seed in self.seeds if seed not in begun]:
            record["groups"].append({"seeds": new, "layout": self.layout, "note": ""})

        def save() -> None:
            lock.write(file, to_json(record))

        save()
        for stored in record["groups"]:
            if all(str(seed) in record["failures"] for seed in stored["seeds"]):
                continue
            ended = {int(seed): failure for seed, failure in record["failures"].items()}
            group = SeedGroup(
                self.experiment, condition.config, stored["seeds"], self.path / "runs", condition.key, stored["layout"],
                stored["note"], ended, check=lock.check,
            )  # fmt: skip

            def note(stored: dict[str, Any] = stored, group: SeedGroup = group) -> None:
                stored |= {"layout": group.layout, "note": group.note}
                record["failures"] |= {str(seed): failure for seed, failure in sorted(group.failures.items())}
                save()

            group.save = note
            if code := group.train():
                return code
        return 0

    def _is_whole(self, condition: Condition, seed: int) -> bool:
        with contextlib.suppress(ValueError):
            return bool(read_finished(self.run_path(condition, seed)))
        return False

    def run_path(self, condition: Condition, seed: int) -> Path:
        """Where the run of a condition and a seed is."""
        return self.path / "runs" / self.experiment.name / f"{condition.key}-seed-{seed}"

    def summary(self) -> dict[str, Any]:
        """What study.json holds."""
        conditions, versions, processors = [], [], []
        for condition in self.conditions:
            record, seeds = self.record(condition), {}
            groups = {seed: group for group in record["groups"] for seed in group["seeds"]}
            for seed in self.seeds:
                failure = record["failures"].get(str(seed))
                state = "open" if failure is None else "failed" if failure else "done"
                seeds[str(seed)] = {"state": state}
                if seed in groups:
                    seeds[str(seed)] |= {"layout": groups[seed]["layout"], "beside": groups[seed]["seeds"]}
                if failure:
                    seeds[str(seed)]["message"] = failure
                if state == "done":
                    try:
                        result, starts = read_finished(path := self.run_path(condition, seed))
                    except ValueError as error:  # one file that is damaged leaves the others alone
                        seeds[str(seed)] |= {"state": "failed", "message": str(error)}
                        continue
                    seeds[str(seed)] |= {"run": str(path.relative_to(self.path))}
                    seeds[str(seed)] |= {name: result[name] for name in KEPT}
                    for start in starts:
                        versions += [start["versions"]] if start["versions"] not in versions else []
                        by = start.get("processor", "not recorded")
                        processors += [by] if by not in processors else []
            notes = sorted({group["note"] for group in record["groups"] if group["note"]})
            states = {one["state"] for one in seeds.values()}
            state = "open" if "open" in states else "done" if states == {"done"} else "failed"
            entry = {
                "name": condition.name,
                "fields": condition.fields,
                "key": condition.key,
                "state": state,
                "notes": notes,
            }
            conditions.append(entry | {"seeds": seeds})
        head = {"experiment": self.experiment.name, "layout": self.layout, "seeds": list(self.seeds), **self.about}
        return {**head, "versions": versions, "processors": processors, "cells": conditions}

    def write_summary(self) -> None:
        """Write study.json by what is there now; one process after the other, so that the newest is the last."""
        written = False
        while not written:
            with contextlib.suppress(LockLost), Lock(self._folder, "study").waited_for() as lock:
                lock.write(self.path / "study.json", to_json(self.summary()))
                written = True


def read_finished(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The result of a finished run, and what its manifest says of each start.

    Raises:
        ValueError: one of the files is damaged.
    """
    form = KEPT | {"seconds": int | float, "device": str}
    return read_run(path, form, f"delete {path.name}, and --retry trains it again", {"versions": dict})


def default_path(root: Path, experiment: str, definition: Any) -> Path:
    """The folder of a study that was given none: the same command finds the same folder."""
    return Path(os.path.join(root, f"{experiment}-{config_hash(definition)}"))
