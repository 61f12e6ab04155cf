"""Three tasks of speech: single digits, strings of digits, and whose vowel it is; each also on the user's own data."""

from pathlib import Path

from experiments.common.series import AEON, hold_out, japanese_vowels, read_series
from experiments.common.speech_data import FSDD, PARTS, Recording, join_words, labelled_folder, spoken_digits
from rnn_jax.data.download import DataError
from rnn_jax.data.features import LogMel
from rnn_jax.data.sources import digests, file_digest

TASKS = ("digits", "strings", "vowels")


def speech_data(task: str, folder: str = "", frontend: LogMel | None = None) -> dict[str, list[Recording]]:
    """The parts training, validation and test of a task.

    digits: `spoken_digits`. strings: 5,000, 500 and 500 strings of 3 to 7 digits, each part's of that part's
    recordings, the same in every call. vowels: JapaneseVowels, the last 6 of 30 training utterances of each speaker for
    validation; a recording's wave is its features `[t, 12]`, its one word the speaker.

    Args:
        task: one of `TASKS`.
        folder: the user's own data in their place: for `labelled_folder`, or, for vowels, NAME_TRAIN.ts and
            NAME_TEST.ts, of whose training series the last fifth of each label is for validation.
        frontend: whose sample rate the recordings get; the user's recordings have three of its steps at least.

    Raises:
        DataError: the data cannot be had, or are not of this form.
    """
    if task == "vowels":
        return _series_parts(folder)
    frontend = frontend or LogMel()
    if folder:
        parts = labelled_folder(folder, frontend.rate, shortest=3 * frontend.step_samples)
        many = next((r for recordings in parts.values() for r in recordings if len(r.words) > 1), None)
        if task == "digits" and many:
            raise DataError(f"{many.name} has the words {' '.join(many.words)!r}: several need --task strings")
        return parts
    parts = spoken_digits(frontend.rate)
    if task == "digits":
        return parts
    return {part: join_words(rs, 5000 if part == "training" else 500, seed=0) for part, rs in parts.items()}


def speech_digests(task: str, folder: str = "") -> dict[str, str]:
    """Name and SHA-256 of a task's data: the catalogue's, or each table, series and wav file in a folder."""
    if not folder:
        return digests(AEON if task == "vowels" else FSDD)
    files = sorted(path for path in Path(folder).rglob("*") if path.suffix.lower() in (".csv", ".ts", ".wav"))
    return {str(path.relative_to(folder)): file_digest(path) for path in files}


def _series_parts(folder: str) -> dict[str, list[Recording]]:
    if folder:
        found = [sorted(Path(folder).glob(f"*_{part}.ts")) for part in ("TRAIN", "TEST")]
        if any(len(files) != 1 for files in found):
            raise DataError(f"data={folder!r}: expected one file NAME_TRAIN.ts and one NAME_TEST.ts in it")
        training, test = (read_series(files[0]) for files in found)
    else:
        training, test = japanese_vowels()
    training, validation = hold_out(training)
    return {
        part: [Recording((v,), (label,), name=str(i)) for i, (v, label) in enumerate(zip(*series, strict=True))]
        for part, series in zip(PARTS, (training, validation, test), strict=True)
    }
