"""Spoken digits, strings of them, vowels of nine men, and the user's own recordings; batches that vary them."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from experiments.common.named_rows import read_named_rows
from experiments.common.own_recordings import check_alignable, divide_recordings, labels_needed, shared_copies
from experiments.common.reading import Note, read_each, say
from experiments.common.recordings import PARTS, Recording, RecordingBatches, join_recordings
from experiments.common.series import Series, parse_series, read_series
from experiments.common.sound import SUFFIXES, read_sound
from rnn_jax.data.archives import read_members
from rnn_jax.data.augment import longest_variant, vary_wave
from rnn_jax.data.download import DataError, fetch
from rnn_jax.data.features import LogMel
from rnn_jax.data.sources import Dataset, FolderFile, IndexFile, digests, file_digest

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

AEON = Dataset(
    name="aeon",
    files=(
        IndexFile(
            name="aeon-1.6.0-py3-none-any.whl",
            project="aeon",
            version="1.6.0",
            sha256="d05227086706f80111ac5fee8de4d5d3115bb3bcfd1c786c8629393055816409",
            size=6_421_000,
        ),
    ),
    licence="BSD-3-Clause; each series as in the UCR and UEA archives",
    citation="M. Middlehurst et al., aeon: a Python Toolkit for Learning from Time Series, 2024",
    split="files; JapaneseVowels 270 / 370 utterances",
)


FRONTEND = LogMel()
"""From samples to features; recordings have its rate."""

SHORTEST = 3 * FRONTEND.step_samples
"""Samples that each recording of the user has at least."""


def digit_parts() -> dict[str, list[Recording]]:
    """The parts training, validation and test of recordings of one word, `spoken_digits`."""
    return spoken_digits(FRONTEND.rate)


def string_parts() -> dict[str, list[Recording]]:
    """The parts of recordings of several words: strings of 3 to 7 digits, joined out of each part's recordings.

    There are 5,000, 500 and 500 of them, the same in every call.
    """
    parts = spoken_digits(FRONTEND.rate)
    return {part: join_recordings(rs, 5000 if part == "training" else 500, seed=0) for part, rs in parts.items()}


def vowel_parts(folder: str = "") -> dict[str, list[Recording]]:
    """The parts of series whose one word is their label: JapaneseVowels, or NAME_TRAIN.ts and NAME_TEST.ts of a folder.

    Of the training series, the last fifth of each label (6 of 30 utterances of a speaker) is for validation. The signal
    of a recording is float32 `[t, D]`.

    Raises:
        DataError: the data cannot be had, or are not of this form.
    """
    if folder:
        files = [sorted(Path(folder).glob(f"*_{part}.ts")) for part in ("TRAIN", "TEST")]
        if any(len(matches) != 1 for matches in files):
            raise DataError(f"data={folder!r}: expected one file NAME_TRAIN.ts and one NAME_TEST.ts in it")
        training, test = (read_series(matches[0]) for matches in files)
    else:
        training, test = japanese_vowels()
    training, validation = hold_out(training)
    return {
        part: [Recording((v,), (label,), name=str(i)) for i, (v, label) in enumerate(zip(*series, strict=True))]
        for part, series in zip(PARTS, (training, validation, test), strict=True)
    }


def speech_digests(task: str, folder: str = "") -> dict[str, str]:
    """Name and SHA-256 of a task's data: of the data set, or of each table, series and file of sound in a folder."""
    if not folder:
        return digests(AEON if task == "vowels" else FSDD)
    files = sorted(path for path in Path(folder).rglob("*") if path.suffix.lower() in (".csv", ".ts", *SUFFIXES))
    return {str(path.relative_to(folder)): file_digest(path) for path in files}


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
        parts[part].append(Recording((read_sound(content, rate),), (digit,), speaker, name))
    return parts


def japanese_vowels() -> tuple[Series, Series]:
    """Training and test part of JapaneseVowels: 270 and 370 utterances of 7 to 29 frames, 12 channels, 9 speakers.

    Kudo, Toyama & Shimbo 1999, "Multidimensional curve classification using passing-through regions". Utterances of
    a speaker stand together, thirty of each in the training part.

    Raises:
        DataError: the data cannot be had (see `fetch`).
    """
    (archive,) = fetch(AEON).values()
    training, test = (
        read_members(archive, f"*/JapaneseVowels_{part}.ts").popitem()[1].decode() for part in ("TRAIN", "TEST")
    )
    return parse_series(training, "JapaneseVowels_TRAIN.ts"), parse_series(test, "JapaneseVowels_TEST.ts")


