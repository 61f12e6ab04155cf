"""What three tasks of video have in common: their options, and what an experiment asks of each."""

import abc
import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import jax
import numpy as np

from rnn_jax.checks import check_choice, check_rate, check_size
from rnn_jax.models.classifier import POOLINGS
from rnn_jax.models.encoder_decoder_config import EncoderDecoderConfig
from rnn_jax.typing import Params


@dataclasses.dataclass(frozen=True, kw_only=True)
class VideoSettings(EncoderDecoderConfig):
    """A model of tracks, of frames, or of captions.

    Raises:
        ValueError: a value is out of range.
    """

    task: str = "libras"
    """libras (which sign a hand makes), frames (what the next frame is) or captions (what happens, in words)."""
    data: str = "libras"
    """Of the task libras: a .csv or .ts file of your own labelled tracks in its place."""
    pooling: str = "mean"
    """What a track is told by: last, max, mean or attention over its frames."""
    pooled_dropout: float = 0.5
    """Rate on the vector of a track."""
    variation: float = 1.0
    """How much sizes, slants and timings of tracks vary in training; 0 for not at all."""
    frame_cell: str = "conv_lstm"
    """Of the task frames: conv_lstm or conv_gru, or one that reads flat frames, such as lstm."""
    channels: int = 32
    """Channels of the states of conv_lstm and conv_gru; flat states have hidden_size features."""
    patch: int = 2
    """Rows and columns of the patches that frames are cut into."""
    kernel_size: int = 3
    """Of convolutions over patches."""
    frames: int = 16
    """Frames of a video of the task frames; the first half is given where the rest is imagined."""
    batch_size: int = 32
    """Videos in an update."""

    def __post_init__(self):
        check_choice("task", self.task, ("libras", "frames", "captions"))
        check_choice("pooling", self.pooling, POOLINGS)
        check_rate("pooled_dropout", self.pooled_dropout)
        for name in ("channels", "patch", "kernel_size", "batch_size"):
            check_size(name, getattr(self, name))
        if self.frames < 4:
            raise ValueError(f"frames={self.frames}: expected 4 at least, two of which show how something moves")
        if self.variation < 0:
            raise ValueError(f"variation={self.variation}: expected a number of at least 0")
        super().__post_init__()

    @property
    def summary(self) -> str:
        """The model in a few words."""
        if self.task != "frames":
            return super().summary
        size = self.channels if self.frame_cell.startswith("conv") else self.hidden_size
        return f"{self.frame_cell} {self.layers} x {size}"


class VideoTask(abc.ABC):
    """A task on its data.

    Args:
        settings: its options.
        seed: of batches, and of the split where the data have none.
        group: batches in a row that share a shape.
        hold_out: keep the validation part of tracks apart; videos of digits have one of their own.

    Attributes:
        facts: what a model has to know of its training part, for JSON.
        digests: name and SHA-256 of the data.
        axes: which axis of each array of a batch is the batch.
        monitor: the validation metric that the best update is chosen by.
        higher_is_better: of that metric.
    """

    axes: ClassVar[dict[str, int | None]]
    monitor: ClassVar[str] = "validation_loss"
    higher_is_better: ClassVar[bool] = False

    facts: dict[str, Any]
    digests: dict[str, str]

    @abc.abstractmethod
    def __init__(self, settings: VideoSettings, seed: int, group: int, hold_out: bool = True):
        self.settings = settings

    @staticmethod
    @abc.abstractmethod
    def build(settings: VideoSettings, facts: dict[str, Any], key: jax.Array) -> Any:
        """The model, its initial values by a typed key."""

    @abc.abstractmethod
    def batch(self, i: int) -> dict[str, np.ndarray]:
        """The training batch of update i."""

    @abc.abstractmethod
    def loss(self, model: Any, batch: dict[str, Any], key: jax.Array | None) -> tuple[jax.Array, jax.Array]:
        """Summed nats of a batch, and over how many things; a key means training."""

    @abc.abstractmethod
    def validator(self, rebuild: Callable[[Params], Any]) -> Callable[[Params], dict[str, float]]:
        """A function from parameters to validation metrics."""

    @abc.abstractmethod
    def test(self, model: Any, figures: Path) -> tuple[dict[str, Any], str]:
        """What a result says (metric, value, higher_is_better, baseline, scores), and examples; draws figures."""

    @staticmethod
    @abc.abstractmethod
    def watch(model: Any, facts: dict[str, Any], file: Path) -> Iterator[str]:
        """What a trained model says of a file of the user's, line by line."""
