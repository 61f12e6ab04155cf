"""Translations: the size of Multi30k, and small files in the same form."""

import pytest

from experiments.translation.data import check_parallel, load_multi30k
from rnn_jax.data import DataError


def test_multi30k(real_data):
    parts = load_multi30k()
    assert [len(source) for source, _ in parts.values()] == [29_000, 1_014, 1_000]
    source, target = parts["train"]
    assert source[0] == "Two young, White males are outside near many bushes."
    assert target[0] == "Zwei junge weiße Männer sind im Freien in der Nähe vieler Büsche."
    assert all(line for pair in parts.values() for lines in pair for line in lines)


def test_translations_stand_line_by_line():
    with pytest.raises(DataError, match="train: 2 lines in one language, 1 in the other"):
        check_parallel(["a", "b"], ["c"], "train")
