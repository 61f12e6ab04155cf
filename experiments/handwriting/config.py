"""Which handwriting is recognised, by which model: a config for each task."""

import dataclasses
from collections.abc import Sequence
from typing import Literal

from experiments.common.recogniser import RecogniserConfig, WordClassifierConfig
from experiments.common.recordings import Recording
from experiments.handwriting.data import handwriting_parts
from experiments.handwriting.strokes import StrokeBatches, prepare_drawing
from rnn_jax.checks import check_number, check_size
from rnn_jax.train import HoldOutConfig

CLASSIFIER = WordClassifierConfig(noise=0.0, masked_bands=0, masked_steps=0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class HandwritingConfig:
    """What the tasks have in common.

    Raises:
        ValueError: a value is out of range.
    """

    task: str
    """digits (one sign in each drawing) or strings (several)."""
    data: str = ""
    """A file of your own drawings with their words, .json, .csv, .ndjson (QuickDraw) or .inkml, or a folder of such;
    PenDigits without."""
    downwards: bool = False
    """In your file y grows downwards, as on screens; of InkML and QuickDraw it is known."""
    points: int = 8
    """Along each sign; PenDigits has eight, a file of your own may have more."""
    variation: float = 1.0
    """How much turn, slant, scale and points of a drawing vary in training; 0 for not at all."""
    batch_size: int = 128
    """Drawings in an update."""
    model: RecogniserConfig = CLASSIFIER
    fit: HoldOutConfig = HoldOutConfig(steps=3000, evaluate_every=300, weight_decay=0.01, averaging=0.99)

    def __post_init__(self):
        check_number("variation", self.variation, least=0)
        check_size("batch_size", self.batch_size)
        if self.points < 2:
            raise ValueError(f"points={self.points}: expected at least 2")
        if self.downwards and not self.data:
            raise ValueError("downwards=True: PenDigits has y upwards; it is for a file of your own, --data FILE")

    @property
    def several(self) -> bool:
        """Whether a drawing shows several signs."""
        return self.task == "strings"

    def parts(self) -> dict[str, list[Recording]]:
        """The prepared drawings for training, validation and test."""
        return handwriting_parts(self.task, self.data, self.points, downwards=self.downwards)

    def prepared(self, drawings: Sequence[Recording]) -> list[Recording]:
        """Any drawings as those that the model was trained on."""
        return [prepare_drawing(drawing, self.points, self.several) for drawing in drawings]

    def batches(self, training: Sequence[Recording], words: Sequence[str]) -> StrokeBatches:
        """Training batches of prepared drawings, with labels of a vocabulary."""
        return StrokeBatches(
            training, words, self.batch_size, self.fit.seed, self.fit.steps_per_dispatch,
            variation=self.variation, several=self.several,
        )  # fmt: skip


@dataclasses.dataclass(frozen=True, kw_only=True)
class DigitsConfig(HandwritingConfig):
    """A digit, or another sign, in each drawing."""

    task: Literal["digits"] = "digits"
    model: WordClassifierConfig = CLASSIFIER


@dataclasses.dataclass(frozen=True, kw_only=True)
class StringsConfig(HandwritingConfig):
    """Several digits, or other signs, in each drawing."""

    task: Literal["strings"] = "strings"
    model: RecogniserConfig = RecogniserConfig(noise=0.0, masked_bands=0, masked_steps=0)


TASKS: dict[str, type[HandwritingConfig]] = {"digits": DigitsConfig, "strings": StringsConfig}
