"""Where costs cross along a field, against power laws whose crossings are known."""

import math
import re

import pytest

from rnn_jax.studies.crossings import crossings, crossings_markdown, lines_along

LENGTHS = (10, 40, 160, 640)
LAWS = {"linear": lambda n: 8 * n, "square": lambda n: n**2 / 10, "dear": lambda n: 1000 * n}


def study(field="length", places=LENGTHS):
    cells = [
        {"name": f"{name}, {field}={n}", "fields": {field: n, "set": name}, "seeds": {}}
        for n in places
        for name in LAWS
    ]
    costs = {
        cell["name"]: {"seconds": LAWS[cell["fields"]["set"]](cell["fields"][field]), "bytes": None} for cell in cells
    }
    return {"cells": cells, "experiment": "some", "command": "python -m some"}, costs


def test_power_laws_cross_where_they_are_equal():
    first, second = ([(n, LAWS[name](n)) for n in LENGTHS] for name in ("linear", "square"))
    assert crossings(first, second) == [pytest.approx(80)] and crossings(second, first) == [pytest.approx(80)]
    assert crossings(first, [(n, LAWS["dear"](n)) for n in LENGTHS]) == []
    there_and_back = [(10, 1.0), (40, 640.0), (160, 640.0)]
    assert crossings(first[:3], there_and_back) == [
        pytest.approx(10 * 4 ** (math.log(80) / math.log(160))),
        pytest.approx(80),
    ]
    with pytest.raises(ValueError, match="first at"):
        crossings(first, second[:2])


def test_the_cheaper_one_stands_first_and_it_is_said_where_it_is():
    found, costs = study()
    text = crossings_markdown(found, costs)
    assert text.count("\n| time |") == 3 and "memory |" not in text and "`python -m some`" in text
    assert "| time | square | linear | below 80 |" in text
    assert "| time | linear | dear | all |" in text and "| time | square | dear | all |" in text
    for place, cost in zip(LENGTHS, (1, 1e6, 1e2, 1e9), strict=True):
        costs[f"dear, length={place}"]["seconds"] = cost
    line = next(line for line in crossings_markdown(found, costs).splitlines() if "| dear | linear |" in line)
    assert re.fullmatch(r"\| time \| dear \| linear \| below 1\d, 1\d\d to \d\d\d \|", line), line
    costs["dear, length=640"]["seconds"] = 1e2
    assert re.search(r"\| dear \| linear \| below 1\d, above 1\d\d \|", crossings_markdown(found, costs))


def test_lines_need_three_numbers():
    found, costs = study(places=(10, 40))
    assert lines_along(found, "length", costs) == {} and crossings_markdown(found, costs) == ""
    found, costs = study(places=LENGTHS)
    assert list(lines_along(found, "length", costs)) == list(LAWS)
    assert lines_along(found, "length", {name for name in costs if "dear" not in name}).keys() == {"linear", "square"}
    assert lines_along(found, "set", costs) == {}


def test_there_is_no_crossing_along_a_field_that_holds_zero():
    found, costs = study(field="dropout", places=(0, 40, 160))
    costs = {name: cost | {"seconds": 1.0 + len(name)} for name, cost in costs.items()}
    assert crossings_markdown(found, costs) == ""
