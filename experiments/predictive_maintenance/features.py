"""What a model reads of engines: sensors standardised by the training engines, in batches of whole histories."""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments.predictive_maintenance.engines import Engine
from rnn_jax.data import BucketBatches, DataError, pad

BATCH_AXES: dict[str, int | None] = {"inputs": 1, "lengths": 0, "targets": 1}


@dataclasses.dataclass(frozen=True)
class SensorScaling:
    """How sensors become features: each standardised within its operating condition, constant ones left out.

    Attributes:
        conditions: altitude and throttle of each condition, or other settings, rounded to whole units, `[C][2]`.
        sensors: the numbers of those kept, from 0 on.
        mean: over the training rows of each condition, `[C][D]`.
        std: their standard deviation, 1 where it is 0.
        names: of all sensors; empty for C-MAPSS, whose sensors have numbers.
    """

    conditions: list[list[int]]
    sensors: list[int]
    mean: list[list[float]]
    std: list[list[float]]
    names: Sequence[str] = ()

    @classmethod
    def fit(cls, engines: Sequence[Engine], names: Sequence[str] = ()) -> "SensorScaling":
        """The scaling of training engines. A sensor is kept if it takes three values or more in some condition."""
        rows = np.concatenate([engine.condition for engine in engines])
        values = np.concatenate([engine.sensors for engine in engines])
        conditions, condition = np.unique(rows, axis=0, return_inverse=True)
        parts = [values[condition.reshape(-1) == i] for i in range(len(conditions))]
        kept = [s for s in range(values.shape[1]) if any(len(np.unique(part[:, s])) > 2 for part in parts)]
        if not kept:
            raise DataError(
                f"all {values.shape[1]} sensors of {len(engines)} engines are constant: nothing to learn from"
            )
        mean = [part[:, kept].mean(axis=0).tolist() for part in parts]
        deviations = [part[:, kept].std(axis=0) for part in parts]
        constant = [np.ptp(part[:, kept], axis=0) == 0 for part in parts]
        std = [np.where(flat, 1.0, d).tolist() for flat, d in zip(constant, deviations, strict=True)]
        return cls(conditions.tolist(), kept, mean, std, list(names))

    def features(self, engine: Engine) -> np.ndarray:
        """The sensors of an engine, standardised: float32 `[t, D]`.

        Raises:
            DataError: a row is of an operating condition that no training engine flew in.
        """
        same = (engine.condition[:, None] == np.array(self.conditions)).all(axis=-1)  # [t, C]
        if not (known := same.any(axis=1)).all():
            cycle = int(np.argmin(known))
            settings = ", ".join(f"{value:g}" for value in engine.settings[cycle])
            raise DataError(
                f"engine {engine.number}, cycle {cycle + 1}: settings {settings}, a condition that no training "
                f"engine flew in; known ones, in whole units: {', '.join(map(str, self.conditions))}"
            )
        mean, std = (np.array(values)[same.argmax(axis=1)] for values in (self.mean, self.std))
        return ((engine.sensors[:, self.sensors] - mean) / std).astype(np.float32)

    def far_sensors(self, engines: Sequence[Engine], deviations: float = 10.0) -> list[str]:
        """A note for each sensor that is far outside of what it was in training, as one with another unit is.

        Args:
            engines: that are to be predicted.
            deviations: how many standard deviations from the mean of training are far.

        Raises:
            DataError: see `features`.
        """
        notes, rows = [], [(engine, np.abs(self.features(engine))) for engine in engines]
        for place, sensor in enumerate(self.sensors):
            engine, far = max(((e, float(x[:, place].max())) for e, x in rows), key=lambda pair: pair[1])
            if far > deviations:
                notes.append(
                    f"{self.name_of(sensor)} is up to {far:.0f} standard deviations from its mean in training (engine "
                    f"{engine.number}): is it the same sensor, in the same unit?"
                )
        return notes

    def name_of(self, sensor: int) -> str:
        """What a sensor is called, of all that there are."""
        return f"sensor {self.names[sensor] if self.names else sensor + 1}"

    def to_json(self) -> dict[str, Any]:
        """As a run keeps it; `SensorScaling(**content)` reads it."""
        return dataclasses.asdict(self)


def engine_batch(
    engines: Sequence[Engine], scaling: SensorScaling, cap: int, length: int | None = None
) -> dict[str, np.ndarray]:
    """Whole histories: inputs float32 `[T, B, D]`, lengths int32 `[B]`, targets float32 `[T, B]` in parts of the cap.

    T is `length`, or that of the longest history.
    """
    inputs, lengths = pad([scaling.features(engine) for engine in engines], length)
    targets = [np.minimum(engine.rul, cap) / np.float32(cap) for engine in engines]
    return {"inputs": inputs, "lengths": lengths, "targets": pad(targets, length).values}


@dataclasses.dataclass(frozen=True, eq=False)
class EngineBatches:
    """Endless training batches of whole histories, batch i a pure function of (seed, i).

    Attributes:
        engines: run to failure.
        scaling: of their sensors.
        cap: the highest RUL, in cycles.
        batch_size: B.
        seed: non-negative.
    """

    engines: Sequence[Engine]
    scaling: SensorScaling
    cap: int
    batch_size: int
    seed: int

    @functools.cached_property
    def order(self) -> BucketBatches:
        """Which engines are in which batch."""
        return BucketBatches(np.array([len(engine) for engine in self.engines]), self.batch_size, self.seed)

    def batch(self, i: int) -> dict[str, np.ndarray]:
        """Batch i, an `engine_batch` as long as the longest of all histories."""
        chosen, length = self.order.examples(i)
        return engine_batch([self.engines[k] for k in chosen], self.scaling, self.cap, length)
