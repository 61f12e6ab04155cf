"""What every experiment does around `fit`: begin a run, train, and leave a directory that says everything."""

import contextlib
import dataclasses
import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import jax

from rnn_jax.cells import count_parameters
from rnn_jax.train.checkpoint import Checkpoints, NoneIntact
from rnn_jax.train.config import fit_config
from rnn_jax.train.diagnosis import Diagnosis, draw_diagnosis
from rnn_jax.train.experiment import Experiment, Prepared
from rnn_jax.train.fields import flatten
from rnn_jax.train.going_on import again, command_on, ending, further
from rnn_jax.train.loading import begun_as_before, begun_from
from rnn_jax.train.loop import Outcome, check_task, fit
from rnn_jax.train.manifest import user_modules
from rnn_jax.train.origin import refuse_changed_files, refuse_changes
from rnn_jax.train.parallel import check_alike, ending_with_others, join_processes, start_cpu_devices
from rnn_jax.train.replica import Diverged, Prune
from rnn_jax.train.run import Run, check_storable, config_hash, plain
from rnn_jax.train.seeds import key_for
from rnn_jax.train.writer import claimed, default_name, only_writer
from rnn_jax.unroll import automatic, fused_build


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
    init_from: Path | None = None
    """Begin with the best parameters of another run of the same experiment (its directory), to train them further on
    other data or in another way: fine-tuning."""
    trust_changes: bool = False
    """Resume a run though its config.json, its data or a module of yours is no longer what it was trained with."""
    diagnose: bool = False
    """Say at every evaluation whether gradients explode or vanish, and keep it in diagnosis.json and a figure; the
    training stays the same. A run that was begun so is resumed so."""
    distributed: str = ""
    """Several processes: "auto" on a cluster, or HOST:PORT/PROCESS/COUNT."""

    def __post_init__(self):
        if self.resume and not self.name:
            raise ValueError("resume=True needs name: which run to go on with")
        if self.resume and self.init_from:
            raise ValueError(
                f"init_from={str(self.init_from)!r}: a run that is resumed goes on from its own parameters, and begins "
                "anew as it was begun; leave it out"
            )
        if self.distributed and not self.name:
            raise ValueError(f"distributed={self.distributed!r} needs name: one that all processes share")


def train_experiment(
    experiment: Experiment, config: Any, options: RunOptions, prune: Prune | None = None, *, steps: int | None = None
) -> int:
    """Train one run of an experiment and leave a directory that says everything about it.

    A run that `prune` stops (see `fit`) has no result.json. Whoever gives it, a search, sees to it that nobody else
    trains this run; otherwise this function does. A run that is over is not trained again: a line says how to go on.

    Args:
        experiment: what is trained.
        config: how.
        options: where.
        prune: see `fit`.
        steps: go further with a run that is resumed, to so many updates; `config` has those that it was begun with.

    Returns:
        The exit code of the process: 0, or 128 + the number of the signal that stopped it.

    Raises:
        ValueError: the run's name or directory cannot be used, its config is another one than on disk, or another
            process trains it.
        Diverged: see `fit`.
    """
    fitting = fit_config(config)
    check_storable(config)
    if options.distributed:
        join_processes(options.distributed)
    else:
        start_cpu_devices(fitting.cpu_devices)
    path = Run.place(options.runs, experiment.name, options.name or default_name())
    if steps is not None:
        config = further(Run.open(path), config, steps)
    if options.resume:
        refuse_changed_files(Run(path, options.trust_changes), flatten(config))
    if options.resume and (ended := ending(experiment.module, Run.open(path), config)):
        if jax.process_index() == 0:
            print(ended, file=sys.stderr)
        return 0
    prepared, origin = _with_origin(experiment, experiment.prepare(config), path, options)
    check_alike(flatten(config) | {f"data {name}": digest for name, digest in prepared.data.items()})
    # Before anything is written, and before what was there is deleted.
    methods = check_task(prepared.task, fit_config(config))
    if not options.name:
        path = claimed(path.parent, path.name)
        options = dataclasses.replace(options, name=path.name)
    with contextlib.nullcontext() if prune else only_writer(path):
        may_differ = () if steps is None else ("steps",)
        return _train(experiment, config, prepared, options, prune, may_differ, methods, origin)


def _with_origin(
    experiment: Experiment, prepared: Prepared, path: Path, options: RunOptions
) -> tuple[Prepared, dict[str, Any] | None]:
    """What is ready to train from the parameters of the run that this one is begun from, and which one that is."""
    if options.init_from:
        return begun_from(experiment, prepared, options.init_from)
    origin = Run(path).begun_from if options.resume else None
    if origin and not Checkpoints(path / "checkpoints").ever_saved:
        prepared = begun_as_before(experiment, prepared, origin)
    return prepared, origin


