"""MIDI files to piano rolls and back. A roll is uint8 `[T, 88]`: which pitches of a piano sound in each step."""

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from rnn_jax.data.download import DataError

PITCHES = 88
"""From A0 to C8."""
LOWEST_PITCH = 21
"""The MIDI number of A0."""
LONGEST = 100_000
"""Steps of a file at most."""
DEFAULT_TEMPO = 120.0
"""Beats per minute of a file that does not say."""
_PERCUSSION = 9
_PITCH_CLASSES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


def pitch_name(pitch: int) -> str:
    """The name of pitch 0 to 87, such as C4 for 39."""
    octave, pitch_class = divmod(pitch + LOWEST_PITCH, 12)
    return f"{_PITCH_CLASSES[pitch_class]}{octave - 1}"


def chord_name(step: np.ndarray) -> str:
    """The names of the pitches of a step `[88]` that are above one half, from the lowest on; `-` for none."""
    return " ".join(pitch_name(int(pitch)) for pitch in np.flatnonzero(step > 0.5)) or "-"


class Piece(NamedTuple):
    """What a MIDI file plays."""

    roll: np.ndarray
    """uint8 `[T, 88]`."""
    tempos: dict[int, float]
    """Beats per minute from a step on; from step 0 on there is one."""


def read_midi(path: str | Path, steps_per_beat: int = 2, *, content: IO[bytes] | None = None) -> np.ndarray:
    """The piano roll of a MIDI file, see `read_piece`."""
    return read_piece(path, steps_per_beat, content=content).roll


def read_piece(path: str | Path, steps_per_beat: int = 2, *, content: IO[bytes] | None = None) -> Piece:
    """The piano roll of a MIDI file, all tracks together, and its tempos.

    Beginnings and ends of notes are rounded to the nearest step, and every note lasts one step at least. Percussion,
    notes beyond the 88 pitches, loudness and pedals are left out, and so is the silence before the first note.

    Args:
        path: of the file.
        steps_per_beat: steps in a quarter note.
        content: what is read, where that is no file; the path is then its name.

    Raises:
        DataError: it cannot be read, is no MIDI file or a damaged one, counts time in seconds or tracks apart (type 2),
            or has no notes or more than `LONGEST` steps.
    """
    import mido

    _take_any_key()
    try:
        file = mido.MidiFile(path if content is None else None, content, clip=True)
        messages, end = _merged(file.tracks)
    except Exception as error:  # mido raises whatever it meets in a file of wrong bytes
        why = str(error) or type(error).__name__
        raise DataError(f"{path} cannot be read as a MIDI file: {why}") from error
    if file.type == 2 or file.ticks_per_beat <= 0:
        raise DataError(
            f"{path} is of type {file.type} with {file.ticks_per_beat} ticks in a beat: expected type 0 or 1, and time "
            "in beats; export it again as a standard MIDI file"
        )
    notes = _notes(messages, end)
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
    tempos = {0: DEFAULT_TEMPO}
    for now, message in messages:
        if message.type == "set_tempo" and message.tempo > 0:
            step = round(now * steps_per_beat / file.ticks_per_beat) - first
            tempos[max(step, 0)] = mido.tempo2bpm(message.tempo)
    return Piece(roll, {step: bpm for step, bpm in tempos.items() if step < len(roll)})


@functools.cache
def _take_any_key() -> None:
    """Let mido read files with a key signature that it does not know: what key a piece is in is not read here."""
    from mido.midifiles.meta import KeySignatureError, MetaSpec_key_signature, add_meta_spec

    class AnyKey(MetaSpec_key_signature):
        type = "key_signature"

        def decode(self, message: Any, data: Any) -> None:
            try:
                super().decode(message, data)
            except (KeySignatureError, IndexError):
                message.key = "C"

    add_meta_spec(AnyKey)


def _merged(tracks: Sequence[Any]) -> tuple[list[tuple[int, Any]], int]:
    """The notes and tempos of all tracks, each with its time in ticks, in their order; and when the last track ends."""
    found, end = [], 0
    for track in tracks:
        now = 0
        for message in track:
            now += message.time
            if message.type in ("note_on", "note_off", "set_tempo"):
                found.append((now, message))
        end = max(end, now)
    return sorted(found, key=lambda one: one[0]), end


def _notes(messages: Sequence[tuple[int, Any]], end: int) -> list[tuple[int, int, int]]:
    """Begin and end in ticks, and pitch, of each note; one that never ends ends with the piece.

    A key that is struck again while it is held ends its first note and begins a second one, which ends where the key
    has been let go as often as it was struck. Where a file lets a key go less often than it strikes it, the first time
    ends the note.
    """
    events = []
    balance: dict[tuple[int, int], int] = {}
    for now, message in messages:
        if message.type == "set_tempo" or message.channel == _PERCUSSION:
            continue
        key, struck = (message.channel, message.note - LOWEST_PITCH), message.type == "note_on" and message.velocity > 0
        if 0 <= key[1] < PITCHES:
            events.append((now, key, struck))
            balance[key] = balance.get(key, 0) + (1 if struck else -1)
    notes: list[tuple[int, int, int]] = []
    begun: dict[tuple[int, int], int] = {}
    held: dict[tuple[int, int], int] = {}
    for when, key, struck in events:
        if struck:
            if key in begun:
                notes.append((begun[key], when, key[1]))
            begun[key], held[key] = when, held.get(key, 0) + 1
        elif key in begun:
            held[key] -= 1
            if not held[key] or balance[key] > 0:
                notes.append((begun.pop(key), when, key[1]))
                held[key] = 0
    return notes + [(start, end, pitch) for (_, pitch), start in begun.items()]


def write_midi(
    path: str | Path, roll: np.ndarray, steps_per_beat: int = 2, beats_per_minute: float | Mapping[int, float] = 100.0
) -> None:
    """Write a roll `[T, 88]` as a MIDI file; a pitch that sounds in steps after one another is one held note.

    Args:
        path: of the file.
        roll: what is played.
        steps_per_beat: steps in a quarter note.
        beats_per_minute: one tempo, or those from a step on, as `Piece` has them.

    Raises:
        ValueError: the roll is not of this shape, or a number is not above 0.
    """
    import mido

    if roll.ndim != 2 or roll.shape[1] != PITCHES:
        raise ValueError(f"roll has shape {roll.shape}: expected [T, {PITCHES}]")
    tempos = dict(beats_per_minute) if isinstance(beats_per_minute, Mapping) else {0: beats_per_minute}
    if steps_per_beat < 1 or not all(bpm > 0 for bpm in tempos.values()):
        raise ValueError(f"steps_per_beat={steps_per_beat}, beats_per_minute={beats_per_minute}: expected more than 0")
    file = mido.MidiFile(ticks_per_beat=120 * steps_per_beat)
    track = mido.MidiTrack()
    file.tracks.append(track)
    silent = np.zeros((1, PITCHES), np.int8)
    changes = np.diff(np.concatenate([silent, roll.astype(np.int8), silent]), axis=0)
    delta = 0
    for number, step in enumerate(changes):
        if number in tempos:
            track.append(mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(tempos[number]), time=delta))
            delta = 0
        for pitch in np.argsort(step, kind="stable")[: np.count_nonzero(step < 0)]:
            track.append(mido.Message("note_off", note=int(pitch) + LOWEST_PITCH, time=delta))
            delta = 0
        for pitch in np.flatnonzero(step > 0):
            track.append(mido.Message("note_on", note=int(pitch) + LOWEST_PITCH, velocity=72, time=delta))
            delta = 0
        delta += 120
    file.save(path)
