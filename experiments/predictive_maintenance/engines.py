"""What is known of an engine, or of any other unit that runs to its failure."""

import dataclasses
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from rnn_jax.data.download import DataError

TOGETHER = "the rows of an engine have to stand together"


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
