"""Parallel texts: what a file may hold, and batches that lose no pair and no token."""

import numpy as np
import pytest

from experiments.translation.data import load_parallel
from rnn_jax.data import DataError
from rnn_jax.data.parallel import ParallelBatches, teacher_forcing

BEGIN, END = 2, 3


def arrays(side):
    return [np.array(tokens, np.int32) for tokens in side]


def test_a_target_is_fed_one_step_late_and_ends():
    batch = teacher_forcing(arrays([[5, 6], [7]]), arrays([[8], [4, 9]]), 4)
    np.testing.assert_array_equal(batch["source"].T, [[5, 6, 0, 0], [7, 0, 0, 0]])
    np.testing.assert_array_equal(batch["source_lengths"], [2, 1])
    np.testing.assert_array_equal(batch["inputs"].T, [[BEGIN, 8, END, 0], [BEGIN, 4, 9, END]])
    np.testing.assert_array_equal(batch["targets"].T, [[8, END, 0, 0], [4, 9, END, 0]])
    np.testing.assert_array_equal(batch["target_lengths"], [2, 3])


def test_training_batches_hold_pairs_that_belong_together():
    random = np.random.default_rng(0)
    sources = [random.integers(4, 9, n).astype(np.int32) for n in random.integers(1, 12, 50)]
    batches = ParallelBatches(sources, [s[::-1] for s in sources], 8, seed=1, group=2, buckets=2)
    for i in range(20):
        batch, again = batches.batch(i), batches.batch(i)
        assert all(np.array_equal(batch[name], again[name]) for name in batch)
        for b in range(8):
            source = batch["source"][: batch["source_lengths"][b], b]
            np.testing.assert_array_equal(batch["targets"][: len(source), b], source[::-1])


def test_a_file_is_divided_by_the_number_of_its_lines(tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text("".join(f"a {i}\t b {i} \n" for i in range(40)))
    parts = load_parallel(str(path))
    assert {name: len(part.source) for name, part in parts.items()} == {"train": 36, "validation": 2, "test": 2}
    assert parts["validation"] == (["a 18", "a 38"], ["b 18", "b 38"])
    assert parts["test"].target == ["b 19", "b 39"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a\tb\n" * 5 + b"only one side\n", r"line 6: 'only one side': expected a sentence, a tab"),
        (b"a\tb\n\na\tb\n", "line 2: ''"),
        (b"a\tb\tc\n", r"line 1: 'a\\tb\\tc'"),
        (b"a\tb\n" * 19, "has 19 lines: expected at least 20"),
        (b"a\t\xff\n" * 30, "not UTF-8: byte 0xff at offset 2"),
        (b"", "empty"),
    ],
)
def test_a_file_of_another_form_is_refused(tmp_path, content, message):
    path = tmp_path / "pairs.tsv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        load_parallel(str(path))


def test_a_name_that_is_nothing_is_refused():
    with pytest.raises(DataError, match="corpus='multi30' is no file, and not multi30k"):
        load_parallel("multi30")
