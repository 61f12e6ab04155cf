"""Which music, by which model."""

import dataclasses
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from experiments.music_generation.data import SETS, RollBatches
from experiments.music_generation.midi import PITCHES
from experiments.music_generation.model import PianoRollModel
from rnn_jax.checks import check_choice, check_number, check_rate, check_size
from rnn_jax.models import SequenceConfig, build_matched
from rnn_jax.train import FitConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class MusicConfig:
    """Which music, and in which batches.

    Raises:
        ValueError: a value is out of range.
    """

    data: str = "jsb"
    """jsb, nottingham, musedata or pianomidi, or a folder of your own MIDI files."""
    steps_per_beat: int = 2
    """Steps of a quarter note in your own files."""
    skip_unreadable: bool = False
    """Leave out MIDI files of your own that cannot be read, and list them."""
    transposition: int = 0
    """In training, pieces are shifted by up to so many semitones, up or down."""
    batch_size: int = 32
    """Pieces in an update."""
    longest: int = 400
    """Steps of a piece that an update reads at most."""
    buckets: int = 3
    """Lengths to pad to, at most."""

    def __post_init__(self):
        for name in ("steps_per_beat", "batch_size", "longest", "buckets"):
            check_size(name, getattr(self, name))
        if not 0 <= self.transposition < PITCHES:
            raise ValueError(f"transposition={self.transposition}: expected semitones from 0 to {PITCHES - 1}")

        if self.data in SETS and (self.steps_per_beat != 2 or self.skip_unreadable):
            raise ValueError(
                f"steps_per_beat={self.steps_per_beat}, skip_unreadable={self.skip_unreadable}: {self.data} has steps "
                "of its own; they are for a folder of your own MIDI files"
            )

    @property
    def beat(self) -> int:
        """Steps of a quarter note in this music."""
        return SETS[self.data].steps_per_beat if self.data in SETS else self.steps_per_beat

    def batches(self, rolls: Sequence[np.ndarray], fit: FitConfig) -> RollBatches:
        """Training batches of pieces; those of one dispatch have one shape."""
        return RollBatches(
            rolls, self.batch_size, fit.seed, self.longest, fit.steps_per_dispatch, self.buckets, self.transposition
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class PianoRollConfig(SequenceConfig):
    """The model of piano rolls, and what keeps it from learning them by heart.

    Raises:
        ValueError: a value is out of range, or the model would read backwards.
    """

    bidirectional: bool = False
    """Must stay off: what comes next is not to be read."""
    input_dropout: float = 0.0
    """Rate on the pitches that are read."""
    weight_noise: float = 0.05
    """Standard deviation of what is added to every parameter in each update."""
    output: str = "bernoulli"
    """bernoulli: pitches of a step are independent given the steps before; nade: jointly, from the lowest one up."""
    nade_size: int = 128
    """Hidden units of the output nade."""
    dropout: float = 0.5
    recurrent_dropout: float = 0.4

    def __post_init__(self):
        if self.bidirectional:
            raise ValueError("bidirectional=True: a model of what comes next reads forwards only; leave it off")
        check_choice("output", self.output, ("bernoulli", "nade"))
        check_size("nade_size", self.nade_size)
        check_rate("input_dropout", self.input_dropout)
        check_number("weight_noise", self.weight_noise, least=0)
        super().__post_init__()

    @property
    def summary(self) -> str:
        """The model in a few words."""
        return super().summary + f", NADE {self.nade_size}" * (self.output == "nade")

    def build(self, key: jax.Array) -> PianoRollModel:
        """The model, its initial values drawn with a typed key; a transformer is as large as the recurrent model."""

        def build(config: PianoRollConfig) -> PianoRollModel:
            rngs = nnx.Rngs(params=key)
            return PianoRollModel(
                config.layer(PITCHES, rngs), config.nade_size if config.output == "nade" else None,
                dropout_rate=config.dropout, input_dropout=config.input_dropout, dtype=jnp.dtype(config.dtype),
                rngs=rngs,
            )  # fmt: skip

        return build_matched(self, build)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Which music, by which model."""

    music: MusicConfig = MusicConfig()
    model: PianoRollConfig = PianoRollConfig()
    fit: FitConfig = FitConfig(averaging=0.98, steps=1500, evaluate_every=100)
