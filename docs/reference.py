"""The API reference: a page a module, every public name in one place, from the docstrings."""

import ast
import functools
import importlib
import inspect
import itertools
import pkgutil
import sys
from types import ModuleType

import rnn_jax

KINDS = tuple(f"cells.{kind.name}" for kind in pkgutil.iter_modules(rnn_jax.cells.__path__) if kind.ispkg)
# In the order in which one reads them; under each heading the modules whose names are used together.
PARTS = {
    "Cells": ("cells", *KINDS, "initializers"),
    "Through time": ("unroll", "compose"),
    "Models": ("nnx", "models", "decoding"),
    "Data": ("data",),
    "Training": ("train", "losses", "metrics", "conformal"),
    "Studies": tuple(
        f"studies.{name}"
        for name in (
            "study", "grid", "matching", "seed_runs", "search", "search_space", "stored", "statistics", "tables",
            "crossings", "overview", "figures",
        )
    ),
    "Looking inside": ("analysis",),
    "Other libraries": tuple(
        f"interop.{name}" for name in ("torch", "flax", "keras", "onnx", "safetensors", "stablehlo")
    ),
    "Tests and types": ("testing", "typing"),
}  # fmt: skip
MODULES = tuple(module for part in PARTS.values() for module in part)
INDEX = """# API reference

Every public name, from its docstring. Shapes are written with the letters of [rnn_jax.typing](typing.md).

{rows}

```{{toctree}}
:hidden:

{names}
```
"""


def names_of(module: ModuleType) -> list[str]:
    """What a module offers: its `__all__`, or the functions and classes that are defined in it."""
    listed = getattr(module, "__all__", None)
    if listed is not None:
        return list(listed)
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and callable(value) and getattr(value, "__module__", "") == module.__name__
    ]


def offered() -> dict[str, dict[str, list[str]]]:
    """For each page and each file that its names are from: the full name of each, what several modules offer once.

    A name is called as a user would call it: `rnn_jax.LSTM` rather than by the file in which it is written.
    """
    found: dict[str, dict[str, list[str]]] = {page: {} for page in MODULES}
    top = {id(getattr(rnn_jax, name)): f"rnn_jax.{name}" for name in names_of(rnn_jax)}
    seen = set()
    for page in MODULES:
        module = importlib.import_module(f"rnn_jax.{page}")
        for name in names_of(module):
            value = getattr(module, name)
            file = getattr(value, "__module__", None) or module.__name__
            if not file.startswith("rnn_jax."):
                file = module.__name__
            full = top.get(id(value), f"{module.__name__}.{name}")
            if full not in seen:
                seen.add(full)
                kind = ".".join(file.split(".")[1:3])
                found[kind if page == "cells" and kind in KINDS else page].setdefault(file, []).append(full)
    return found


def pages() -> dict[str, str]:
    """The text of each page below `api/`, and its index."""
    everything = offered()
    rows = []
    for part, modules in PARTS.items():
        rows.append(f"## {part}")
        for page in modules:
            names = [name for names in everything[page].values() for name in names]
            links = ", ".join(f"{{py:obj}}`{name.split('.')[-1]} <{name}>`" for name in names)
            rows.append(f"**[rnn_jax.{page}]({slug(page)}.md)** {summary(page)}\n\n{links}")
    index = INDEX.format(rows="\n\n".join(rows), names="\n".join(map(slug, MODULES)))
    texts = {f"api/{slug(page)}.md": page_of(page, files) for page, files in everything.items()}
    return {"api/index.md": index, **texts}


def slug(page: str) -> str:
    """The file of a page; without dots, which would be an ending."""
    return page.replace(".", "-")


def summary(page: str) -> str:
    """The first paragraph of a module's docstring."""
    return (importlib.import_module(f"rnn_jax.{page}").__doc__ or "").split("\n\n")[0].replace("\n", " ")


def page_of(page: str, files: dict[str, list[str]]) -> str:
    """One module: what it says of itself, then file by file its names with their docstrings."""
    parts = [f"# rnn_jax.{page}", directive("automodule", f"rnn_jax.{page}")]
    for file, names in sorted(files.items(), key=lambda item: item[0]):
        if file != f"rnn_jax.{page}":
            parts += [f"## {file.split('.')[-1]}", directive("automodule", file)]
        parts += map(entry, names)
    return "\n\n".join(parts) + "\n"


def entry(name: str) -> str:
    """What documents a public name."""
    module, _, last = name.rpartition(".")
    value = getattr(importlib.import_module(module), last)
    if inspect.isclass(value) and value.__module__.startswith("rnn_jax"):
        return directive("autoclass", name)
    if inspect.isroutine(value):
        return directive("autofunction", name)
    return f"```{{py:data}} {name}\n\n{text_below(last, module)}\n```"


def text_below(name: str, package: str) -> str:
    """The string below the assignment of a value in a file of that package, or where else the value is from."""
    for file in [key for key in sys.modules if f"{key}.".startswith(f"{package}.")]:
        for statement, below in itertools.pairwise([*statements(file), ast.Pass()]):
            match statement, below:
                case ast.Assign() | ast.AnnAssign(), ast.Expr(value=ast.Constant(value=text)):
                    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
                    if name in [
                        node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)
                    ]:
                        return inspect.cleandoc(str(text))
                case ast.ImportFrom(module=str(origin), names=imported), _ if origin.split(".")[0] != "rnn_jax":
                    for one in imported:
                        if name == (one.asname or one.name) and file == package:
                            return f"`{origin}.{one.name}`, as it is."
    raise ValueError(f"{package}.{name} is public: expected a string below its assignment that says what it is")


@functools.cache
def statements(module: str) -> list[ast.stmt]:
    """The source of a module."""
    return ast.parse(inspect.getsource(sys.modules[module])).body


def directive(kind: str, name: str) -> str:
    """One of autodoc's, members included where there are any."""
    options = {"autoclass": "   :members:\n", "automodule": "   :no-index:\n.. py:currentmodule:: None\n"}
    return f"```{{eval-rst}}\n.. {kind}:: {name}\n{options.get(kind, '')}```"
