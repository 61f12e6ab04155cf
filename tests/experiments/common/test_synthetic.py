"""Each sequence by its number alone; lengths, one step that counts, a curriculum; sequences as users write them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.common.synthetic import MEMORY_TASKS, STATE_TASKS, Generated, at_lengths, numbers, read_sequence
from experiments.state_tracking.listops import CLOSE

KEY = jax.random.key(0)


def drawn(stream, first, count):
    return jax.tree.map(np.asarray, jax.jit(stream)(first + jnp.arange(count, dtype=jnp.int32)))


def test_a_sequence_is_the_same_in_any_batch():
    stream = Generated(STATE_TASKS["modular_arithmetic"], KEY, (9,))
    whole, part = drawn(stream, 0, 12), drawn(stream, 5, 3)
    for values, wanted in zip(part, whole, strict=True):
        np.testing.assert_array_equal(values, wanted[:, 5:8])
    assert len(np.unique(whole.inputs, axis=1).T) == 12, "sequences differ"
    np.testing.assert_array_equal(numbers(3, 4), [12, 13, 14, 15])


def test_a_task_with_features():
    sample = drawn(Generated(MEMORY_TASKS["adding"], KEY, (10,)), 0, 6)
    assert sample.inputs.shape == (10, 6, 2) and (sample.inputs[..., 1].sum(0) == 2).all()
    np.testing.assert_allclose(sample.targets[-1], sample.inputs.prod(-1).sum(0), rtol=1e-6)


def test_lists_come_in_several_lengths_and_the_others_in_one():
    lists = at_lengths(STATE_TASKS["listops"], KEY, 1, 10)
    assert lists.lengths == (3, 4, 5, 6, 7, 8, 9, 10)
    sample = drawn(lists, 0, 16)
    ends = sample.counted.argmax(0)
    np.testing.assert_array_equal(ends, np.tile(np.arange(2, 10), 2))
    assert (sample.counted.sum(0) == 1).all() and (sample.inputs[ends, np.arange(16)] == CLOSE).all()
    assert at_lengths(STATE_TASKS["parity"], KEY, 1, 10).lengths == (10,)


def test_one_step_of_those_that_count():
    sample = drawn(Generated(STATE_TASKS["modular_arithmetic"], KEY, (9,), one_step=True), 0, 200)
    assert (sample.counted.sum(0) == 1).all() and set(sample.counted.argmax(0)) == {0, 2, 4, 6, 8}


def test_a_curriculum_goes_from_three_steps_to_all():
    sample = drawn(Generated(STATE_TASKS["parity"], KEY, (23,), growing=10), 0, 13)
    wanted = np.ceil(3 + np.minimum(np.arange(13) / 10, 1) ** 2 * 20)
    np.testing.assert_array_equal(sample.counted.sum(0), wanted)
    assert (np.diff(sample.counted.astype(int), axis=0) <= 0).all(), "the first steps"


def test_sequences_of_the_user():
    assert read_sequence(" 1 0  1 ", STATE_TASKS["parity"]).tolist() == [1, 0, 1]
    assert read_sequence("0.25,1 0.5,0", MEMORY_TASKS["adding"]).tolist() == [[0.25, 1], [0.5, 0]]


@pytest.mark.parametrize(
    ("task", "text", "message"),
    [
        (STATE_TASKS["parity"], "", "sequence='': expected tokens from 0 to 1"),
        (STATE_TASKS["parity"], "0 2", "sequence='0 2': expected tokens from 0 to 1"),
        (STATE_TASKS["parity"], "0 one", "expected tokens from 0 to 1"),
        (MEMORY_TASKS["adding"], "0.5 1", "expected steps of 2 numbers, as in '0.3,1 0.5,0'"),
        (MEMORY_TASKS["adding"], "0.5,1 1", "expected steps of 2 numbers"),
    ],
)
def test_what_is_no_sequence_is_refused(task, text, message):
    with pytest.raises(ValueError, match=message):
        read_sequence(text, task)
