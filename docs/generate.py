"""Pages that are drawn from the code and from committed results, so that no figure in them is typed by hand."""

import ast
import textwrap
from pathlib import Path

import reference

from experiments.__main__ import results_of
from experiments.registry import FOLDER, experiment_names
from experiments.report import table_text

INDEX = """# Applications

One folder of `experiments/`, one question. `python -m experiments` prints this list, `python -m experiments.NAME
--help` every option of one.

{rows}

```{{toctree}}
:hidden:

{names}
```
"""


def write(source: Path) -> None:
    """Write all of them below the folder of the sources; a page that is as it was is not touched."""
    names = experiment_names()
    pages = {
        "cells.md": "```{include} ../rnn_jax/cells/README.md\n```\n",
        "benchmarks.md": "```{include} ../benchmarks/README.md\n:relative-images:\n```\n",
        "results.md": f"# Results\n\n{table_text()}\n",
        "applications/index.md": INDEX.format(
            rows="\n".join(f"- [{name}]({name}.md): {question(name)}" for name in names), names="\n".join(names)
        ),
        **{f"applications/{name}.md": application(name) for name in names},
        **reference.pages(),
    }
    for name, text in pages.items():
        file = source / name
        file.parent.mkdir(exist_ok=True)
        if not file.exists() or file.read_text("utf-8") != text:
            file.write_text(text, "utf-8")


def page_of(name: str) -> str:
    """The text at the top of an application; nothing is imported."""
    return ast.get_docstring(ast.parse((FOLDER / name / "__init__.py").read_text("utf-8"))) or ""


def question(name: str) -> str:
    """Its first paragraph."""
    return page_of(name).split("\n\n")[0].replace("\n", " ")


def application(name: str) -> str:
    """The page of an application: its question, what was found, how it is run."""
    parts = [f"# {name}", question(name)]
    if found := results_of(name):
        parts.append("## Found\n\n" + "\n".join(f"- {line}" for line in found))
    for part in page_of(name).split("\n\n")[1:]:
        commands = part.startswith("    ")
        parts.append(f"```text\n{textwrap.dedent(part)}\n```" if commands else part)
    return "\n\n".join(parts) + "\n"
