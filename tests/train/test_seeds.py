"""Keys of purposes: each seed and each purpose has one of its own, always the same."""

import jax
import pytest

from rnn_jax.train import key_for


def test_each_seed_and_each_purpose_has_a_key_of_its_own():
    def data(seed: int, purpose: str) -> tuple[int, ...]:
        return tuple(jax.random.key_data(key_for(seed, purpose)).tolist())

    pairs = [(seed, purpose) for seed in (0, 1, 2**32 - 1) for purpose in ("init", "training", "validation data")]
    assert len({data(*pair) for pair in pairs}) == 9
    assert [data(*pair) for pair in pairs] == [data(*pair) for pair in pairs]


@pytest.mark.parametrize("seed", [-1, 2**32, 1.0, True, None])
def test_what_is_no_seed_is_refused(shapes_unchecked, seed):
    with pytest.raises(ValueError, match="expected an int from 0"):
        key_for(seed, "init")
