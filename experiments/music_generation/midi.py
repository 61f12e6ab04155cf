"""MIDI files to piano rolls and back. A roll is uint8 `[T, 88]`: which pitches of a piano sound in each step."""

from pathlib import Path
from typing import Any

import numpy as np

from rnn_jax.data.download import DataError

PITCHES = 88
"""From A0 to C8."""
LOWEST_PITCH = 21
"""The MIDI number of A0."""
LONGEST = 100_000
"""Steps of a file at most."""
_PERCUSSION = 9
_PITCH_CLASSES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


def pitch_name(pitch: int) -> str:
    """The name of pitch 0 to 87, such as C4 for 39."""
    octave, pitch_class = divmod(pitch + LOWEST_PITCH, 12)
    return f"{_PITCH_CLASSES[pitch_class]}{octave - 1}"


def chord_name(step: np.ndarray) -> str:
    """The names of the pitches of a step `[88]` that are above one half, from the lowest on; `-` for none."""
    return " ".join(pitch_name(int(pitch)) for pitch in np.flatnonzero(step > 0.5)) or "-"


def read_midi(path: str | Path, steps_per_beat: int = 2) -> np.ndarray:
    """The piano roll of a MIDI file, all tracks together.

    Beginnings and ends of notes are rounded to the nearest step, and every note lasts one step at least. Percussion,
    notes beyond the 88 pitches, loudness and pedals are left out, and so is the silence before the first note.

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
    steps = [(round(b * steps_per_beat / file.ticks_per_beat), round(e * steps_per_beat / file.ticks_per_beat), pitch)
             for b, e, pitch in notes]  # fmt: skip
    first, last = min(begin for begin, _, _ in steps), max(max(begin + 1, end) for begin, end, _ in steps)
    if last - first > LONGEST:
        raise DataError(f"{path} has {last - first:,} steps: expected at most {LONGEST:,}")
    roll = np.zeros((last - first, PITCHES), np.uint8)
    for begin, end, pitch in steps:
        roll[begin - first : max(begin + 1, end) - first, pitch] = 1
    return roll


def _notes(messages: list[Any]) -> list[tuple[int, int, int]]:
    """Begin and end in ticks, and pitch, of each note; one that never ends ends with the piece."""
    now, notes, sounding = 0, [], {}
    for message in messages:
        now += message.time
        if message.type not in ("note_on", "note_off") or message.channel == _PERCUSSION:
            continue
        pitch = message.note - LOWEST_PITCH
        if not 0 <= pitch < PITCHES:
            continue
        begun = sounding.pop((message.channel, pitch), None)  # a note that is struck again has ended
        if begun is not None:
            notes.append((begun, now, pitch))
        if message.type == "note_on" and message.velocity:
            sounding[message.channel, pitch] = now
    return notes + [(begun, now, pitch) for (_, pitch), begun in sounding.items()]


def write_midi(path: str | Path, roll: np.ndarray, steps_per_beat: int = 2, beats_per_minute: float = 100.0) -> None:
    """Write a roll `[T, 88]` as a MIDI file; a pitch that sounds in steps after one another is one held note.

    Raises:
        ValueError: the roll is not of this shape, or a number is not above 0.
    """
    import mido

    if roll.ndim != 2 or roll.shape[1] != PITCHES:
        raise ValueError(f"roll has shape {roll.shape}: expected [T, {PITCHES}]")
    if steps_per_beat < 1 or not beats_per_minute > 0:
        raise ValueError(f"steps_per_beat={steps_per_beat}, beats_per_minute={beats_per_minute}: expected more than 0")
    file = mido.MidiFile(ticks_per_beat=120 * steps_per_beat)
    track = mido.MidiTrack()
    file.tracks.append(track)
    track.append(mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(beats_per_minute)))
    silent = np.zeros((1, PITCHES), np.int8)
    changes = np.diff(np.concatenate([silent, roll.astype(np.int8), silent]), axis=0)
    delta = 0
    for step in changes:
        for pitch in np.argsort(step, kind="stable")[: np.count_nonzero(step < 0)]:
            track.append(mido.Message("note_off", note=int(pitch) + LOWEST_PITCH, time=delta))
            delta = 0
        for pitch in np.flatnonzero(step > 0):
            track.append(mido.Message("note_on", note=int(pitch) + LOWEST_PITCH, velocity=72, time=delta))
            delta = 0
        delta += 120
    file.save(path)
