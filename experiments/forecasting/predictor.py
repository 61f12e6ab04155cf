"""What a trained forecaster says of the series in new tables."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from experiments.cli import Flags
from experiments.common.prediction import Input, Item, Predictor, Record, power_of_two
from experiments.common.table_cells import TOLD, TableConfig
from experiments.forecasting.commands import windows_of, with_conformal
from experiments.forecasting.measures import forecast_measures
from experiments.forecasting.model import forecast_of
from experiments.forecasting.outputs import LEVELS, Forecast
from experiments.forecasting.paths import PATHS, Paths
from experiments.forecasting.rules import FEATURE_RULES, OUTPUT_RULES, feature_list
from experiments.forecasting.windows import Windows
from rnn_jax.data.download import DataError
from rnn_jax.train import Trained


class Ahead(NamedTuple):
    """What is asked for: a step after a window, or all of them."""

    windows: Windows
    series: int
    last: int
    """The last step of the window."""
    step: int | None = None
    """From 0; all steps where it is None."""


class ForecastPredictor(Predictor):
    """What comes after the end of each series of a table, step by step."""

    def __init__(self, trained: Trained, table: Flags[TableConfig] = TOLD):
        """See above.

        Args:
            trained: the model.
            table: how a table is written, where it is not written as the one that was learned from.
        """
        super().__init__(trained)
        self.table = table
        known, config = trained.run.read_json("panel.json"), trained.config
        self.layout = config.windows.layout(known, trained.preprocessor)
        self.steps = config.windows.window
        if config.model.recursive or self.layout.ahead or self.layout.words_ahead:
            self.steps += config.windows.horizon - 1

    @property
    def inputs(self) -> Mapping[str, Input]:
        """Features of windows, numbers of words, and the scale of counts and of paths."""
        found = {"inputs": Input(f"{self.steps}, batch, {self.layout.features}", "float32")}
        if self.layout.vocabularies:
            found["codes"] = Input(f"{self.steps}, batch, {len(self.layout.vocabularies)}", "int32")
        if self.trained.config.model.ancestral:
            found["scale"] = Input("batch", "float32")
        return found

    def read(self, file: str, *, labelled: bool = False) -> Iterator[Item]:
        """The steps after the end of each series of a table; labelled, all its windows with what came after them."""
        first = self.trained.config.windows.window
        windows = windows_of(self.trained, file, begin=first if labelled else None, table=self.table)
        panel, config = windows.panel, self.trained.config.windows
        if labelled:
            for series, name in enumerate(panel.series):
                if empty := [column for column, there in panel.there(series) if not there.any()]:
                    wrong = f"column {empty[0]!r} has no value in any of its rows: fill it in, or leave the series out"
                    yield Item(name or file, DataError(wrong))
            examples = windows.examples(0, len(panel.times))
            targets = windows.targets(examples, scaled=False)
            for (series, last), target in zip(examples.tolist(), targets, strict=True):
                yield Item(self._id(windows, series, last), Ahead(windows, series, last), target)
            return
        for series, last in enumerate(panel.last_steps.tolist()):
            if wrong := windows.why_not(series):
                yield Item(panel.series[series] or file, DataError(wrong))
                continue
            for step in range(config.horizon):
                yield Item(self._id(windows, series, last + 1 + step), Ahead(windows, series, last, step))

    @staticmethod
    def _id(windows: Windows, series: int, step: int) -> str:
        panel = windows.panel
        (when,) = panel.clock.tell(windows.moments[step : step + 1])
        return f"{panel.series[series]} {when}" if panel.series[series] else when

    def encode(self, values: Sequence[Ahead]) -> dict[str, np.ndarray]:
        """Windows to arrays, each window once; filled up to a power of two by more of them."""
        tables = _asked(values)
        parts = [one.read(examples) | {"scale": one.scale(examples)} for one, examples in tables]
        asked = sum(len(examples) for _, examples in tables)
        rows = np.resize(np.arange(asked), power_of_two(asked))
        axes = {name: 0 if name == "scale" else 1 for name in self.inputs}
        return {
            name: np.take(np.concatenate([part[name] for part in parts], axis=axis), rows, axis=axis)
            for name, axis in axes.items()
        }

    def program(self, inputs: jax.Array, codes: jax.Array | None = None, scale: jax.Array | None = None) -> jax.Array:
        """What the output is made of, `[B, H, K]`; of a model that draws paths, so many of them `[B, P, H]`.

        Each window has the same draws, so that its answer does not depend on those beside it.
        """
        model = self.trained.model
        if scale is None:
            return model(inputs, codes)

        def drawn(inputs: jax.Array, codes: jax.Array | None, scale: jax.Array) -> jax.Array:
            codes, key = None if codes is None else codes[:, None], jax.random.key(0)
            return model.sample(inputs[:, None], codes, scale=scale[None], paths=PATHS, key=key)[0]

        return jax.vmap(drawn, in_axes=(1, None if codes is None else 1, 0))(inputs, codes, scale)

    def decode(self, values: Sequence[Ahead], outputs: np.ndarray) -> list[Record]:
        """Points, with quantiles where there are some, in the unit of the table."""
        found, begin = {}, 0
        for windows, examples in _asked(values):
            forecast = self._forecast(windows, examples, outputs[begin : begin + len(examples)])
            found |= {(id(windows), *example): (i, *forecast) for i, example in enumerate(examples.tolist())}
            begin += len(examples)
        return [self._record(value, *found[_key(value)]) for value in values]

    def _forecast(
        self, windows: Windows, examples: np.ndarray, outputs: np.ndarray
    ) -> tuple[Forecast, Sequence[float]]:
        """The forecasts that outputs mean, with the conformal bands of the run, and the levels of their quantiles."""
        if self.trained.config.model.ancestral:
            scaling, series = windows.scaling, examples[:, 0]
            scaled = Paths(outputs.astype(np.float64)).forecast
            found = scaled.unscaled(scaling.target_shift[series], scaling.target_factor[series])
        else:
            found = forecast_of(self.trained.model.output, outputs, windows, examples)
        return with_conformal(self.trained, windows, examples, found)

    @staticmethod
    def _record(value: Ahead, row: int, forecast: Forecast, levels: Sequence[float]) -> Record:
        windows, step = value.windows, value.step
        panel, quantiles = windows.panel, forecast.quantiles
        which: Any = slice(None) if step is None else step
        record: Record = {"forecast": forecast.point[row, which]}
        record |= {"series": panel.series[value.series]} if panel.series[0] else {}
        if step is None:
            naive = float(windows.naive_errors[value.series])
            record["naive error"] = naive if math.isfinite(naive) else None
        else:
            (record["time"],) = panel.clock.tell(windows.moments[value.last + 1 + step : value.last + 2 + step])
            record["step"] = step + 1
        if quantiles is not None:
            record["quantiles"] = {f"{level:.0%}": quantiles[row, which, i] for i, level in enumerate(levels)}
        return record | {"unit": panel.unit}

    def measures(self, labels: Sequence[np.ndarray], records: Sequence[Record]) -> dict[str, Any]:
        """MAE, MASE, CRPS, pinball loss and coverage, over all and by step ahead."""
        point = np.stack([record["forecast"] for record in records])
        naive = np.array([record["naive error"] for record in records], float)  # None is NaN
        quantiles = None
        if "quantiles" in records[0]:
            quantiles = np.stack([np.stack(list(record["quantiles"].values()), axis=-1) for record in records])
        levels = [float(name.rstrip("%")) / 100 for name in records[0].get("quantiles", {})]
        return forecast_measures(Forecast(point, quantiles), np.stack(labels), naive, levels)

    @property
    def preprocessing(self) -> dict[str, Any]:
        """How the rows of tables become features, and what the outputs are."""
        config, known = self.trained.config, self.trained.run.read_json("panel.json")
        windows, output = config.windows, config.model.output
        paths = "float32 [batch, path, step]: values drawn; the forecast is their median, quantiles are theirs"
        plain = f"float32 [batch, step, number]: {OUTPUT_RULES[output]}"
        margins = {} if config.conformal == "none" else self.trained.run.read_json("conformal.json")
        return {
            "window": windows.window, "horizon": windows.horizon, "calendar": windows.calendar,
            "layout": self.layout._asdict(), **known, "levels": list(LEVELS),
            "features": feature_list(known, windows.across, self.trained.preprocessor.gaps, windows.calendar),
            "rules": {**FEATURE_RULES, "steps": f"{self.steps} of them are read. {FEATURE_RULES['steps']}"},
            "outputs": paths if config.model.ancestral else plain,
            "values": "outputs are in the scale of the target, relative to nothing else (what a season before was is "
                      "added by the program): forecast = output * target_factor[series] + target_shift[series]",
            "conformal": {"kind": config.conformal, **margins},
        }  # fmt: skip


def _key(value: Ahead) -> tuple[int, int, int]:
    return id(value.windows), value.series, value.last


def _asked(values: Sequence[Ahead]) -> list[tuple[Windows, np.ndarray]]:
    """The windows of values, each once, by their tables: int `[N, 2]`, series and last step."""
    tables = {id(value.windows): value.windows for value in values}
    keys = list(dict.fromkeys(map(_key, values)))
    return [(one, np.array([key[1:] for key in keys if key[0] == table])) for table, one in tables.items()]
