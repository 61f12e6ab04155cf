"""Targets follow from the inputs, by rules that a reader of the papers would apply by hand."""

import jax
import numpy as np
import pytest

from experiments.memory.data import TASKS, Copy, Recall, SelectiveCopy


def drawn(task, batch, length, seed=0):
    """A sample as NumPy arrays; under jit, as it is used."""
    sample = jax.jit(task.sample, static_argnums=(1, 2))(jax.random.key(seed), batch, length)
    assert sample.targets.shape == sample.mask.shape == sample.inputs.shape[:2]
    return jax.tree.map(np.asarray, sample)


@pytest.mark.parametrize("delay", [1, 30])
def test_copy_repeats_the_symbols_after_the_delay(delay):
    task = Copy(symbols=3, count=4)
    inputs, targets, mask = drawn(task, 50, delay)
    assert len(inputs) == delay + 8 and mask.all() and set(np.unique(inputs)) == {0, 1, 2, 3, 4}
    np.testing.assert_array_equal(targets[-4:], inputs[:4])
    assert (targets[:-4] == 0).all() and inputs.max() < task.tokens and targets.max() < task.classes
    assert ((inputs[4:] == 4).sum(0) == 1).all() and (inputs[4 + delay - 1] == 4).all()


def test_selective_copy_keeps_the_order():
    inputs, targets, mask = drawn(SelectiveCopy(symbols=5, count=6), 40, 20)
    for b in range(40):
        shown = inputs[:20, b]
        np.testing.assert_array_equal(targets[20:, b], shown[shown > 0])
    assert (inputs[20:] == 6).all() and (mask == (np.arange(26)[:, None] >= 20)).all()
    assert len({tuple(np.flatnonzero(row)) for row in inputs[:20].T}) > 30, "the places are random"


def test_recall_has_one_query_for_each_key():
    task = Recall(keys=9, values=7, pairs=5)
    inputs, targets, mask = drawn(task, 40, 30)
    for b in range(40):
        pairs = dict(zip(inputs[:10:2, b].tolist(), (inputs[1:10:2, b] - 10).tolist(), strict=True))
        queries = {int(k): int(v) for k, v in zip(inputs[10:, b], targets[10:, b], strict=True) if k}
        assert pairs == queries and len(pairs) == 5 and min(pairs) > 0 and max(pairs) <= 9
    np.testing.assert_array_equal(mask[10:], inputs[10:] > 0)
    assert not mask[:10].any() and inputs.max() < task.tokens and targets.min() >= 0 and targets.max() < task.classes


@pytest.mark.exhaustive
def test_samples_follow_from_the_key():
    for task in TASKS.values():
        same, again, other = (drawn(task, 4, 30, k).inputs for k in (1, 1, 2))
        assert np.array_equal(same, again) and not np.array_equal(same, other)


@pytest.mark.parametrize(
    ("task", "length", "message"),
    [
        (SelectiveCopy(count=5), 4, "length=4: expected at least count=5"),
        (Recall(pairs=4), 11, "length=11: expected at least 3 · pairs = 12"),
        (Copy(), 0, "length=0"),
    ],
)
def test_too_short_a_sequence_is_refused(task, length, message):
    with pytest.raises(ValueError, match=message):
        task.sample(jax.random.key(0), 2, length)


def test_too_few_keys_are_refused():
    with pytest.raises(ValueError, match="keys=3: expected at least pairs=4"):
        Recall(keys=3, pairs=4)
