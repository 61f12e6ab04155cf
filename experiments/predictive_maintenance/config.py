"""Which engines, and by which model."""

import dataclasses
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
from flax import nnx

from experiments.common.ensemble import Ensemble, EnsembleConfig, mixture
from experiments.predictive_maintenance.units import UnitColumns
from rnn_jax.checks import check_rate, check_size
from rnn_jax.models import build_matched
from rnn_jax.models.gaussian import GaussianModel
from rnn_jax.train import HoldOutConfig

UNIT_FIELDS = ("unit", "time", "sensors", "settings")


@dataclasses.dataclass(frozen=True, kw_only=True)
class EngineConfig:
    """Which engines, and what is to be predicted of them.

    Raises:
        ValueError: a value is out of range.
    """

    data: str = ""
    """A folder of your own with train_SUBSET.txt, test_SUBSET.txt and RUL_SUBSET.txt, or with .csv for the first two;
    or one table .csv of units that ran to their failure."""
    subset: str = "FD001"
    """Which of them: FD001, FD002, FD003, FD004, or what your own are called."""
    unit: str = ""
    """The column of a .csv that names the unit; usual names are known."""
    time: str = ""
    """That of the time, numbers or dates; usual names are known."""
    sensors: str = ""
    """With commas between them: the columns that are read; by default all others."""
    settings: str = ""
    """With commas: columns that make operating conditions, in whole units, within which sensors are scaled."""
    batch_size: int = 40
    """Engines in an update."""
    cap: int = 125
    """Cycles: a higher RUL counts as this one, for a healthy engine does not show how long it will live."""

    def __post_init__(self):
        check_size("cap", self.cap)
        check_size("batch_size", self.batch_size)
        for name in UNIT_FIELDS:
            if (value := getattr(self, name)) and not self.data:
                raise ValueError(f"{name}={value!r} names a column of a table .csv: it needs --data with such a table")

    @property
    def columns(self) -> UnitColumns:
        """Of tables with named columns."""
        return UnitColumns.of(self.unit, self.time, self.sensors, self.settings, "")

    @property
    def title(self) -> str:
        """What the engines are called."""
        return Path(self.data).name if Path(self.data).is_file() else f"C-MAPSS {self.subset}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class RULConfig(EnsembleConfig):
    """A model that reads the cycles of an engine forwards and predicts the RUL after each one.

    Raises:
        ValueError: a value is out of range.
    """

    noise: float = 0.2
    """Standard deviation of what is added to the standardised sensors in training."""
    beta: float = 0.5
    """Of the loss, see `gaussian_nats`: from 0, the likelihood, to 1, where the mean is fitted by squared errors."""
    bidirectional: bool = False
    """Always false: read backwards, a history says how long it goes on."""
    hidden_size: int = 64
    dropout: float = 0.2

    def __post_init__(self):
        check_rate("noise", self.noise)
        if not 0 <= self.beta <= 1:
            raise ValueError(f"beta={self.beta!r}: expected a number from 0 to 1")
        if self.bidirectional:
            raise ValueError("bidirectional=True would let the model see how long an engine lives: leave it out")
        super().__post_init__()

    def build(self, features: int, key: jax.Array) -> GaussianModel | Ensemble:
        """The model of so many sensors, its initial values drawn with a typed key."""

        def build_one(config: RULConfig, key: jax.Array) -> GaussianModel:
            rngs = nnx.Rngs(params=key)
            layer = config.layer(features, rngs)
            return GaussianModel(layer, dropout_rate=config.dropout, dtype=jnp.dtype(config.dtype), rngs=rngs)

        return build_matched(self, lambda config: config.ensemble(partial(build_one, config), key, mixture))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Which engines, and by which model."""

    engines: EngineConfig = EngineConfig()
    model: RULConfig = RULConfig()
    fit: HoldOutConfig = HoldOutConfig(
        steps=400, warmup_steps=50, evaluate_every=50, learning_rate=5e-3, weight_decay=0.3
    )
