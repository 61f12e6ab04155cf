import json

import pytest

from benchmarks import memory


def test_segments_need_less_memory_and_it_grows_with_the_root():
    def size(length, every):
        return memory.compiled_update(length, 2, every).memory_analysis().temp_size_in_bytes

    kept, longer = size(400, None), size(1600, None)
    assert longer == pytest.approx(4 * kept, rel=0.2)
    rooted, longer = size(400, 20), size(1600, 40)
    assert rooted < kept / 3
    assert longer < 2.5 * rooted


@pytest.mark.exhaustive
def test_one_case_is_measured_and_drawn(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(memory, "CASES", [(20, 2, "√T")])
    memory.main(memory.Config(one=0))
    found = json.loads(capsys.readouterr().out)
    assert found["bytes"] > 0 and found["median"] > 0
    rows = [{"length": 20, "batch": batch, "policy": "√T"} | found for batch in (1, 16)]
    stored = {"rows": rows, "environment": {"device": "some"}}
    assert "| 20 | 16 | √T |" in memory.table(stored)
    memory.figure(stored, tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 1000
