import pytest

from benchmarks import switches
from benchmarks.results import read


@pytest.mark.exhaustive
def test_each_switch_has_a_process_of_its_own_and_one_that_does_not_run_is_left_out(tmp_path, capsys, monkeypatch):
    some = {"none": "", "narrow": "--xla_cpu_prefer_vector_width=128", "unknown": "--xla_no_such_switch=1"}
    monkeypatch.setattr(switches, "SWITCHES", some)
    config = switches.Config(shapes=("1,3,2,2",), seconds=0.01, output=tmp_path / "switches.json")
    switches.main(config)
    said = capsys.readouterr().out
    assert "unknown: its process ended" in said and "| narrow | `--xla_cpu_prefer_vector_width=128` |" in said
    rows = read(config.output)["rows"]
    assert {row["program"] for row in rows} == {"none", "narrow"} and {row["work"] for row in rows} == {*switches.WORKS}
    switches.main(config)
    assert len(read(config.output)["rows"]) == len(rows), "what was measured is not measured again"
