"""Which task of video, by which model: a config for each."""

import dataclasses
from typing import Literal

from rnn_jax.checks import check_choice, check_rate, check_size
from rnn_jax.models import EncoderDecoderConfig, SequenceConfig
from rnn_jax.models.classifier import POOLINGS
from rnn_jax.train import FitConfig, HoldOutConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrackClassifierConfig(SequenceConfig):
    """The model that tells which sign a track is.

    Raises:
        ValueError: a value is out of range.
    """

    pooling: str = "mean"
    """What a track is classified by: last, max, mean or attention over its frames."""
    pooled_dropout: float = 0.5
    """Rate on the vector of a track."""
    variation: float = 1.0
    """How much sizes, slants and timings of tracks vary in training; 0 for not at all."""
    hidden_size: int = 64
    dropout: float = 0.3

    def __post_init__(self):
        check_choice("pooling", self.pooling, POOLINGS)
        check_rate("pooled_dropout", self.pooled_dropout)
        if self.variation < 0:
            raise ValueError(f"variation={self.variation}: expected a number of at least 0")
        super().__post_init__()


@dataclasses.dataclass(frozen=True, kw_only=True)
class FrameModelConfig:
    """The model that expects the next frame.

    Raises:
        ValueError: a value is out of range.
    """

    frame_cell: str = "conv_lstm"
    """conv_lstm or conv_gru, or one that reads flat frames, such as lstm."""
    channels: int = 32
    """Channels of the states of conv_lstm and conv_gru."""
    hidden_size: int = 64
    """Features of flat states."""
    layers: int = 1
    """Recurrent layers, one above the other."""
    patch: int = 2
    """Rows and columns of the patches that frames are cut into."""
    kernel_size: int = 3
    """Of convolutions over patches."""

    def __post_init__(self):
        for name in ("channels", "hidden_size", "layers", "patch", "kernel_size"):
            check_size(name, getattr(self, name))

    @property
    def summary(self) -> str:
        """The model in a few words."""
        size = self.channels if self.frame_cell.startswith("conv") else self.hidden_size
        return f"{self.frame_cell} {self.layers} x {size}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class VideoConfig:
    """What the tasks have in common.

    Raises:
        ValueError: a value is out of range.
    """

    task: str
    """libras (which sign a hand makes), frames (what the next frame is) or captions (what happens, in words)."""
    batch_size: int = 32
    """Videos in an update."""
    model: SequenceConfig | FrameModelConfig
    fit: FitConfig = FitConfig(averaging=0.98)

    def __post_init__(self):
        check_size("batch_size", self.batch_size)


@dataclasses.dataclass(frozen=True, kw_only=True)
class LibrasConfig(VideoConfig):
    """Which sign a hand makes, by its track."""

    task: Literal["libras"] = "libras"
    data: str = "libras"
    """A .csv or .ts file of your own labelled tracks; libras for those of Brazilian sign language."""
    model: TrackClassifierConfig = TrackClassifierConfig()
    fit: HoldOutConfig = HoldOutConfig(averaging=0.98)


@dataclasses.dataclass(frozen=True, kw_only=True)
class FramesConfig(VideoConfig):
    """The next frame of two digits that bounce.

    Raises:
        ValueError: a value is out of range.
    """

    task: Literal["frames"] = "frames"
    frames: int = 16
    """Frames of a video; the first half is given where the rest is imagined."""
    model: FrameModelConfig = FrameModelConfig()

    def __post_init__(self):
        if self.frames < 4:
            raise ValueError(f"frames={self.frames}: expected 4 at least, two of which show how something moves")
        super().__post_init__()


@dataclasses.dataclass(frozen=True, kw_only=True)
class CaptionsConfig(VideoConfig):
    """What happens in a video, in words."""

    task: Literal["captions"] = "captions"
    model: EncoderDecoderConfig = EncoderDecoderConfig(hidden_size=64, embedding_size=64, dropout=0.3)


CONFIGS: dict[str, type[VideoConfig]] = {"libras": LibrasConfig, "frames": FramesConfig, "captions": CaptionsConfig}
