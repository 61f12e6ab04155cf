"""What a small network says of sequences of the adding problem."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from experiments.common.prediction import STANDARD_INPUT, Input, Item, Predictor, Record, padded
from experiments.common.series import series_items
from experiments.common.text import open_unpacked, read_file_text
from rnn_jax.data import DataError, read_lines


class GradientFlowPredictor(Predictor):
    """The sum of the two marked numbers of sequences; what it really is, each sequence says itself."""

    @property
    def inputs(self) -> Mapping[str, Input]:
        """Numbers and their marks, a step each."""
        return {"inputs": Input("time, batch, 2", "float32"), "lengths": Input("batch", "int32")}

    def read(self, file: str, *, labelled: bool = False) -> Iterator[Item]:
        """The sequences in a file .ts, without labels: a channel of numbers, and one of marks, 0 or 1."""
        if file == STANDARD_INPUT:
            lines = read_lines(open_unpacked(sys.stdin.buffer))
        else:
            lines = iter(read_file_text(file).text.splitlines())
        for number, value, _ in series_items(lines, file, labelled=False):
            if not isinstance(value, DataError):
                if value.shape[1] != 2:
                    value = DataError(f"{value.shape[1]} channels: expected 2, numbers and their marks")
                elif not np.isin(value[:, 1], (0, 1)).all():
                    value = DataError("the second channel has other numbers than 0 and 1, which mark those to be added")
            yield Item(number, value, None if isinstance(value, DataError) else marked_sum(value))

    def encode(self, values: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        """Sequences side by side."""
        inputs, lengths = padded(values)
        return {"inputs": inputs, "lengths": lengths}

    def program(self, inputs: jax.Array, lengths: jax.Array) -> jax.Array:
        """Sequences `[T, B, 2]` to sums `[B]`."""
        return self.trained.model(inputs, lengths)[:, 0]

    def decode(self, values: Sequence[np.ndarray], outputs: np.ndarray) -> list[Record]:
        """The sum that is predicted, and the true one."""
        return [
            {"sum": float(output), "true sum": marked_sum(value)}
            for value, output in zip(values, outputs, strict=False)
        ]

    def measures(self, labels: Sequence[float], records: Sequence[Record]) -> dict[str, Any]:
        """The mean squared error, and that of always 1."""
        sums, true = np.array([record["sum"] for record in records]), np.array(labels)
        return {"squared error": float(((sums - true) ** 2).mean()), "always 1": float(((1 - true) ** 2).mean())}

    @property
    def preprocessing(self) -> dict[str, Any]:
        """What sequences are."""
        return {
            "sequences": "two channels: a number from 0 to 1, and 1 where it is to be added, else 0; two are marked in "
            "training. Steps after the end do not count",
            "outputs": "float32 [batch]: the sum of the marked numbers",
        }


def marked_sum(sequence: np.ndarray) -> float:
    """The sum of the marked numbers of a sequence `[T, 2]`."""
    return float((sequence[:, 0] * sequence[:, 1]).sum(dtype=np.float64))
