"""The command line that all experiments share: `python -m experiments.NAME [COMMAND] [--flags]`."""

import contextlib
import dataclasses
import functools
import inspect
import itertools
import os
import shlex
import sys
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import jax
import tyro

from experiments import imported
from experiments.answering import predictor_commands
from experiments.registry import load_experiment
from experiments.signatures import signed
from rnn_jax.checks import consenting_to, nearest
from rnn_jax.data import MissingData
from rnn_jax.extras import explained
from rnn_jax.train import CheckpointError, Diverged, Experiment, RunOptions, train_experiment
from rnn_jax.train.experiment import OtherExperiment
from rnn_jax.train.fields import field_types, make_config, read_object, read_values

Flags = tyro.conf.OmitArgPrefixes
"""Marks a dataclass argument of a command whose fields are flags without the argument's name before them."""

RunPaths = tyro.conf.Positional[Annotated[list[Path], tyro.conf.arg(metavar="RUN [RUN ...]")]]

RunPath = tyro.conf.Positional[Annotated[Path, tyro.conf.arg(metavar="RUN", help="The directory of a run.")]]

CHANGED = "Use a run though config.json, its data or a module of yours is not what it was trained with."
TrustChanges = Annotated[bool, tyro.conf.arg(help=CHANGED)]

CONFIG = "--config FILE takes the values of a JSON file, config.json of a run say, where no flag says otherwise."

TRUST = "--trust lets the files that it reads name modules of their own, such as a cell module:Class, to be imported."

EVERYWHERE = ("resume", "predict", "evaluate", "export")
"""Commands of every experiment."""

REPEATED = ("--set", "--vary", "--search")
"""Flags of studies that take one FIELD=VALUE each."""


def main(experiment: Experiment, arguments: list[str] | None = None) -> None:
    """Run one command of an experiment: `train`, `resume`, or one of its own.

    Flags come from a function's signature, those of a config from the fields of its type; --config FILE takes their
    values from a JSON file, config.json of a run say, where no flag says otherwise. What a user can mend (a wrong
    value, a missing file, a damaged checkpoint) ends in one line and exit code 1 or 2; a traceback means a mistake in
    the program.
    """
    arguments, consent = _split_trust(sys.argv[1:] if arguments is None else arguments)
    with _mendable(), consenting_to(consent):
        commands = commands_of(experiment)
        file, rest = _split_config(arguments)
        name, rest, asked = _chosen(commands, experiment.default, rest)
        command = _of_run(commands[name], experiment)
        page = experiment.page if asked else f"{_said(command)}\n\n{TRUST}"
        if "config" in inspect.signature(command).parameters:
            stored = read_object("config", file, '{"FIELD": VALUE, ...}') if file else {}
            command = _with_config(command, experiment, _flags(rest), file, stored)
            page = f"{page}\n\n{CONFIG}"
            if isinstance(experiment.Config, Mapping):
                other = list(experiment.Config)[-1]
                page += f" Each task has flags of its own: --task {other} --help shows those of {other}."
        elif file is not None:
            raise ValueError(f"config={str(file)!r}: the command {name} takes no config")
        with _leading_on(experiment, name, rest):
            code = tyro.cli(command, args=rest, prog=f"python -m {experiment.module} {name}", description=page)
    raise SystemExit(code or 0)


def commands_of(experiment: Experiment) -> dict[str, Callable[..., Any]]:
    """The functions of an experiment's command line by the names of the commands."""
    own = {command.__name__: command for command in experiment.commands}
    if experiment.predictor:
        own |= predictor_commands(experiment.predictor, own["evaluate"])
    return {"train": _train_command(experiment), "resume": _resume_command(experiment)} | own


def run_commands(commands: Mapping[str, Callable], default: str, arguments: list[str] | None = None) -> None:
    """Run one of the commands of a program that is no experiment, `default` where none is named; see `main`."""
    arguments = sys.argv[1:] if arguments is None else arguments
    program, page = _program(commands[default])
    name, rest, asked = _chosen(commands, default, arguments)
    _call(commands[name], rest, f"{program} {name}", page if asked else None)


