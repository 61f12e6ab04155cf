"""Pages that are drawn from the code and from committed results, so that no figure in them is typed by hand."""

from pathlib import Path

import applications
import reference


def write(source: Path) -> None:
    """Write all of them below the folder of the sources; a page that is as it was is not touched."""
    pages = {
        "cells.md": "```{include} ../rnn_jax/cells/README.md\n```\n",
        "benchmarks.md": "```{include} ../benchmarks/README.md\n:relative-images:\n```\n",
        "results.md": "```{include} ../experiments/results/README.md\n```\n",
        **applications.pages(),
        **reference.pages(),
    }
    for name, text in pages.items():
        file = source / name
        file.parent.mkdir(exist_ok=True)
        if not file.exists() or file.read_text("utf-8") != text:
            file.write_text(text, "utf-8")
