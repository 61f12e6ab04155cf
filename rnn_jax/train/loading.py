"""What another run has learned, in Python or as the beginning of a new run."""

import dataclasses
import hashlib
import importlib
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jax

from rnn_jax.checks import check_trusted, consenting_to, reading_a_file
from rnn_jax.train.experiment import Experiment, Prepared, Trained
from rnn_jax.train.leaves import differences, digest, named_leaves, to_host, type_name
from rnn_jax.train.run import Run, plain
from rnn_jax.typing import Params

CHECKOUT = Path(__file__).parents[2]
OURS = "experiments"
"""The package beside this library in its checkout, which is trusted as the library is."""

MEANINGS = ("vocabulary", "tokenizer", "subwords", "classes", "words")
"""Files of runs, or entries in them, that say what the numbers of tokens and classes mean."""


def load_run(path: str | Path, *, trust: bool = False, trust_changes: bool = False) -> Trained:
    """The best model of a run, ready to use in Python.

        trained = rnn_jax.load_run("runs/text_generation/first")
        trained.model     # a Flax NNX module
        trained.params    # its parameters, a tree of arrays
        trained.config    # how it was trained

    A run is data: of the code that it names only the experiments of this project, and what is imported already, are
    used without `trust`.

    Args:
        path: of the run's directory.
        trust: import what the run names, a module of an experiment or of a cell: you know who wrote it.
        trust_changes: use it though config.json, its data or a module is no longer what it was trained with.

    Raises:
        ValueError: there is no run, its experiment cannot be imported or is not trusted, or something is no longer
            what it was.
        CheckpointError: it has no intact checkpoint.
    """
    if not isinstance(path, str | Path):
        raise ValueError(f"path={path!r}: expected the path of a run's directory, such as 'runs/text_generation/first'")
    with consenting_to(None) if trust else reading_a_file():
        return _experiment(Run.open(Path(path))).load(Path(path), trust_changes=trust_changes)


def _experiment(run: Run) -> Experiment:
    module = run.module
    try:
        if not (module.startswith(f"{OURS}.") and _is_beside(OURS)):
            check_trusted("experiment", module, module)
        found = getattr(importlib.import_module(module), "EXPERIMENT", None)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise  # what is missing is something that the experiment imports
        raise ValueError(
            f"run={str(run.path)!r} is of {module}, which cannot be imported here: add its folder to sys.path"
        ) from None
    if not isinstance(found, Experiment):
        raise ValueError(f"run={str(run.path)!r} is of {module}, which has no EXPERIMENT = Experiment(...)")
    return found


def _is_beside(package: str) -> bool:
    """Whether a package, which is not imported for it, is the one in the checkout of this library."""
    spec = find_spec(package)
    return spec is not None and Path(spec.origin or "") == CHECKOUT / package / "__init__.py"


def begun_from(experiment: Experiment, prepared: Prepared, path: Path) -> tuple[Prepared, dict[str, Any]]:
    """What is ready to train, but with the best parameters of another run, and what the manifest says of that run.

    The data and modules of the other run need not be as they were.

    Args:
        experiment: of both.
        prepared: with parameters of its own.
        path: of the other run.

    Raises:
        ValueError: it is no run of this experiment, its parameters have other names, shapes or dtypes, or its tokens
            or classes are others.
        CheckpointError: it has no intact checkpoint.
    """
    run, config = experiment.open(path)
    params = experiment.restore(run, config).params
    named = f"init_from={str(path)!r}"
    for file, content in prepared.files.items():
        if (run.path / file).exists() and (other := _other_meaning(file, plain(content), run.read_json(file))):
            raise ValueError(
                f"{named} has another {other} than the data to be trained on have: its parameters would mean something "
                "else; give data with the same, or train anew"
            )
    found, wanted = named_leaves(params), named_leaves(prepared.task.params)
    types = [{name: type_name(leaf) for name, leaf in leaves.items()} for leaves in (found, wanted)]
    if lines := differences(types[0], types[1]):
        remedy = f"take its config with --config {path}/config.json, or train anew"
        raise ValueError("\n  ".join([f"{named} has other parameters than the model to be trained: {remedy}", *lines]))
    leaves = [found[name] for name in wanted]
    params = jax.tree.unflatten(jax.tree.structure(prepared.task.params), leaves)
    begun = dataclasses.replace(prepared, task=dataclasses.replace(prepared.task, params=params))
    return begun, {"run": str(run.path), "id": run.identity, "sha256": params_digest(params)}


def begun_as_before(experiment: Experiment, prepared: Prepared, origin: Mapping[str, Any]) -> Prepared:
    """What is ready to train, with the parameters that a run was begun with, for one without a checkpoint of its own.

    Args:
        experiment: of the run.
        prepared: with parameters of its own.
        origin: what the manifest says of the run that they came from.

    Raises:
        ValueError: that run is not there, or its best parameters are others now.
    """
    path, remedy = Path(origin["run"]), "begin this one anew, with --overwrite"
    if not (path / "manifest.json").exists():
        raise ValueError(f"this run was begun from {path}, which is no longer there, and has saved nothing: {remedy}")
    begun, now = begun_from(experiment, prepared, path)
    if now["sha256"] != origin["sha256"]:
        raise ValueError(
            f"this run was begun from {path}, whose best parameters are others now, and has saved nothing: {remedy}"
        )
    return begun


def params_digest(params: Params) -> str:
    """The SHA-256 over names and values of all parameters."""
    lines = [f"{name} {digest(to_host(leaf))}" for name, leaf in named_leaves(params).items()]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _other_meaning(file: str, content: Any, then: Any) -> str:
    """What of a run's file says of numbers that they mean something else than then; empty if nothing does."""
    if file.removesuffix(".json") in MEANINGS:
        return file if content != then else ""
    if not (isinstance(content, Mapping) and isinstance(then, Mapping)):
        return ""
    other = [name for name in MEANINGS if name in content and name in then and content[name] != then[name]]
    return f"{other[0]} in {file}" if other else ""
