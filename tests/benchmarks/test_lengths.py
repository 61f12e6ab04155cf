import jax.numpy as jnp
import pytest

from benchmarks import lengths


def test_both_models_are_measured_at_each_length(tmp_path, capsys, monkeypatch):
    for kind in ("training", "writing"):
        monkeypatch.setattr(lengths, kind, lambda model, size, length: (lambda: jnp.ones(length), 10**6 * len(model)))
    config = lengths.Config(lengths=(4, 8), seconds=0.01, output=tmp_path / "lengths.json")
    lengths.main(config)
    table = capsys.readouterr().out
    assert table.count("| 4 | training |") == table.count("| 8 | writing |") == 2, "once as measured, once in the table"
    assert "| 9 |" in table and "| 11 |" in table, "megabytes of both"
    lengths.main(config)
    assert len(capsys.readouterr().out.splitlines()) == 6, "what was measured is not measured again"


@pytest.mark.exhaustive
def test_a_cache_grows_and_a_state_does_not():
    def carried(model, length):
        return lengths.carried_bytes(model, 24, length)

    assert carried("recurrent", 8) == carried("recurrent", 64)
    assert carried("transformer", 64) > 7 * carried("transformer", 8)
