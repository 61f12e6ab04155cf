"""The options of a forecast, as fields of an experiment's Config: of which series, from how much, by which model."""

import dataclasses
from pathlib import Path

import jax
import jax.numpy as jnp
from flax import nnx

from experiments.forecasting.data import own_series, stocks, weather
from experiments.forecasting.model import Forecaster
from experiments.forecasting.outputs import OUTPUTS
from experiments.forecasting.panel import Panel
from experiments.forecasting.windows import Scaling, Windows
from rnn_jax.checks import check_choice, check_rate, check_size
from rnn_jax.models.classifier import POOLINGS
from rnn_jax.models.config import SequenceConfig, build_matched

DAILY = {"horizon": 1, "window": 22, "season": 0, "calendar": "", "means": "1,5,22"}
SUITED = {
    "weather": {
        "horizon": 24, "window": 24, "season": 24, "calendar": "day,year", "output": "quantile",
        "means": "1,2,3,4,6,9,12,16,20,24",
    },
    "stocks": DAILY | {"output": "variance"},
    "returns": DAILY | {"output": "gaussian"},
    "own": {
        "horizon": 24, "window": 48, "season": 1, "calendar": "day,week,year", "means": "1", "output": "quantile",
    },
}  # fmt: skip
"""What -1 and "suited" stand for in each task."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ForecastSettings(SequenceConfig):
    """What is forecast from what, and by which model; -1 and "suited" stand for what suits the task.

    Raises:
        ValueError: a value is out of range, or values do not fit together.
    """

    task: str = "weather"
    """weather, stocks (their variances), returns (of the same stocks), or own, a table of your own."""
    csv: str = ""
    """Your own table: a column of times, columns of numbers, a first line with their names; the task is then own."""
    target: str = ""
    """The column to forecast."""
    columns: str = ""
    """The other columns to forecast from, with commas between them; by default all that are left."""
    time: str = ""
    """The column with the times; by default the first one."""
    by: str = ""
    """The column that tells several series apart, if there are several."""
    fill_gaps: bool = True
    """Take moments that the times leave out as steps with missing values; without, each row is a step."""
    horizon: int = -1
    """Steps ahead."""
    window: int = -1
    """Steps that a forecast sees."""
    output: str = "suited"
    """point, quantile, gaussian or variance: what is said of each step."""
    decoding: str = "direct"
    """direct: all steps at once; recursive: one, which is then read as the next step of the window."""
    season: int = -1
    """Steps after which a series is much as it was, at most window; 1 for the last value, 0 for nothing."""
    calendar: str = "suited"
    """Of day, week and year, with commas: the cycles whose place is an input."""
    means: str = "suited"
    """With commas: of how many last steps a linear map reads the mean, past the layers; empty for no such map."""
    penalty: float = 30.0
    """Of the ridge regression at which that map begins."""
    pooling: str = "last"
    """What is taken of the layers: last, max, mean or attention over the steps."""
    input_dropout: float = 0.0
    """Rate on the features of a window."""
    bidirectional: bool = False
    """Read windows in both directions, with hidden_size features each."""

    def __post_init__(self):
        object.__setattr__(self, "task", "own" if self.csv else self.task)
        check_choice("task", self.task, tuple(SUITED))
        for name, value in SUITED[self.task].items():
            if getattr(self, name) in (-1, "suited"):
                object.__setattr__(self, name, value)
        check_choice("output", self.output, tuple(OUTPUTS))
        check_choice("decoding", self.decoding, ("direct", "recursive"))
        check_choice("pooling", self.pooling, POOLINGS)
        check_rate("input_dropout", self.input_dropout)
        for name in ("horizon", "window"):
            check_size(name, getattr(self, name))
        if self.penalty < 0:
            raise ValueError(f"penalty={self.penalty}: expected a number of at least 0")
        if not 0 <= self.season <= self.window:
            raise ValueError(f"season={self.season}: expected 0 to window={self.window}")
        if not all(name.isdigit() and 1 <= int(name) <= self.window for name in _names(self.means)):
            raise ValueError(f"means={self.means!r}: expected numbers from 1 to window={self.window}, with commas")
        if (self.task == "own") != bool(self.csv) or bool(self.csv) != bool(self.target):
            raise ValueError(f"csv={self.csv!r}, target={self.target!r}: a table of your own needs both")
        if self.task != "own" and (self.task == "stocks") != (self.output == "variance"):
            raise ValueError(f"task={self.task!r}, output={self.output!r}: stocks go with variance, and only they do")
        if self.output == "variance" and (self.season or self.decoding == "recursive"):
            raise ValueError("output='variance' is said of the next steps directly, with season=0")
        super().__post_init__()

    @property
    def summary(self) -> str:
        """The model in a few words."""
        return f"{super().summary}, {self.decoding}"

    @property
    def title(self) -> str:
        """The task and the model in a few words."""
        return f"{Path(self.csv).name or self.task}, {self.summary}"

    @property
    def monitor(self) -> str:
        """What the best update is chosen by on validation data: what the test is measured by, the last step's error."""
        return "validation_error" if self.output in ("point", "quantile") else "validation_loss"

    def panel(self, csv: str = "") -> Panel:
        """The series of the task, or of another table with the same columns."""
        if self.task == "own":
            options = {"time": self.time, "by": self.by, "fill": self.fill_gaps}
            return own_series(csv or self.csv, self.target, _names(self.columns), **options)
        if csv:
            raise ValueError(f"csv={csv!r}: a model of the task {self.task} reads no table; train one with --csv")
        return weather() if self.task == "weather" else stocks("variance" if self.task == "stocks" else "return")

    def windows(self, panel: Panel, scaling: Scaling) -> Windows:
        """The windows of a panel, as the model reads them."""
        cycles = _names(self.calendar)
        return Windows(panel, scaling, self.window, self.horizon, cycles, ahead=self.decoding == "recursive")

    def forecaster(self, features: int, key: jax.Array) -> Forecaster:
        """The model for windows of so many features, its initial values drawn with a typed key."""

        def build(settings: ForecastSettings) -> Forecaster:
            rngs = nnx.Rngs(params=key)
            return Forecaster(
                settings.layer(features, rngs),
                OUTPUTS[settings.output],
                settings.window,
                settings.horizon,
                recursive=settings.decoding == "recursive",
                season=settings.season,
                means=[int(steps) for steps in _names(settings.means)],
                pooling=settings.pooling,
                dropout_rate=settings.dropout,
                input_dropout=settings.input_dropout,
                dtype=jnp.dtype(settings.dtype),
                rngs=rngs,
            )

        return build_matched(self, build)


def _names(listed: str) -> list[str]:
    """What stands between commas."""
    return [name.strip() for name in listed.split(",") if name.strip()]
