import jax
import pytest

import rnn_jax
from benchmarks import fused
from benchmarks.results import read
from rnn_jax.unroll import methods_of


@pytest.mark.skipif("fused" not in methods_of(rnn_jax.LSTM(2, 3)), reason="there is no C++ compiler")
def test_a_case_is_measured_once_by_both_methods(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(jax, "device_count", lambda: 1)
    config = fused.Config(("elman",), (2,), (4,), (3,), seconds=0.0, output=tmp_path / "cpu-fused.json")
    fused.main(config)
    assert capsys.readouterr().out.count("| `elman` | 4 | 3 | ") == 1
    stored = read(tmp_path / "cpu-fused.json")
    assert [(row["case"], row["program"]) for row in stored["rows"]] == [
        (f"{work} elman T3 B2 H4", method) for work in ("forward", "training") for method in ("fused", "sequential")
    ]
    assert stored["rows"][0]["kernel"] == 16
    fused.main(config)
    assert read(tmp_path / "cpu-fused.json") == stored


def measured(gain):
    return [
        {"length": length, "batch": batch, "kernel": kernel, "cell": "lstm", "work": work}
        | {"ratios": {"sequential": {"value": gain(length, batch, kernel)}}}
        for length in (4, 16, 64, 256)
        for batch in (1, 8, 16)
        for kernel in (10, 100, 1000)
        for work in ("forward", "training")
    ]


@pytest.mark.parametrize(
    ("gain", "wanted"),
    [
        (lambda length, batch, kernel: 2.0, {"length": 4, "rows": 1, "kernel": 1000}),
        (lambda length, batch, kernel: 0.5, {"length": fused.NEVER, "rows": fused.NEVER, "kernel": 0}),
        (lambda length, batch, kernel: 0.5 + (length > 4), {"length": 16, "rows": 1, "kernel": 1000}),
        (lambda length, batch, kernel: 0.5 + (batch > 1 or kernel < 20), {"length": 4, "rows": 8, "kernel": 10}),
        (lambda length, batch, kernel: 0.5 + (batch * length > 256), {"length": 64, "rows": 8, "kernel": 0}),
    ],
    ids=["always", "never", "not short", "not one row of a large kernel", "not little"],
)
def test_the_bounds_hold_what_is_faster(gain, wanted):
    assert fused.bounds(measured(gain)) == wanted


def test_the_slower_cell_counts():
    slow = [row | {"cell": "elman", "ratios": {"sequential": {"value": 0.5}}} for row in measured(lambda *_: 1.0)]
    assert fused.bounds(measured(lambda *_: 1.0) + slow[:2])["length"] == 16
