"""An experiment: what it trains by which config, what is ready to train, and what has been trained."""

import dataclasses
import sys
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jax

from rnn_jax.checks import check_choice, reading_a_file
from rnn_jax.train.checkpoint import CheckpointError, NoneIntact
from rnn_jax.train.config import fit_config
from rnn_jax.train.fields import field_types, flatten, make_config, read_values, replace_fields
from rnn_jax.train.going_on import again
from rnn_jax.train.loop import Outcome, best_or_next
from rnn_jax.train.manifest import user_modules
from rnn_jax.train.origin import files_now, refuse_changes
from rnn_jax.train.replica import Task
from rnn_jax.train.run import Run
from rnn_jax.typing import Carry, Params


@dataclasses.dataclass(frozen=True)
class Prepared:
    """An experiment that is ready to train.

    Attributes:
        task: for `fit`.
        finish: from the outcome and the run to `result.json`; writes samples and figures on the way.
        data: name and SHA-256 of every data set, for the manifest.
        files: JSON files that the run keeps beside its config, such as a vocabulary.
        alone: of several models that are trained side by side, the loss of the one that has a row, from the parameters
            of all, a batch and the row: outside of `jax.vmap`, so that one can look inside; None where there is one.
        apply: how the model is applied when it is trained: the command after `python -m MODULE`, RUN for the run.
    """

    task: Task
    finish: Callable[[Outcome, Run], dict[str, Any]]
    data: dict[str, str]
    files: dict[str, Any] = dataclasses.field(default_factory=dict)
    alone: Callable[[Params, dict[str, Any], int], jax.Array] | None = None
    apply: str = "predict RUN FILE"


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


class OtherExperiment(ValueError):
    """A run is of another experiment.

    Attributes:
        said: which run, and of which experiment.
        module: of the other experiment.
    """

    def __init__(self, path: Path, module: str):
        self.said, self.module = f"run={str(path)!r} is a run of {module}", module
        super().__init__(f"{self.said}: python -m {module} predict {path}")


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
        own_data: the flags that train on data of one's own, such as "--data FILE"; none where there are no data.

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
    own_data: str = ""

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
        trained_by = run.read_json("manifest.json").get("experiment", self.name)
        package = self.module.rpartition(".")[0]
        module = f"{package}.{trained_by}" if package else trained_by
        if trained_by != self.name and find_spec(module):  # not a former name of this one
            raise OtherExperiment(path, module)
        stored = self.today(run.config)
        config_type = self.config_type(stored)
        if set(stored) != set(field_types(config_type)):
            if run.module != self.module:
                raise OtherExperiment(path, run.module)
            raise ValueError(f"run={str(path)!r} belongs to another version: its config has {sorted(stored)}")
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
