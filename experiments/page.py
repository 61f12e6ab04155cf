"""One static HTML page of all results, studies and benchmarks: an overview, a fold for each task, figures, commands.

    python -m experiments.page                                  writes report/index.html, to be opened in a browser
    python -m experiments.page --runs runs --studies studies    your own runs and studies, too
    python -m experiments.page --folder DIR

Without your own ones everything on it comes from committed files: experiments/results, experiments/studies,
benchmarks/results. It needs no network and no script: what there is of JavaScript sorts tables.
"""

import sys
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import Any

from benchmarks.report import results_text
from benchmarks.results import FOLDER as BENCHMARKS
from experiments.__main__ import question_of
from experiments.cli import run_command
from experiments.registry import experiment_names
from experiments.report import RESULTS, prefix, read_results
from experiments.report_page.captions import benchmark_caption, study_caption
from experiments.report_page.documents import benchmark_folds, study_fold
from experiments.report_page.elements import escaped
from experiments.report_page.overview import overview
from experiments.report_page.own import own_studies, own_tasks, search_fold
from experiments.report_page.tasks import Files, task_fold
from experiments.standing import Standing, standings

HERE = Path(__file__).parent
STUDIES = HERE / "studies"
PARTS = HERE / "report_page"
FIGURES = ("*.png", "*.gif", "*.txt")
YOURS = '<span class="badge">yours</span> '


def build(folder: Path = Path("report"), runs: Path | None = None, studies: Path | None = None) -> None:
    """Write the page, and copies of its figures beside it.

    Args:
        folder: of the page.
        runs: the folder of your own runs, RUNS/EXPERIMENT/NAME; runs that have not finished are named and left out.
        studies: the folder of your own studies and searches.
    """
    own, notes = own_tasks(runs) if runs else ([], [])
    finished, searches, more = own_studies(studies) if studies else ([], [], [])
    notes += more
    tasks = [task for file in sorted(RESULTS.glob("*.json")) for task in committed(file)]
    folder.mkdir(parents=True, exist_ok=True)
    sections = {}
    if runs:
        said = task_section(own, "own", own_files, folder, YOURS) if own else "<p>None has finished.</p>\n"
        sections["Your runs"] = said
    if studies:
        folds = [study_fold(one, folder, f"own-studies/{one.name}", study_caption, YOURS) for one in finished]
        for one in searches:
            try:
                folds.append(search_fold(one, YOURS))
            except (ValueError, OSError) as error:
                notes.append(str(error))
        sections["Your studies"] = "".join(folds) or "<p>None has finished.</p>\n"
    if notes:
        sections["Left out"] = f"<ul>{''.join(f'<li>{escaped(note)}</li>' for note in notes)}</ul>\n"
    ours = [one for one in sorted(STUDIES.glob("*")) if one.is_dir()]
    sections |= {
        "Overview": overview(tasks, "task"),
        "Tasks": task_folds(tasks, "task", committed_files, folder),
        "Studies": "".join(study_fold(one, folder, f"studies/{one.name}", study_caption) for one in ours),
        "Benchmarks": benchmark_folds(results_text(), BENCHMARKS.parent, folder, benchmark_caption),
    }
    (folder / "index.html").write_bytes(page(sections).encode("utf-8", "replace"))
    for note in notes:
        print(f"left out: {note}", file=sys.stderr)
    counted = f"{len(tasks)} tasks" + (f", {len(own)} of your own" if runs else "")
    print(f"{folder / 'index.html'}: {counted}, {len(sections)} sections", file=sys.stderr)


def committed(file: Path) -> list[Standing]:
    """The tasks of a file of results."""
    stored = read_results(file)
    rows = [row | {"experiment": stored["experiment"]} for row in stored["results"]]
    return standings(stored["experiment"], rows)


def committed_files(row: dict[str, Any]) -> tuple[Path, str, list[tuple[str, Path]]]:
    """The figures and texts of a committed result; see `experiments.report collect`."""
    source, begin = RESULTS / row["experiment"], prefix(row)
    found = [file for kind in FIGURES for file in sorted(source.glob(f"{begin}{kind}"))]
    return source, f"results/{row['experiment']}", [(file.stem.removeprefix(begin), file) for file in found]


def own_files(row: dict[str, Any]) -> tuple[Path, str, list[tuple[str, Path]]]:
    """The figures and texts of a run."""
    source = row["path"]
    places = [source / "figures", source / "figures", source]
    found = [file for place, kind in zip(places, FIGURES, strict=True) for file in sorted(place.glob(kind))]
    return source, f"own-runs/{source.parent.name}/{source.name}", [(file.stem, file) for file in found]


def task_section(tasks: list[Standing], prefix: str, files: Files, folder: Path, badge: str = "") -> str:
    """The overview of some tasks, then a fold for each."""
    return overview(tasks, prefix, badge) + task_folds(tasks, prefix, files, folder, badge)


def task_folds(tasks: Iterable[Standing], prefix: str, files: Files, folder: Path, badge: str = "") -> str:
    """A fold for each task, by experiments, each with its question."""
    known, parts = experiment_names(), []
    for experiment, same in groupby(tasks, key=lambda task: task.experiment):
        question = f"<p>{escaped(question_of(experiment))}</p>\n" if experiment in known else ""
        parts.append(f"<h3>{escaped(experiment)}</h3>\n{question}")
        for task in same:
            parts.append(task_fold(task, prefix, files, folder, badge))
    return "".join(parts)


def page(sections: dict[str, str]) -> str:
    """The whole document, of sections of HTML by their titles."""
    names = {title: title.lower().replace(" ", "-") for title in sections}
    links = "".join(f'<a href="#{names[title]}">{escaped(title)}</a>' for title in sections)
    body = "".join(
        f'<section aria-labelledby="{names[title]}">\n<h2 id="{names[title]}">{escaped(title)}</h2>\n{text}</section>\n'
        for title, text in sections.items()
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>rnn_jax: results</title>\n'
        f"<style>\n{(PARTS / 'page.css').read_text()}</style>\n</head>\n<body>\n<header>\n<h1>rnn_jax: results</h1>\n"
        "<p>A score is the mean over seeds ± half of its 95 % interval (Student's t). Press a task for all its models, "
        "what they are compared with, figures and commands.</p>\n"
        f'<nav aria-label="Sections">{links}</nav>\n</header>\n<main>\n{body}</main>\n'
        f"<script>\n{(PARTS / 'page.js').read_text()}</script>\n</body>\n</html>\n"
    )


if __name__ == "__main__":
    run_command(build)
