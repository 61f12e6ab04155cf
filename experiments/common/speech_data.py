"""Recordings of spoken words: the Free Spoken Digit Dataset, words joined to strings, and the user's own folder."""

import csv
import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rnn_jax.data.archives import read_members
from rnn_jax.data.audio import read_wav
from rnn_jax.data.download import DataError, fetch
from rnn_jax.data.sources import Dataset, FolderFile
from rnn_jax.data.text import read_text

FSDD = Dataset(
    name="fsdd",
    files=(
        FolderFile(
            name="recordings.zip",
            repository="Jakobovski/free-spoken-digit-dataset",
            commit="26eb9aaf76e81b692f806f9140c2d2777410d7a1",
            folders=("recordings",),
            sha256="28efb44718ad4037b0cf1d720eec498ae22edbb0d5df4ac78660f33f090adbbc",
            size=21_128_848,
        ),
    ),
    licence="CC BY-SA 4.0",
    citation="Z. Jackson et al., Free Spoken Digit Dataset, 2018",
    split="recordings 0 to 4 of each digit and speaker test, 5 to 49 training",
)


PARTS = ("training", "validation", "test")


@dataclasses.dataclass(frozen=True, eq=False)
class Recording:
    """What somebody said, or wrote.

    Attributes:
        waves: float32 samples `[S]`, features `[t, D]`, or points of a pen's stroke `[n, 2]`; several where recordings
            are joined, or a drawing has several strokes.
        words: what is said, in its order.
        speaker: who says it; empty where it is not known.
        name: of the file or files.
    """

    waves: tuple[np.ndarray, ...]
    words: tuple[str, ...]
    speaker: str = ""
    name: str = ""

    @property
    def wave(self) -> np.ndarray:
        """All of it, float32 `[S]` or `[t, D]`."""
        return np.concatenate(self.waves)


def spoken_digits(rate: int = 8000) -> dict[str, list[Recording]]:
    """The Free Spoken Digit Dataset in its official split, the validation part split off the training part.

    3,000 recordings at 8 kHz, 50 of each digit by each of six speakers: 0 to 4 are for test, the rest for training
    (Jackson et al. 2018); of these, 5 to 9 are for validation here. 2,400, 300 and 300 recordings, each part in the
    order of the files' names.

    Args:
        rate: samples per second.

    Raises:
        DataError: the data cannot be had (see `fetch`).
    """
    parts: dict[str, list[Recording]] = {part: [] for part in PARTS}
    for path, content in read_members(fetch(FSDD)["recordings.zip"], "*recordings/*.wav").items():
        name = path.rpartition("/")[2]
        digit, speaker, number = name.removesuffix(".wav").split("_")
        part = "test" if int(number) < 5 else "validation" if int(number) < 10 else "training"
        parts[part].append(Recording((read_wav(content, rate),), (digit,), speaker, name))
    return parts


def join_words(
    recordings: Sequence[Recording], count: int, seed: int, words: tuple[int, int] = (3, 7)
) -> list[Recording]:
    """Strings of words: recordings of one speaker, drawn and joined end to end without a pause.

    Args:
        recordings: to draw from.
        count: how many strings.
        seed: of the draws; the strings are a pure function of the recordings and the seed.
        words: the fewest and the most recordings in a string, all numbers between equally likely.

    Raises:
        ValueError: there are no recordings, or the numbers are out of range.
    """
    if not recordings or count < 1 or not 1 <= words[0] <= words[1]:
        raise ValueError(
            f"{len(recordings)} recordings, count={count}, words={words}: expected at least one of each, in order"
        )
    speakers = sorted({recording.speaker for recording in recordings})
    of = {speaker: [r for r in recordings if r.speaker == speaker] for speaker in speakers}
    rng = np.random.default_rng([seed, count, *words])
    strings = []
    for _ in range(count):
        own = of[speakers[rng.integers(len(speakers))]]
        drawn = [own[i] for i in rng.integers(len(own), size=rng.integers(words[0], words[1] + 1))]
        waves, said = (tuple(x for r in drawn for x in getattr(r, field)) for field in ("waves", "words"))
        strings.append(Recording(waves, said, drawn[0].speaker, "+".join(r.name for r in drawn)))
    return strings


def labelled_folder(folder: str | Path, rate: int = 8000, *, shortest: int = 1) -> dict[str, list[Recording]]:
    """The user's own recordings: a folder with wav files and `labels.csv`, in the parts training, validation and test.

    `labels.csv` is UTF-8 with the columns `file`, relative to the folder, and `words`, separated by spaces; and, where
    one wants, `speaker` and `part`. Without `part`, of ten rows the ninth is for validation and the tenth for test.

    Args:
        folder: path of the folder.
        rate: samples per second; other rates are converted.
        shortest: samples that each recording has at least.

    Raises:
        DataError: the file of labels is missing, not UTF-8, lacks a column (named), has a row without words or with an
            unknown part, or leaves a part empty; or a wav file cannot be read (see `read_wav`).
    """
    table = Path(folder) / "labels.csv"
    rows = csv.DictReader(line for line in read_text(table).splitlines() if line.strip())
    for column in ("file", "words"):
        if column not in (rows.fieldnames or ()):
            raise DataError(f"{table} has no column {column!r}: its first line is {','.join(rows.fieldnames or ())!r}")
    parts: dict[str, list[Recording]] = {part: [] for part in PARTS}
    for i, row in enumerate(rows):
        part = row["part"] if "part" in row else {8: "validation", 9: "test"}.get(i % 10, "training")
        words = tuple((row["words"] or "").split())
        if part not in PARTS or not words:
            raise DataError(
                f"{table}, entry {i + 1}: words={row['words']!r}, part={part!r}; expected words, and one of {PARTS}"
            )
        wave = read_wav(Path(folder) / row["file"], rate, shortest=shortest)
        parts[part].append(Recording((wave,), words, row.get("speaker") or "", row["file"]))
    if empty := [part for part in PARTS if not parts[part]]:
        raise DataError(f"{table} has no rows for {' and '.join(empty)}: at least one of each part is needed")
    return parts
