"""What tables say beside the numbers, from a study.json written by hand."""

import math

from rnn_jax.studies import statistics
from rnn_jax.studies.tables import EQUAL, cell_rows, field_rows, latex, markdown, remarks


def study(**values):
    """A cell for each name, its values those of seeds 0, 1, ...; each as (value, params)."""
    cells = [
        {
            "name": name,
            "fields": {"cell": name},
            "notes": [],
            "seeds": {
                str(seed): {"state": "done", "metric": "loss", "value": value, "params": params}
                for seed, (value, params) in enumerate(found)
            },
        }
        for name, found in values.items()
    ]
    return {"question": "?", "command": "ablate", "reference": next(iter(values)), "cells": cells}


def test_cells_that_do_not_differ_are_told():
    same = [(0.25, 100), (0.5, 100)]
    found = study(a=same, b=[(0.25, 100), (0.625, 100)], c=same, wider=[(0.25, 200), (0.5, 200)], nothing=[])
    assert remarks(found) == [f"a, c: equal with every seed; {EQUAL}"]
    assert f"* a, c: equal with every seed; {EQUAL}" in markdown(found)
    assert remarks(study(a=same, b=[(0.25, 100), (0.5, 101)], nothing=[], neither=[])) == []


def test_metrics_that_differ_are_not_tested_against_each_other():
    found = study(a=[(0.25, 1), (0.5, 1)], b=[(0.5, 1), (0.25, 1)], c=[(0.5, 1), (0.75, 1)])
    assert not math.isnan(cell_rows(found)[1]["p"])
    for one in found["cells"][2]["seeds"].values():
        one |= {"metric": "accuracy", "higher_is_better": True}
    for row in cell_rows(found):
        assert all(math.isnan(row[name]) for name in ("p", "p holm", "better")) and not math.isnan(row["mean"])
    for page in (markdown(found), latex(found)):
        assert "accuracy, loss" in page and "metrics differ (accuracy; loss): no tests" in page


def graded(*cells: tuple[dict, list[float], str]) -> dict:
    """A study of cells with fields and values, whose seeds are numbered from a digit on; the higher the better."""
    made = []
    for fields, found, first in cells:
        done = {"state": "done", "metric": "score", "higher_is_better": True, "params": 1}
        seeds = {str(int(first) + i): done | {"value": value} for i, value in enumerate(found)}
        made.append(
            {"name": ", ".join(f"{k}={v}" for k, v in fields.items()), "fields": fields, "notes": [], "seeds": seeds}
        )
    return {"question": "?", "command": "ablate", "reference": made[0]["name"], "cells": made}


def test_rows_are_compared_with_the_reference_seed_by_seed():
    found = graded(
        ({"cell": "a"}, [1.0, 2.0, 4.0, 3.0], "0"), ({"cell": "b"}, [3.0, 5.0, 5.5, 9.0], "1"),
        ({"cell": "c"}, [1.5, 2.5, 4.5, 3.25], "0"),
    )  # fmt: skip
    a, b, c = cell_rows(found)
    assert math.isnan(a["p"]) and (b["n"], b["mean"]) == (4, 5.625)
    assert b["p"] == statistics.paired_test([3.0, 5.0, 5.5], [2.0, 4.0, 3.0])  # of seeds 1, 2 and 3, which both have
    assert b["better"] == (2.5 + 4 + 4 + 4) / 16  # 3.0 is above two, and equal to one
    assert [b["p holm"], c["p holm"]] == statistics.holm([b["p"], c["p"]]) != [b["p"], c["p"]]
    assert "score ↑" in markdown(found)


def test_values_of_a_field_are_compared_where_all_of_them_have_runs():
    found = graded(
        ({"cell": "a", "size": 1}, [1.0, 2.0], "0"), ({"cell": "b", "size": 1}, [2.0, 3.0], "0"),
        ({"cell": "a", "size": 2}, [5.0, 7.0], "0"), ({"cell": "b", "size": 2}, [6.0, 8.5], "0"),
        ({"cell": "a", "size": 3}, [90.0, 91.0], "0"), ({"cell": "b", "size": 3}, [], "0"),
    )  # fmt: skip
    a, b = field_rows(found, "cell")
    assert (a["name"], b["name"], a["n"], b["n"]) == ("cell=a", "cell=b", 4, 4)
    assert (a["mean"], b["mean"]) == ((1.5 + 6) / 2, (2.5 + 7.25) / 2)
    assert b["p"] == statistics.paired_test([2.0, 3.0, 6.0, 8.5], [1.0, 2.0, 5.0, 7.0])
    assert field_rows(found, "size") == []  # only a has runs of every size
