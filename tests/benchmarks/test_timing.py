import itertools
import json
import time

import jax.numpy as jnp
import numpy as np
import pytest

import rnn_jax
from benchmarks.results import Results, read
from benchmarks.timing import device_name, environment, interleaved, order, ratio, rows


def test_every_round_calls_every_program_in_changing_order():
    calls = []
    programs = {name: lambda name=name: calls.append(name) for name in "abc"}
    seconds = interleaved(programs, repeats=6)
    assert all(len(times) == 6 for times in seconds.values())
    rounds = [tuple(calls[i : i + 3]) for i in range(0, len(calls), 3)][1:]  # the first one warms up
    assert all(sorted(turn) == ["a", "b", "c"] for turn in rounds)
    assert {turn[0] for turn in rounds} == set("abc")
    assert {"ab", "ba"} <= {x + y for turn in rounds for x, y in itertools.pairwise(turn)}
    assert order(["a"], 3) == ["a"]


def test_seconds_are_those_of_one_finished_call():
    def slow():
        time.sleep(0.01)
        return jnp.ones(3)

    (times,) = interleaved({"slow": slow}, repeats=3, calls=2).values()
    assert 0.01 <= min(times) < 0.02


def test_the_interval_of_a_ratio_covers_it_95_times_of_100():
    # Rounds share a load that is far noisier than the programs: resampling whole rounds takes it out.
    random = np.random.default_rng(0)
    covered, widths = 0, []
    for _ in range(200):
        load = random.lognormal(0, 0.5, size=30)
        a, b = (load * scale * random.lognormal(0, 0.05, size=30) for scale in (3.0, 2.0))
        found = ratio(a, b, resamples=400)
        covered += found.low <= 1.5 <= found.high
        widths.append(found.high - found.low)
    assert 180 <= covered <= 199
    assert np.median(widths) < 0.4  # apart, the two medians give one of about 1
    with pytest.raises(ValueError, match="a has 2 rounds, b has 1"):
        ratio([1.0, 2.0], [1.0])


def test_a_killed_benchmark_goes_on(tmp_path):
    path = tmp_path / "results.json"
    Results(path, "some").add(rows("one", {"ours": [1.0, 1.0], "theirs": [2.0, 3.0]}, reference="ours"))
    (tmp_path / "results.part").write_text("{half a fi")  # killed while it wrote
    again = Results(path, "some")
    assert "one" in again and "two" not in again
    again.add([{"case": "two", "program": "ours", "bytes": 7}])
    first, second, third = read(path)["rows"]
    assert first["ratios"] == {"theirs": {"value": 2.5, "low": 2.0, "high": 3.0}} and "ratios" not in second
    assert (first["median"], second["spread"], third["bytes"]) == (1.0, 0.5, 7)
    assert Results(path, "some", fresh=True).rows == []


def test_the_library_under_test_is_among_the_versions():
    assert environment()["versions"]["rnn_jax"] == rnn_jax.__version__


def test_rows_of_other_versions_are_not_mixed(tmp_path):
    path = tmp_path / "results.json"
    Results(path, "some").add([{"case": "one", "program": "ours"}])
    stored = json.loads(path.read_text())
    stored["environment"]["versions"]["jax"] = "0.1"
    path.write_text(json.dumps(stored))
    with pytest.raises(ValueError, match=r"environment versions jax '0.1', here '.*--fresh"):
        Results(path, "some")
    with pytest.raises(ValueError, match="benchmark 'some', here 'other'"):
        Results(path, "other")
    path.write_text("[]")
    with pytest.raises(ValueError, match="is not a result file"):
        read(path)


def test_device_names_name_no_machine():
    assert device_name().startswith("cpu-")
    assert set(device_name()) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
