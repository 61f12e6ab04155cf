"""The tasks: which series, read in which windows, forecast by which model; and a column of a table of your own."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from experiments.common.table_cells import TOLD, TableConfig, split_names
from experiments.forecasting.config import ForecastConfig, ForecasterConfig
from experiments.forecasting.covariates import Roles
from experiments.forecasting.data import own_series
from experiments.forecasting.panel import Panel
from experiments.forecasting.windows import WindowConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class WeatherConfig(ForecastConfig):
    """The temperature at New York's airports."""

    task: Literal["weather"] = "weather"


@dataclasses.dataclass(frozen=True, kw_only=True)
class BeijingConfig(ForecastConfig):
    """The temperature at Beijing."""

    task: Literal["beijing"] = "beijing"


@dataclasses.dataclass(frozen=True, kw_only=True)
class DustConfig(ForecastConfig):
    """Fine dust at Beijing."""

    task: Literal["dust"] = "dust"


LONGER = WindowConfig(window=96, calendar="day,week")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Etth1Config(ForecastConfig):
    """Load and oil temperature of a transformer."""

    task: Literal["etth1"] = "etth1"
    windows: WindowConfig = LONGER


@dataclasses.dataclass(frozen=True, kw_only=True)
class Etth2Config(ForecastConfig):
    """Load and oil temperature of another transformer."""

    task: Literal["etth2"] = "etth2"
    windows: WindowConfig = LONGER


DAYS = WindowConfig(horizon=1, window=22, season=0, calendar="")


@dataclasses.dataclass(frozen=True, kw_only=True)
class StocksConfig(ForecastConfig):
    """The variances of 20 stocks on the next day."""

    task: Literal["stocks"] = "stocks"
    windows: WindowConfig = DAYS
    model: ForecasterConfig = ForecasterConfig(output="variance", means="1,5,22")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReturnsConfig(ForecastConfig):
    """The returns of 20 stocks on the next day."""

    task: Literal["returns"] = "returns"
    windows: WindowConfig = DAYS
    model: ForecasterConfig = ForecasterConfig(output="gaussian", means="1,5,22")


@dataclasses.dataclass(frozen=True, kw_only=True)
class OwnConfig(ForecastConfig):
    """A column of a table.

    Raises:
        ValueError: no table or no column is named.
    """

    task: Literal["own"] = "own"
    csv: str = ""
    """Your own table: a column of times, columns of numbers, a first line with their names; the task is then own."""
    target: str = ""
    """The column to forecast."""
    columns: str = ""
    """The other columns to forecast from their past, with commas between them; by default all that are left."""
    known_future: str = ""
    """With commas: columns that are known ahead, such as prices or holidays; forecasts ask for their next values."""
    static: str = ""
    """With commas: columns that are the same at all times of a series, such as its kind; --by may be one of them."""
    categorical: str = ""
    """With commas: columns of words that look like numbers; those without any number are told by themselves."""
    by: str = ""
    """The column that tells several series apart, if there are several."""
    fill_gaps: bool = True
    """Take moments that the times leave out as steps with missing values; without, each row is a step."""
    table: TableConfig = TableConfig()
    windows: WindowConfig = WindowConfig(window=48, season=1, calendar="day,week,year", across=False)
    model: ForecasterConfig = ForecasterConfig(means="1")

    def __post_init__(self):
        if not (self.csv and self.target):
            raise ValueError(f"csv={self.csv!r}, target={self.target!r}: a table of your own needs both")
        if self.model.segment and self.known_future:
            raise ValueError(
                f"segment={self.model.segment}: what is known ahead, known_future={self.known_future!r}, is not read "
                "in segments: use segment=0"
            )
        super().__post_init__()

    @property
    def title(self) -> str:
        return f"{Path(self.csv).name}, {self.model.summary}"

    @property
    def many(self) -> bool:
        return bool(self.by)

    def panel(
        self, csv: str = "", words: Sequence[str] = (), columns: Sequence[str] = (), table: TableConfig = TOLD
    ) -> Panel:
        roles = Roles(
            split_names(self.known_future), split_names(self.static), [*split_names(self.categorical), *words]
        )
        return own_series(
            csv or self.csv, self.target, columns or split_names(self.columns), table.over(self.table), by=self.by,
            fill=self.fill_gaps, roles=roles, learned=bool(columns),
        )  # fmt: skip


TASKS: dict[str, type[ForecastConfig]] = {
    "weather": WeatherConfig,
    "stocks": StocksConfig,
    "returns": ReturnsConfig,
    "beijing": BeijingConfig,
    "dust": DustConfig,
    "etth1": Etth1Config,
    "etth2": Etth2Config,
    "own": OwnConfig,
}


def task_of(values: Mapping[str, Any]) -> Any:
    """Who names a table of their own has that task."""
    return "own" if values.get("csv") or values.get("target") else values.get("task")
