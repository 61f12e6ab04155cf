"""The treebank: its size, and small files in the same form."""

import pytest

from experiments.sentiment.data import load_sst2, parse_labelled
from rnn_jax.data import DataError


def test_sst2(real_data):
    parts = load_sst2()
    assert {name: len(texts) for name, (texts, _) in parts.items()} == {"train": 6920, "validation": 872, "test": 1821}
    assert {name: int(labels.sum()) for name, (_, labels) in parts.items()} == {
        "train": 3610,
        "validation": 444,
        "test": 909,
    }
    assert parts["validation"][0][0] == "one long string of cliches ." and parts["validation"][1][0] == 0


def test_lines_that_are_not_of_the_form_are_named():
    texts, labels = parse_labelled("1 good\n0 so\u2028so \n", "file")
    assert texts == ["good", "so\u2028so"] and labels.tolist() == [1, 0]
    for line in ("2 good", "1", "1 ", "", "good"):
        with pytest.raises(DataError, match=r"file, line 2: .* expected 0 or 1, a blank, and a sentence"):
            parse_labelled(f"1 good\n{line}\n0 bad\n", "file")
