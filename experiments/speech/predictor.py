"""What a trained recogniser hears in new recordings."""

import dataclasses
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from experiments.common.file_items import read_files
from experiments.common.named_rows import read_named_rows
from experiments.common.prediction import STANDARD_INPUT, Item, padded
from experiments.common.reading import say
from experiments.common.recognising import RecogniserPredictor
from experiments.common.series import series_items
from experiments.common.sound import SUFFIXES, read_sound
from experiments.common.text import open_unpacked, read_file_text
from rnn_jax.data import DataError, read_lines
from rnn_jax.data.features import LogMel
from rnn_jax.train import Trained


class SpeechPredictor(RecogniserPredictor):
    """Words in files of sound, or labels of series."""

    def __init__(self, trained: Trained, beam: int | None = None, channel: int | None = None):
        """See above.

        Args:
            trained: the model.
            beam: of the search in a model of several words, 8 if not given; 0 is greedy.
            channel: which of several is read, from 1 on; as in training if not given.
        """
        super().__init__(trained, beam)
        self.front: LogMel | None = trained.config.frontend
        if self.front is None and channel is not None:
            raise ValueError(f"channel={channel}: the run knows series, not sound; leave it out")
        self.channel = getattr(trained.config, "channel", None) if channel is None else channel
        self.extract = jax.jit(self.front) if self.front else None
        self.reads_folders = self.front is not None  # series lie in tables

    def read(self, file: str, *, labelled: bool = False) -> Iterator[Item]:
        """Files of sound, with labels.csv where their words are known; series in a file .ts."""
        if self.front is None:
            yield from self._series(file, labelled)
        elif labelled:
            yield from self._labelled(file)
        else:
            yield from read_files(file, SUFFIXES, self._sound, what="files of sound")

    def _sound(self, path: Path) -> np.ndarray:
        assert self.front
        return read_sound(
            path, self.front.rate, shortest=self.front.step_samples, channel=self.channel,
            note=lambda words, name: say(f"note: {name}: {words}"),
        )  # fmt: skip

    def _labelled(self, file: str) -> Iterator[Item]:
        """The recordings of labels.csv in a folder, or of another such table."""
        table = Path(file) / "labels.csv" if Path(file).is_dir() else Path(file)
        if table.suffix.lower() != ".csv":
            raise DataError(f"{file}: recordings with their words come from a folder with labels.csv, or such a table")
        _, rows = read_named_rows(table, ("file", "words"), (), "the columns file and words")
        for number, row in rows:
            try:
                words = self.known(row["words"].split())
                yield Item(row["file"], self._sound(table.parent / row["file"]), words)
            except DataError as error:
                yield Item(row["file"], DataError(f"{table.name}, line {number}: {error}"))

    def _series(self, file: str, labelled: bool) -> Iterator[Item]:
        if file == STANDARD_INPUT:
            lines = read_lines(open_unpacked(sys.stdin.buffer))
        else:
            lines = iter(read_file_text(file).text.splitlines())
        for number, value, label in series_items(lines, file, labelled=labelled):
            try:
                if isinstance(value, DataError):
                    raise value
                words = self.known([label]) if labelled else ()
                yield Item(number, value, words)
            except DataError as error:
                yield Item(number, error)

    def encode(self, values: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        """Samples to log-mel features; series as they are."""
        size = len(self.trained.preprocessor.mean)
        if self.front is None and (wrong := next((v for v in values if v.shape[1] != size), None)) is not None:
            raise ValueError(f"the series has {wrong.shape[1]} channels: the model was trained on {size}")
        arrays, lengths = padded(values)
        if self.front is None or self.extract is None:
            return {"features": arrays, "lengths": lengths}
        return {
            "features": np.asarray(self.extract(arrays)),
            "lengths": np.asarray(self.front.steps(lengths), np.int32),
        }

    @property
    def preprocessing(self) -> dict[str, Any]:
        """How samples become features."""
        if self.front is None:
            return {"series": "float32, a step a row; steps after the last one do not count", **super().preprocessing}
        front = dataclasses.asdict(self.front)
        return {
            "sound": {
                "samples": "one channel, from -1 to 1, at `rate` Hz; of several channels the mean, or that numbered "
                           "`channel` from 1",
                "channel": self.channel,
                "frames": "frame t has the samples from t * hop to t * hop + window; each is weighted by w(n) = 0.5 - "
                          "0.5 cos(2 pi n / window), then transformed (real FFT, filled with zeros to the next power "
                          "of two); power is |.|^2 / sum(w^2)",
                "filters": "the `bands` + 2 corners c[0], c[1], ... are equally spaced in 2595 log10(1 + f / 700), "
                           "from `lowest` Hz to rate / 2; the weight of the frequency f in band k, from 0 on, is "
                           "max(0, min((f - c[k]) / (c[k+1] - c[k]), (c[k+2] - f) / (c[k+2] - c[k+1])))",
                "logarithm": "a feature is ln(floor + sum over f of weight * power), natural",
                "steps": "`stack` frames one after the other make one step, the first frame's bands first; frames "
                         "and samples that are left over are dropped; lengths counts steps",
                **front,
            },
            **super().preprocessing,
        }  # fmt: skip
