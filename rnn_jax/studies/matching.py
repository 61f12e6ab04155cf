"""Configs of a study at equal parameters: each gets the hidden_size at which it is as large as the reference."""

import functools
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rnn_jax.cells import count_parameters
from rnn_jax.studies.study import StudyCell
from rnn_jax.train.experiment import Experiment
from rnn_jax.train.fields import flatten, replace_fields

TOLERANCE = 0.05  # of the number of parameters


def match_parameters(cells: Sequence[StudyCell], reference: StudyCell, experiment: Experiment) -> list[StudyCell]:
    """The same configs with other sizes, which become fields of the study.

    Args:
        cells: of the study.
        reference: the one of them whose size stays.
        experiment: that is studied.

    Raises:
        ValueError: an experiment has no hidden_size, one of the configs varies it, or no size comes near enough.
    """
    wanted = flatten(reference.config).get("hidden_size")
    if wanted is None:
        raise ValueError("match_parameters: this experiment has no hidden_size; leave it out")

    def parameters(config: Any, size: int) -> int:
        return count_parameters(experiment.prepare(resized(StudyCell({}, config), size).config).task.params)

    target = parameters(reference.config, wanted)
    sizes = []
    for cell in cells:
        if "hidden_size" in cell.fields:
            raise ValueError("match_parameters: hidden_size varies already; leave one of the two out")
        count = functools.cache(lambda size, config=cell.config: parameters(config, size))
        size = wanted
        found = count(size)
        for unit in (4, 2, 1):  # cells with heads need sizes that these divide
            if abs(found - target) > TOLERANCE * target:
                size, found = nearest_size(count, target, unit)
        if abs(found - target) > TOLERANCE * target:
            raise ValueError(
                f"match_parameters: {cell.name} has {found:,} parameters at hidden_size={size}, expected {target:,} "
                f"within {TOLERANCE:.0%}, as {reference.name} has; choose a larger hidden_size for the latter"
            )
        sizes.append(size)
    return list(map(resized, cells, sizes))


def matched_before(cells: Sequence[StudyCell], study: Path, command: str) -> list[StudyCell] | None:
    """The same configs with the sizes in a study that this command has begun, for counting takes minutes."""
    if not (file := study / "study.json").exists():
        return None
    begun = json.loads(file.read_text("utf-8"))
    fields = [cell["fields"] for cell in begun["cells"]]
    if begun["command"] != command or not all("hidden_size" in one for one in fields):
        return None
    found = [resized(cell, one["hidden_size"]) for cell, one in zip(cells, fields, strict=False)]
    return found if [cell.fields for cell in found] == fields else None


def resized(cell: StudyCell, size: int) -> StudyCell:
    """The same config with another size, which is one of its fields from then on."""
    changes: dict[str, Any] = {"hidden_size": size}
    return StudyCell(cell.fields | changes, replace_fields(cell.config, **changes))


def nearest_size(count: Callable[[int], int], target: int, unit: int = 4) -> tuple[int, int]:
    """The multiple of `unit` with the number of parameters nearest to `target`, and this number.

    Kernels grow with the square of the size and biases with the size, so that three counts say where to look.
    """
    sizes = [unit, 4 * unit, 8 * unit]
    counts = {size: count(size) for size in sizes}
    square, slope, constant = np.polyfit(sizes, list(counts.values()), 2)
    wanted = np.roots([square, slope, constant - target]).real.max() if square > 1e-6 else (target - constant) / slope
    middle = unit * max(1, round(wanted / unit))
    for size in (middle - unit, middle, middle + unit):
        if size >= unit and size not in counts:
            counts[size] = count(size)
    return min(counts.items(), key=lambda pair: abs(pair[1] - target))
