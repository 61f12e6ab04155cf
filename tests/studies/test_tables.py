"""What tables say beside the numbers, from a study.json written by hand."""

import math

from rnn_jax.studies.tables import EQUAL, cell_rows, latex, markdown, remarks


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
