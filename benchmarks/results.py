"""Result files: JSON, one row for each case and program, written again after every case.

    {"benchmark": "compare", "environment": {...}, "rows": [
      {"case": "training lstm T100 B32 D64 H128", "program": "rnn_jax", "median": 0.01, "spread": 0.001,
       "seconds": [...], "ratios": {"torch": {"value": 1.5, "low": 1.4, "high": 1.6}, ...}}, ...]}

The times are seconds. A row may hold more, such as bytes; `ratios` stands in the row of the program under test, each
another program's time over its own. A run that was killed goes on with the first case that is not there. Where each
program had a process of its own the file says so, `"processes": "own"`; else all were in one.
"""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.timing import device_name, environment

FOLDER = Path(__file__).parent / "results"
Row = dict[str, Any]


def result_file(benchmark: str) -> Path:
    """Where the results of this device are kept: DEVICE.json for the comparison of libraries, else with its name."""
    return FOLDER / (f"{device_name()}.json" if benchmark == "compare" else f"{device_name()}-{benchmark}.json")


class Results:
    """The rows of one result file.

    Attributes:
        path: the file.
        rows: its rows.

    Raises:
        ValueError: the file is of another benchmark, or was measured with other versions, on another device or with
            other processes.
    """

    def __init__(self, path: Path, benchmark: str, fresh: bool = False, processes: str = "one"):
        self.path, self.benchmark, self.environment, self.processes = path, benchmark, environment(), processes
        self.rows: list[Row] = []
        if fresh or not path.exists():
            return
        stored = read(path)
        for name, here in (("benchmark", benchmark), ("environment", self.environment), ("processes", processes)):
            there = stored.get(name, "one")  # "processes" is the only one that a file may lack
            if there != here:
                raise ValueError(
                    f"{path} has {name} {_difference(there, here)}: "
                    "rows of both in one file could not be compared; name another file, or measure all anew (--fresh)"
                )
        self.rows = stored["rows"]

    @property
    def stored(self) -> dict[str, Any]:
        """What the file holds."""
        processes = {} if self.processes == "one" else {"processes": self.processes}
        return {"benchmark": self.benchmark, "environment": self.environment, **processes, "rows": self.rows}

    def __contains__(self, case: str) -> bool:
        return any(row["case"] == case for row in self.rows)

    def add(self, rows: Iterable[Row]) -> None:
        """Append all rows of one case and write the file, whole or not at all."""
        self.rows += [_rounded(row) for row in rows]
        self.path.parent.mkdir(parents=True, exist_ok=True)
        part = self.path.with_suffix(".part")
        part.write_text(_text(self.stored))
        os.replace(part, self.path)


def read(path: Path) -> dict[str, Any]:
    """A result file.

    Raises:
        ValueError: it is not one.
    """
    try:
        stored = json.loads(path.read_text())
        if {"benchmark", "environment", "rows"} <= stored.keys() and all("case" in row for row in stored["rows"]):
            return stored
    except (json.JSONDecodeError, AttributeError, TypeError):
        pass
    raise ValueError(f"{path} is not a result file: expected JSON with benchmark, environment and rows")


def _text(stored: dict[str, Any]) -> str:
    """One row a line, numbers with six digits: a file that can be read, and compared by its lines."""
    head = json.dumps({k: v for k, v in stored.items() if k != "rows"}, indent=1)
    lines = ",\n".join(json.dumps(row) for row in stored["rows"])
    return f'{head[:-2]},\n "rows": [\n{lines}\n ]\n}}\n'


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {k: _rounded(v) for k, v in value.items()}
    return [_rounded(v) for v in value] if isinstance(value, list | tuple) else value


def _difference(stored: Any, here: Any) -> str:
    if not isinstance(stored, dict) or not isinstance(here, dict):
        return f"{stored!r}, here {here!r}"
    names = sorted(k for k in stored.keys() | here.keys() if stored.get(k) != here.get(k))
    return "; ".join(f"{k} {_difference(stored.get(k), here.get(k))}" for k in names)
