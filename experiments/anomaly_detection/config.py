"""Which series, by which networks, and when a row is an anomaly."""

import dataclasses
from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
from flax import nnx

from experiments.anomaly_detection.features import FEATURES
from experiments.common.stacked import stack_params
from experiments.common.table_cells import TableConfig
from experiments.common.upgrade import add_fields
from rnn_jax.checks import check_rate, check_size
from rnn_jax.models import RecurrentConfig
from rnn_jax.models.gaussian import GaussianModel
from rnn_jax.nnx import Recurrent, functional
from rnn_jax.train import FitConfig
from rnn_jax.train.fields import field_types
from rnn_jax.typing import Params


@dataclasses.dataclass(frozen=True, kw_only=True)
class SeriesConfig:
    """Which series."""

    csv: str = ""
    """A table of your own in place of the benchmark: a first line with names, then times and numbers."""
    column: str = ""
    """Of your table; by default all columns of numbers, each as a series."""
    by: str = ""
    """Of your table: the column that says which series a row belongs to; each has a network of its own."""
    table: TableConfig = TableConfig()

    def __post_init__(self):
        if self.by and not self.csv:
            raise ValueError(f"by={self.by!r} names a column of a table of your own: it needs --csv FILE")


@dataclasses.dataclass(frozen=True, kw_only=True)
class PredictorConfig(RecurrentConfig):
    """A network for each series, trained on its first rows alone.

    Raises:
        ValueError: a value is out of range.
    """

    ahead: int = 20
    """Rows between what a prediction knows and what it predicts: a change that lasts stays an error for so long."""
    learn: int = 0
    """Rows at the beginning of each series to learn from; 0: 15 % of it, at most 750, as the benchmark allows."""
    noise: float = 0.1
    """Standard deviation of what is added to inputs and values in training, in units of the series."""
    beta: float = 0.5
    """Of the loss, see `gaussian_nats`."""
    hidden_size: int = 16

    def __post_init__(self):
        check_size("ahead", self.ahead)
        check_rate("noise", self.noise)
        if self.learn < 0 or not 0 <= self.beta <= 1:
            raise ValueError(f"learn={self.learn}, beta={self.beta}: expected at least 0, and a number from 0 to 1")
        super().__post_init__()

    @property
    def summary(self) -> str:
        """The networks in a few words."""
        return f"{self.cell} {self.layers} x {self.hidden_size}, one for each series"

    def predictors(self, count: int, key: jax.Array) -> tuple[Params, Callable[[Params], GaussianModel]]:
        """The parameters of so many networks, stacked `[S, ...]`, and a function from those of one to its model."""

        def build(key: jax.Array) -> GaussianModel:
            rngs = nnx.Rngs(params=key)
            layer = Recurrent(self.stack(FEATURES), rngs=rngs)
            return GaussianModel(layer, dropout_rate=self.dropout, dtype=jnp.dtype(self.dtype), rngs=rngs)

        return stack_params(lambda model_key: functional(build(model_key)), key, count)


@dataclasses.dataclass(frozen=True, kw_only=True)
class AnomalyScoreConfig:
    """How high the anomaly score of a row is; the same for all series.

    Raises:
        ValueError: a value is out of range.
    """

    rule: Literal["records", "likelihood"] = "records"
    """What of errors makes a score: how far their means are outside of all before, or how unlikely a mean is."""
    beyond: float = 0.01
    """A value so far outside of the range of all before, as a part of it, has a score of 1, an alarm."""
    errors_beyond: float = 0.04
    """Of records: and so has a mean of errors so far outside of the range of all such means before."""
    short: int = 50
    """Of the likelihood: rows whose errors are averaged, their signs included."""
    decades: float = 3.7
    """Of the likelihood: a tail probability of 10 to the minus this gives a score of 1, too."""
    quiet: int = 100
    """A score has to be higher than each of so many rows before: an anomaly gives another alarm only as it grows."""

    def __post_init__(self):
        check_size("short", self.short)
        check_size("quiet", self.quiet)
        for name in ("decades", "beyond", "errors_beyond"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name}={getattr(self, name)!r}: expected a number above 0")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Which series, by which networks, and when a row is an anomaly."""

    series: SeriesConfig = SeriesConfig()
    model: PredictorConfig = PredictorConfig()
    score: AnomalyScoreConfig = AnomalyScoreConfig()
    fit: FitConfig = FitConfig(
        steps=100, warmup_steps=20, evaluate_every=10, learning_rate=1e-2, weight_decay=0.01, cpu_devices=1
    )


def upgrade(stored: dict[str, Any]) -> dict[str, Any]:
    """From what earlier versions stored: no table of one's own, and errors judged by how likely they are."""
    rule = stored.get("rule", "likelihood")
    added = add_fields(Config, *field_types(TableConfig), "by", "rule", "errors_beyond")(stored)
    return stored if added is stored else added | {"rule": rule}
