"""The space of a search, from the words of a command line, and a trial's place in it."""

import math
from collections.abc import Sequence
from typing import Any

from rnn_jax.extras import optional_imports
from rnn_jax.train.fields import field_types, read_field
from rnn_jax.train.run import plain

with optional_imports():
    from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
    from optuna.trial import Trial

FIXED = {
    "seed": "use --set, for all trials have one",
    "cpu_devices": "use --set",
    "hold_out": "a search needs it",
    "task": "a task is no value to tune, for each has a metric of its own: fix one with --set task=NAME",
}


def parse_space(config: type, words: Sequence[str]) -> dict[str, BaseDistribution]:
    """What is searched, from words such as learning_rate=log:1e-4:1e-2, hidden_size=int:32:256:8, cell=gru,lstm.

    Raises:
        ValueError: a word is not of this form, a field is not known, given twice or cannot be searched, a value is not
            of its type, or a range is empty.
    """
    space: dict[str, BaseDistribution] = {}
    for text in words:
        name, equals, values = text.partition("=")
        field, (kind, *ends) = name.strip().replace("-", "_"), values.split(":")
        if not (field and equals and values):
            raise ValueError(
                f"search={text!r}: expected FIELD=log:LOW:HIGH, FIELD=float:LOW:HIGH, FIELD=int:LOW:HIGH[:STEP] or "
                "FIELD=VALUE,VALUE,..."
            )
        if (field in FIXED and field in field_types(config)) or field in space:
            raise ValueError(f"search={text!r}: " + FIXED.get(field, "the field is given twice; name each once"))
        try:
            space[field] = _distribution(config, field, kind, ends, values)
        except ValueError as error:
            raise ValueError(f"search={text!r}: {error}") from None
    if not space:
        raise ValueError("search is empty: name a field to search, such as --search learning_rate=log:1e-4:1e-2")
    return dict(sorted(space.items()))  # for a sampler their order matters


def _distribution(config: type, field: str, kind: str, ends: list[str], values: str) -> BaseDistribution:
    if kind not in ("log", "float", "int"):
        choices = [_searchable(config, field, value) for value in values.split(",")]
        if len(set(choices)) < len(choices):
            raise ValueError("a value is given twice")
        return CategoricalDistribution(choices)
    numbers = [_searchable(config, field, end) for end in ends]
    if len(numbers) not in ((2, 3) if kind == "int" else (2,)):
        raise ValueError(f"expected {kind}:LOW:HIGH{'[:STEP]' if kind == 'int' else ''}")
    whole = all(type(number) is int for number in numbers)
    if not all(type(number) in (int, float) for number in numbers) or (whole is not (kind == "int") and kind != "log"):
        raise ValueError(f"{field} is no {kind}: use " + ("int" if whole else "float or log, or name the values"))
    low, high = numbers[:2]
    if not low < high or (kind == "log" and low <= 0):
        raise ValueError(f"expected {'0 < ' if kind == 'log' else ''}LOW < HIGH")
    if not whole:
        return FloatDistribution(low, high, log=kind == "log")
    step = numbers[2] if len(numbers) == 3 else 1
    if not 0 < step <= high - low:
        raise ValueError(f"STEP={step}: expected 1 to HIGH - LOW")
    return IntDistribution(low, high - (high - low) % step, log=kind == "log", step=step)


def _searchable(config: type, field: str, word: str) -> Any:
    value = read_field(config, field, word)
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{word} is not a number to search by")
    return plain(value)


def edges(distribution: BaseDistribution) -> list[Any]:
    """The values of a choice, or the lowest and the highest one of a range."""
    if isinstance(distribution, CategoricalDistribution):
        return list(distribution.choices)
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    return [distribution.low, distribution.high]


def suggest(trial: Trial, field: str, distribution: BaseDistribution) -> Any:
    """The value of a field in a trial."""
    if isinstance(distribution, FloatDistribution):
        return trial.suggest_float(field, distribution.low, distribution.high, log=distribution.log)
    if isinstance(distribution, IntDistribution):
        step = {} if distribution.log else {"step": distribution.step}
        return trial.suggest_int(field, distribution.low, distribution.high, log=distribution.log, **step)
    assert isinstance(distribution, CategoricalDistribution)
    return trial.suggest_categorical(field, distribution.choices)
