import jax
import pytest

from benchmarks import accelerator
from benchmarks.results import read


@pytest.fixture(autouse=True)
def usual_rules():
    """Other libraries' rules, and what a benchmark sets for its process is taken back."""
    before = jax.config.jax_default_matmul_precision
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield
    jax.config.update("jax_default_matmul_precision", before)


@pytest.mark.exhaustive
def test_the_smallest_form_needs_no_accelerator(tmp_path, monkeypatch, capsys):
    def compared(name, shape, dtype, *_):
        return [
            {"measure": "forward", "cell": name, "shape": str(shape), "program": "rnn_jax"}
            | {"median": 1.0, "spread": 0.1, "seconds": [1.0], "ratios": {}}
        ]

    monkeypatch.setattr(accelerator, "compared", compared)  # tests/benchmarks/test_compare.py has its processes
    cases = accelerator.cases
    few = ("check mingru", "compare", "linear forward", "linear training", "newton forward elman T64 B1 H4 ")
    monkeypatch.setattr(accelerator, "cases", lambda *args: [case for case in cases(*args) if case[0].startswith(few)])
    path = tmp_path / "results.json"
    assert accelerator.main(accelerator.Config(short=True, output=path)) == 0
    said = capsys.readouterr().out
    assert "left out: cuDNN" in said and "**`newton` in float32**" in said and "**`compare` in bfloat16**" in said
    rows = read(path)["rows"]
    assert {(row["program"], row["dtype"]) for row in rows if row["part"] == "check" and row["cell"] == "mingru"} == {
        (method, dtype)
        for method in ("auto", "sequential", "associative", "fused")
        for dtype in ("float32", "bfloat16")
    }
    assert "| `mingru` | float32 | associative |" in accelerator.table(read(path))
    with pytest.raises(SystemExit, match="no accelerator"):
        accelerator.main(accelerator.Config(output=path))


def test_a_method_that_is_too_far_off_is_told(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(accelerator, "_apart", lambda given, wanted: float("nan"))
    config = accelerator.Config(short=True, output=tmp_path / "results.json")
    kept = [pair for pair in accelerator.cases(config, True) if pair[0] == "check mingru float32"]
    monkeypatch.setattr(accelerator, "cases", lambda *_: kept)
    assert accelerator.main(config) == 1
    assert "too far from float64: check mingru float32 sequential" in capsys.readouterr().out
