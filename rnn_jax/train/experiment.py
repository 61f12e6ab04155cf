"""From a config to a finished run directory: what every experiment does around `fit`."""

import dataclasses
import datetime
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import jax

from rnn_jax.cells import count_parameters
from rnn_jax.train.config import FitConfig
from rnn_jax.train.diagnosis import Diagnosis, draw_diagnosis
from rnn_jax.train.lanes import Diverged, Prune, Task
from rnn_jax.train.loop import Outcome, fit
from rnn_jax.train.parallel import join_processes, start_cpu_devices
from rnn_jax.train.run import Run, config_hash
from rnn_jax.train.seeds import key_for

Config = TypeVar("Config", bound=FitConfig)


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunOptions:
    """Where a run goes, and what happens with what is there."""

    runs: Path = Path("runs")
    """The folder of all runs; this one goes to RUNS/EXPERIMENT/NAME."""
    name: str = ""
    """Of the run; the time of its start by default."""
    resume: bool = False
    """Go on from the newest checkpoint of the run called NAME."""
    overwrite: bool = False
    """Delete what an earlier run of this name has left."""
    diagnose: bool = False
    """Say at every evaluation whether gradients explode or vanish, and keep it in diagnosis.json and a figure; the
    training stays the same. A run that was begun so is resumed so."""
    distributed: str = ""
    """Several processes: "auto" on a cluster, or HOST:PORT/PROCESS/COUNT."""

    def __post_init__(self):
        if self.resume and not self.name:
            raise ValueError("resume=True needs name: which run to go on with")
        if self.distributed and not self.name:
            raise ValueError(f"distributed={self.distributed!r} needs name: one that all processes share")


@dataclasses.dataclass(frozen=True)
class Prepared:
    """An experiment that is ready to train.

    Attributes:
        task: for `fit`.
        finish: from the outcome and the run to `result.json`; writes samples and figures on the way.
        data: name and SHA-256 of every data set, for the manifest.
        files: JSON files that the run keeps beside its config, such as a vocabulary.
    """

    task: Task
    finish: Callable[[Outcome, Run], dict[str, Any]]
    data: dict[str, str]
    files: dict[str, Any] = dataclasses.field(default_factory=dict)


def train_experiment(
    experiment: str,
    config: Config,
    options: RunOptions,
    prepare: Callable[[Config], Prepared],
    prune: Prune | None = None,
) -> int:
    """Train one run of an experiment and leave a directory that says everything about it.

    A run that `prune` stops (see `fit`) has no result.json.

    Returns:
        The exit code of the process: 0, or 128 + the number of the signal that stopped it.

    Raises:
        ValueError: the run's name or directory cannot be used, or its config is another one than on disk.
        Diverged: see `fit`.
    """
    if options.distributed:
        join_processes(options.distributed)
    else:
        start_cpu_devices(config.cpu_devices)
    name = options.name or datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    prepared = prepare(config)
    run = start_run(experiment, config, prepared, dataclasses.replace(options, name=name))
    diagnosis = None
    if options.diagnose or (options.resume and (run.path / "diagnosis.json").exists()):
        key = key_for(config.seed, "training")
        diagnosis = Diagnosis(prepared.task.loss, config, config.steps, key, run)
    try:
        outcome = fit(prepared.task, config, run, resume=options.resume, diagnosis=diagnosis, prune=prune)
    except BaseException as error:
        run.close_manifest(reason_of(error))
        raise
    finish_run(experiment, config, prepared, run, outcome, diagnosis)
    if outcome.exit_code:
        print(f"stopped and saved; go on with: python -m experiments.{experiment} resume {run.path}", file=sys.stderr)
    return outcome.exit_code


def start_run(experiment: str, config: FitConfig, prepared: Prepared, options: RunOptions, **facts: Any) -> Run:
    """Make or open the directory of a run, say what begins, and note it in the manifest, with further facts."""
    name, resume = options.name, options.resume
    run = Run.create(options.runs, experiment, name, config, resume=resume, overwrite=options.overwrite)
    size = count_parameters(prepared.task.params)
    if jax.process_index() == 0:
        devices = f"{jax.device_count()} x {jax.devices()[0].device_kind}"
        print(
            f"{experiment}: {size:,} parameters, {config.steps} updates on {devices}\nrun: {run.path}", file=sys.stderr
        )
    for file, content in prepared.files.items():
        run.write_json(file, content)
    run.write_manifest(seed=config.seed, data=prepared.data, **facts)
    return run


def finish_run(
    experiment: str,
    config: FitConfig,
    prepared: Prepared,
    run: Run,
    outcome: Outcome,
    diagnosis: Diagnosis | None = None,
) -> None:
    """Write result.json and draw a diagnosis, unless it was stopped by a signal or pruned, and close the manifest."""
    # The best parameters need no other process.
    if outcome.reason not in ("signal", "pruned") and jax.process_index() == 0:
        measured = {
            "config_hash": config_hash(config),
            "params": count_parameters(prepared.task.params),
            "steps": int(outcome.state.step),
            "seconds": round(outcome.progress.seconds, 1),
            "device": jax.devices()[0].device_kind,
            "seed": config.seed,
        }
        if diagnosis and diagnosis.records:
            draw_diagnosis(diagnosis.records, diagnosis.clip_norm, run.figures / "diagnosis.png")
        run.write_json("result.json", {"experiment": experiment, **prepared.finish(outcome, run), **measured})
    run.close_manifest(outcome.reason)


def reason_of(error: BaseException) -> str:
    """Why a run ended, for its manifest."""
    return "diverged" if isinstance(error, Diverged) else f"{type(error).__name__}: {error}"
