"""What tables say beside the numbers, from a study.json written by hand."""

from rnn_jax.studies.tables import EQUAL, markdown, remarks


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
