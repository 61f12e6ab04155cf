"""An experiment: what it trains by which config, and what every experiment does around `fit`."""

import contextlib
import dataclasses
import datetime
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax

from rnn_jax.cells import count_parameters
from rnn_jax.checks import check_choice, reading_a_file
from rnn_jax.train.checkpoint import CheckpointError, NoneIntact
from rnn_jax.train.config import fit_config
from rnn_jax.train.diagnosis import Diagnosis, draw_diagnosis
from rnn_jax.train.fields import field_types, flatten, make_config, read_values, replace_fields
from rnn_jax.train.going_on import again, ending, further
from rnn_jax.train.loop import Outcome, best_or_next, check_task, fit
from rnn_jax.train.manifest import user_modules
from rnn_jax.train.origin import files_now, refuse_changed_files, refuse_changes
from rnn_jax.train.parallel import ending_with_others, join_processes, start_cpu_devices
from rnn_jax.train.replica import Diverged, Prune, Task
from rnn_jax.train.run import Run, check_storable, config_hash, plain
from rnn_jax.train.seeds import key_for
from rnn_jax.train.writer import only_writer
from rnn_jax.typing import Carry, Params
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


@dataclasses.dataclass(frozen=True)
class Trained:
    """The best model of a run, with all that is needed to use it.

    Attributes:
        run: where it is.
        config: of the run.
        rebuild: from parameters to the model.
        params: the best ones.
        preprocessor: what turns inputs into what the model reads, and its outputs into answers: a tokenizer and
            classes, the scaling of a series.
        instead: of which step the parameters are where the best are damaged; else empty.
    """

    run: Run
    config: Any
    rebuild: Callable[[Params], Any]
    params: Params
    preprocessor: Any = None
    instead: str = ""

    @property
    def model(self) -> Any:
        """The model itself."""
        return self.rebuild(self.params)

    @classmethod
    def best(
        cls,
        run: Run,
        config: Any,
        params: Params,
        rebuild: Callable[[Params], Any],
        *,
        preprocessor: Any = None,
        carry: Carry = (),
    ) -> "Trained":
        """The best checkpoint of a run.

        Args:
            run: that has been trained.
            config: of the run.
            params: parameters of the same model, for their names, shapes and dtypes.
            rebuild: from parameters to the model.
            preprocessor: see above.
            carry: the initial carry that the run trained with.

        Raises:
            CheckpointError: there is no intact checkpoint, or the model is another one (the message names the leaves).
        """
        params, instead = best_or_next(params, carry, fit_config(config), run)
        return cls(run, config, rebuild, params, preprocessor, instead)


def _same(values: dict[str, Any]) -> dict[str, Any]:
    return values


def _by_task(values: Mapping[str, Any]) -> Any:
    return values.get("task")


