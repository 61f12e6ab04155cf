"""Music for training: the sets as their authors count them, a folder of one's own, and batches that are pure."""

import sys

import numpy as np
import pytest

from experiments.music_generation.data import RollBatches, load_music, music_files, prepend_silence, transposed
from experiments.music_generation.midi import PITCHES, write_midi
from rnn_jax.data import DataError

RNG = np.random.default_rng(0)
ROLLS = [(RNG.random((steps, PITCHES)) < 0.1).astype(np.uint8) for steps in (5, 30, 12, 9, 3)]


def windows_of(roll: np.ndarray, length: int) -> set[bytes]:
    whole = prepend_silence(roll)
    return {whole[i : i + length + 1].tobytes() for i in range(max(1, len(whole) - length))}


def test_a_batch_is_a_pure_function_of_its_number():
    batches = RollBatches(ROLLS, 4, 7, 10, group=2, buckets=2, transposition=3)
    first = [batches.batch(i) for i in range(6)]
    again = RollBatches(ROLLS, 4, 7, 10, group=2, buckets=2, transposition=3)
    for i in (5, 0, 3):
        for name, array in again.batch(i).items():
            np.testing.assert_array_equal(array, first[i][name])
    assert (first[0]["rolls"] != first[1]["rolls"]).any()
    assert all(first[i]["rolls"].shape == first[i + 1]["rolls"].shape for i in (0, 2, 4))


def test_rows_are_windows_with_the_step_before_them():
    batches = RollBatches(ROLLS, 4, 0, 10, buckets=2)
    known = set().union(*(windows_of(roll, 10) for roll in ROLLS))
    windows = set()
    for i in range(20):
        batch = batches.batch(i)
        assert batch["rolls"].dtype == np.uint8 and batch["lengths"].dtype == np.int32
        for row, length in zip(np.swapaxes(batch["rolls"], 0, 1), batch["lengths"], strict=True):
            assert not row[length + 1 :].any()
            windows.add(row[: length + 1].tobytes())
    assert windows <= known
    for k in (0, 3, 4):  # a short piece is read whole
        assert windows_of(ROLLS[k], 10) <= windows
    assert len(windows & windows_of(ROLLS[1], 10)) > 5 and np.count_nonzero(batches.pieces == 1) == 3


def test_transposition_moves_every_pitch_alike():
    roll = ROLLS[1]
    for semitones in (-88, -3, 0, 5, 87):
        expected = np.zeros_like(roll)
        for t, pitch in zip(*np.nonzero(roll), strict=True):
            if 0 <= pitch + semitones < PITCHES:
                expected[t, pitch + semitones] = 1
        np.testing.assert_array_equal(transposed(roll, semitones), expected)
    middle = np.zeros((6, PITCHES), np.uint8)
    middle[:, 40] = 1
    batches = RollBatches([middle], 16, 0, 10, transposition=2)
    pitches = {int(p) for i in range(4) for p in np.unique(np.nonzero(batches.batch(i)["rolls"])[2])}
    assert pitches == {38, 39, 40, 41, 42}
    other = RollBatches([middle], 16, 1, 10, transposition=2)  # of one piece there is one order
    assert (other.batch(0)["rolls"] != batches.batch(0)["rolls"]).any()


def name_of(i: int) -> str:
    return f"{'sub/a' if i % 2 else 'z'}{i:02d}.{'MID' if i % 3 else 'midi'}"


def folder_of(path, count: int, steps: int = 6):
    (path / "sub").mkdir()
    for i in range(count):
        roll = np.zeros((steps, PITCHES), np.uint8)
        roll[:, i] = 1
        write_midi(path / name_of(i), roll)
    return str(path)


def test_a_folder_is_divided_whatever_its_files_are_called(tmp_path, capsys):
    folder = folder_of(tmp_path, 12)
    (tmp_path / "notes.txt").write_text("no music")
    assert list(music_files(folder)) == [name_of(i) for i in (1, 3, 5, 7, 9, 11, 0, 2, 4, 6, 8, 10)]
    with pytest.raises(DataError, match="has 1 different pieces that can be read: expected at least 3"):
        load_music(folder)  # one note, transposed
    high = ROLLS[1] * (np.arange(PITCHES) < 80)
    for i in range(12):
        write_midi(tmp_path / name_of(i), high[: 8 + i])
    for i in (3, 4):
        write_midi(tmp_path / f"copy{i}.mid", np.roll(high[:11], i - 3, axis=1))
    parts = load_music(folder)
    lengths = {part: [len(roll) for roll in rolls] for part, rolls in parts.items()}
    assert sorted(n for ns in lengths.values() for n in ns) == sorted([*range(8, 20), 11, 11])
    assert "note: 2 of 14 pieces are copies of others" in capsys.readouterr().err
    assert sum(11 in ns for ns in lengths.values()) == 1 and len(lengths["training"]) >= 10
    (tmp_path / "bad.mid").write_text("words")
    (tmp_path / "worse.mid").write_bytes(b"")
    with pytest.raises(DataError, match=r"2 of 16 files cannot be read\n.*bad\.mid.*\n.*worse\.mid.*\n.*--skip-unr"):
        load_music(folder)
    assert sum(map(len, load_music(folder, skip_unreadable=True).values())) == 14


def test_what_is_wrong_with_a_folder_is_said(tmp_path):
    with pytest.raises(DataError, match="none of jsb, nottingham, musedata, pianomidi, and no folder"):
        load_music("bach")
    folder = folder_of(tmp_path, 9)
    with pytest.raises(DataError, match=r"has 9 files \*\.mid or \*\.midi: expected ten at least"):
        load_music(folder)
    single = np.zeros((1, PITCHES), np.uint8)
    single[0, 40] = 1
    write_midi(tmp_path / "b.mid", single)
    with pytest.raises(DataError, match=r"b\.mid has a single step"):
        load_music(folder)


def test_the_sets_are_those_of_the_literature_and_nothing_is_unpickled(real_data):
    unpickled, listening = [], [True]
    sys.addaudithook(lambda event, _: unpickled.append(event) if listening[0] and "pickle" in event else None)
    counts = {
        "jsb": (229, 76, 77),
        "nottingham": (694, 173, 170),
        "pianomidi": (87, 12, 25),
        "musedata": (524, 135, 124),
    }
    for name, expected in counts.items():
        parts = load_music(name)
        assert tuple(len(rolls) for rolls in parts.values()) == expected
        for roll in (rolls[-1] for rolls in parts.values()):
            assert roll.dtype == np.uint8 and roll.shape[1] == PITCHES and set(np.unique(roll)) == {0, 1}
    listening[0] = False
    assert not unpickled
