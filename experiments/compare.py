"""Over several studies of the same configs: which is better on all tasks together, and what does it cost?

    python -m experiments.compare experiments/studies/models-* --question "Seven models of equal size"

Reads what `ablate` has left (study.json, costs.json) and trains nothing. Writes overview.md and figures/overview.png.
"""

from pathlib import Path

import tyro

from experiments.cli import as_command, run_command
from rnn_jax.studies.overview import draw_overview, overview, overview_markdown
from rnn_jax.studies.stored import read_stored
from rnn_jax.train.run import write_atomically

STUDY = {"reference": str, "cells": [{"name": str, "fields": dict, "seeds": {...: dict}}]}
COSTS = {...: {"seconds": int | float | None, "bytes": int | float | None}}
REMEDY = "name a study's folder, and run its ablate command to the end, which writes it"


def compare(studies: tyro.conf.Positional[list[Path]], question: str = "", folder: Path = Path("studies/all")) -> None:
    """Compare configs over studies.

    Args:
        studies: folders of studies; two or more.
        question: above the tables.
        folder: where the overview goes.
    """
    if len(studies) < 2:
        raise ValueError(f"studies={list(map(str, studies))}: expected two or more; one has its own table.md")
    found = {one.name: read_stored(one / "study.json", STUDY, REMEDY) for one in studies}
    costs = {one.name: read_stored(one / "costs.json", COSTS, REMEDY) for one in studies}
    if len(found) < len(studies):
        raise ValueError(f"studies={list(map(str, studies))}: expected names that differ, which head the columns")
    rows = overview(found, costs)
    title = question or f"{len(rows)} configs over {len(studies)} tasks"
    said = as_command(
        "experiments.compare", *map(str, studies), values={"question": question}, defaults={"question": ""}
    )
    draw_overview(rows, title, folder / "figures" / "overview.png")
    text = overview_markdown(found, rows, title, said, "figures/overview.png")
    write_atomically(folder / "overview.md", text)
    print(f"{text}\n{folder}/overview.md, figures/overview.png")


if __name__ == "__main__":
    run_command(compare)
