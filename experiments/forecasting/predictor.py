"""What a trained forecaster says of the series in new tables."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.common.prediction import Input, Item, Predictor, Record
from experiments.forecasting.commands import windows_of
from experiments.forecasting.measures import forecast_measures
from experiments.forecasting.outputs import LEVELS, Forecast
from experiments.forecasting.paths import PATHS, Paths
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

    def __init__(self, trained: Trained):
        super().__init__(trained)
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
        windows = windows_of(self.trained, file, begin=first if labelled else None)
        panel, config = windows.panel, self.trained.config.windows
        if labelled:
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
        asked = _asked(values)
        rows: dict[int, list[tuple[int, int]]] = {}
        for value in asked:
            rows.setdefault(id(value.windows), []).append((value.series, value.last))
        parts = []
        for value in {id(value.windows): value for value in asked}.values():
            windows, examples = value.windows, np.array(rows[id(value.windows)])
            parts.append(windows.read(examples) | {"scale": windows.scale(examples)})
        count = 1 << (len(asked) - 1).bit_length()
        arrays = {}
        for name in self.inputs:
            axis = 0 if name == "scale" else 1
            whole = np.concatenate([part[name] for part in parts], axis=axis)
            arrays[name] = np.take(whole, np.resize(np.arange(len(asked)), count), axis=axis)
        return arrays

    def program(self, inputs: jax.Array, codes: jax.Array | None = None, scale: jax.Array | None = None) -> jax.Array:
        """What the output is made of, `[B, H, K]`; of a model that draws paths, so many of them `[B, P, H]`.

        Each window has the same draws, so that its answer does not depend on those beside it.
        """
        model = self.trained.model
        if not self.trained.config.model.ancestral:
            return model(inputs, codes)
        key = jax.random.key(0)

        def drawn(inputs: jax.Array, codes: jax.Array | None, scale: jax.Array) -> jax.Array:
            codes = None if codes is None else codes[:, None]
            return model.sample(inputs[:, None], codes, scale=scale[None], paths=PATHS, key=key)[0]

        return jax.vmap(drawn, in_axes=(1, None if codes is None else 1, 0))(inputs, codes, scale)

    def decode(self, values: Sequence[Ahead], outputs: np.ndarray) -> list[Record]:
        """Points, with quantiles where there are some, in the unit of the table."""
        asked = _asked(values)
        place = {_key(value): i for i, value in enumerate(asked)}
        scaling = [value.windows.scaling for value in asked]
        shift = np.array([one.target_shift[value.series] for one, value in zip(scaling, asked, strict=True)])
        factor = np.array([one.target_factor[value.series] for one, value in zip(scaling, asked, strict=True)])
        forecast = self._scaled(outputs[: len(asked)], factor).unscaled(shift, factor)
        return [self._record(value, place[_key(value)], forecast) for value in values]

    def _scaled(self, outputs: np.ndarray, factor: np.ndarray) -> Forecast:
        if self.trained.config.model.ancestral:
            return Paths(outputs.astype(np.float64)).forecast
        output, raw = self.trained.model.output, jnp.asarray(outputs)
        quantiles = output.quantiles(raw, factor.astype(np.float32))
        point = np.asarray(output.point(raw), np.float64)
        return Forecast(point, None if quantiles is None else np.asarray(quantiles, np.float64))

    @staticmethod
    def _record(value: Ahead, row: int, forecast: Forecast) -> Record:
        windows, step = value.windows, value.step
        panel, quantiles = windows.panel, forecast.quantiles
        which: Any = slice(None) if step is None else step
        of = {"series": panel.series[value.series]} if panel.series[0] else {}
        record = {"forecast": forecast.point[row, which], **of}
        if step is None:
            record["naive error"] = windows.naive_errors[value.series]
        else:
            (record["time"],) = panel.clock.tell(windows.moments[value.last + 1 + step : value.last + 2 + step])
            record["step"] = step + 1
        if quantiles is not None:
            levels = [f"{level:.0%}" for level in LEVELS]
            record["quantiles"] = {name: quantiles[row, which, i] for i, name in enumerate(levels)}
        return record | {"unit": panel.unit}

    def measures(self, labels: Sequence[np.ndarray], records: Sequence[Record]) -> dict[str, Any]:
        """MAE, MASE, CRPS, pinball loss and coverage, over all and by step ahead."""
        point = np.stack([record["forecast"] for record in records])
        naive = np.array([record["naive error"] for record in records])
        quantiles = None
        if "quantiles" in records[0]:
            quantiles = np.stack([np.stack(list(record["quantiles"].values()), axis=-1) for record in records])
        return forecast_measures(Forecast(point, quantiles), np.stack(labels), naive)

    @property
    def preprocessing(self) -> dict[str, Any]:
        """How tables are scaled, and what the outputs are."""
        config, known = self.trained.config, self.trained.run.read_json("panel.json")
        paths = "float32 [batch, path, step], paths in the scale of the target"
        plain = f"float32 [batch, step, number], the numbers of the output {config.model.output!r}"
        return {
            "window": config.windows.window, "horizon": config.windows.horizon, "calendar": config.windows.calendar,
            "layout": self.layout._asdict(), **known, "levels": list(LEVELS),
            "outputs": paths if config.model.ancestral else plain,
        }  # fmt: skip


def _key(value: Ahead) -> tuple[int, int, int]:
    return id(value.windows), value.series, value.last


def _asked(values: Sequence[Ahead]) -> list[Ahead]:
    """The windows of values, each once, those of one table side by side."""
    found = {_key(value): value for value in values}
    tables = list(dict.fromkeys(id(value.windows) for value in values))
    return sorted(found.values(), key=lambda value: tables.index(id(value.windows)))