def hold_out(series: Series, share: int = 5) -> tuple[Series, Series]:
    """Split a validation part off: of the series with each label, the last of every `share` (6 of 30), at least one.

    Raises:
        ValueError: a label has one series only.
    """
    training, validation = Series([], []), Series([], [])
    for label in sorted(set(series.labels)):
        own = [value for value, of in zip(series.values, series.labels, strict=True) if of == label]
        if len(own) < 2:
            raise ValueError(f"label {label!r} has one series: expected two, one of them for validation")
        cut = len(own) - max(1, len(own) // share)
        for part, values in ((training, own[:cut]), (validation, own[cut:])):
            part.values.extend(values)
            part.labels.extend([label] * len(values))
    return training, validation


def labelled_folder(
    folder: str | Path, *, several: bool = True, channel: int | None = None, skip_unreadable: bool = False
) -> dict[str, list[Recording]]:
    """The user's own recordings: a folder with files of sound and `labels.csv`, in three parts.

    `labels.csv` is UTF-8 with the columns `file`, relative to the folder, and `words`, separated by spaces; and, where
    one wants, `speaker` and `part`. Without `part` they are divided by `divide_recordings`.

    Args:
        folder: path of the folder.
        several: a recording may have several words, which are learned by CTC.
        channel: which of several is read, from 1 on; their mean by default.
        skip_unreadable: leave out what cannot be read, see `read_each`.

    Raises:
        DataError: the file of labels is not as `read_named_rows` says, has no rows, has a row without words or with an
            unknown part, or leaves a part empty; files of sound cannot be read (see `read_sound`); a recording has
            several words and should not, or more than steps for them.
    """
    table = Path(folder) / "labels.csv"
    expected = "the columns file and words, and, where one wants, speaker and part"
    columns, rows = read_named_rows(table, ("file", "words"), ("speaker", "part"), expected)
    for number, row in rows:
        words, part = row["words"].split(), row.get("part", "training")
        if part not in PARTS or not words:
            raise DataError(
                f"{table}, line {number}: words={row['words']!r}, part={part!r}; expected words, and one of {PARTS}"
            )
        if len(words) > 1 and not several:
            raise DataError(
                f"{table}, line {number}: {row['file']} has the words {row['words']!r}: several need --task strings"
            )
    if not rows:
        raise DataError(f"{table} has no rows after its first line {','.join(columns)!r}")

    def read(row: dict[str, str], note: Note) -> Recording:
        path = Path(folder) / row["file"]
        wave = read_sound(path, FRONTEND.rate, shortest=SHORTEST, channel=channel, note=note)
        return Recording((wave,), tuple(row["words"].split()), row.get("speaker", ""), row["file"])

    found = read_each([row for _, row in rows], read, what="recordings", skip_unreadable=skip_unreadable)
    recordings = [recording for _, recording in found]
    if several:
        check_alignable(recordings, utterance_steps, str(table), "cut the recordings shorter, or name fewer words")
    if "part" not in columns:
        parts, notes = divide_recordings(recordings, str(table))
    else:
        parts = {part: [recording for row, recording in found if row["part"] == part] for part in PARTS}
        if empty := [part for part in PARTS if not parts[part]]:
            raise DataError(f"{table} has no rows for {' and '.join(empty)}: at least one of each part is needed")
        notes = shared_copies(parts)
    say(notes)
    return parts


def utterance_steps(recording: Recording) -> int:
    """Steps of the features of a recording."""
    return int(FRONTEND.steps(len(recording.signal)))


@dataclasses.dataclass(frozen=True, eq=False)
class UtteranceBatches(RecordingBatches):
    """Endless training batches of recordings of sound, which vary.

    Attributes:
        variation: of the samples, see `vary_wave`; 0 for none.
    """

    variation: float = 1.0

    def variants(self, rng: np.random.Generator, recordings: Sequence[Recording]) -> list[np.ndarray]:
        varied = [np.concatenate([vary_wave(rng, wave, self.variation) for wave in r.segments]) for r in recordings]
        # One that is so much faster that its words do not fit would be learned as nothing.
        fit = [FRONTEND.steps(len(wave)) >= labels_needed(r.words) for wave, r in zip(varied, recordings, strict=True)]
        return [wave if fits else r.signal for wave, fits, r in zip(varied, fit, recordings, strict=True)]

    def longest(self, recording: Recording) -> int:
        return sum(longest_variant(len(wave), self.variation) for wave in recording.segments)
