"""Engines run to failure: the tables of NASA's C-MAPSS simulator, or one's own of the same form or with named columns.

Saxena et al. 2008, "Damage propagation modeling for aircraft engine run-to-failure simulation". A row is one cycle (one
flight) of one engine: its number, the number of the cycle, three settings (altitude in thousand feet, Mach number,
throttle angle in degrees) and 21 sensors.
"""

import dataclasses
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from experiments.common.text import read_file_text
from experiments.predictive_maintenance.engines import TOGETHER, Engine, all_good, finite_number, gathered
from experiments.predictive_maintenance.units import NUMBERED, TABLES, UnitColumns, is_table, read_units
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
"""Columns of the files of C-MAPSS, after the number of the engine and of the cycle."""


def load_engines(
    folder: str = "", subset: str = "FD001", columns: UnitColumns = NUMBERED
) -> tuple[list[Engine], list[Engine], list[str]]:
    """The training engines, run to failure, the test engines, truncated before it, and the names of their sensors.

    In a table of its own, each unit runs to its failure: every fifth is for the test, truncated anywhere from the
    31st row on.

    Args:
        folder: see `engine_files`; or a table with named columns.
        subset: see `engine_files`.
        columns: of tables with named columns.

    Raises:
        DataError: a file is missing, or not of this form; see `read_engines`, `read_units` and `read_rul`.
    """
    training_path, *others = engine_files(folder, subset)
    if is_table(training_path):
        training, names = read_units(training_path, columns)
        if not others:
            kept, held = hold_out_engines(training)
            rng = np.random.default_rng(0)
            return kept, [truncated(engine, int(rng.integers(max(1, len(engine) - 30)))) for engine in held], names
        columns = columns._replace(sensors=tuple(names))
        test, _ = read_units(others[0], columns)
    else:
        if columns != NUMBERED:
            raise DataError(f"{training_path} has no named columns: leave unit, time, sensors and settings out")
        training, test, names = read_engines(training_path), read_engines(others[0]), []
    return training, with_rul(test, others[0], others[1]), names


def with_rul(engines: Sequence[Engine], path: Path, ruls_path: Path) -> list[Engine]:
    """The engines in a file with their RUL after the last row, which another file has.

    Raises:
        DataError: see `read_rul`; or there is not one for each engine.
    """
    ruls = read_rul(ruls_path)
    if len(ruls) != len(engines):
        raise DataError(f"{ruls_path} has {len(ruls)} rows: expected {len(engines)}, one for each engine in {path}")
    return [dataclasses.replace(engine, final_rul=rul) for engine, rul in zip(engines, ruls, strict=True)]


def truncated(engine: Engine, rul: int) -> Engine:
    """An engine that has run to failure, as it was so many cycles before."""
    end = len(engine) - rul
    conditions = None if engine.conditions is None else engine.conditions[:end]
    return Engine(engine.number, engine.settings[:end], engine.sensors[:end], rul, conditions)


def engine_files(folder: str = "", subset: str = "FD001") -> list[Path]:
    """The files of training engines, of test engines, and of the RUL of these.

    Args:
        folder: with train_SUBSET.txt, test_SUBSET.txt and RUL_SUBSET.txt, or the first two as tables with named
            columns, .csv; or one such table of all units; by default that of the data set, with FD001.
        subset: which of them; FD002 and FD004 fly under six operating conditions, the others under one.

    Raises:
        DataError: there is no such subset, or the data set cannot be had.
    """
    names = [f"{part}_{subset}.txt" for part in ("train", "test", "RUL")]
    if folder:
        if Path(folder).is_file():
            return [Path(folder)]
        known = sorted(path.name for end in (".txt", *TABLES) for path in Path(folder).glob(f"train_*{end}"))
        for end in (".txt", *TABLES):
            if f"train_{subset}{end}" in known:
                return [Path(folder, f"{part}_{subset}{end}") for part in ("train", "test")] + [Path(folder, names[2])]
        raise DataError(f"data={folder!r} has no {names[0]}; its training files: {', '.join(known) or 'none'}")
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
    return all_good(path, histories(_rows(path)))


def histories(rows: Iterable[tuple[str, list[str]]], *, whole: bool = True) -> Iterator[tuple[str, Engine | DataError]]:
    """Each engine of rows of 26 columns, by the cell that names it; or what is wrong with it.

    Args:
        rows: where each stands, in words, and its cells.
        whole: see `gathered`.
    """
    for number, some, apart in gathered(rows, lambda cells: cells[0], whole=whole):
        try:
            if apart:
                raise DataError(f"{apart[0]}, column 1: engine {number} again; {TOGETHER}")
            yield number, _engine(some)
        except DataError as error:
            yield number, error


def _engine(rows: Sequence[tuple[str, list[str]]]) -> Engine:
    """The engine of some rows of 26 columns."""
    history: list[list[float]] = []
    for place, cells in rows:
        if len(cells) != 2 + SETTINGS + SENSORS:
            raise DataError(f"{place}: {len(cells)} columns, expected {2 + SETTINGS + SENSORS}")
        values = [finite_number(cell, f"{place}, column {i}") for i, cell in enumerate(cells, 1)]
        for i, name in ((0, "engine"), (1, "cycle")):
            if values[i] < 1 or values[i] % 1:
                raise DataError(f"{place}, column {i + 1}: {name} {cells[i]!r}; expected a whole number from 1 on")
        if values[1] != len(history) + 1:
            raise DataError(
                f"{place}, column 2: cycle {cells[1]} of engine {int(values[0])}; expected {len(history) + 1}: every "
                "cycle once, from 1 on and in its order"
            )
        history.append(values[2:])
    array = np.array(history)
    return Engine(int(float(rows[0][1][0])), array[:, :SETTINGS], array[:, SETTINGS:])


def read_rul(path: str | Path) -> list[int]:
    """The RUL of each engine after its last row: a whole number of cycles in each row; errors as in `read_engines`."""
    ruls = []
    for place, cells in _rows(path):
        if len(cells) != 1:
            raise DataError(f"{place}: {len(cells)} columns, expected 1")
        value = finite_number(cells[0], f"{place}, column 1")
        if value < 0 or value % 1:
            raise DataError(f"{place}, column 1: {cells[0]!r}; expected a whole number of cycles")
        ruls.append(int(value))
    return ruls


def _rows(path: str | Path) -> Iterator[tuple[str, list[str]]]:
    """Where each row of a file stands, in words, and its cells."""
    return rows_of(path, io.StringIO(read_file_text(path).text))


def rows_of(name: str | Path, lines: Iterable[str]) -> Iterator[tuple[str, list[str]]]:
    """Where each of some lines stands, in words, and its cells, which spaces part."""
    return ((f"{name}, row {i}", line.split()) for i, line in enumerate(lines, 1) if line.strip())