@dataclasses.dataclass(frozen=True)
class Experiment:
    """A question, and what it takes to answer it; a package or module has one, as its `EXPERIMENT`.

    Attributes:
        module: `__name__` of the package or module: how `python -m` starts it. Its last part is the experiment's name.
        Config: the dataclass of its configs; or one for each task, by the task's name, the first being the default.
            A config has the fields of a `FitConfig`, its own or those of a part of it.
        prepare: from a config to what is trained.
        restore: from a run and its config to what has been trained, for `load`.
        commands: further functions of the command line. One whose first argument is `trained` gets what `load` gives,
            for RUN on the command line; one with an argument `config` gets a config. `evaluate` is one of them.
        default: the command where none is named.
        pages: what `inspect` shows beyond what it shows of every run: from `(trained, row, steps)` to functions that
            draw a page and say what is on it, by the page's title.
        task_of: which task values of fields ask for, where it is not the field `task` alone that says it; unchecked.
        upgrade: from the fields of a config.json that an earlier version wrote to those of today.
        predictor: from what has been trained, and options of its own, to what answers new inputs: for the commands
            `predict`, `evaluate --data` and `export`.

    Raises:
        ValueError: a type of its configs is no dataclass, or there is none.
    """

    module: str
    Config: type[Any] | Mapping[str, type[Any]]
    prepare: Callable[[Any], Prepared]
    restore: Callable[[Run, Any], Trained]
    commands: tuple[Callable[..., Any], ...] = ()
    default: str = "train"
    pages: Callable[[Trained, int, int], dict[str, Callable[[], str]]] | None = None
    task_of: Callable[[Mapping[str, Any]], Any] = _by_task
    upgrade: Callable[[dict[str, Any]], dict[str, Any]] = _same
    predictor: Callable[..., Any] | None = None

    def __post_init__(self):
        if self.module == "__main__":  # python -m package, or python file.py
            spec = sys.modules["__main__"].__spec__
            module = spec.name.removesuffix(".__main__") if spec else Path(sys.argv[0]).stem
            object.__setattr__(self, "module", module)
        types = list(self.Config.values()) if isinstance(self.Config, Mapping) else [self.Config]
        if not types or not all(isinstance(one, type) and dataclasses.is_dataclass(one) for one in types):
            raise ValueError(
                f"Config={self.Config!r} of experiment {self.name!r}: expected a dataclass, or a dict from each task's "
                "name to one"
            )

    @property
    def name(self) -> str:
        """The last part of the module's name: of the folder of its runs, its results and its studies."""
        return self.module.rpartition(".")[2]

    @property
    def page(self) -> str:
        """What the package or module says of itself."""
        return sys.modules[self.module].__doc__ or self.name if self.module in sys.modules else self.name

    @property
    def question(self) -> str:
        """The first line of its page."""
        return self.page.strip().split("\n")[0]

    def config_type(self, *values: Mapping[str, Any]) -> type[Any]:
        """The type of the configs that have these values; of several sources, the first that says a task decides.

        Raises:
            ValueError: there is no such task.
        """
        if not isinstance(self.Config, Mapping):
            return self.Config
        task = next(filter(None, map(self.task_of, values)), next(iter(self.Config)))
        check_choice("task", task, tuple(self.Config))
        return self.Config[task]

    def configure(self, values: Mapping[str, Any]) -> Any:
        """The config with some fields set, from words (a command line) or from JSON.

        Raises:
            ValueError: a field is not known, or a value is not of its type or not allowed.
        """
        config_type = self.config_type(values)
        return make_config(config_type, read_values(config_type, values))

    def today(self, stored: dict[str, Any]) -> dict[str, Any]:
        """The fields of a config.json as they are today, whatever version wrote it.

        Before there was a field `method`, all runs went step by step.
        """
        before = {} if "method" in stored or "cpu_devices" not in stored else {"method": "sequential"}
        return self.upgrade(stored | before)

    def replace(self, config: Any, values: Mapping[str, Any]) -> Any:
        """The same config with other values of some fields, from words; of another task, with its own defaults."""
        return replace_fields(config, **read_values(type(config), values))

    @reading_a_file()
    def open(self, path: Path) -> tuple[Run, Any]:
        """A run directory and its config.

        Raises:
            ValueError: there is no run, or it is one of another experiment.
        """
        run = Run.open(path)
        stored = self.today(run.config)
        config_type = self.config_type(stored)
        if set(stored) != set(field_types(config_type)):
            raise ValueError(
                f"run={str(path)!r} belongs to another experiment or version: its config has {sorted(stored)}"
            )
        return run, self.configure(stored)

    @reading_a_file()
    def load(self, run: Path, *, trust_changes: bool = False) -> Trained:
        """The best model of the run at a path, and what it takes to use it.

        Args:
            run: its directory.
            trust_changes: only say it if config.json, the data or a module is no longer what it was trained with.

        Raises:
            ValueError: see `open`; or something is no longer what it was.
            CheckpointError: there is no intact checkpoint, or it is of another run.
        """
        opened, config = self.open(run)
        opened = dataclasses.replace(opened, trusted=trust_changes)
        values, starts = flatten(config), opened.read_json("manifest.json")["starts"]
        data = files_now(values, starts[-1].get("data", {})) if starts else {}
        refuse_changes(opened, data, {})
        try:
            trained = self.restore(opened, config)
        except NoneIntact as error:
            raise NoneIntact(f"{error}\n  {again(self.module, self.default, opened)}") from None
        except CheckpointError:  # of another model: as that of a cell of the user that is another now
            refuse_changes(opened, data, user_modules(values))
            raise
        for line in refuse_changes(opened, data, user_modules(values)):
            print(f"{opened.path}: {line}", file=sys.stderr)
        return trained


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
    name = options.name or datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    options = dataclasses.replace(options, name=name)
    path = Run.place(options.runs, experiment.name, name)
    if steps is not None:
        config = further(Run.open(path), config, steps)
    if options.resume:
        refuse_changed_files(Run(path, options.trust_changes), flatten(config))
    if options.resume and (ended := ending(experiment.module, Run.open(path), config)):
        if jax.process_index() == 0:
            print(ended, file=sys.stderr)
        return 0
    prepared = experiment.prepare(config)
    # Before anything is written, and before what was there is deleted.
    methods = check_task(prepared.task, fit_config(config))
    with contextlib.nullcontext() if prune else only_writer(path):
        return _train(experiment, config, prepared, options, prune, () if steps is None else ("steps",), methods)


def _train(
    experiment: Experiment,
    config: Any,
    prepared: Prepared,
    options: RunOptions,
    prune: Prune | None,
    may_differ: Collection[str],
    methods: Sequence[str],
) -> int:
    run = start_run(experiment, config, prepared, options, may_differ, methods=methods)
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
        print(f"stopped and saved; go on with: python -m {experiment.module} resume {run.path}", file=sys.stderr)
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
            print(f"apply it: python -m {experiment.module} predict {run.path} FILE")
    run.close_manifest(outcome.reason)


def reason_of(error: BaseException) -> str:
    """Why a run ended, for its manifest."""
    return "diverged" if isinstance(error, Diverged) else f"{type(error).__name__}: {error}"
