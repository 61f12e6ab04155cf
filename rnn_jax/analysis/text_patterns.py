"""Units that track a pattern of the text: inside of quotes, along a line. Karpathy, Johnson & Fei-Fei 2015.

arXiv:1506.02078, section 4.1, finds them by eye; here each pattern is a number for each character, and a unit tracks
it as far as the two correlate.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rnn_jax.analysis.figures import SIGNED, draws, facets, save_figure


class PatternUnit(NamedTuple):
    """The unit that tracks a pattern best."""

    unit: int
    correlation: float
    """Pearson's, negative where the unit is low in the pattern."""


def text_patterns(text: str) -> dict[str, np.ndarray]:
    """Patterns of a text, a number for each character: those that occur in it, float `[N]`.

    Places in a line or a word count up to and with the character; a quotation begins and ends with a double quotation
    mark, a bracket holds its own signs.
    """
    line, word, quoted, depth = 0, 0, False, 0
    rows = []
    for letter in text:
        depth += letter in "([{"
        mark = letter in '"“”«»'
        line = 0 if letter == "\n" else line + 1
        word = word + 1 if letter.isalnum() or letter in "'’" else 0
        rows.append((
            line, letter == "\n", quoted or mark, depth > 0, word, word == 1, letter.isupper(),
            letter.lower() in "aeiou", letter == " ", letter in ",;:", letter in ".!?", letter.isdigit(),
        ))  # fmt: skip
        quoted ^= mark
        depth = max(0, depth - (letter in ")]}"))
    names = ("place in the line", "end of a line", "in quotes", "in brackets", "place in the word",
             "first letter of a word", "capital letter", "vowel", "space", "comma, colon", "end of a sentence",
             "digit")  # fmt: skip
    columns = np.array(rows, float).reshape(-1, len(names)).T
    return {name: column for name, column in zip(names, columns, strict=True) if len(np.unique(column)) > 1}


def correlations(states: np.ndarray, pattern: np.ndarray) -> np.ndarray:
    """Pearson's correlation of each unit with a pattern, `[N, H]` and `[N]` to `[H]`; 0 for what never changes.

    Raises:
        ValueError: they differ in length.
    """
    if len(states) != len(pattern):
        raise ValueError(f"pattern has {len(pattern)} steps: expected {len(states)}, as the states")
    states, pattern = states - states.mean(axis=0), pattern - pattern.mean()
    scale = np.linalg.norm(states, axis=0) * np.linalg.norm(pattern)
    return np.where(scale > 0, pattern @ states / np.where(scale > 0, scale, 1.0), 0.0)


def pattern_units(states: np.ndarray, patterns: Mapping[str, np.ndarray]) -> dict[str, PatternUnit]:
    """For each pattern the unit that tracks it best, the best tracked pattern first.

    Args:
        states: of the units after each character, `[N, H]`.
        patterns: such as of `text_patterns`, each `[N]`.
    """
    units = {}
    for name, pattern in patterns.items():
        scores = correlations(states, pattern)
        unit = int(np.abs(scores).argmax())
        units[name] = PatternUnit(unit, float(scores[unit]))
    return dict(sorted(units.items(), key=lambda item: -abs(item[1].correlation)))


@draws
def draw_pattern_units(
    text: str, states: np.ndarray, units: Mapping[str, PatternUnit], file: Path, title: str, width: int = 80
) -> None:
    """Draw a text once for each pattern, each character on the colour of the unit that tracks the pattern.

    Args:
        text: N characters.
        states: `[N, H]`.
        units: of `pattern_units`; a panel each.
        file: a .png to write.
        title: above the figure.
        width: characters in a row, at most.
    """
    rows = _rows(text, width)
    width = max(map(len, rows))
    inches = max(5.0, 1.5 + 0.085 * width)
    figure, panels = facets(len(units), 0.4 + 0.17 * len(rows), columns=1, width=inches, title=title)
    for axes, (name, (unit, correlation)) in zip(panels, units.items(), strict=True):
        values = states[:, unit]
        limit = float(np.abs(values).max()) or 1.0
        grid = np.full((len(rows), width), np.nan)
        for i, row in enumerate(rows):
            for j, place in enumerate(row):
                grid[i, j] = values[place]
                letter: Any = {"\n": "↵"}.get(text[place], text[place])
                axes.text(j, i, letter, ha="center", va="center", fontsize=6.5, family="monospace")
        image = axes.imshow(grid, cmap=SIGNED, vmin=-limit, vmax=limit, aspect="auto", alpha=0.5)
        axes.set_title(f"{name}: unit {unit}, correlation {correlation:+.2f}", loc="left")
        axes.axis("off")
        figure.colorbar(image, ax=axes, ticks=[-limit, 0, limit], format="{x:.2g}", aspect=8, label="the unit")
    save_figure(figure, file)


def _rows(text: str, width: int) -> list[list[int]]:
    """Places of the characters of each row: a row ends with a line of the text, or where it is full."""
    rows: list[list[int]] = [[]]
    for place, letter in enumerate(text):
        rows[-1].append(place)
        if letter == "\n" or len(rows[-1]) == width:
            rows.append([])
    return rows if rows[-1] else rows[:-1]