def run_command(command: Callable, arguments: list[str] | None = None) -> None:
    """Run the only command of a program, as `run_commands` does, but without its name on the command line."""
    _call(command, sys.argv[1:] if arguments is None else arguments, *_program(command))


def _train_command(experiment: Experiment) -> Callable[..., int]:
    def train(config: Any, options: Flags[RunOptions] = RunOptions()) -> int:  # noqa: B008
        """Train a model, and score it on the test part beside simpler ones."""
        return train_experiment(experiment, config, options)

    return train


def _resume_command(experiment: Experiment) -> Callable[..., int]:
    def resume(run: RunPath, steps: int | None = None, trust_changes: bool = False) -> int:
        """Go on with a run that was interrupted, from its newest checkpoint, or with one that is over.

        Args:
            run: its directory.
            steps: updates in place of those that it was begun with; the schedule of the learning rate is then that of
                so many, of which the rest is gone through.
            trust_changes: go on though config.json, the data or a module of yours is not what it was trained with.
        """
        opened, config = experiment.open(run)  # its path is absolute, so that RUN may be "." too
        if opened.path.parent.name != experiment.name:
            raise ValueError(f"run={str(run)!r}: a run goes on in a folder RUNS/{experiment.name}/NAME; move it there")
        options = RunOptions(
            runs=opened.path.parent.parent, name=opened.path.name, resume=True, trust_changes=trust_changes
        )
        return train_experiment(experiment, config, options, steps=steps)

    return resume


def _with_config(
    command: Callable, experiment: Experiment, flags: Mapping[str, str], file: Path | None, stored: dict[str, Any]
) -> Callable:
    """A command whose argument `config` is of the type that flags and the values of a file ask for."""
    values = experiment.today(stored)
    config_type = experiment.config_type(flags, values)
    known = field_types(config_type)
    default: Any = inspect.Parameter.empty
    whose = "this experiment"
    if isinstance(experiment.Config, Mapping):
        task = next(task for task, one in experiment.Config.items() if one is config_type)
        whose = f"task {task}"
        if values != stored:  # of an earlier version, which may have the fields of all tasks
            values = experiment.today(stored | {"task": task})
        values = {name: value for name, value in values.items() if name != "task"}  # which the type has
        if not {"h", "help"} & flags.keys():
            _refuse_flags_of_other_tasks(experiment.Config, task, flags)
        elif "task" in known:
            config_type = _with_choices(config_type, "task", tuple(experiment.Config))
    if file:
        if unknown := [name for name in values if name not in known]:
            hint = nearest(unknown[0], known)
            raise ValueError(
                f"config={str(file)!r} has fields that {whose} has not: {', '.join(unknown)}; {hint}take them out, or "
                f"name a file of {whose}. Its fields are {', '.join(sorted(known))}"
            )
        # Flags come in here too, for a file may be of use only with them: without the column of a table, say.
        words = {n: word for n, word in flags.items() if n in known and _is_one_word(known[n])}
        default = make_config(config_type, read_values(config_type, {**values, **words}))
    signature = inspect.signature(command, eval_str=True)
    config = signature.parameters["config"].replace(annotation=Flags[config_type], default=default)
    return signed(command, [config if p.name == "config" else p for p in signature.parameters.values()])


def _refuse_flags_of_other_tasks(configs: Mapping[str, type], task: str, flags: Iterable[str]) -> None:
    """Flags that no task has are for the parser to refuse, which knows those of the command, too."""
    known = {name: field_types(config) for name, config in configs.items()}
    for flag in flags:
        field = flag.removeprefix("no_")
        if {field, flag} & known[task].keys():
            continue
        if theirs := [name for name, fields in known.items() if field in fields]:
            choose = f" (--task {theirs[0]})" if "task" in known[theirs[0]] else ""
            raise ValueError(
                f"--{flag.replace('_', '-')} is a flag of task {' and '.join(theirs)}, not of {task}: choose that "
                f"task{choose}, or leave the flag out"
            )


