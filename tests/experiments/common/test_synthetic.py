"""Each sequence by its index alone; one step that counts, a curriculum; sequences as users write them; sums."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.common.synthetic import Adding, SampleStream, batch_indices, read_sequence
from experiments.state_tracking.data import ModularArithmetic, Parity

KEY = jax.random.key(0)


def drawn(stream, first, count):
    return jax.tree.map(np.asarray, jax.jit(stream)(first + jnp.arange(count, dtype=jnp.int32)))


def test_a_sequence_is_the_same_in_any_batch():
    stream = SampleStream(ModularArithmetic(), KEY, (9,))
    whole, part = drawn(stream, 0, 12), drawn(stream, 5, 3)
    for values, wanted in zip(part, whole, strict=True):
        np.testing.assert_array_equal(values, wanted[:, 5:8])
    assert len(np.unique(whole.inputs, axis=1).T) == 12, "sequences differ"
    np.testing.assert_array_equal(batch_indices(3, 4), [12, 13, 14, 15])


def test_a_task_with_features():
    sample = drawn(SampleStream(Adding(), KEY, (10,)), 0, 6)
    assert sample.inputs.shape == (10, 6, 2) and (sample.inputs[..., 1].sum(0) == 2).all()
    np.testing.assert_allclose(sample.targets[-1], sample.inputs.prod(-1).sum(0), rtol=1e-6)


def test_one_step_of_those_that_count():
    sample = drawn(SampleStream(ModularArithmetic(), KEY, (9,), one_step=True), 0, 200)
    assert (sample.mask.sum(0) == 1).all() and set(sample.mask.argmax(0)) == {0, 2, 4, 6, 8}


def test_a_curriculum_goes_from_three_steps_to_all():
    sample = drawn(SampleStream(Parity(), KEY, (23,), growing=10), 0, 13)
    wanted = np.ceil(3 + np.minimum(np.arange(13) / 10, 1) ** 2 * 20)
    np.testing.assert_array_equal(sample.mask.sum(0), wanted)
    assert (np.diff(sample.mask.astype(int), axis=0) <= 0).all(), "the first steps"


def test_sequences_of_the_user():
    assert read_sequence(" 1 0  1 ", Parity()).tolist() == [1, 0, 1]
    assert read_sequence("0.25,1 0.5,0", Adding()).tolist() == [[0.25, 1], [0.5, 0]]


@pytest.mark.parametrize(
    ("task", "text", "message"),
    [
        (Parity(), "", "sequence='': expected tokens from 0 to 1"),
        (Parity(), "0 2", "sequence='0 2': expected tokens from 0 to 1"),
        (Parity(), "0 one", "expected tokens from 0 to 1"),
        (Adding(), "0.5 1", "expected steps of 2 numbers, as in '0.3,1 0.5,0'"),
        (Adding(), "0.5,1 1", "expected steps of 2 numbers"),
        (Adding(), "0.5,1 1e39,0", "step 2 is '1e39,0': expected finite numbers"),
        (Adding(), "nan,1 1,0", "step 1 is 'nan,1': expected finite numbers"),
        (Parity(), f"0 {10**20}", "expected tokens from 0 to 1"),
    ],
)
def test_what_is_no_sequence_is_refused(task, text, message):
    with pytest.raises(ValueError, match=message):
        read_sequence(text, task)


@pytest.mark.parametrize("length", [2, 7, 50])
def test_adding_marks_one_number_in_each_half(length):
    sample = jax.jit(Adding().sample, static_argnums=(1, 2))
    xs, targets, mask = jax.tree.map(np.asarray, sample(jax.random.key(0), 200, length))
    values, marks = xs[..., 0], xs[..., 1]
    assert (marks[: length // 2].sum(0) == 1).all() and (marks[length // 2 :].sum(0) == 1).all()
    np.testing.assert_allclose(targets[-1], (values * marks).sum(0), rtol=1e-6)
    assert mask.sum() == 200 and mask[-1].all()
    assert 0.1 < np.mean((targets[-1] - 1) ** 2) < 0.24  # 1/6 in the mean


def test_one_step_is_too_short_for_two_marks():
    with pytest.raises(ValueError, match="length=1: expected at least 2"):
        Adding().sample(jax.random.key(0), 2, 1)
