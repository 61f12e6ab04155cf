"""What is forecast: the temperature at New York's airports, the variance of 20 stocks, a column of the user's table."""

import dataclasses
import gzip
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from experiments.common.prediction import STANDARD_INPUT
from experiments.common.table_cells import PLAIN, TOLD, TableConfig
from experiments.common.table_notes import table_lines
from experiments.common.tables import parse_tables, read_tables
from experiments.common.text import decode_text, unpack
from experiments.forecasting.covariates import NO_ROLES, Roles, split_columns
from experiments.forecasting.panel import Panel, in_steps_of_calendar, on_grid, parts_of
from rnn_jax.data.archives import read_members
from rnn_jax.data.download import DataError, fetch
from rnn_jax.data.sources import Dataset, IndexFile, url_files

SKFOLIO = Dataset(
    name="skfolio",
    files=(
        IndexFile(
            name="skfolio-1.12.2-py3-none-any.whl",
            project="skfolio",
            version="1.12.2",
            sha256="2d324c62a4188dc0b62a713f8d5cea177e208a5b45987e3d3f204dd56d3a669b",
            size=1_465_874,
        ),
    ),
    licence="BSD-3-Clause",
    citation="C. Nicolini et al., skfolio, 2024: 20 stocks of the S&P 500 that exist to this day",
    split="by time",
)


NYCFLIGHTS13 = Dataset(
    name="nycflights13",
    files=url_files(
        "tidyverse/nycflights13",
        "df98ef215aa8216fe0838a0b8ac5bada646d814c",
        "data-raw",
        {
            "weather.csv": ("5d1ea2548a3941eac0b4a9ca70805daa9fa49bbb711a0c7557b2bba0bd7c3f64", 2_294_215),
        },
    ),
    licence="CC0",
    citation="H. Wickham, nycflights13: hourly weather at the airports of New York in 2013",
    split="by time: January to August / September, October / November, December",
)


LEAST_VARIANCE = 1e-4
"""In (%)²: the square of a return of 0.01 %, about what rounding leaves of one."""


def weather() -> Panel:
    """Temperature in °F at EWR, JFK and LGA, every hour of 2013, from what was measured there; hours are in UTC.

    January to August are for training, September and October for validation, November and December for test. Of
    26,190 hours 76 have no temperature: 75 that the table leaves out, and an empty cell. The wind is given by its
    components, and by 0 where there was none and hence no direction.

    Raises:
        DataError: the data cannot be had (see `fetch`).
    """
    columns = ["temp", "dewp", "humid", "pressure", "visib", "precip", "wind_speed", "wind_dir"]
    config = dataclasses.replace(PLAIN, time="time_hour")
    tables = read_tables(fetch(NYCFLIGHTS13)["weather.csv"], config, by="origin", columns=columns).tables
    times, values = on_grid(tables, "weather.csv")
    rest, precipitation, speed, direction = values[..., :5], values[..., 5], values[..., 6], np.deg2rad(values[..., 7])
    wind = np.where(speed == 0, 0.0, np.stack([speed * np.sin(direction), speed * np.cos(direction)]))
    inputs = np.concatenate([rest, np.stack([np.log1p(20 * precipitation), speed, *wind], axis=-1)], axis=-1)
    names = [*columns[:5], "log precipitation", "wind", "wind from east", "wind from north"]
    validation, test = (int(np.searchsorted(times, np.datetime64(day))) for day in ("2013-09-01", "2013-11-01"))
    return Panel(times, values[..., 0], inputs, names, list(tables), "°F", validation, test)


