"""From one config and several seeds to finished run directories: side by side in one program, or one by one."""

import contextlib
import dataclasses
import shutil
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from rnn_jax.checks import check_choice
from rnn_jax.train.config import fit_config
from rnn_jax.train.experiment import Experiment, Prepared
from rnn_jax.train.fields import replace_fields
from rnn_jax.train.loop import Outcome, check_task, fit
from rnn_jax.train.multi_seed import LAYOUTS, SeedsDiffer, fit_seeds
from rnn_jax.train.programs import update_bytes
from rnn_jax.train.run import Run, is_begun
from rnn_jax.train.running import RunOptions, finish_run, reason_of, start_run

SEED_LAYOUTS = (*LAYOUTS, "single")


@dataclasses.dataclass
class SeedGroup:
    """Seeds of one config that are trained together, and how each has ended.

    Attributes:
        experiment: that they are runs of.
        config: of all seeds; the seed in it does not count.
        seeds: of the group.
        folder: of the runs, which are called PREFIX-seed-SEED.
        prefix: of their names.
        layout: vmap or map (see `fit_seeds`), or single: one after the other with `fit`. It becomes single, and `note`
            says why, if the seeds cannot share a program.
        note: why the layout is another one than was asked for.
        failures: of each seed that has ended why it failed, or "" where it did not.
        save: called whenever something of this has changed.
        check: called before anything is written down for good; raises if this process must not.
    """

    experiment: Experiment
    config: Any
    seeds: Sequence[int]
    folder: Path
    prefix: str
    layout: str = "vmap"
    note: str = ""
    failures: dict[int, str] = dataclasses.field(default_factory=dict)
    save: Callable[[], None] = lambda: None
    check: Callable[[], None] = lambda: None

    def __post_init__(self):
        check_choice("layout", self.layout, SEED_LAYOUTS)

    def train(self) -> int:
        """Train what has not ended; what was interrupted goes on, bitwise as if it had not been.

        A failure of a seed is noted and leaves the others alone.

        Returns:
            0, or 128 + the number of the signal that stopped it.
        """
        if self.layout != "single":
            try:
                return self._train_together()
            except SeedsDiffer as difference:
                self.layout, self.note = "single", f"{difference}: trained one by one"
                print(f"{self.prefix}: {self.note}", file=sys.stderr)
                self.save()
                shutil.rmtree(self._together, ignore_errors=True)
        for seed in self.seeds:
            if seed not in self.failures and (code := self._alone(seed)):
                return code
        return 0

    def _train_together(self) -> int:
        configs = [self._config(seed) for seed in self.seeds]
        runs: dict[int, Run] = {}
        with self._noting(list(self.seeds), runs):
            ready = [self.experiment.prepare(config) for config in configs]
            for seed, config, prepared in zip(self.seeds, configs, ready, strict=True):
                runs[seed] = self._start(seed, config, prepared)
            tasks = [prepared.task for prepared in ready]
            fitting = [fit_config(config) for config in configs]
            ended = fit_seeds(tasks, fitting, list(runs.values()), self._together, layout=self.layout, resume=True)
            for seed, config, prepared, outcome in zip(self.seeds, configs, ready, ended, strict=True):
                if isinstance(outcome, Outcome) and outcome.exit_code:
                    runs[seed].close_manifest(outcome.reason)
                elif seed not in self.failures:
                    self._finish(seed, config, prepared, runs[seed], outcome)
            if codes := [one.exit_code for one in ended if isinstance(one, Outcome) and one.exit_code]:
                return codes[0]
        shutil.rmtree(self._together, ignore_errors=True)
        return 0

    def _alone(self, seed: int) -> int:
        config, runs = self._config(seed), {}
        with self._noting([seed], runs):
            prepared = self.experiment.prepare(config)
            run = runs[seed] = self._start(seed, config, prepared)
            outcome = fit(prepared.task, fit_config(config), run, resume=run.checkpoints.exists())
            if outcome.exit_code:
                run.close_manifest(outcome.reason)
                return outcome.exit_code
            self._finish(seed, config, prepared, run, outcome)
        return 0

    @property
    def _together(self) -> Path:
        """Where the checkpoint of all seeds is while they train side by side."""
        return self.folder / f"{self.prefix}-from-{self.seeds[0]}"

    def _config(self, seed: int) -> Any:
        return replace_fields(self.config, seed=seed)

    def _start(self, seed: int, config: Any, prepared: Prepared) -> Run:
        """Begin a run, or go on with what a killed process has left of it."""
        name = f"{self.prefix}-seed-{seed}"
        begun = is_begun(self.folder / self.experiment.name / name)
        options = RunOptions(runs=self.folder, name=name, resume=begun)
        facts: dict[str, Any] = {"layout": self.layout, "beside": list(self.seeds)}
        if seed == self.seeds[0]:  # it is the same for the others
            facts["update_bytes"] = update_bytes(prepared.task)
        methods = check_task(prepared.task, fit_config(config))
        return start_run(self.experiment, config, prepared, options, methods=methods, **facts)

    def _finish(self, seed: int, config: Any, prepared: Prepared, run: Run, outcome: Outcome | Exception) -> None:
        with self._noting([seed], {seed: run}):
            if isinstance(outcome, Exception):
                raise outcome
            self.check()
            with contextlib.redirect_stdout(sys.stderr):  # standard output is for what the study says
                finish_run(self.experiment, config, prepared, run, outcome)
            self.check()
            self.failures[seed] = ""
            self.save()

    @contextlib.contextmanager
    def _noting(self, seeds: list[int], runs: dict[int, Run]) -> Iterator[None]:
        """Note an error as the failure of those of some seeds that have not ended; of all but a defect of the group."""
        try:
            yield
        except BaseException as error:
            if isinstance(error, Exception):
                self.check()  # whose lock is lost, its runs are another's
            for seed, run in runs.items():
                if seed in seeds and seed not in self.failures:
                    run.close_manifest(reason_of(error))
            if isinstance(error, SeedsDiffer) or not isinstance(error, Exception):
                raise
            words = f"{type(error).__name__}: {error}".replace(f"{self.folder}/", "")
            if not any(self.failures.values()):  # the others of a config fail as the first one does
                traceback.print_exc()
            for seed in seeds:
                self.failures.setdefault(seed, words)
                print(f"{self.prefix} seed {seed} failed: {words}", file=sys.stderr)
            self.save()
