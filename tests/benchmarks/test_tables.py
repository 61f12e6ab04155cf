from benchmarks import report
from benchmarks.results import Results
from benchmarks.timing import rows


def test_the_page_is_up_to_date():
    assert report.main(check=True) == 0, "run `python -m benchmarks.report`"


def test_a_result_file_becomes_a_section(tmp_path, monkeypatch):
    page = tmp_path / "README.md"
    page.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n")
    monkeypatch.setattr(report, "README", page)
    text = report.results_text
    monkeypatch.setattr(report, "results_text", lambda: text(tmp_path))
    measured = rows("some case", {"a": [0.001, 0.001], "b": [0.002, 0.002]}, reference="a")
    Results(tmp_path / "device-dispatch.json", "dispatch").add(measured)  # a module that has no table of its own
    (tmp_path / "device-dispatch.png").touch()
    assert report.main(check=True) == 1
    report.main()
    assert report.main(check=True) == 0
    found = page.read_text()
    assert found.startswith(f"before\n{report.BEGIN}\n\n### `dispatch` on cpu-") and found.endswith("-->\nafter\n")
    assert "| some case | a | 1 ± 0 | b 2.00 [2.00, 2.00] |" in found and "old" not in found
    assert "![device-dispatch](results/device-dispatch.png)" in found


def test_two_files_of_one_benchmark_have_heads_of_their_own():
    heads = [line for line in report.results_text().split("\n") if line.startswith("### ")]
    assert len(set(heads)) == len(heads) > 10 and "### `fused` of cells on cpu-2-cores-avx512" in heads
