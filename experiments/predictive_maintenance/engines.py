"""What is known of an engine, or of any other unit that runs to its failure."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from rnn_jax.data.download import DataError

TOGETHER = "the rows of an engine have to stand together: sort the file by engine, then by time"


@dataclasses.dataclass(frozen=True, eq=False)
class Engine:
    """The history of an engine.

    Attributes:
        number: of the engine in its file, or its name.
        settings: float64 `[t, 3]`; in tables with named columns `[t, S]`.
        sensors: float64 `[t, 21]`; in tables with named columns `[t, D]`.
        final_rul: cycles from the last row to the failure; 0 where the history ends with it.
        conditions: of operation, int `[t, C]`; altitude and throttle of the settings, in whole units, where not given:
            the Mach number goes with them.
        last: the time of the last row in words, where rows have one.
    """

    number: int | str
    settings: np.ndarray
    sensors: np.ndarray
    final_rul: int = 0
    conditions: np.ndarray | None = None
    last: str = ""

    @property
    def condition(self) -> np.ndarray:
        """The operating condition of each cycle in whole units, int `[t, C]`."""
        return np.rint(self.settings[:, [0, 2]]).astype(int) if self.conditions is None else self.conditions

    def __len__(self) -> int:
        return len(self.sensors)

    @property
    def rul(self) -> np.ndarray:
        """The remaining useful life after each cycle, in cycles: float32 `[t]`."""
        return np.arange(len(self) - 1 + self.final_rul, self.final_rul - 1, -1, dtype=np.float32)


Row = tuple[Any, list[str]]
"""Where a row stands, and its cells."""


def gathered(
    rows: Iterable[Row], unit: Callable[[list[str]], str], *, whole: bool
) -> Iterator[tuple[str, list[Row], Row | None]]:
    """The rows of each unit, and the first of them that stands apart from those before it, if one does.

    Args:
        rows: of a file; one that does not say of which unit it is counts as one of both units beside it, so that
            whoever reads them refuses both.
        unit: which a row is of; empty where it does not say it.
        whole: read all rows before the first unit is given, so that each is given once; else each is given as soon as
            another one begins, and again where it goes on later.
    """
    runs = _runs(rows, unit)
    if not whole:
        seen = set[str]()
        for name, some in runs:
            yield name, some, some[0] if name in seen else None
            seen.add(name)
        return
    found, apart = dict[str, list[Row]](), dict[str, Row]()
    for name, some in runs:
        if found.setdefault(name, some) is not some:
            apart.setdefault(name, some[0])
    for name, some in found.items():
        yield name, some, apart.get(name)


def _runs(rows: Iterable[Row], unit: Callable[[list[str]], str]) -> Iterator[tuple[str, list[Row]]]:
    name, some, unclear = "", list[Row](), list[Row]()
    for row in rows:
        found = unit(row[1])
        if not found:
            unclear.append(row)
        elif name and found != name:
            yield name, some
            some = list(unclear)
        if found:
            name, unclear = found, []
        some.append(row)
    if some:
        yield name or "unknown", some


def all_good(path: str | Path, found: Iterable[tuple[str, Engine | DataError]]) -> list[Engine]:
    """The engines of a file.

    Raises:
        DataError: what is wrong with the first that cannot be read; or there is none.
    """
    engines = []
    for _, engine in found:
        if isinstance(engine, DataError):
            raise engine
        engines.append(engine)
    if not engines:
        raise DataError(f"{path} has no rows")
    return engines


def finite_number(cell: str, place: str) -> float:
    try:
        value = float(cell)
    except ValueError as error:
        raise DataError(f"{place}: {cell!r} is not a number") from error
    if not np.isfinite(value):
        raise DataError(f"{place}: {cell!r}; missing values are not supported: give a number, or leave the engine out")
    return value
