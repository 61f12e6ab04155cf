"""Where along a field that is a number, such as a length, one config of a study becomes cheaper than another."""

import itertools
import math
from collections.abc import Container, Mapping, Sequence
from typing import Any

from rnn_jax.studies.markup import markdown_code, markdown_table, markdown_text

Points = Sequence[tuple[int | float, int | float]]
KINDS = {"seconds": "time", "bytes": "memory"}
SAID = (
    "Where costs cross is read off straight lines between what was measured, of the logarithms of cost and field; what "
    "differs by little crosses at random."
)


def lines_along(
    study: Mapping[str, Any], field: str, known: Container[str]
) -> dict[str, list[tuple[int | float, str]]]:
    """The cells of a study as lines along a field: `(value, name of the cell)` in the order of the values.

    Args:
        study: what study.json holds.
        field: that varies.
        known: the names of the cells that count.

    Returns:
        A line by the words for its other fields; lines with fewer than three values that are numbers are left out.
    """
    lines: dict[str, list[tuple[int | float, str]]] = {}
    for cell in study["cells"]:
        place = cell["fields"].get(field)
        if isinstance(place, int | float) and not isinstance(place, bool) and cell["name"] in known:
            rest = {name: value for name, value in cell["fields"].items() if name != field}
            words = (str(value) if name == "set" else f"{name}={value}" for name, value in rest.items())
            lines.setdefault(", ".join(words) or study["experiment"], []).append((place, cell["name"]))
    return {words: sorted(line) for words, line in lines.items() if len(line) > 2}


def crossings(first: Points, second: Points) -> list[float]:
    """Where the cost of `second`, relative to that of `first`, passes 1.

    Args:
        first: `(value, cost)` in the order of the values, all positive.
        second: the same values and other costs.

    Raises:
        ValueError: the values of the two differ.
    """
    places = [place for place, _ in first]
    if places != [place for place, _ in second]:
        raise ValueError(f"second is known at {[place for place, _ in second]}, first at {places}: expected the same")
    ratios = [math.log(b / a) for (_, a), (_, b) in zip(first, second, strict=True)]
    found = []
    for (x, r), (y, s) in itertools.pairwise(zip(map(math.log, places), ratios, strict=True)):
        if (r < 0) != (s < 0):
            found.append(math.exp(x + (y - x) * r / (r - s)))
    return found


def crossings_markdown(study: Mapping[str, Any], costs: Mapping[str, Mapping[str, Any]]) -> str:
    """A table for each field that is a positive number, of all pairs of lines along it; nothing if there is none.

    Args:
        study: what study.json holds.
        costs: what `study_tables.costs` found.
    """
    tables = []
    for field in dict.fromkeys(name for cell in study["cells"] for name in cell["fields"]):
        rows = []
        for kind, word in KINDS.items():
            lines = lines_along(study, field, {name for name, cost in costs.items() if cost[kind]})
            points = {words: [(place, costs[name][kind]) for place, name in line] for words, line in lines.items()}
            for (a, first), (b, second) in itertools.combinations(points.items(), 2):
                if first[0][0] > 0 and [place for place, _ in first] == [place for place, _ in second]:
                    rows.append(_row(word, (a, first), (b, second)))
        if rows:
            tables.append(markdown_table(("cost", "cheaper", "than", f"at {field}"), rows))
    return "\n\n".join([*tables, markdown_code(study["command"]), SAID]) + "\n" if tables else ""


def _row(word: str, *lines: tuple[str, Points]) -> list[str]:
    """Two lines, the one that is cheaper at the beginning first, and where it is."""
    (a, first), (b, second) = sorted(lines, key=lambda line: line[1][0][1])
    places = [f"{place:.0f}" if place >= 10 else f"{place:.2g}" for place in crossings(first, second)]
    parts = [f"below {places[0]}"] if places else ["all"]
    parts += [f"{x} to {y}" for x, y in itertools.zip_longest(places[1::2], places[2::2]) if y]
    parts += [f"above {places[-1]}"] if places and len(places) % 2 == 0 else []
    return [word, markdown_text(a), markdown_text(b), ", ".join(parts)]
