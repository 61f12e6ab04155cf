"""One static HTML page of all results, studies and benchmarks: tables that sort, figures, the commands to repeat them.

    python -m experiments.page                    writes report/index.html, to be opened in a browser
    python -m experiments.page --folder DIR

Everything on it comes from committed files: experiments/results, experiments/studies, benchmarks/results.
"""

import html
import re
import shutil
import sys
import urllib.parse
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt

from benchmarks.report import results_text
from benchmarks.results import FOLDER as BENCHMARKS
from experiments.cli import run_command
from experiments.report import RESULTS, baselines_text, read_results, value_text

HERE = Path(__file__).parent
STUDIES = HERE / "studies"
HEADS = ("task", "model", "metric", "here", "parameters", "seconds a run", "baselines", "published", "command")


def build(folder: Path = Path("report")) -> None:
    """Write the page, and copies of its figures beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    stored = [read_results(file) for file in sorted(RESULTS.glob("*.json"))]
    rows = [(one["experiment"], row) for one in stored for row in one["results"]]
    sections = {
        "Results": results_table(rows),
        **{one["experiment"]: examples(RESULTS / one["experiment"], folder) for one in stored},
        **{f"Study: {study.name}": written(study, folder) for study in sorted(STUDIES.glob("*")) if study.is_dir()},
        "Benchmarks": markdown(results_text(), BENCHMARKS.parent, folder),
    }
    (folder / "index.html").write_text(page(sections))
    print(f"{folder / 'index.html'}: {len(rows)} results, {len(sections)} sections", file=sys.stderr)


def page(sections: dict[str, str]) -> str:
    """The whole document, of sections of HTML by their titles."""
    names = {title: re.sub("[^a-z0-9]+", "-", title.lower()) for title in sections}
    links = "".join(f'<a href="#{name}">{html.escape(title)}</a>' for title, name in names.items())
    body = "".join(
        f'<section>\n<h2 id="{names[title]}">{html.escape(title)}</h2>\n{text}\n</section>\n'
        for title, text in sections.items()
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>rnn_jax: results</title>\n'
        f"<style>\n{(HERE / 'page.css').read_text()}</style>\n</head>\n<body>\n<h1>rnn_jax: results</h1>\n"
        "<p>Means ± half of their 95 % intervals (Student's t) over (how many) seeds. "
        "Press the head of a column to sort by it.</p>\n"
        f"<nav>{links}</nav>\n{body}<script>\n{(HERE / 'page.js').read_text()}</script>\n</body>\n</html>\n"
    )


def results_table(rows: Iterable[tuple[str, dict[str, Any]]]) -> str:
    """One row for each model of each task."""
    head = "".join(f"<th>{name}</th>" for name in HEADS)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells(*row))}</tr>\n" for row in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody></table></div>'


def cells(experiment: str, row: dict[str, Any]) -> list[str]:
    """The cells of a result, as HTML, in the order of `HEADS`."""
    sources = "; ".join(sorted({p["source"] for p in row["published"]}))
    published = ", ".join(f"{p['who']} {p['value']}" for p in row["published"]) + (f" ({sources})" if sources else "")
    texts = [
        f"{experiment}/{row['task']}",
        row["model"],
        f"{row['metric']} {'↑' if row['higher_is_better'] else '↓'}",
        value_text(row).replace(" ", "\N{NO-BREAK SPACE}"),
        f"{row['params']:,}",
        str(round(sum(row["seconds"]) / len(row["seconds"]))),
        baselines_text(row),
        published,
    ]
    return [*map(html.escape, texts), f"<code>{html.escape(row['command'])}</code>"]


def examples(source: Path, folder: Path) -> str:
    """The figures and texts that the runs of an experiment have left."""
    pictures = "".join(
        f'<figure><img loading="lazy" src="{copied(file, source, folder)}" alt="{html.escape(file.stem)}">'
        f"<figcaption>{html.escape(file.stem)}</figcaption></figure>\n"
        for file in sorted([*source.glob("*.png"), *source.glob("*.gif")])
        if is_inside(file, source)
    )
    texts = "".join(
        f"<details><summary>{html.escape(file.stem)}</summary><pre>{html.escape(file.read_text())}</pre></details>\n"
        for file in sorted(source.glob("*.txt"))
        if is_inside(file, source)
    )
    return f'<div class="figures">\n{pictures}</div>\n{texts}'


def written(study: Path, folder: Path) -> str:
    """The pages of a study: its tables and figures, then what it costs."""
    pages = sorted(study.glob("*.md"), key=lambda file: (file.name != "table.md", file.name))
    return "".join(markdown(file.read_text("utf-8"), study, folder) for file in pages if is_inside(file, study))


def markdown(text: str, source: Path, folder: Path) -> str:
    """Markdown with tables as HTML; its pictures are copied, and those that are not below `source` are left out."""

    def picture(found: re.Match[str]) -> str:
        file = source / urllib.parse.unquote(html.unescape(found[1]))
        address = copied(file, source, folder) if is_inside(file, source) else ""
        return f'<img loading="lazy" src="{address}"'

    rendered = MarkdownIt("commonmark", {"html": False}).enable("table").render(text)
    rendered = re.sub(r'<img src="([^"]+)"', picture, rendered)
    return rendered.replace("<table>", '<div class="wide"><table>').replace("</table>", "</table></div>")


def is_inside(file: Path, source: Path) -> bool:
    """Whether a file is below a folder, wherever links and `..` lead: a study that was received reads nothing else."""
    return "\0" not in str(file) and file.is_file() and file.resolve().is_relative_to(source.resolve())


def copied(file: Path, source: Path, folder: Path) -> str:
    """Copy a figure from below `source` beside the page; its address there."""
    inside = file.resolve().relative_to(source.resolve())
    address = Path("figures", source.name, inside)
    (folder / address).parent.mkdir(parents=True, exist_ok=True)
    (folder / address).unlink(missing_ok=True)  # which may be a link to what is not to be written
    shutil.copy(file, folder / address)
    return html.escape(urllib.parse.quote(address.as_posix()))


if __name__ == "__main__":
    run_command(build)
