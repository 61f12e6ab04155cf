"""What a trained model of video says of new tracks and films."""

import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.common.class_predictor import ClassPredictor
from experiments.common.file_items import read_files
from experiments.common.measures import transcription_measures
from experiments.common.prediction import (
    STANDARD_INPUT,
    Input,
    Item,
    Predictor,
    Record,
    padded,
)
from experiments.common.reading import say
from experiments.common.series import series_items
from experiments.common.text import read_file_text
from experiments.video.captions import read_captions, thinned
from experiments.video.data import FILMS, SIZE, read_film
from experiments.video.tracks import track_items
from rnn_jax.data import BEGIN, END, PAD, DataError, Words
from rnn_jax.models import make_generate
from rnn_jax.train import Trained

FILM = (
    "frames in grey, (299 red + 587 green + 114 blue) / 1000, each resized to the rows and columns of the program by "
    "the mean over the area of each pixel (Pillow's BOX), and divided by 255"
)
END_OF_FILM = "frames after the end are 0"


def video_predictor(trained: Trained) -> Predictor:
    """What answers inputs of the task of a run."""
    return {"libras": SignPredictor, "frames": FramePredictor, "captions": CaptionPredictor}[trained.config.task](
        trained
    )


class SignPredictor(ClassPredictor):
    """Class and probabilities of tracks."""

    def __init__(self, trained: Trained):
        super().__init__(trained)
        self.facts = trained.preprocessor
        self.classes: list[str] = self.facts["classes"]
        self.dims = len(self.facts["scale"][0])

    @property
    def inputs(self) -> Mapping[str, Input]:
        """Coordinates, a step a frame."""
        return {"tracks": Input(f"time, batch, {self.dims}", "float32"), "lengths": Input("batch", "int32")}

    def read(self, file: str, *, labelled: bool = False) -> Iterator[Item]:
        """The tracks of a table, see `track_items`, or of a file .ts."""
        if Path(file).suffix.lower() == ".ts":
            numbered = series_items(read_file_text(file).text.splitlines(), file, labelled=labelled)
            found = ((str(i), value, label) for i, (_, value, label) in enumerate(numbered, 1))
        else:
            text = sys.stdin.buffer.read().decode() if file == STANDARD_INPUT else None
            found, notes = track_items(file, labelled, self.facts.get("columns", ()), text)
            say(notes)
        for name, value, label in found:
            if labelled and not isinstance(value, Exception) and label not in self.classes:
                value = DataError(f"label {label!r} is none of the model's classes, {', '.join(self.classes)}")
            yield Item(name, value, label)

    def encode(self, values: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        """Tracks side by side."""
        if wrong := [track.shape[1] for track in values if track.shape[1] != self.dims]:
            raise ValueError(f"the track has {wrong[0]} coordinates: the model was trained on {self.dims}")
        tracks, lengths = padded(values)
        return {"tracks": tracks, "lengths": lengths}

    def program(self, tracks: jax.Array, lengths: jax.Array) -> jax.Array:
        """Tracks `[T, B, D]` to probabilities `[B, C]`."""
        return jax.nn.softmax(self.trained.model(tracks, lengths))

    @property
    def preprocessing(self) -> dict[str, Any]:
        """Which coordinates in which order, and the classes."""
        return {
            "coordinates": self.facts.get("columns", []),
            "tracks": "a row a frame, in the order of time, in units of training; those after the end do not count",
            "outputs": "float32 [batch, class], probabilities",
            "classes": self.classes,
        }


class FilmPredictor(Predictor):
    """What models of films have in common."""

    reads_folders = True

    batch_size = 16

    def film(self, path: Path) -> np.ndarray:
        """The frames of a film, float32 `[T, 24, 24]`."""
        return read_film(path, SIZE)

    def read(self, file: str, *, labelled: bool = False) -> Iterator[Item]:
        """Films in files, in folders, or named by standard input."""
        yield from read_files(file, FILMS, self.film, what="films")


class FramePredictor(FilmPredictor):
    """How well each frame of a film follows from those before it; `watch` goes on where the film ends."""

    @property
    def inputs(self) -> Mapping[str, Input]:
        """Frames from 0 to 1."""
        return {"frames": Input(f"time, batch, {SIZE}, {SIZE}", "float32")}

    def encode(self, values: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        """Films side by side."""
        if short := [film for film in values if len(film) < 3]:
            raise ValueError(f"the film has {len(short[0])} frames: expected 3 at least, two of which show a movement")
        return {"frames": padded(values)[0]}

    def program(self, frames: jax.Array) -> jax.Array:
        """For each frame `[T, B, S, S]` the probability of each pixel of the one after it to be bright."""
        return jax.nn.sigmoid(self.trained.model(frames))

    def decode(self, values: Sequence[np.ndarray], outputs: np.ndarray) -> list[Record]:
        """Mean errors of the frames from the third on, each expected from all before it."""
        records = []
        for i, film in enumerate(values):
            expected, came = outputs[1 : len(film) - 1, i].astype(np.float64), film[2:].astype(np.float64)
            clipped = expected.clip(1e-7, 1 - 1e-7)
            nats = -(came * np.log(clipped) + (1 - came) * np.log1p(-clipped))
            records.append(
                {
                    "squared error/frame": float(((expected - came) ** 2).sum(axis=(1, 2)).mean()),
                    "nats/frame": float(nats.sum(axis=(1, 2)).mean()),
                    "frames": len(film),
                }
            )
        return records

    def measures(self, labels: Sequence[None], records: Sequence[Record]) -> dict[str, Any]:
        """The mean over frames of all films; a film needs no label."""
        counts = np.array([record["frames"] - 2 for record in records])
        return {
            name: float(np.average([record[name] for record in records], weights=counts))
            for name in ("squared error/frame", "nats/frame")
        }

    @property
    def preprocessing(self) -> dict[str, Any]:
        """How films become frames."""
        return {
            "film": f"{FILM}; {END_OF_FILM}, and change nothing of what is expected before",
            "outputs": f"float32 [time, batch, {SIZE}, {SIZE}]: the next frame after each, its pixels from 0 to 1",
        }


class CaptionPredictor(FilmPredictor):
    """What happens in a film, in words."""

    def __init__(self, trained: Trained):
        super().__init__(trained)
        self.words = Words.from_json(trained.preprocessor["words"])
        self.generate = make_generate(trained.rebuild, beams=1, rows=8)

    @property
    def inputs(self) -> Mapping[str, Input]:
        """Frames from 0 to 1, and words written so far."""
        return {
            "source": Input(f"time, batch, {SIZE}, {SIZE}", "float32"), "source_lengths": Input("batch", "int32"),
            "inputs": Input("words, batch", "int32"),
        }  # fmt: skip

    def film(self, path: Path) -> np.ndarray:
        return thinned(super().film(path), self.trained.config.longest)

    def read(self, file: str, *, labelled: bool = False) -> Iterator[Item]:
        """Films; labelled ones as `read_captions` has them."""
        if not labelled:
            yield from super().read(file)
            return
        for name, path, caption in read_captions(file):
            try:
                yield Item(name, self.film(path), caption)
            except DataError as error:
                yield Item(name, error)

    def encode(self, values: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        """Films side by side, and the words that the model writes for each, the likeliest one after the other."""
        written = self.generate(self.trained.params, values)
        source, lengths = padded(values)
        tokens = padded([np.array([BEGIN, *tokens], np.int32) for tokens in written])[0]
        return {"source": source, "source_lengths": lengths, "inputs": tokens}

    def program(self, source: jax.Array, source_lengths: jax.Array, inputs: jax.Array) -> dict[str, jax.Array]:
        """The logarithms of the probabilities of each next word `[T, B, V]`, given the film and the words before it."""
        logits = self.trained.model(source, source_lengths, inputs)
        return {"log_probabilities": jax.nn.log_softmax(logits), "inputs": jnp.asarray(inputs)}

    def decode(self, values: Sequence[np.ndarray], outputs: Mapping[str, np.ndarray]) -> list[Record]:
        """What was written, and how likely that is."""
        records = []
        for i in range(len(values)):
            tokens = outputs["inputs"][1:, i]
            tokens = tokens[: int((tokens != PAD).sum())]
            scores = outputs["log_probabilities"][:, i].astype(np.float64)
            ended = scores[len(tokens), END] if len(tokens) < len(scores) else 0.0
            nats = float(scores[np.arange(len(tokens)), tokens].sum() + ended)
            records.append({"caption": self.words.decode(tokens), "probability": math.exp(min(nats, 0.0))})
        return records

    def measures(self, labels: Sequence[str], records: Sequence[Record]) -> dict[str, Any]:
        """How many captions are right, word for word, and the error rates."""
        targets = [self.words.decode(self.words.encode(label)).split() for label in labels]
        scores = transcription_measures(targets, [record["caption"].split() for record in records])
        return {"exact captions %": scores.pop("all right %"), **scores}

    @property
    def preprocessing(self) -> dict[str, Any]:
        """How films become frames, and numbers words."""
        return {
            "film": f"{FILM}; of more than {self.trained.config.longest} frames so many at equal distances, the first "
                    f"and the last among them; {END_OF_FILM}, and source_lengths says how many there are",
            "inputs are": f"{BEGIN} and then the words that were written so far; 0 after them. Begin with {BEGIN} "
                          f"alone; add the likeliest word of the last step, never 0, 1 or {BEGIN}, until it is {END}",
            "outputs": {"log_probabilities": "float32 [words, batch, word]", "inputs": "as given"},
            "words": self.words.to_json(),
        }  # fmt: skip
