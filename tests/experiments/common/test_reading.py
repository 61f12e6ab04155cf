"""Many files: those that cannot be read are named at once, or left out and listed; what was read is said."""

import pytest

from experiments.common.reading import describe_parts, read_each, refuse_one_class, refuse_unseen
from rnn_jax.data import DataError


def read(item: int, note) -> int:
    if item % 4 == 3:
        raise DataError(f"{item}.wav is broken")
    if item % 4 == 2:
        note("loud", f"{item}.wav")
    return 10 * item


def test_all_that_cannot_be_read_are_named(capsys):
    with pytest.raises(DataError) as caught:
        read_each(range(12), read)
    said = str(caught.value)
    assert said.startswith("3 of 12 files cannot be read") and said.endswith("or say --skip-unreadable")
    assert all(f"{i}.wav is broken" in said for i in (3, 7, 11))
    found = read_each(range(20), read, what="sounds", skip_unreadable=True)
    assert found == [(i, 10 * i) for i in range(20) if i % 4 != 3]
    err = capsys.readouterr().err
    assert "note: 5 of 20 sounds cannot be read\n  3.wav is broken" in err and "19.wav is broken" in err
    assert "note: 2.wav, 6.wav, 10.wav and 2 more: loud\n" in err


def test_nothing_that_can_be_read_is_an_error_in_any_case():
    with pytest.raises(DataError, match=r"^3\.wav is broken$"):
        read_each([3], read, skip_unreadable=True)
    with pytest.raises(DataError, match="2 of 2 files"):
        read_each([3, 7], read, skip_unreadable=True)
    assert read_each([], read) == []


def test_parts_and_what_is_odd_about_them():
    lines = describe_parts("drawings", {"training": ["a", "a", "A", "b"], "test": ["a"]})
    assert lines[:2] == ["5 drawings: 4 training, 1 test", "3 classes: a 3, A 1, b 1"]
    assert set(lines[2:]) == {"note: the test part has none of A, b", "note: A and a differ in case only"}
    many = describe_parts("drawings", {"training": [f"{i:02d}" for i in range(30)]})
    assert many[1].endswith(", 11 1, and 18 more")


def test_what_training_lacks_is_refused():
    refuse_unseen("d.csv", {"training": "abc", "test": "ab"}, "add some")
    with pytest.raises(DataError, match=r"d\.csv: the test part has x, y, which the training part lacks; add some"):
        refuse_unseen("d.csv", {"training": "abc", "validation": "a", "test": "yax"}, "add some")
    refuse_one_class("d.csv", "aab")
    with pytest.raises(DataError, match=r"d\.csv has 1 class, a: expected at least two to tell apart"):
        refuse_one_class("d.csv", "aa")
