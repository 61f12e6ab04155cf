"""MIDI files: what is written is what is read, every way to mark a note, and every way for a file to be broken."""

import struct

import mido
import numpy as np
import pytest

from experiments.music_generation.midi import PITCHES, chord_name, pitch_name, read_midi, read_piece, write_midi
from rnn_jax.data import DataError


def on(note, time=0, velocity=64, channel=0):
    return mido.Message("note_on", note=note, velocity=velocity, time=time, channel=channel)


def off(note, time=0):
    return mido.Message("note_off", note=note, time=time)


def save(path, *tracks, **options):
    file = mido.MidiFile(ticks_per_beat=100, **options)
    file.tracks.extend(mido.MidiTrack(track) for track in tracks)
    file.save(path)
    return path


@pytest.mark.parametrize(("seed", "steps_per_beat"), [(0, 1), (1, 2), (2, 4)])
def test_what_is_written_is_what_is_read(tmp_path, seed, steps_per_beat):
    rng = np.random.default_rng(seed)
    roll = (rng.random((40, PITCHES)) < 0.3).astype(np.uint8)
    roll[10:13] = 0  # silence inside stays, silence at the ends is not music
    write_midi(tmp_path / "a.mid", roll, steps_per_beat)
    np.testing.assert_array_equal(read_midi(tmp_path / "a.mid", steps_per_beat), roll)
    padded = np.concatenate([np.zeros((3, PITCHES), np.uint8), roll, np.zeros((2, PITCHES), np.uint8)])
    write_midi(tmp_path / "b.mid", padded, steps_per_beat)
    np.testing.assert_array_equal(read_midi(tmp_path / "b.mid", steps_per_beat), roll)


def test_every_way_to_begin_and_end_a_note(tmp_path):
    first = [on(60), off(60, 40), on(62, 10), on(62, 150, velocity=0), on(64), on(64, 50), off(64, 50)]
    second = [on(10, 30), on(37, channel=9), on(67, 70), on(69, 203), off(69, 1)]  # 67 is never ended
    roll = read_midi(save(tmp_path / "a.mid", first, second), 2)
    # Steps of 50 ticks: 60 sounds in 0 to 40, 62 in 50 to 200, 64 in 200 to 250 and 250 to 300, 67 from 100 to the end.
    expected = np.zeros((7, PITCHES), np.uint8)
    for note, begin, end in ((60, 0, 1), (62, 1, 4), (64, 4, 6), (67, 2, 6), (69, 6, 7)):
        expected[begin:end, note - 21] = 1
    np.testing.assert_array_equal(roll, expected)


def test_pitches_have_their_names():
    assert [pitch_name(pitch) for pitch in (0, 1, 3, 39, 48, 87)] == ["A0", "A#0", "C1", "C4", "A4", "C8"]
    step = np.zeros(PITCHES)
    assert chord_name(step) == "-"
    step[[39, 0, 48]] = 0.4, 0.6, 1
    assert chord_name(step) == "A0 A4"


def header(kind=1, tracks=1, division=96):
    return b"MThd" + struct.pack(">Lhhh", 6, kind, tracks, division)


def track(content: bytes) -> bytes:
    return b"MTrk" + struct.pack(">L", len(content)) + content


NOTE = b"\x00\x90\x3c\x40\x60\x80\x3c\x40\x00\xff\x2f\x00"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cannot be read as a MIDI file: EOFError"),
        (b"a text, no music at all", "MThd not found"),
        ((header() + track(NOTE))[:-5], "cannot be read as a MIDI file"),
        (header(2) + track(NOTE), "of type 2 with 96 ticks in a beat: expected type 0 or 1"),
        (header(division=-6360) + track(NOTE), "time in beats"),  # 25 frames of 40 parts a second
        (header(division=0) + track(NOTE), "with 0 ticks in a beat"),
        (header() + track(b"\x00\xff\x2f\x00"), "has no notes between A0 and C8"),
        (header() + track(b"\x00\x99\x3c\x40\x60\x89\x3c\x40\x00\xff\x2f\x00"), "percussion does not count"),
        (header() + track(b"\x00\x90\x3c\x40\xff\xff\xff\x7f\x80\x3c\x40\x00\xff\x2f\x00"), "steps: expected at most"),
    ],
)
def test_what_is_no_music_is_named(tmp_path, content, message):
    (tmp_path / "bad.mid").write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_midi(tmp_path / "bad.mid")
    assert message in str(caught.value) and "bad.mid" in str(caught.value)


