"""What a trained model says of the remaining useful life of new engines."""

import io
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.common.prediction import STANDARD_INPUT, Input, Item, Predictor, Record, padded
from experiments.common.reading import say
from experiments.common.text import open_unpacked, read_file_text
from experiments.predictive_maintenance.data import SENSORS, SETTINGS, histories, read_engines, rows_of, with_rul
from experiments.predictive_maintenance.engines import Engine
from experiments.predictive_maintenance.model import RULPrediction, stretch_of
from experiments.predictive_maintenance.scores import final_scores
from experiments.predictive_maintenance.units import UnitColumns, UnitRows
from rnn_jax.data import DataError, read_lines
from rnn_jax.models.gaussian import WIDTH
from rnn_jax.train import Trained


class PredictiveMaintenancePredictor(Predictor):
    """The RUL of engines after the last row of each, with an interval of 90 %."""

    def __init__(
        self, trained: Trained, unit: str = "", time: str = "", sensors: str = "", settings: str = "", rul: str = ""
    ):
        """Names of columns are those of training where others are not given.

        Args:
            trained: the model.
            unit: the column of a table that names the unit.
            time: that of the time.
            sensors: the columns that are read, with commas between them, in the order of training.
            settings: those that make operating conditions.
            rul: that with the rows that are left after each row, in a table of labelled units.
        """
        super().__init__(trained)
        self.scaling, self.cap, self.stretch = trained.preprocessor, trained.config.engines.cap, stretch_of(trained)
        self.named = bool(self.scaling.names)
        known, asked = trained.config.engines.columns, UnitColumns.of(unit, time, sensors, settings, rul)
        if not self.named and any(asked):
            which = next(name for name, value in asked._asdict().items() if value)
            raise ValueError(f"{which}: the run has learned from files of 26 columns, without names; leave it out")
        if asked.sensors and len(asked.sensors) != len(self.scaling.names):
            expected = f"{len(self.scaling.names)} names, for {', '.join(self.scaling.names)}"
            raise ValueError(f"sensors={sensors!r}: expected {expected}")
        own = {name: value for name, value in asked._asdict().items() if value}
        self.columns = known._replace(**{"sensors": tuple(self.scaling.names)} | own)
        self.told: set[str] = set()

    @property
    def inputs(self) -> Mapping[str, Input]:
        """Standardised sensors, a step a row."""
        return {
            "sensors": Input(f"time, batch, {len(self.scaling.sensors)}", "float32"), "lengths": Input("batch", "int32")
        }  # fmt: skip

    def read(self, file: str, *, labelled: bool = False) -> Iterator[Item]:
        """The engines in a file of 26 columns, or in a table with named ones.

        In standard input an engine is over as the next one begins.
        """
        if labelled and file == STANDARD_INPUT:
            raise DataError("standard input: engines whose RUL is known come from a file")
        if labelled:
            yield from self._labelled(file)
            return
        if self.columns.rul:
            raise DataError(f"rul={self.columns.rul!r} is for evaluate --data; leave it out")
        if self.named:
            found = iter(UnitRows(file, self.columns))
        elif file == STANDARD_INPUT:
            lines = read_lines(open_unpacked(sys.stdin.buffer))
            found = histories(rows_of("standard input", lines), whole=False)
        else:
            found = histories(rows_of(file, io.StringIO(read_file_text(file).text)))
        for number, engine in found:
            yield Item(number, engine)

    def _labelled(self, file: str) -> Iterator[Item]:
        """Engines with their RUL: by a column, or by RUL_NAME.txt beside test_NAME.txt, as C-MAPSS has it."""
        path = Path(file)
        beside = path.with_name(f"RUL_{path.name.removeprefix('test_').partition('.')[0]}.txt")
        if self.columns.rul:
            for number, engine in UnitRows(file, self.columns):
                yield Item(number, engine, engine.final_rul if isinstance(engine, Engine) else None)
            return
        if not path.name.startswith("test_") or not beside.is_file():
            column = "; or a column with it, which --rul names" if self.named else ""
            raise DataError(f"{file}: the RUL after the last row of each engine is not known: expected {beside.name} "
                            f"beside test_NAME{path.suffix}, a line for each engine{column}")  # fmt: skip
        engines = [e for _, e in UnitRows(file, self.columns)] if self.named else read_engines(path)
        if bad := next((one for one in engines if isinstance(one, DataError)), None):
            raise bad
        for engine in with_rul([one for one in engines if isinstance(one, Engine)], path, beside):
            yield Item(str(engine.number), engine, engine.final_rul)

    def encode(self, values: Sequence[Engine]) -> dict[str, np.ndarray]:
        """Engines to standardised sensors; says which are far from all that was seen in training."""
        for note in self.scaling.far_sensors(values):
            if (sensor := note.partition(" is ")[0]) not in self.told:
                self.told.add(sensor)
                say(f"note: {note}")
        sensors, lengths = padded([self.scaling.features(engine) for engine in values])
        return {"sensors": sensors, "lengths": lengths}

    def program(self, sensors: jax.Array, lengths: jax.Array) -> dict[str, jax.Array]:
        """Mean and standard deviation of the RUL after each row, `[T, B]`, in rows."""
        mean, std = (x[..., 0] for x in self.trained.model(sensors, lengths))
        return {"mean": jnp.clip(self.cap * mean, 0, self.cap), "std": self.stretch * self.cap * std}

    def decode(self, values: Sequence[Engine], outputs: Mapping[str, np.ndarray]) -> list[Record]:
        """The RUL after the last row."""
        records = []
        for i, engine in enumerate(values):
            end = RULPrediction(*(outputs[name][len(engine) - 1, i] for name in ("mean", "std")))
            low, high = end.interval(self.cap)
            interval = {"low": float(low), "high": float(high)}
            record = {"rul": float(end.mean), "unit": "rows" if self.named else "cycles", "90 %": interval}
            record |= {"at the cap": bool(high >= self.cap), "rows": len(engine)}
            records.append(record | ({"time": engine.last} if self.named else {}))
        return records

    def measures(self, labels: Sequence[int], records: Sequence[Record]) -> dict[str, Any]:
        """RMSE, NASA score and coverage."""
        rows = [[record["rul"], record["90 %"]["low"], record["90 %"]["high"]] for record in records]
        mean, low, high = np.array(rows, np.float32).T
        return final_scores(np.array(labels, np.float32), mean, low, high, self.cap)

    @property
    def preprocessing(self) -> dict[str, Any]:
        """Which columns are read, and how they are scaled."""
        scaling, names = self.scaling, self.columns
        columns = {
            "unit": names.unit, "time": names.time, "settings": list(names.settings),
            "sensors": [scaling.names[s] for s in scaling.sensors],
        } if self.named else {
            "file": f"{2 + SETTINGS + SENSORS} columns apart by spaces: engine, cycle, {SETTINGS} settings, {SENSORS} "
                    "sensors; a row a cycle, from the first on",
            "sensors": [s + 1 for s in scaling.sensors], "settings": [1, 3], "numbered from": 1,
        }  # fmt: skip
        return {
            "columns": columns,
            "scaling": {
                "rule": "the condition of a row is its settings rounded to whole numbers, ties to even (none: 0); "
                        "x = (sensor - mean[condition]) / std[condition], float32; other conditions are refused",
                "conditions": scaling.conditions, "mean": scaling.mean, "std": scaling.std,
            },
            "padding": "rows after the last one of an engine are 0 and do not count; lengths says how many do",
            "outputs": {
                "mean": f"float32 [time, batch], rows that are left after each row, from 0 to {self.cap}",
                "std": f"float32 [time, batch], standard deviation; the interval of 90 % is mean ± {WIDTH} std, "
                       f"cut off at 0 and {self.cap}",
            },
            "cap": self.cap,
        }  # fmt: skip
