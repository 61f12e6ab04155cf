"""Which task of video, by which model: a config for each."""

import dataclasses
from typing import Any, Literal

from experiments.common.upgrade import add_fields, drop_other_tasks
from rnn_jax.cells import make_cell
from rnn_jax.checks import check_choice, check_number, check_rate, check_size
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
        check_number("variation", self.variation, least=0)
        super().__post_init__()


SPATIAL: dict[str, int] = {"channels": 32, "patch": 2, "kernel_size": 3}
FLAT: dict[str, int] = {"hidden_size": 64}
"""What only a model of images as states has, and what only one of flat states has, with defaults."""


def own_and_others(frame_cell: str) -> tuple[dict[str, int], dict[str, int]]:
    """Of `SPATIAL` and `FLAT`, what a model of such cells has, and what it has no use for."""
    return (SPATIAL, FLAT) if len(make_cell(frame_cell, 1, 1).input_shape) > 1 else (FLAT, SPATIAL)


@dataclasses.dataclass(frozen=True, kw_only=True)
class FrameModelConfig:
    """The model that expects the next frame.

    Raises:
        ValueError: a value is out of range, or one that this cell has no use for.
    """

    frame_cell: str = "conv_lstm"
    """conv_lstm or conv_gru, or one that reads flat frames, such as lstm."""
    channels: int | None = None
    """Channels of the states of conv_lstm and conv_gru, 32 if not given."""
    patch: int | None = None
    """Rows and columns of the patches that conv_lstm and conv_gru cut frames into, 2 if not given."""
    kernel_size: int | None = None
    """Of the convolutions over patches, 3 if not given."""
    hidden_size: int | None = None
    """Features of flat states, 64 if not given."""
    layers: int = 1
    """Recurrent layers, one above the other."""

    def __post_init__(self):
        own, others = own_and_others(self.frame_cell)
        for name in others:
            if getattr(self, name) is not None:
                kind = "images as states" if own is SPATIAL else "flat states"
                raise ValueError(
                    f"{name}={getattr(self, name)}: {self.frame_cell} has {kind}, set by {', '.join(own)}; leave it out"
                )
        for name, size in (self.sizes | {"layers": self.layers}).items():
            check_size(name, size)

    @property
    def sizes(self) -> dict[str, int]:
        """Of the fields that are None by default those that the cell has, with their values."""
        own, _ = own_and_others(self.frame_cell)
        return {name: default if (size := getattr(self, name)) is None else size for name, default in own.items()}

    @property
    def summary(self) -> str:
        """The model in a few words."""
        width = self.sizes.get("channels") or self.sizes["hidden_size"]
        return f"{self.frame_cell} {self.layers} x {width}"


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
    films: str = ""
    """A folder of films of your own: FOLDER/LABEL/FILE, or captions.csv with the columns file and caption."""
    longest: int = 64
    """Frames that are read of a film of your own at most, at equal distances."""
    reader: Literal["fine", "coarse"] = "fine"
    """What reads frames: fine (four convolutions, pooled once) or coarse (three, pooled twice)."""
    look_every: int = 4
    """A fine reader looks at one of so many frames to tell what it shows, and at each to tell where."""
    model: EncoderDecoderConfig = EncoderDecoderConfig(hidden_size=64, embedding_size=64, dropout=0.3)

    def __post_init__(self):
        check_size("longest", self.longest)
        check_size("look_every", self.look_every)
        super().__post_init__()


CONFIGS: dict[str, type[VideoConfig]] = {"libras": LibrasConfig, "frames": FramesConfig, "captions": CaptionsConfig}


def upgrade(stored: dict[str, Any]) -> dict[str, Any]:
    """From what earlier versions stored: all tasks' fields, no films, sizes of both kinds of models of frames.

    Runs of captions of before there was a choice have the coarse reader, which looks at every frame.
    """
    if stored.get("task") == "captions":
        before = {"reader": "coarse", "look_every": 1}
        added = add_fields(CaptionsConfig, "films", "longest", *before)(stored)
        stored = stored if added is stored else added | {n: v for n, v in before.items() if n not in stored}
    stored = drop_other_tasks(CONFIGS)(stored)
    if {"frame_cell", *SPATIAL, *FLAT} <= stored.keys() and isinstance(stored["frame_cell"], str):
        own, others = own_and_others(stored["frame_cell"])
        if all(stored[name] is not None for name in others):
            stored = stored | dict.fromkeys(others) | {n: None for n, size in own.items() if stored[n] == size}
    return stored
