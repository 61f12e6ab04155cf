"""What is known beside the past of a series: columns that are known ahead, what a series is, words in place of numbers.

A column is forecast from in one of three ways. Of most only the past is known. Some are known ahead: prices, holidays,
a weather forecast. Some are the same at all times of a series: its kind, its size. Each may hold numbers, or words,
which are embedded: a word that the training part does not have counts as unknown.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from rnn_jax.data.download import DataError


@dataclasses.dataclass(frozen=True)
class Roles:
    """Which columns of a table are known how.

    Attributes:
        future: known ahead.
        static: the same at all times of a series.
        categorical: those that hold words, though they may look like numbers.
    """

    future: Sequence[str] = ()
    static: Sequence[str] = ()
    categorical: Sequence[str] = ()


NO_ROLES = Roles()
"""Of all columns only the past is known."""


@dataclasses.dataclass(frozen=True, eq=False)
class Covariates:
    """What is known of S series beside their inputs, at T' steps: those of their panel, and any that come later.

    Attributes:
        future: float64 `[S, T', A]`, numbers that are known ahead; NaN where one is missing.
        static: float64 `[S, K]`, numbers of a series.
        words: int `[S, T', C]`, the place of a word in its column's; −1 where one is missing. First those of which only
            the past is known, then those of a series, then those that are known ahead.
        future_names: of the A columns.
        static_names: of the K columns.
        categories: the words of each of the C columns, by its name.
        words_ahead: how many of the C columns are known ahead.
    """

    future: np.ndarray
    static: np.ndarray
    words: np.ndarray
    future_names: list[str] = dataclasses.field(default_factory=list)
    static_names: list[str] = dataclasses.field(default_factory=list)
    categories: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    words_ahead: int = 0

    @classmethod
    def none(cls, series: int, steps: int) -> "Covariates":
        """Of series of which nothing else is known."""
        return cls(np.empty((series, steps, 0)), np.empty((series, 0)), np.empty((series, steps, 0), int))

    @property
    def names(self) -> dict[str, Any]:
        """The columns, by what is known of them, for the files of a run."""
        return {
            "future": self.future_names,
            "static": self.static_names,
            "categories": list(self.categories),
            "words_ahead": self.words_ahead,
        }

    @property
    def ahead(self) -> bool:
        """Whether anything is known ahead."""
        return bool(self.future_names) or self.words_ahead > 0

    def missing_ahead(self) -> tuple[list[str], np.ndarray]:
        """The columns that are known ahead, and where each is missing: bool `[S, T', N]`."""
        places = range(self.words.shape[2] - self.words_ahead, self.words.shape[2])
        names = [*self.future_names, *(list(self.categories)[i] for i in places)]
        return names, np.concatenate([np.isnan(self.future), self.words[..., list(places)] < 0], axis=2)

    def vocabulary(self, end: int) -> dict[str, list[str]]:
        """The words of each column in the steps before `end`.

        Raises:
            DataError: there is none.
        """
        found = {}
        for i, (column, words) in enumerate(self.categories.items()):
            places = np.unique(self.words[:, :end, i])
            found[column] = [words[place] for place in places if place >= 0]
            if not found[column]:
                raise DataError(
                    f"column {column!r} has no word in the {end:,} steps of the training part: leave it out"
                )
        return found

    def codes(self, vocabulary: dict[str, list[str]]) -> np.ndarray:
        """The number of each word in a vocabulary, from 1 on; 0 where it is unknown or missing: int32 `[S, T', C]`."""
        codes = np.zeros(self.words.shape, np.int32)
        for i, (column, words) in enumerate(self.categories.items()):
            known = {word: place for place, word in enumerate(vocabulary[column], 1)}
            table = np.array([*(known.get(word, 0) for word in words), 0], np.int32)  # the last for what is missing
            codes[..., i] = table[self.words[..., i]]
        return codes

    def unknown_words(self, vocabulary: dict[str, list[str]]) -> list[str]:
        """Words that a vocabulary does not have, as notes."""
        notes = []
        for i, (column, words) in enumerate(self.categories.items()):
            places = self.words[..., i]
            known = set(vocabulary[column])
            new = [p for p in np.unique(places[places >= 0]).tolist() if words[p] not in known]
            if new:
                steps = int(np.isin(places, new).sum())
                some = ", ".join(repr(words[p]) for p in new[:3]) + ", ..." * (len(new) > 3)
                what = f"{len(new):,} word{'s' * (len(new) > 1)} of {column} ({some}; {steps:,} steps)"
                notes.append(f"{what} not in the training part: taken as unknown")
        return notes


def split_columns(
    name: str, columns: Sequence[str], values: np.ndarray, categories: dict[str, list[str]], roles: Roles,
    series: Sequence[str], by: str,
) -> tuple[list[str], np.ndarray, Covariates, np.ndarray]:  # fmt: skip
    """The columns of a table by what is known of them.

    Args:
        name: of the table, for messages.
        columns: names of the D columns, the target first.
        values: float64 `[S, T', D]`; of a column of words the places in `categories`.
        categories: the words of columns that hold some.
        roles: of the columns; all others are known in the past alone.
        series: names of the S series.
        by: the column with these names; it may be one of `roles.static`.

    Returns:
        The names of the numbers of which only the past is known, the target first; their values `[S, T', D']`; what
        else is known; and where anything of which only the past is known is there, bool `[S, T']`.

    Raises:
        DataError: a column is missing, has two roles, or is not the same at all times of a series though it should be.
    """
    given = {column: values[..., i] for i, column in enumerate(columns)}
    if by and by in roles.static:
        given[by] = np.broadcast_to(np.arange(len(series), dtype=float)[:, None], values.shape[:2])
        categories = {**categories, by: list(series)}
    for column in (*roles.future, *roles.static, *roles.categorical):
        if column not in given:
            raise DataError(f"{name} has no column {column!r}: its columns are {', '.join(given)}")
        if column == columns[0] or (column in roles.future and column in roles.static):
            raise DataError(f"{name}: column {column!r} is named twice: a column is known in one way")
    past = [column for column in given if column not in (*roles.future, *roles.static)]
    for column in roles.static:
        _check_constant(name, column, given[column], categories.get(column), series)

    def numbers(names: Sequence[str]) -> list[str]:
        return [column for column in names if column not in categories]

    def stacked(names: Sequence[str]) -> np.ndarray:
        return np.stack([given[one] for one in names], axis=-1) if names else np.empty((*values.shape[:2], 0))

    inputs, future, static = numbers(past), numbers(roles.future), numbers(roles.static)
    words = [column for part in (past, roles.static, roles.future) for column in part if column in categories]
    for column in roles.static:  # also at moments that its series leaves out
        given[column] = np.repeat(_first_known(given[column])[:, None], values.shape[1], axis=1)
    covariates = Covariates(
        stacked(future), stacked(static)[:, 0], np.nan_to_num(stacked(words), nan=-1).astype(int), future, static,
        {column: categories[column] for column in words}, sum(column in categories for column in roles.future),
    )  # fmt: skip
    there = (~np.isnan(stacked(past))).sum(axis=2) > 0
    return inputs, stacked(inputs), covariates, there


def _first_known(values: np.ndarray) -> np.ndarray:
    """The first value of each row `[S, T]` that is not missing; NaN where all are."""
    first = np.argmax(~np.isnan(values), axis=1)
    return values[np.arange(len(values)), first]


def _check_constant(name: str, column: str, values: np.ndarray, words: list[str] | None, series: Sequence[str]) -> None:
    first = _first_known(values)[:, None]
    other = ~np.isnan(values) & (values != first)
    if other.any():
        s, t = (int(place) for place in np.argwhere(other)[0])
        two = [words[int(v)] if words else f"{v:g}" for v in (first[s, 0], values[s, t])]
        of = f" of {series[s]!r}" if series[s] else ""
        raise DataError(
            f"{name}: column {column!r}{of} is {two[0]} and {two[1]}: a static column has one value for all times of a "
            "series; take it out of --static"
        )
