import jax
import numpy as np
import pytest

from benchmarks import seeds


@pytest.fixture
def programs(monkeypatch):
    monkeypatch.setattr(seeds, "SEEDS", 6)  # of the four devices, two divide them
    monkeypatch.setattr(jax, "clear_caches", lambda: None)  # other tests' programs
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield seeds.make_programs(seeds.Config(hidden_size=16, updates=12))


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
