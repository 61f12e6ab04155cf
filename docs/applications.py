"""The page of an application: what it answers, what was found, how it is run, and the form of one's own data."""

import re
import statistics
import textwrap
from typing import Any

from experiments.__main__ import docstring_of, duration, question_of
from experiments.published import remarks
from experiments.registry import FOLDER, experiment_names
from experiments.report import read_results
from experiments.standing import FURTHER, device_text, further_rows, number_text, slug, standings, value_text
from rnn_jax.studies.markup import markdown_code, markdown_table, markdown_text

INDEX = """# Applications

One folder of `experiments/`, one question. `python -m experiments` prints this list, `python -m experiments.NAME
--help` every option of one.

{rows}

```{{toctree}}
:hidden:

{names}
```
"""
ABOUT_OTHERS = """
`predict`, `evaluate`, `export` and `resume` are those of every experiment; what they read and write, and the forms of
data of the other ones, is in [An own data set](../howto/own-data.md). `--help` lists every option.
"""


def pages() -> dict[str, str]:
    """The text of each page below `applications/`, and its index."""
    names = experiment_names()
    rows = "\n".join(f"- [{name}]({name}.md): {question_of(name)}" for name in names)
    index = INDEX.format(rows=rows, names="\n".join(names))
    return {"applications/index.md": index, **{f"applications/{name}.md": page_of(name) for name in names}}


def page_of(name: str) -> str:
    """One application."""
    _, *paragraphs = docstring_of(name).split("\n\n")
    commands = [part for part in paragraphs if part.startswith("    ")]
    parts = [f"# {name}", question_of(name), *(part for part in paragraphs if part not in commands)]
    parts += ["## Commands", *(f"```sh\n{as_shell(part)}\n```" for part in commands)]
    file = FOLDER / "results" / f"{name}.json"
    rows = read_results(file)["results"] if file.exists() else []
    if rows:
        parts += ["## Found", str(value_text.__doc__), *(task_of(name, one.ranked) for one in standings(name, rows))]
    if own := own_data(name):
        parts += ["## Your own data", *own]
    return "\n\n".join([*parts, ABOUT_OTHERS.strip()]) + "\n"


def as_shell(block: str) -> str:
    """Each command below a comment that says what it does; a line that begins further in goes on with the comment."""
    pairs: list[list[str]] = []
    for line in textwrap.dedent(block).splitlines():
        if line.startswith(" "):
            pairs[-1][1] += f" {line.strip()}"
        else:
            command, _, what = line.partition("  ")
            pairs.append([command, what.strip()])
    return "\n".join(f"# {what}\n{command}" if what else command for command, what in pairs)


def task_of(name: str, rows: list[dict[str, Any]]) -> str:
    """A task: models, what they were compared with, and what others published, in one table, the best one first."""
    best, sign = rows[0], -1 if rows[0]["higher_is_better"] else 1
    cells: list[tuple[float, tuple[str, ...]]] = []
    for row in rows:
        seconds = duration(statistics.median(row["seconds"]))
        model = markdown_text(row["model"])
        entry = (model, value_text(row), f"{row['params']:,}", f"{seconds}, {markdown_text(device_text(row))}")
        cells.append((row["mean"], entry))
        for baseline, value in row["baselines"].items():
            cells.append((value, (f"baseline: {markdown_text(baseline)}", number_text(value), "", "")))
        for one in row["published"]:
            who = f"published: {markdown_text(one['who'])} ({markdown_text(one['source'])})"
            cells.append((one["value"], (who, f"{one['value']}", "", "")))
    unique = dict(zip((entry for _, entry in cells), (value for value, _ in cells), strict=True))
    ordered = sorted(unique, key=lambda entry: sign * unique[entry])
    arrow = "↑" if best["higher_is_better"] else "↓"
    heads = ("model", f"{markdown_text(best['metric'])} {arrow}", "parameters", "one training")
    parts = [
        f"### {best['task']}",
        *map(markdown_text, remarks(f"{name}/{best['task']}")),
        markdown_table(heads, ordered),
        *further_of(rows),
        f"The best of ours again, with a seed in place of SEED: {markdown_code(best['command'])}",
    ]
    return "\n\n".join([*parts, *figure_of(name, best)])


def further_of(rows: list[dict[str, Any]]) -> list[str]:
    """A table of what else the runs of each model were scored by, if there is any."""
    found = [(markdown_text(score), markdown_text(model), value) for score, model, value in further_rows(rows)]
    return [markdown_table(FURTHER, found)] if found else []


def figure_of(name: str, row: dict[str, Any]) -> list[str]:
    """One of the figures that are committed with a result; curves of its training where there is no other."""
    start = f"{row['task']}-{slug(row['model'])}-"
    found = sorted((FOLDER / "results" / name).glob(f"{start}*.png"), key=lambda file: "curves" in file.name)
    if not found:
        return []
    kind = found[0].stem.removeprefix(start).replace("-", " ")
    return [
        f"```{{figure}} ../../experiments/results/{name}/{found[0].name}\n:width: 700px\n:alt: {kind}\n\n"
        f"{kind.capitalize()}: {markdown_text(row['model'])}, the first of its seeds.\n```"
    ]


def own_data(name: str) -> list[str]:
    """What `experiments/README.md` says of its form: from each bold head that names the application to the next one."""
    text = (FOLDER / "README.md").read_text("utf-8").split("\n## Your own data\n")[1].split("\n## ")[0]
    taken, found = False, []
    for part in text.strip().split("\n\n"):
        if head := re.match(r"\*\*[^*]+\*\*(?: \(([^)]*)\))?", part):
            taken = f"`{name}" in (head[1] or "")
        if taken:
            found.append(part)
    return found
