"""Lists are whole, and their value is that of a recursion in plain Python."""

import jax
import numpy as np
import pytest

from experiments.state_tracking.listops import ListOps


def evaluate_list(tokens):
    """The value of a list and the rest of the tokens, by recursion."""
    operator, *rest = tokens
    assert 10 <= operator < 14
    values = []
    while rest[0] != 14:
        if rest[0] < 10:
            values.append(rest.pop(0))
        else:
            inner, rest = evaluate_list(rest)
            values.append(inner)
    median = sorted(values)[(len(values) - 1) // 2]
    return [max(values), min(values), median, sum(values) % 10][operator - 10], rest[1:]


@pytest.mark.exhaustive(but=2)
@pytest.mark.parametrize("length", [3, 4, 10, 60])
def test_lists_are_whole_and_have_their_value(length):
    sample = jax.jit(ListOps(depth=4).sample, static_argnums=(1, 2))(jax.random.key(0), 60, length)
    inputs, targets, mask = (np.asarray(x) for x in sample)
    assert inputs.min() >= 0 and inputs.max() < 15 and targets.min() >= 0 and targets.max() < 10
    deepest = 0
    for b in range(60):
        value, rest = evaluate_list(inputs[:, b].tolist())
        assert rest == [] and value == targets[-1, b]
        deepest = max(deepest, np.cumsum(np.where(inputs[:, b] == 14, -1, inputs[:, b] >= 10)).max())
    assert mask.sum() == 60 and mask[-1].all() and deepest == (1 if length < 6 else min(4, length // 3 + 1))


def test_too_short_a_sequence_has_no_room_for_a_list():
    with pytest.raises(ValueError, match="length=2: expected at least 3"):
        ListOps().sample(jax.random.key(0), 1, 2)
