"""Engines run to failure: the tables of NASA's C-MAPSS simulator, or one's own of the same form.

Saxena et al. 2008, "Damage propagation modeling for aircraft engine run-to-failure simulation". A row is one cycle (one
flight) of one engine: its number, the number of the cycle, three settings (altitude in thousand feet, Mach number,
throttle angle in degrees) and 21 sensors.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from experiments.common.text import read_file_text
from rnn_jax.data.download import DataError, fetch
from rnn_jax.data.sources import Dataset, digests, url_files

CMAPSS = Dataset(
    name="cmapss",
    files=url_files(
        "jaesto/Turbofan-RUL",
        "050a3bc7e67ac26b84af29084c5ac1239d693f83",
        "data",
        {
            "RUL_FD001.txt": ("a19c8ec94931949d0485bdc35118206e9c81c4547b422efb9cf86f4ceddbceca", 429),
            "test_FD001.txt": ("3cda7109ce17bafb5443f2ac926cfcf88154b941b8c4cf95eb55d1ddd6f52851", 2_228_855),
            "train_FD001.txt": ("963b5e22825b34d8b21c69e1aeb4af3e647050eb672ee8834ba4b5d91d2de0f8", 3_515_356),
        },
    ),
    licence="US government work, public domain",
    citation="A. Saxena et al., Aircraft Engine Run-to-Failure Simulation (C-MAPSS), 2008",
    split="files: 100 engines run to failure, 100 cut off before",
)


SETTINGS, SENSORS = 3, 21


@dataclasses.dataclass(frozen=True, eq=False)
class Engine:
    """The history of an engine.

    Attributes:
        number: of the engine in its file.
        settings: float64 `[t, 3]`.
        sensors: float64 `[t, 21]`.
        final_rul: cycles from the last row to the failure; 0 where the history ends with it.
    """

    number: int
    settings: np.ndarray
    sensors: np.ndarray
    final_rul: int = 0

    def __len__(self) -> int:
        return len(self.sensors)

    @property
    def rul(self) -> np.ndarray:
        """The remaining useful life after each cycle, in cycles: float32 `[t]`."""
        return np.arange(len(self) - 1 + self.final_rul, self.final_rul - 1, -1, dtype=np.float32)


def load_engines(folder: str = "", subset: str = "FD001") -> tuple[list[Engine], list[Engine]]:
    """The training engines, run to failure, and the test engines, truncated before it.

    Args:
        folder: see `engine_files`.
        subset: see `engine_files`.

    Raises:
        DataError: a file is missing, or not of this form; see `read_engines` and `read_rul`.
    """
    training_path, test_path, rul_path = engine_files(folder, subset)
    training, test, ruls = read_engines(training_path), read_engines(test_path), read_rul(rul_path)
    if len(ruls) != len(test):
        raise DataError(f"{rul_path} has {len(ruls)} rows: expected {len(test)}, one for each engine in {test_path}")
    return training, [dataclasses.replace(engine, final_rul=rul) for engine, rul in zip(test, ruls, strict=True)]


def engine_files(folder: str = "", subset: str = "FD001") -> list[Path]:
    """The files of training engines, of test engines, and of the RUL of these.

    Args:
        folder: with train_SUBSET.txt, test_SUBSET.txt and RUL_SUBSET.txt; by default that of the data set, with FD001.
        subset: which of them; FD002 and FD004 fly under six operating conditions, the others under one.

    Raises:
        DataError: there is no such subset, or the data set cannot be had.
    """
    names = [f"{part}_{subset}.txt" for part in ("train", "test", "RUL")]
    if folder:
        known = sorted(path.name for path in Path(folder).glob("train_*.txt"))
        if names[0] not in known:
            raise DataError(f"data={folder!r} has no {names[0]}; its training files: {', '.join(known) or 'none'}")
        return [Path(folder, name) for name in names]
    if names[0] not in digests(CMAPSS):
        raise DataError(f"subset={subset!r} is not in the catalogue: use FD001, or give a folder with {names[0]}")
    files = fetch(CMAPSS)
    return [files[name] for name in names]


def hold_out_engines(engines: Sequence[Engine], every: int = 5) -> tuple[list[Engine], list[Engine]]:
    """Split a validation part off: every so many engines the last one of them.

    Raises:
        DataError: there are fewer.
    """
    if len(engines) < every:
        raise DataError(f"{len(engines)} training engines: expected {every} at least, one of them for validation")
    held = list(engines[every - 1 :: every])
    return [engine for i, engine in enumerate(engines) if i % every != every - 1], held


def read_engines(path: str | Path) -> list[Engine]:
    """The engines in a file of 26 columns of numbers, separated by spaces; empty lines do not count.

    Raises:
        DataError: the file cannot be read, has no rows, a row has another number of columns, a value is no finite
            number, or the cycles of an engine are not 1, 2, 3, ... in rows that stand together; the message names file,
            row and column.
    """
    rows: dict[int, list[list[float]]] = {}
    last = None
    for place, cells in _rows(path):
        if len(cells) != 2 + SETTINGS + SENSORS:
            raise DataError(f"{place}: {len(cells)} columns, expected {2 + SETTINGS + SENSORS}")
        values = [_number(cell, f"{place}, column {i}") for i, cell in enumerate(cells, 1)]
        for i, name in ((0, "engine"), (1, "cycle")):
            if values[i] < 1 or values[i] % 1:
                raise DataError(f"{place}, column {i + 1}: {name} {cells[i]!r}; expected a whole number from 1 on")
        number = int(values[0])
        if number in rows and number != last:
            raise DataError(f"{place}, column 1: engine {number} again; the rows of an engine have to stand together")
        last = number
        history = rows.setdefault(number, [])
        if values[1] != len(history) + 1:
            raise DataError(
                f"{place}, column 2: cycle {cells[1]} of engine {number}; expected {len(history) + 1}: every cycle "
                "once, from 1 on and in its order"
            )
        history.append(values[2:])
    if not rows:
        raise DataError(f"{path} has no rows")
    arrays = {number: np.array(history) for number, history in rows.items()}
    return [Engine(number, array[:, :SETTINGS], array[:, SETTINGS:]) for number, array in arrays.items()]


def read_rul(path: str | Path) -> list[int]:
    """The RUL of each engine after its last row: a whole number of cycles in each row; errors as in `read_engines`."""
    ruls = []
    for place, cells in _rows(path):
        if len(cells) != 1:
            raise DataError(f"{place}: {len(cells)} columns, expected 1")
        value = _number(cells[0], f"{place}, column 1")
        if value < 0 or value % 1:
            raise DataError(f"{place}, column 1: {cells[0]!r}; expected a whole number of cycles")
        ruls.append(int(value))
    return ruls


def _rows(path: str | Path) -> list[tuple[str, list[str]]]:
    """Where each row of a file stands, in words, and its cells."""
    text = read_file_text(path).text
    return [(f"{path}, row {i}", line.split()) for i, line in enumerate(text.splitlines(), 1) if line.strip()]


def _number(cell: str, place: str) -> float:
    try:
        value = float(cell)
    except ValueError as error:
        raise DataError(f"{place}: {cell!r} is not a number") from error
    if not np.isfinite(value):
        raise DataError(f"{place}: {cell!r}; missing values are not supported: give a number, or leave the engine out")
    return value
