from importlib.util import find_spec

import jax
import numpy as np
import pytest

from benchmarks import seeds
from benchmarks.results import read


@pytest.fixture
def programs(monkeypatch):
    monkeypatch.setattr(seeds, "SEEDS", 6)  # of the four devices, two divide them
    monkeypatch.setattr(jax, "clear_caches", lambda: None)  # other tests' programs
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        config = seeds.Config(hidden_size=16, updates=12)
        yield {name: seeds.make_program(config, name) for name in seeds.PROGRAMS if name != seeds.TORCH}


@pytest.mark.exhaustive
def test_all_ways_train_the_same_networks(programs):
    losses = {name: program() for name, program in programs.items()}
    seeds.check_equal(losses)
    one = np.asarray(losses[seeds.TOGETHER])
    assert one.shape == (6, 12)
    assert abs(one[0] - one[1]).max() > 1e-3  # each seed is a run of its own
    changed = one + np.eye(6, 12, 3) * 0.01
    with pytest.raises(ValueError, match="other: its first 10 losses differ from those of one by"):
        seeds.check_equal({"one": one, "other": changed})


@pytest.mark.exhaustive
def test_each_program_has_a_process_of_its_own_and_one_without_its_library_is_left_out(tmp_path, capsys, monkeypatch):
    some = (seeds.TOGETHER, seeds.ONE_BY_ONE)
    monkeypatch.setattr(seeds, "PROGRAMS", (*some, seeds.TORCH) if find_spec("torch") is None else some)
    seeds.main(seeds.Config(hidden_size=4, updates=3, rounds=2, output=tmp_path / "seeds.json"))
    assert ("PyTorch is left out" in capsys.readouterr().out) == (find_spec("torch") is None)
    stored = read(tmp_path / "seeds.json")
    assert stored["processes"] == "own" and [row["program"] for row in stored["rows"]] == [*some]
    assert all(len(row["seconds"]) == 2 for row in stored["rows"])
