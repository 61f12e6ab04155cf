"""Configs of a study at equal parameters: each gets the hidden_size at which it is as large as the reference."""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rnn_jax.cells import count_parameters
from rnn_jax.studies.stored import read_stored
from rnn_jax.studies.study import Condition
from rnn_jax.train.experiment import Prepared
from rnn_jax.train.fields import flatten, replace_fields

TOLERANCE = 0.05  # of the number of parameters


def match_parameters(
    conditions: Sequence[Condition], reference: Condition, prepare: Callable[..., Prepared]
) -> list[Condition]:
    """The same configs with other sizes, which become fields of the study.

    Args:
        conditions: of the study.
        reference: the one of them whose size stays.
        prepare: of the experiment.

    Raises:
        ValueError: an experiment has no hidden_size, one of the configs varies it, has no use for it or does not say
            it, or no size comes near enough.
    """
    for condition in conditions:
        fields = flatten(condition.config)
        if "hidden_size" not in fields:
            raise ValueError("match_parameters: this experiment has no hidden_size; leave match_parameters out")
        if fields["hidden_size"] is None:
            raise ValueError(
                f"match_parameters: hidden_size, by which sizes are matched, is None in {condition.name}; leave "
                "match_parameters out, or make a study of configs that all have a use for hidden_size, and give it "
                "with --set hidden_size=SIZE"
            )
    wanted = flatten(reference.config)["hidden_size"]

    def parameters(config: Any, size: int) -> int:
        return count_parameters(prepare(resized(Condition({}, config), size).config).task.params)

    target = parameters(reference.config, wanted)
    sizes = []
    for condition in conditions:
        if "hidden_size" in condition.fields:
            raise ValueError("match_parameters: hidden_size varies already; leave one of the two out")
        count = functools.cache(lambda size, config=condition.config: parameters(config, size))
        size = wanted
        found = count(size)
        for unit in (4, 2, 1):  # cells with heads need sizes that these divide
            if abs(found - target) > TOLERANCE * target:
                size, found = nearest_size(count, target, unit)
        if abs(found - target) > TOLERANCE * target:
            raise ValueError(
                f"match_parameters: {condition.name} has {found:,} parameters at hidden_size={size}, expected "
                f"{target:,} within {TOLERANCE:.0%}, as {reference.name} has; choose a larger hidden_size for it"
            )
        sizes.append(size)
    return list(map(resized, conditions, sizes))


def matched_before(conditions: Sequence[Condition], study: Path, command: str) -> list[Condition] | None:
    """The same configs with the sizes in a study that this command has begun, for counting takes minutes."""
    if not (file := study / "study.json").exists():
        return None
    form = {"command": str, "cells": [{"fields": dict}]}
    begun = read_stored(file, form, "delete it: it is made again from what is beside it")
    fields = [one["fields"] for one in begun["cells"]]
    if begun["command"] != command or not all("hidden_size" in one for one in fields):
        return None
    found = [resized(condition, one["hidden_size"]) for condition, one in zip(conditions, fields, strict=False)]
    return found if [condition.fields for condition in found] == fields else None


def resized(condition: Condition, size: int) -> Condition:
    """The same config with another size, which is one of its fields from then on."""
    changes: dict[str, Any] = {"hidden_size": size}
    return Condition(condition.fields | changes, replace_fields(condition.config, **changes))


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
