"""What is to be said follows from what was shown, by rules that a reader of the papers would apply by hand."""

import jax
import numpy as np
import pytest

from experiments.memory.data import Adding, Copy, Recall, SelectiveCopy


def drawn(task, batch, length, seed=0):
    """A sample as NumPy arrays; under jit, as it is used."""
    sample = jax.jit(task.sample, static_argnums=(1, 2))(jax.random.key(seed), batch, length)
    assert sample.targets.shape == sample.counted.shape == sample.inputs.shape[:2]
    return jax.tree.map(np.asarray, sample)


@pytest.mark.parametrize("length", [2, 7, 50])
def test_adding_marks_one_number_in_each_half(length):
    xs, targets, counted = drawn(Adding(), 200, length)
    values, marks = xs[..., 0], xs[..., 1]
    assert (marks[: length // 2].sum(0) == 1).all() and (marks[length // 2 :].sum(0) == 1).all()
    np.testing.assert_allclose(targets[-1], (values * marks).sum(0), rtol=1e-6)
    assert counted.sum() == 200 and counted[-1].all()
    assert 0.1 < np.mean((targets[-1] - 1) ** 2) < 0.24  # 1/6 in the mean


@pytest.mark.parametrize("delay", [1, 30])
def test_copy_says_the_symbols_after_the_delay(delay):
    task = Copy(symbols=3, count=4)
    inputs, targets, counted = drawn(task, 50, delay)
    assert len(inputs) == delay + 8 and counted.all() and set(np.unique(inputs)) == {0, 1, 2, 3, 4}
    np.testing.assert_array_equal(targets[-4:], inputs[:4])
    assert (targets[:-4] == 0).all() and inputs.max() < task.tokens and targets.max() < task.classes
    assert ((inputs[4:] == 4).sum(0) == 1).all() and (inputs[4 + delay - 1] == 4).all()


def test_selective_copy_keeps_the_order():
    inputs, targets, counted = drawn(SelectiveCopy(symbols=5, count=6), 40, 20)
    for b in range(40):
        shown = inputs[:20, b]
        np.testing.assert_array_equal(targets[20:, b], shown[shown > 0])
    assert (inputs[20:] == 6).all() and (counted == (np.arange(26)[:, None] >= 20)).all()
    assert len({tuple(np.flatnonzero(row)) for row in inputs[:20].T}) > 30, "the places are random"


def test_recall_asks_for_each_value_once():
    task = Recall(keys=9, values=7, pairs=5)
    inputs, targets, counted = drawn(task, 40, 30)
    for b in range(40):
        told = dict(zip(inputs[:10:2, b].tolist(), (inputs[1:10:2, b] - 10).tolist(), strict=True))
        asked = {int(k): int(v) for k, v in zip(inputs[10:, b], targets[10:, b], strict=True) if k}
        assert told == asked and len(told) == 5 and min(told) > 0 and max(told) <= 9
    np.testing.assert_array_equal(counted[10:], inputs[10:] > 0)
    assert not counted[:10].any() and inputs.max() < task.tokens and targets.min() >= 0 and targets.max() < task.classes


def test_samples_follow_from_the_key():
    for task in (Adding(), Copy(), SelectiveCopy(), Recall()):
        same, again, other = (drawn(task, 4, 30, k).inputs for k in (1, 1, 2))
        assert np.array_equal(same, again) and not np.array_equal(same, other)


@pytest.mark.parametrize(
    ("task", "length", "message"),
    [
        (Adding(), 1, "length=1: expected at least 2"),
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