def stocks(target: str = "variance") -> Panel:
    """What 20 stocks of the S&P 500 do on the next day, 1990 to 2022; all exist to this day, so they are survivors.

    Returns are differences of the logarithm of closing prices, in %. The variance of a day is its squared return, at
    least `LEAST_VARIANCE`, so that no method is judged by days on which a price did not change. Inputs are the return,
    its size, and the logarithm of the mean variance of the last 1, 5 and 22 days (Corsi 2009). The first 70 % of the
    days are for training, 10 % for validation, and the last 20 % for test.

    Args:
        target: "variance", in (%)², or "return", in %.

    Raises:
        DataError: the data cannot be had (see `fetch`).
    """
    (archive,) = fetch(SKFOLIO).values()
    packed = read_members(archive, "*/sp500_dataset.csv.gz").popitem()[1]
    (prices,) = parse_tables(gzip.decompress(packed).decode(), "sp500_dataset.csv", PLAIN).tables.values()
    returns = 100 * np.diff(np.log(prices.values.T), axis=1)
    variances = np.maximum(returns**2, LEAST_VARIANCE)
    means = [np.log(mean_of_last(variances, days) + 0.1 * (days == 1)) for days in (1, 5, 22)]
    inputs = np.stack([returns, np.abs(returns), *means], axis=-1)
    target_values, unit = {"variance": (variances, "(%)²"), "return": (returns, "%")}[target]
    names = ["return", "size", "log variance, day", "log variance, week", "log variance, month"]
    parts = parts_of(returns.shape[1])
    return Panel(prices.times[1:], target_values, inputs, names, prices.names, unit, *parts)


def mean_of_last(values: np.ndarray, steps: int) -> np.ndarray:
    """The mean over each step and those before it, so many in all, of values `[S, T]`; fewer at the beginning."""
    sums = np.concatenate([np.zeros_like(values[:, :1]), np.cumsum(values, axis=1)], axis=1)
    ends = np.arange(1, values.shape[1] + 1)
    starts = np.maximum(ends - steps, 0)
    return (sums[:, ends] - sums[:, starts]) / (ends - starts)[None]


def own_series(
    path: str | Path,
    target: str,
    columns: Sequence[str] = (),
    config: TableConfig = TOLD,
    *,
    by: str = "",
    fill: bool = True,
    roles: Roles = NO_ROLES,
    learned: bool = False,
) -> Panel:
    """A column of a table, forecast from its own past and that of other columns, and what else is known of it.

    The first 70 % of the steps are for training, 10 % for validation, and the last 20 % for test. Rows at the end that
    have columns known ahead alone are no steps of a series: they say what comes after it. What was read is said.

    Args:
        path: of the file, or - for standard input; see `experiments.common.tables.read_tables` for its forms.
        target: the column to forecast.
        columns: the other columns to forecast from their past; by default all that are left.
        config: how the table is written.
        by: the column that tells several series apart, if there are several.
        fill: whether moments that the times leave out are steps whose values are missing; see `on_grid`.
        roles: which columns are known ahead, or are the same at all times, and which hold words.
        learned: whether `columns` are those that a model has learned: what else is there is said.

    Raises:
        DataError: the file is not of this form.
    """
    name = str(path)
    wanted = [target, *columns, *roles.future, *(one for one in roles.static if one != by)] if columns else ()
    categorical = [one for one in roles.categorical if one != by]
    wanted = tuple(dict.fromkeys(wanted))
    if name == STANDARD_INPUT:
        name = "standard input"
        text = decode_text(unpack(sys.stdin.buffer.read(), name)[0], name)[0]
        read = parse_tables(text, name, config, by=by, columns=wanted, categorical=categorical, learned=learned)
    else:
        read = read_tables(path, config, by=by, columns=wanted, categorical=categorical, learned=learned)
    available = next(iter(read.tables.values())).names
    if target not in available:
        raise DataError(
            f"{name} has no column {target!r} to forecast: its columns with numbers are {', '.join(available)}"
        )
    rows = sum(len(table.times) for table in read.tables.values())
    _check_words(name, target, read.categories, rows, roles)
    tables, step, clock = in_steps_of_calendar(read.tables)
    times, values = on_grid(tables, name, fill=fill, calendar=step, learned=learned)
    lines = np.zeros(values.shape[:2], int)
    for i, table in enumerate(tables.values()):
        lines[i, np.searchsorted(times, table.times)] = table.lines
    order = [available.index(target), *(i for i, column in enumerate(available) if column != target)]
    names, inputs, covariates, there = split_columns(
        name, [available[i] for i in order], values[..., order], read.categories, roles, list(tables), by
    )
    if not covariates.ahead:
        there = np.zeros_like(there)  # all rows are steps, whatever is missing in them
        for i, table in enumerate(tables.values()):
            there[i, np.searchsorted(times, table.times[-1])] = True
    if not there.any(axis=1).all():
        empty = list(tables)[int(there.any(axis=1).argmin())]
        raise DataError(f"{name}: {target!r}{f' of {empty!r}' if empty else ''} is missing throughout: leave it out")
    ends = there.shape[1] - np.argmax(there[:, ::-1], axis=1)
    steps = int(ends.max())
    validation, test = parts_of(steps)
    panel = Panel(
        times[:steps], inputs[:, :steps, 0], inputs[:, :steps], names, list(tables), target, validation, test, step,
        clock, ends, covariates, times[steps:], lines, read.dialect,
    )  # fmt: skip
    spans = [np.searchsorted(times, table.times[[0, -1]]) for table in tables.values()]
    moments = sum(int(last - first) + 1 for first, last in spans) if fill else rows
    left_out = f", {moments - rows:,} of {moments:,} moments left out" if moments > rows else ""
    parts = f"steps: {validation:,} for training, {test - validation:,} for validation, {steps - test:,} for test"
    said = table_lines(
        Path(name).name, read.tables, read.tables[panel.series[0]].clock, f"steps of {panel.step_words}{left_out}"
    )
    unread = [f"not read: {', '.join(read.unread)}"] if learned and read.unread else []
    notes = [*read.notes, *unread, *_said_of(panel, ends, learned)]
    print("\n".join([*said, *([] if learned else [parts]), *(f"note: {note}" for note in notes)]), file=sys.stderr)
    return panel


