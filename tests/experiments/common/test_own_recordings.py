"""One's own recordings in parts, and found fit for CTC."""

import numpy as np
import pytest

from experiments.common.own_recordings import (
    check_alignable,
    describe_recordings,
    divide_recordings,
    labels_needed,
    shared_copies,
)
from experiments.common.recordings import Recording
from rnn_jax.data import DataError


def recording(words: str, length: int, value: float = 0) -> Recording:
    return Recording((np.full(length, value, np.float32),), tuple(words.split()), name=f"{words} {value}")


def steps(one: Recording) -> int:
    return len(one.signal)


def test_a_blank_stands_between_equal_labels():
    assert [labels_needed(word) for word in ("", "a", "ab", "aa", "hello", "aaa")] == [0, 1, 2, 3, 6, 5]
    check_alignable([recording("h e l l o", 6), recording("n o", 2)], steps, "d.json", "draw more")
    short = [recording("h e l l o", 5, 1), recording("n o", 2), recording("n n", 2, 2)]
    with pytest.raises(DataError) as caught:
        check_alignable(short, steps, "d.json", "draw more", "drawing ")
    said = str(caught.value)
    assert said.startswith("d.json: 2 of 3 have more labels than steps") and "draw more" in said
    assert "drawing h e l l o 1: 5 labels, which need 6 steps, and 5 steps" in said and "drawing n n 2: 2" in said


def test_words_of_other_parts_are_in_training():
    rng = np.random.default_rng(0)
    words = "abcdefghijklmnop"
    own = [recording(" ".join(words[k] for k in rng.integers(16, size=3)), 9, i) for i in range(60)]
    own.append(recording("once a", 9, 99))
    parts, notes = divide_recordings(own, "labels.csv")
    known = {word for one in parts["training"] for word in one.words}
    assert "once" in known and notes == []
    assert all(known.issuperset(one.words) for part in ("validation", "test") for one in parts[part])
    assert [len(parts[part]) >= 3 for part in parts] == [True] * 3 and sum(map(len, parts.values())) == 61
    lines = describe_recordings(parts, "recordings", steps, "steps", "labels.csv")
    assert lines[0].startswith("61 recordings: ") and lines[2] == "at most 3 labels in one"


def test_copies_are_on_one_side_and_said():
    own = [recording("ab"[i % 2], 9, i // 2) for i in range(40)]
    parts, notes = divide_recordings(own, "labels.csv")
    assert notes[0] == "note: 20 of 40 are copies of others; copies are in one part"
    assert notes[1:] == ["note: 20 of them have equal content and different labels, such as a 0 and b 0"]
    assert shared_copies(parts) == []
    shared = shared_copies({"training": own[:2], "validation": own[1:3], "test": own[4:5]})
    assert shared == ["note: 1 recordings of the validation part are in the training part, too: its scores say little"]
    with pytest.raises(DataError, match="has 9 entries: expected at least 10"):
        divide_recordings(own[:9], "labels.csv")
    with pytest.raises(DataError, match=r"has 1 different entries: expected at least 3"):
        divide_recordings([own[0]] * 12, "labels.csv")


def test_unseen_words_of_the_owners_test_part_are_refused():
    alike = {part: [recording("a", 3)] for part in ("training", "validation", "test")}
    with pytest.raises(DataError, match=r"d\.csv has 1 class, a"):
        describe_recordings(alike, "recordings", steps, "steps", "d.csv")
    parts = {"training": [recording("a", 3)], "validation": [recording("a", 4)], "test": [recording("b", 5)]}
    with pytest.raises(DataError, match=r"d\.csv: the test part has b, which the training part lacks"):
        describe_recordings(parts, "recordings", steps, "steps", "d.csv")
