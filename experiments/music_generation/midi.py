"""MIDI files to piano rolls and back. A roll is uint8 `[T, 88]`: which keys of a piano sound in each step."""

from pathlib import Path
from typing import Any

import numpy as np

from rnn_jax.data.download import DataError

KEYS = 88
LOWEST = 21
"""The MIDI number of the lowest key, A0."""
LONGEST = 100_000
"""Steps of a file at most."""
_PERCUSSION = 9
_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


def key_name(key: int) -> str:
    """The name of key 0 to 87, such as C4 for key 39."""
    octave, tone = divmod(key + LOWEST, 12)
    return f"{_NAMES[tone]}{octave - 1}"


def read_midi(path: str | Path, steps_per_beat: int = 2) -> np.ndarray:
    """The piano roll of a MIDI file, all tracks together.

    Beginnings and ends of notes are rounded to the nearest step, and every note lasts one step at least. Percussion,
    notes beyond the 88 keys, loudness and pedals are left out, and so is the silence before the first note.

    Args:
        path: of the file.
        steps_per_beat: steps in a quarter note.

    Raises:
        DataError: it cannot be read, is no MIDI file or a damaged one, counts time in seconds or tracks apart (type 2),
            or has no notes or more than `LONGEST` steps.
    """
    import mido

    try:
        file = mido.MidiFile(path)
        messages = list(mido.merge_tracks(file.tracks))
    except Exception as error:  # mido raises whatever it meets in a file of wrong bytes
        why = str(error) or type(error).__name__
        raise DataError(f"{path} cannot be read as a MIDI file: {why}") from error
    if file.type == 2 or file.ticks_per_beat <= 0:
        raise DataError(
            f"{path} is of type {file.type} with {file.ticks_per_beat} ticks in a beat: expected type 0 or 1, and time "
            "in beats; export it again as a standard MIDI file"
        )
    notes = _notes(messages)
    if not notes:
        raise DataError(f"{path} has no notes between A0 and C8 (percussion does not count)")
    steps = [(round(b * steps_per_beat / file.ticks_per_beat), round(e * steps_per_beat / file.ticks_per_beat), key)
             for b, e, key in notes]  # fmt: skip
    first, last = min(begin for begin, _, _ in steps), max(max(begin + 1, end) for begin, end, _ in steps)
    if last - first > LONGEST:
        raise DataError(f"{path} has {last - first:,} steps: expected at most {LONGEST:,}")
    roll = np.zeros((last - first, KEYS), np.uint8)
    for begin, end, key in steps:
        roll[begin - first : max(begin + 1, end) - first, key] = 1
    return roll


def _notes(messages: list[Any]) -> list[tuple[int, int, int]]:
    """Begin and end in ticks, and key, of each note; one that never ends ends with the piece."""
    now, notes, open_notes = 0, [], {}
    for message in messages:
        now += message.time
        if message.type not in ("note_on", "note_off") or message.channel == _PERCUSSION:
            continue
        key = message.note - LOWEST
        if not 0 <= key < KEYS:
            continue
        begun = open_notes.pop((message.channel, key), None)  # a note that is struck again has ended
        if begun is not None:
            notes.append((begun, now, key))
        if message.type == "note_on" and message.velocity:
            open_notes[message.channel, key] = now
    return notes + [(begun, now, key) for (_, key), begun in open_notes.items()]


def write_midi(path: str | Path, roll: np.ndarray, steps_per_beat: int = 2, beats_per_minute: float = 100.0) -> None:
    """Write a roll `[T, 88]` as a MIDI file; a key that sounds in steps after one another is one held note.

    Raises:
        ValueError: the roll is not of this shape, or a number is not above 0.
    """
    import mido

    if roll.ndim != 2 or roll.shape[1] != KEYS:
        raise ValueError(f"roll has shape {roll.shape}: expected [T, {KEYS}]")
    if steps_per_beat < 1 or not beats_per_minute > 0:
        raise ValueError(f"steps_per_beat={steps_per_beat}, beats_per_minute={beats_per_minute}: expected more than 0")
    file = mido.MidiFile(ticks_per_beat=120 * steps_per_beat)
    track = mido.MidiTrack()
    file.tracks.append(track)
    track.append(mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(beats_per_minute)))
    silent = np.zeros((1, KEYS), np.int8)
    changes = np.diff(np.concatenate([silent, roll.astype(np.int8), silent]), axis=0)
    waited = 0
    for step in changes:
        for key in np.argsort(step, kind="stable")[: np.count_nonzero(step < 0)]:
            track.append(mido.Message("note_off", note=int(key) + LOWEST, time=waited))
            waited = 0
        for key in np.flatnonzero(step > 0):
            track.append(mido.Message("note_on", note=int(key) + LOWEST, velocity=72, time=waited))
            waited = 0
        waited += 120
    file.save(path)