@pytest.mark.parametrize("key", [b"\x09\x00", b"\xf7\x01", b"\x00\x07", b"\x00", b""])
def test_a_key_signature_that_nobody_knows_is_ignored(tmp_path, key):
    (tmp_path / "a.mid").write_bytes(header() + track(b"\x00\xff\x59" + bytes([len(key)]) + key + NOTE))
    np.testing.assert_array_equal(np.flatnonzero(read_midi(tmp_path / "a.mid")[0]), [60 - 21])


def test_a_byte_out_of_range_is_clipped(tmp_path):
    (tmp_path / "a.mid").write_bytes(header() + track(b"\x00\x90\x3c\xff" + NOTE[4:]))
    assert read_midi(tmp_path / "a.mid").sum() == 2


def test_a_key_struck_again_while_it_is_held_sounds_until_it_is_let_go_twice(tmp_path):
    # Steps of 50 ticks: struck at 0 and 100, let go at 200 and 400; another key meanwhile.
    again = [on(60), on(60, 100), off(60, 100), on(64), off(64, 100), off(60, 100), on(67), off(67, 50)]
    expected = np.zeros((9, PITCHES), np.uint8)
    for note, begin, end in ((60, 0, 8), (64, 4, 6), (67, 8, 9)):
        expected[begin:end, note - 21] = 1
    np.testing.assert_array_equal(read_midi(save(tmp_path / "a.mid", again), 2), expected)
    careless = [on(60), on(60, 100), off(60, 100), on(64, 100), off(64, 100)]  # it is never let go a second time
    expected = np.zeros((8, PITCHES), np.uint8)
    expected[:4, 39] = expected[6:, 43] = 1
    np.testing.assert_array_equal(read_midi(save(tmp_path / "b.mid", careless), 2), expected)


def test_tempos_are_read_and_written(tmp_path):
    tempo = [mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(b), time=t) for b, t in ((72, 0), (90, 200), (50, 900))]
    piece = read_piece(save(tmp_path / "a.mid", tempo, [on(60, 100), off(60, 400)]), 2)
    assert len(piece.roll) == 8 and piece.tempos == {0: pytest.approx(72), 2: pytest.approx(90)}
    write_midi(tmp_path / "b.mid", piece.roll, 2, piece.tempos)
    again = read_piece(tmp_path / "b.mid", 2)
    np.testing.assert_array_equal(again.roll, piece.roll)
    assert again.tempos == pytest.approx(piece.tempos)
    write_midi(tmp_path / "c.mid", piece.roll, 2)
    assert read_piece(tmp_path / "c.mid").tempos == {0: pytest.approx(100)}
    assert read_piece(save(tmp_path / "d.mid", [on(60), off(60, 400)])).tempos == {0: 120}


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"nowhere\.mid cannot be read as a MIDI file: .*No such file"):
        read_midi(tmp_path / "nowhere.mid")


def test_any_bytes_are_music_or_a_data_error(tmp_path):
    rng, path = np.random.default_rng(0), tmp_path / "fuzzed.mid"
    write_midi(path, (rng.random((8, PITCHES)) < 0.05).astype(np.uint8))
    whole = np.frombuffer(path.read_bytes(), np.uint8)
    outcomes = set()
    for _ in range(150):
        damaged = whole[: rng.integers(14, len(whole) + 1)].copy()
        damaged[rng.integers(len(damaged), size=2)] = rng.integers(256, size=2)
        path.write_bytes(damaged.tobytes())
        try:
            roll = read_midi(path)
        except DataError:
            outcomes.add("refused")
        else:
            assert roll.dtype == np.uint8 and roll.shape[1] == PITCHES and roll.any(axis=1)[[0, -1]].all()
            outcomes.add("read")
    assert outcomes == {"refused", "read"}


@pytest.mark.parametrize(
    ("roll", "options", "message"),
    [
        (np.zeros((3, 87), np.uint8), {}, r"roll has shape \(3, 87\)"),
        (np.zeros((3, 88), np.uint8), {"steps_per_beat": 0}, "steps_per_beat=0"),
        (np.zeros((3, 88), np.uint8), {"beats_per_minute": 0.0}, r"beats_per_minute=0\.0"),
    ],
)
def test_what_cannot_be_written_is_refused(tmp_path, roll, options, message):
    with pytest.raises(ValueError, match=message):
        write_midi(tmp_path / "a.mid", roll, **options)
