"""What is recognised in which recordings, by which model: a config for each task."""

import dataclasses
from collections.abc import Sequence
from typing import ClassVar, Literal

from experiments.common.recogniser import RecogniserConfig, WordClassifierConfig
from experiments.common.recordings import Recording, RecordingBatches
from experiments.speech.data import (
    FRONTEND,
    UtteranceBatches,
    digit_parts,
    labelled_folder,
    string_parts,
    vowel_parts,
)
from rnn_jax.checks import check_number, check_size
from rnn_jax.data.features import LogMel
from rnn_jax.train import HoldOutConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class SpeechConfig:
    """What the tasks have in common.

    Raises:
        ValueError: a value is out of range.
    """

    frontend: ClassVar[LogMel | None] = FRONTEND
    """From samples to features; None where recordings are features."""

    task: str
    """digits (one word), strings (several) or vowels (who speaks, from features in place of sound)."""
    data: str = ""
    """A folder of your own: files of sound, and labels.csv with the columns file and words."""
    batch_size: int = 32
    """Recordings in an update."""
    buckets: int = 3
    """Lengths to pad to, at most."""
    model: RecogniserConfig = WordClassifierConfig()
    fit: HoldOutConfig = HoldOutConfig(steps=400, evaluate_every=100, weight_decay=0.01)

    def __post_init__(self):
        for name in ("batch_size", "buckets"):
            check_size(name, getattr(self, name))

    def parts(self) -> dict[str, list[Recording]]:
        """The recordings for training, validation and test."""
        return vowel_parts(self.data)

    def batches(self, training: Sequence[Recording], words: Sequence[str]) -> RecordingBatches:
        """Training batches, with labels of a vocabulary."""
        group = self.fit.steps_per_dispatch
        return RecordingBatches(training, words, self.batch_size, self.fit.seed, group, self.buckets)


@dataclasses.dataclass(frozen=True, kw_only=True)
class SoundConfig(SpeechConfig):
    """What the tasks on sound have in common.

    Raises:
        ValueError: a value is out of range.
    """

    variation: float = 1.0
    """How much speed, loudness, noise and ends of recordings vary in training; 0 for not at all."""
    channel: int | None = None
    """Which channel of your own recordings is read, from 1 on; the mean of all if not given."""
    skip_unreadable: bool = False
    """Leave out files of your own that cannot be read, and list them."""

    def __post_init__(self):
        super().__post_init__()
        check_number("variation", self.variation, least=0)
        if self.channel is not None and (self.channel < 1 or not self.data):
            raise ValueError(f"channel={self.channel}: expected a number from 1 on, and --data FOLDER")
        if self.skip_unreadable and not self.data:
            raise ValueError("skip_unreadable=True: spoken digits are all read; it is for --data FOLDER")

    def parts(self) -> dict[str, list[Recording]]:
        several = self.task == "strings"
        if not self.data:
            return string_parts() if several else digit_parts()
        return labelled_folder(self.data, several=several, channel=self.channel, skip_unreadable=self.skip_unreadable)

    def batches(self, training: Sequence[Recording], words: Sequence[str]) -> RecordingBatches:
        group = self.fit.steps_per_dispatch
        return UtteranceBatches(
            training, words, self.batch_size, self.fit.seed, group, self.buckets, variation=self.variation
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class DigitsConfig(SoundConfig):
    """A digit, or another word, in each recording."""

    task: Literal["digits"] = "digits"
    model: WordClassifierConfig = WordClassifierConfig()


@dataclasses.dataclass(frozen=True, kw_only=True)
class StringsConfig(SoundConfig):
    """Several digits, or other words, in each recording."""

    task: Literal["strings"] = "strings"
    model: RecogniserConfig = RecogniserConfig()


@dataclasses.dataclass(frozen=True, kw_only=True)
class VowelsConfig(SpeechConfig):
    """Who speaks two vowels, by twelve cepstral coefficients of each frame; or the labels of other series."""

    frontend: ClassVar[LogMel | None] = None

    task: Literal["vowels"] = "vowels"
    data: str = ""
    """A folder of your own series: NAME_TRAIN.ts and NAME_TEST.ts."""
    model: WordClassifierConfig = WordClassifierConfig()


TASKS: dict[str, type[SpeechConfig]] = {"digits": DigitsConfig, "strings": StringsConfig, "vowels": VowelsConfig}