def _with_choices(config_type: type, field: str, choices: tuple[str, ...]) -> type:
    """A type of configs whose help shows these choices of a field."""
    hint: Any = field_types(config_type)[field]
    shown = Annotated[hint, tyro.conf.arg(metavar=f"{{{','.join(choices)}}}")]
    own = [(field, shown, getattr(config_type, field, dataclasses.MISSING))]
    page, frozen = {"__doc__": config_type.__doc__}, vars(config_type)["__dataclass_params__"].frozen
    name, bases = config_type.__name__, (config_type,)
    return dataclasses.make_dataclass(name, own, bases=bases, namespace=page, frozen=frozen, kw_only=True)


def _is_one_word(hint: Any) -> bool:
    """Whether a flag of this type takes one word: not none, as that of a bool, nor several."""
    return hint is not bool and typing.get_origin(hint) is not tuple


def _of_run(command: Callable, experiment: Experiment) -> Callable:
    """A command on what has been trained as one on the path of a run; any other stays as it is."""
    signature = inspect.signature(command, eval_str=True)
    if next(iter(signature.parameters), None) != "trained":
        return command

    @functools.wraps(command)
    def on_run(run: Path, *positional: Any, trust_changes: bool = False, **named: Any) -> Any:
        trained = experiment.load(run, trust_changes=trust_changes)
        code = command(trained, *positional, **named)
        if trained.instead and command.__name__ == "evaluate":
            print(f"scores {trained.instead}")
        return code

    run = inspect.Parameter("run", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=RunPath)
    trust = inspect.Parameter("trust_changes", inspect.Parameter.KEYWORD_ONLY, annotation=TrustChanges, default=False)
    return signed(on_run, [run, *list(signature.parameters.values())[1:], trust])


def _chosen(commands: Mapping[str, Callable], default: str, arguments: list[str]) -> tuple[str, list[str], bool]:
    """The name of the command; the other words; whether the help of the whole program is asked for."""
    named = bool(arguments) and arguments[0] in commands
    if arguments and not named and not arguments[0].startswith("-"):
        hint = nearest(arguments[0], commands)
        print(f"error: unknown command {arguments[0]!r}: {hint}The commands are {', '.join(commands)}", file=sys.stderr)
        raise SystemExit(2)
    name, rest = (arguments[0], arguments[1:]) if named else (default, arguments)
    return name, rest, bool(set(rest) & {"-h", "--help"}) and not named


def _said(command: Callable) -> str:
    """What a command says of itself; what it says of its arguments stands with the flags."""
    return (inspect.getdoc(command) or "").partition("\n\nArgs:")[0].partition("\n\nReturns:")[0]


def _program(command: Callable) -> tuple[str, str | None]:
    """How the program that holds a command is started, and its page."""
    module = inspect.getmodule(command)
    start = f"python -m {module.__spec__.name}" if module and module.__spec__ else sys.argv[0]
    return start, module.__doc__ if module else None


def _call(command: Callable, arguments: list[str], program: str, page: str | None) -> None:
    arguments, consent = _split_trust(arguments)
    with _mendable(), consenting_to(consent):
        for flag, value, word in zip(arguments, arguments[1:], arguments[2:], strict=False):
            if flag in REPEATED and "=" in word and not word.startswith("-"):
                raise ValueError(f"{word!r} has no flag: repeat it for each, as in {flag} {value} {flag} {word}")
        _refuse_fields(command, arguments)
        code = tyro.cli(command, args=arguments, prog=program, description=page)
    raise SystemExit(code or 0)


def _refuse_fields(command: Callable, arguments: list[str]) -> None:
    """A field of the experiment that a study is of is no flag of the study."""
    options = inspect.signature(command).parameters.get("options")
    own = field_types(type(options.default)) if options else {}
    if "set" in own and arguments and not arguments[0].startswith("-"):
        fields = field_types(load_experiment(arguments[0]).config_type({}))
        for field, value in _flags(arguments).items():
            if field in fields and field not in own:
                flag, plain = field.replace("_", "-"), f"{field}={value or 'VALUE'}"
                raise ValueError(f"--{flag} is a flag of {arguments[0]}: say it here as --set {plain}")


