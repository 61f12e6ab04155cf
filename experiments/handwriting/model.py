"""The options of a model that reads handwriting: a model of speech, over the way of a pen in the place of sound."""

import dataclasses
from collections.abc import Callable, Sequence

from experiments.common.ink import as_features, prepare_drawing
from experiments.common.recogniser import Recogniser
from experiments.common.speech import SpeechModel, SpeechSettings
from experiments.common.speech_data import Recording
from experiments.handwriting.data import handwriting_data
from rnn_jax.checks import check_choice

TERMS = ("written", "read", "label")
"""What `score_speech` is to call the truth, the answer and a word."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class InkSettings(SpeechSettings):
    """Which strokes, and a model over them.

    Raises:
        ValueError: a value is out of range.
    """

    task: str = "digits"
    """digits (one sign in each drawing) or strings (several)."""
    data: str = ""
    """A file of your own drawings with their words, .json or .csv; PenDigits without."""
    downwards: bool = False
    """In your file y grows downwards, as on screens."""
    points: int = 8
    """Along each sign; PenDigits has eight, a file of your own may have more."""
    noise: float = 0.0
    masked_bands: int = 0
    masked_steps: int = 0

    def __post_init__(self):
        check_choice("task", self.task, ("digits", "strings"))
        if self.points < 2:
            raise ValueError(f"points={self.points}: expected at least 2")
        super().__post_init__()

    @property
    def frontend(self) -> None:
        """Features are made of strokes before they reach the model."""

    @property
    def several(self) -> bool:
        """Whether a drawing shows several signs."""
        return self.task == "strings"

    def parts(self) -> dict[str, list[Recording]]:
        """The prepared drawings for training, validation and test."""
        return handwriting_data(self.task, self.data, self.points, downwards=self.downwards)

    def prepared(self, drawings: Sequence[Recording]) -> list[Recording]:
        """Any drawings as those that the model was trained on."""
        return [prepare_drawing(drawing, self.points, self.several) for drawing in drawings]

    def reader(self, model: SpeechModel, signs: Sequence[str]) -> Callable[[Sequence[Recording]], list]:
        """From prepared drawings to the words that a model reads in them."""
        recogniser = Recogniser(model, signs)
        return lambda drawings: recogniser(as_features(drawings, self.several), beam=8)