def _train(
    experiment: Experiment,
    config: Any,
    prepared: Prepared,
    options: RunOptions,
    prune: Prune | None,
    may_differ: Collection[str],
    methods: Sequence[str],
    origin: dict[str, Any] | None,
) -> int:
    facts = {"init_from": origin} if origin else {}
    run = start_run(experiment, config, prepared, options, may_differ, methods=methods, **facts)
    fitting, diagnosis = fit_config(config), None
    if options.diagnose or (options.resume and (run.path / "diagnosis.json").exists()):
        key = key_for(fitting.seed, "training")
        diagnosis = Diagnosis(prepared.task.loss, fitting, fitting.steps, key, run)
    remedy = f"start all of them again with --resume: what was saved in {run.path} stays"
    try:
        with ending_with_others(run.close_manifest, remedy):
            outcome = fit(prepared.task, fitting, run, resume=options.resume, diagnosis=diagnosis, prune=prune)
        finish_run(experiment, config, prepared, run, outcome, diagnosis)
    except BaseException as error:
        run.close_manifest(reason_of(error))
        if isinstance(error, NoneIntact):
            raise NoneIntact(f"{error}\n  {again(experiment.module, experiment.default, run)}") from None
        raise
    if outcome.exit_code:
        print(f"stopped and saved; go on with: {command_on(experiment.module, run, 'resume RUN')}", file=sys.stderr)
    return outcome.exit_code


def start_run(
    experiment: Experiment,
    config: Any,
    prepared: Prepared,
    options: RunOptions,
    may_differ: Collection[str] = (),
    *,
    methods: Sequence[str],
    **facts: Any,
) -> Run:
    """Make or open the directory of a run, say what begins, and note it in the manifest with further facts."""
    modules = user_modules(flatten(config))
    fused = fused_build() if any(line.endswith(": fused") for line in methods) else None
    if options.resume:
        path = Run.place(options.runs, experiment.name, options.name)
        for line in refuse_changes(Run(path, options.trust_changes), prepared.data, modules, fused=fused):
            print(f"{path}: {line}", file=sys.stderr)
    run = Run.create(
        options.runs, experiment.name, options.name, config,
        resume=options.resume, overwrite=options.overwrite, may_differ=may_differ,
        upgrade=experiment.today,
    )  # fmt: skip
    fitting, size = fit_config(config), count_parameters(prepared.task.params)
    if jax.process_index() == 0:
        devices = f"{jax.device_count()} x {jax.devices()[0].device_kind}"
        begun = f"{experiment.name}: {size:,} parameters, {fitting.steps} updates on {devices}\nrun: {run.path}"
        print(begun, file=sys.stderr)
    for file, content in prepared.files.items():
        run.write_json(file, content)
    run.write_manifest(
        module=experiment.module,
        seed=fitting.seed,
        data=prepared.data,
        modules=modules,
        methods=methods,
        fused=fused,
        **facts,
    )
    return dataclasses.replace(run, trusted=options.trust_changes)


def finish_run(
    experiment: Experiment,
    config: Any,
    prepared: Prepared,
    run: Run,
    outcome: Outcome,
    diagnosis: Diagnosis | None = None,
) -> None:
    """Write result.json and draw a diagnosis, unless it was stopped by a signal or pruned, and close the manifest.

    Raises:
        Diverged: the value of the result is not finite.
    """
    # The best parameters need no other process.
    if outcome.reason not in ("signal", "pruned") and jax.process_index() == 0:
        measured = {
            "config_hash": config_hash(config),
            "params": count_parameters(prepared.task.params),
            "steps": int(outcome.state.step),
            "seconds": round(outcome.progress.seconds, 1),
            "device": jax.devices()[0].device_kind,
            "seed": fit_config(config).seed,
        }
        if outcome.progress.note:
            measured["note"] = outcome.progress.note
            print(f"{run.path}: {outcome.progress.note}", file=sys.stderr)
        if diagnosis and diagnosis.records:
            draw_diagnosis(diagnosis.records, diagnosis.clip_norm, run.figures / "diagnosis.png")
        with automatic(fit_config(config).method):
            result = {"experiment": experiment.name, **prepared.finish(outcome, run), **measured}
        if plain(result["value"]) is None:
            raise Diverged(
                f"the result has {result['metric']}={result['value']}, no finite number: the best model says nothing "
                "of use on the test data. Its checkpoints stay; try a lower learning_rate or clip_norm"
            )
        run.write_json("result.json", result)
        if experiment.predictor:
            print(f"apply it: {command_on(experiment.module, run, prepared.apply)}")
    run.close_manifest(outcome.reason)


def reason_of(error: BaseException) -> str:
    """Why a run ended, for its manifest."""
    return "diverged" if isinstance(error, Diverged) else f"{type(error).__name__}: {error}"