@contextlib.contextmanager
def _leading_on(experiment: Experiment, name: str, words: list[str]) -> Iterator[None]:
    """A run of another experiment is told with the command that it takes, missing data with those of one's own."""
    try:
        yield
    except OtherExperiment as error:
        again = shlex.join([name, *words]) if name in EVERYWHERE else "--help"
        raise ValueError(f"{error.said}: python -m {error.module} {again}") from None
    except MissingData as error:
        own = {"train": experiment.own_data, "evaluate": "evaluate RUN --data FILE" * bool(experiment.own_data)}
        if not own.get(name):
            raise
        said = f"with data of your own: python -m {experiment.module} {own[name]}"
        raise MissingData(f"{said}\n  with those of this experiment: {error}") from None


@contextlib.contextmanager
def _mendable() -> Iterator[None]:
    """What a user can mend ends in one line."""
    imported()
    try:
        yield
    except (ValueError, CheckpointError, Diverged, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    except ModuleNotFoundError as error:
        if not (said := explained(error)):
            raise
        print(f"error: {said}", file=sys.stderr)
        raise SystemExit(1) from None
    except (MemoryError, jax.errors.JaxRuntimeError) as error:
        said = str(error).partition("\n")[0]
        if not (isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in said):
            raise
        remedy = "lower batch_size, or the length or size of what is trained"
        print(f"error: memory does not suffice: {said or 'of this process'}; {remedy}", file=sys.stderr)
        raise SystemExit(1) from None


def _flags(arguments: list[str]) -> dict[str, str]:
    """The values of flags by field, as far as they can be told without knowing the fields: which task is asked for."""
    found = {}
    for word, after in itertools.zip_longest(arguments, arguments[1:], fillvalue=""):
        if word.startswith("--") or word == "-h":
            flag, equals, value = word.lstrip("-").partition("=")
            found[flag.replace("-", "_")] = value if equals else after
    return found


def _split_trust(arguments: list[str]) -> tuple[list[str], list[str] | None]:
    """The words without --trust, and those that may name modules; None: any file may, for --trust was given."""
    rest = [word for word in arguments if word != "--trust"]
    return rest, rest if len(rest) == len(arguments) else None


def _split_config(arguments: list[str]) -> tuple[Path | None, list[str]]:
    """The FILE of `--config FILE` or `--config=FILE`, and the other words."""
    for i, word in enumerate(arguments):
        flag, equals, file = word.partition("=")
        if flag == "--config":
            used = 1 if equals else 2
            found = file if equals else "".join(arguments[i + 1 : i + 2])
            if not found or found.startswith("-"):
                raise ValueError("--config needs a FILE: a JSON file of an experiment's fields, such as best.json")
            rest = arguments[:i] + arguments[i + used :]
            if any(other.partition("=")[0] == "--config" for other in rest):
                raise ValueError("--config is given twice: one FILE is allowed; say what differs from it by flags")
            return Path(found), rest
    return None, arguments


def print_lines(lines: Iterable[str]) -> None:
    """Print lines as they come, until the last one, Ctrl-C, or nobody reads them."""
    try:
        with contextlib.suppress(KeyboardInterrupt):
            for line in lines:
                print(line, flush=True)
    except BrokenPipeError:
        # What is left in the buffer would fail again as Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def as_command(module: str, *words: str, values: Mapping[str, Any], defaults: Mapping[str, Any]) -> str:
    """The command line that has these values: one flag for each that is not the default; a tuple's flag is repeated."""
    for name, value in values.items():
        if name in defaults and value == defaults[name]:
            continue
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            words += (f"--{flag}" if value else f"--no-{flag}",)
        else:
            for one in value if isinstance(value, tuple) else (value,):
                words += (f"--{flag}", str(one))
    return shlex.join(["python", "-m", module, *words])
