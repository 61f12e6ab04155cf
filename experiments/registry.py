"""Experiments by their names: the folders beside this module, and packages or modules of one's own."""

import difflib
import importlib
from pathlib import Path

from rnn_jax.checks import check_trusted
from rnn_jax.train import Experiment, Run

FOLDER = Path(__file__).parent


def experiment_names() -> list[str]:
    """The folders beside this module that can be started; none is imported."""
    return sorted(file.parent.name for file in FOLDER.glob("*/__main__.py"))


def load_experiment(name: str) -> Experiment:
    """The experiment of a name, or that of one's own package or module, such as my_package.my_experiment.

    Raises:
        ValueError: there is none.
    """
    known, module = experiment_names(), None
    path = f"experiments.{name}" if name in known else name
    try:
        if all(part.isidentifier() for part in path.split(".")):
            if name not in known and name not in (f"experiments.{one}" for one in known):
                check_trusted("experiment", name, name)
            module = importlib.import_module(path)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{path}.".startswith(f"{error.name}."):
            raise  # what is missing is something that the experiment imports
    if isinstance(found := getattr(module, "EXPERIMENT", None), Experiment):
        return found
    if module is not None:
        lacks = "no EXPERIMENT" if found is None else f"EXPERIMENT={found!r}"
        raise ValueError(
            f"experiment={name!r}: the module {path} was found, but has {lacks}: expected EXPERIMENT = "
            "Experiment(...), of rnn_jax.train, in it"
        )
    files = [file for file in sorted(Path().glob("*/*/__init__.py")) if "EXPERIMENT" in file.read_text("utf-8")]
    ours = [".".join(file.parent.parts) for file in files]
    names = {one.rpartition(".")[2]: one for one in ours} | {one: one for one in [*ours, *known]}
    near = difflib.get_close_matches(name, names, n=1)
    raise ValueError(
        f"experiment={name!r}: {f'did you mean {names[near[0]]}? ' if near else ''}expected one of {', '.join(known)}, "
        "or a module of yours with an EXPERIMENT"
    )


def experiment_of(run: Run) -> Experiment:
    """The experiment that a run is of.

    Raises:
        ValueError: it is not at hand.
    """
    return load_experiment(run.module)