def _check_words(name: str, target: str, categories: dict[str, list[str]], rows: int, roles: Roles) -> None:
    """Columns of words are as they should be.

    Raises:
        DataError: the target is one, or one that nobody named has nearly a word for each row.
    """
    if target in categories:
        some = ", ".join(map(repr, categories[target][:3]))
        raise DataError(f"{name}: column {target!r} to forecast has words ({some}): name one with numbers")
    for column, words in categories.items():
        if len(words) > max(20, rows / 10) and column not in (*roles.categorical, *roles.static):
            raise DataError(
                f"{name}: column {column!r} has {len(words):,} different words in {rows:,} rows, such as {words[0]!r}: "
                f"say --categorical to embed them, or name with --columns those that are to be forecast from"
            )


def _said_of(panel: Panel, ends: np.ndarray, learned: bool) -> list[str]:
    """What is odd or good to know of series and their columns."""
    notes, known = [], panel.known
    if known.categories:
        said = ", ".join(f"{column} {len(words):,}" for column, words in known.categories.items())
        notes.append(f"columns of words, which are embedded: {said}")
    if len(ends) > 1:
        begins = np.argmax(~np.isnan(panel.target), axis=1)
        lengths = ends - begins
        if lengths.min() < lengths.max():
            late = int((begins >= panel.validation).sum())
            after = f"; {late:,} of them begin after the training part" if late else ""
            notes.append(f"{len(ends):,} series of {lengths.min():,} to {lengths.max():,} steps{after}")
    known_to = panel.target.shape[1] - np.argmax(~np.isnan(panel.target[:, ::-1]), axis=1)
    if (lacking := int(np.max(ends - known_to))) > 0 and not np.isnan(panel.target).all(axis=1).any():
        notes.append(
            f"the last {lacking:,} row{'s' * (lacking > 1)} of a series have no {panel.unit}, but other values"
            + ("" if learned else ": if these are known ahead, name their columns with --known-future")
        )
    return notes
