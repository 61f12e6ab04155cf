"""The order of the house: each floor imports only from those above it, and nobody imports what is private elsewhere."""

import ast
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# From the top; a line is a floor, whose rooms do not import from each other.
FLOORS = [
    {"typing", "extras"},
    {"checks"},
    {"initializers", "losses"},
    {"metrics", "conformal"},
    {"data"},
    {"cells"},
    {"native"},
    {"unroll"},
    {"compose"},
    {"nnx"},
    {"decoding", "interop", "testing"},
    {"models"},
    {"analysis"},
    {"train"},
    {"studies"},
]
LEVEL = {f"rnn_jax.{room}": number for number, rooms in enumerate(FLOORS) for room in rooms}


def modules(folder: str) -> dict[str, ast.Module]:
    """Each module below a folder by its dotted name."""
    files = sorted((ROOT / folder).rglob("*.py"))
    names = {".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file for file in files}
    return {name: ast.parse(file.read_text()) for name, file in names.items()}


SOURCES = {name: tree for folder in ("rnn_jax", "experiments", "benchmarks") for name, tree in modules(folder).items()}


def imports(tree: ast.AST) -> Iterator[tuple[str, str | None]]:
    """Module and name of everything that is imported, in functions too, but not for type checkers alone."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.module or "", alias.name) for alias in node.names)
        else:
            yield from imports(node)


def imported(tree: ast.AST) -> set[str]:
    """The modules of this project that a module imports."""
    found = set()
    for module, name in imports(tree):
        whole = f"{module}.{name}"
        found.add(whole if whole in SOURCES else module)
    return found & SOURCES.keys()


def room(module: str) -> str:
    return ".".join(module.split(".")[:2])


def test_every_room_of_the_library_has_a_floor():
    assert {room(name) for name in SOURCES if name.startswith("rnn_jax.")} == LEVEL.keys()


@pytest.mark.parametrize("name", [name for name in SOURCES if name.startswith("rnn_jax.")])
def test_the_library_imports_from_floors_above(name):
    for other in imported(SOURCES[name]):
        assert other.startswith("rnn_jax"), f"{name} imports {other}: the library names no task"
        if other != "rnn_jax" and room(other) != room(name):
            assert LEVEL[room(other)] < LEVEL[room(name)], f"{name} imports {other}, which is no floor above it"


def test_no_modules_import_each_other_in_a_circle():
    below, done = {name: imported(tree) - {name} for name, tree in SOURCES.items()}, set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, f"a circle: {' -> '.join((*path, name))}"
        if name not in done:
            for other in sorted(below[name]):
                visit(other, (*path, name))
            done.add(name)

    for name in below:
        visit(name, ())


@pytest.mark.parametrize("name", list(SOURCES))
def test_private_names_stay_in_their_folder(name):
    for module, one in imports(SOURCES[name]):
        private = [part for part in f"{module}.{one or ''}".split(".") if part.startswith("_") and part != "__future__"]
        if private and module.split(".")[0] in ("rnn_jax", "experiments", "benchmarks"):
            assert module.rpartition(".")[0] == name.rpartition(".")[0], f"{name} imports {module}.{one}"


def test_applications_share_only_what_is_in_common():
    applications = {file.parent.name for file in (ROOT / "experiments").glob("*/__main__.py")}
    for name, tree in SOURCES.items():
        own = name.split(".")[1] if name.count(".") > 1 else ""
        if name.startswith("experiments.") and own:
            others = {module for module in imported(tree) if module.split(".")[1:2] != [own]}
            wrong = [module for module in others if module.split(".")[1:2] and module.split(".")[1] in applications]
            assert not wrong or own not in applications | {"common"}, f"{name} imports {wrong}"


def test_models_know_little_of_data():
    found = [(n, o) for n, t in SOURCES.items() if n.startswith("rnn_jax.models") for o in imported(t)]
    assert sum(other.startswith("rnn_jax.data") for _, other in found) <= 5
    assert len([name for name in SOURCES if name.startswith("rnn_jax.models")]) <= 15


DISTRIBUTIONS = {
    "PIL": "pillow", "orbax": "orbax-checkpoint", "yaml": "pyyaml", "markdown_it": "markdown-it-py",
    "haiku": "dm-haiku", "Bio": "biopython", "charset_normalizer": "charset-normalizer", "sklearn": "scikit-learn",
}  # fmt: skip


def test_what_is_imported_is_declared():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]

    def names(requirements: list[str]) -> set[str]:
        return {"".join(c if c.isalnum() or c in "-_." else " " for c in one).split()[0] for one in requirements}

    runtime = names(project["dependencies"]) | {"jaxlib", "numpy"}  # what jax itself is made of
    allowed = {
        "rnn_jax": runtime.union(*(names(extras[one]) for one in ("experiments", "export", "interop", "peers"))),
        "experiments": runtime | names(extras["experiments"]),
        "benchmarks": runtime | names(extras["experiments"]) | names(extras["peers"]) | names(extras["forecast-peers"]),
    }
    for name, tree in SOURCES.items():
        for module, _ in imports(tree):
            top = module.split(".")[0]
            if top in sys.stdlib_module_names or top in ("rnn_jax", "experiments", "benchmarks", "tests"):
                continue
            distribution = DISTRIBUTIONS.get(top, top)
            assert distribution in allowed[name.split(".")[0]], f"{name} imports {top}: declare {distribution}"
    at_once = {
        top
        for name, tree in SOURCES.items()
        if name.startswith("rnn_jax.") and not name.startswith("rnn_jax.studies")
        for node in tree.body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for top in [(node.module if isinstance(node, ast.ImportFrom) else node.names[0].name).split(".")[0]]
        if top not in sys.stdlib_module_names and top != "rnn_jax"
    }
    optional = {DISTRIBUTIONS.get(top, top) for top in at_once} - runtime
    assert optional == set(), f"{optional} are imported with the library, which is installed without them"
