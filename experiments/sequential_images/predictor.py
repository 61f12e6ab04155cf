"""What a trained classifier says of new pictures."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.common.class_predictor import ClassPredictor
from experiments.common.file_items import read_files
from experiments.common.pictures import SUFFIXES
from experiments.common.prediction import STANDARD_INPUT, Input, Item, stacked
from experiments.sequential_images.data import FILES, pixel_order, read_idx, read_images, read_picture
from rnn_jax.data import DataError
from rnn_jax.train import Trained


class SequentialImagesPredictor(ClassPredictor):
    """Class and probabilities of pictures."""

    reads_folders = True

    def __init__(self, trained: Trained):
        super().__init__(trained)
        self.shape: tuple[int, int] = tuple(trained.preprocessor.shape)
        self.classes = trained.preprocessor.all_names
        self.order = pixel_order(self.shape[0] * self.shape[1], trained.config.permuted)

    @property
    def inputs(self) -> Mapping[str, Input]:
        """Grey levels from 0 to 255, row by row."""
        height, width = self.shape
        return {"pixels": Input(f"batch, {height}, {width}", "uint8")}

    def read(self, file: str, *, labelled: bool = False) -> Iterator[Item]:
        """Pictures of any size, in files, in folders, or in a file of the IDX format, there of the model's size."""
        if file != STANDARD_INPUT and _is_idx(Path(file)):
            yield from self._rows(file, labelled)
            return
        yield from read_files(
            file, SUFFIXES, lambda path: read_picture(path, *self.shape), what="pictures", labelled=labelled,
            classes=self.classes,
        )  # fmt: skip

    def _rows(self, file: str, labelled: bool) -> Iterator[Item]:
        """The pictures in an IDX file, by their numbers from 1 on."""
        if labelled:
            pixels, labels = read_images(file, _labels_beside(Path(file)))
        else:
            pixels, labels = read_idx(file), None
        if pixels.shape[1:] != self.shape:
            expected = f"[pictures, {self.shape[0]}, {self.shape[1]}]"
            raise DataError(f"{file} has the shape {list(pixels.shape)}: expected {expected}")
        for i, picture in enumerate(pixels):
            if labels is None:
                yield Item(i + 1, picture)
            elif labels[i] < len(self.classes):
                yield Item(i + 1, picture, self.classes[labels[i]])
            else:
                yield Item(i + 1, DataError(f"label {labels[i]}: expected 0 to {len(self.classes) - 1}"))

    def encode(self, values: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        """Pictures side by side."""
        return {"pixels": stacked(values)}

    def program(self, pixels: jax.Array) -> jax.Array:
        """Pictures `[B, height, width]` to probabilities `[B, C]`."""
        size = self.trained.config.pixels
        steps = len(self.order) // size
        in_order = jnp.asarray(pixels).reshape(pixels.shape[0], -1)[:, self.order]
        sequences = in_order.reshape(pixels.shape[0], steps, size).swapaxes(0, 1)
        return jax.nn.softmax(self.trained.model(sequences, jnp.full(pixels.shape[:1], steps)))

    @property
    def preprocessing(self) -> dict[str, Any]:
        """How a picture becomes grey levels, and the classes."""
        return {
            "picture": {
                "steps": [
                    "turn it as its EXIF orientation says",
                    "put what is transparent on white; divide 16 bits by 257",
                    "grey = (299 red + 587 green + 114 blue) / 1000, rounded, from 0 to 255",
                    "resize it to the height and width by bicubic interpolation, as Pillow does",
                    "if the mean of the pixels along the edge, corners twice, is above 127: grey = 255 - grey",
                ],
                "height": self.shape[0],
                "width": self.shape[1],
                "note": "pictures of an IDX file are of this size and are taken as they are",
            },
            "outputs": "float32 [batch, class], probabilities",
            "classes": self.classes,
        }


def _is_idx(path: Path) -> bool:
    """Whether a file begins as one of the IDX format does, or is packed by gzip, as no picture is."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        begins = file.read(2)
    return begins in (b"\0\0", b"\x1f\x8b") and path.suffix.lower() not in SUFFIXES


def _labels_beside(images: Path) -> Path:
    """The file of the labels that belong to a file of images, by LeCun's names."""
    names = dict(FILES.values())
    packed = ".gz" if images.suffix == ".gz" else ""
    if beside := names.get(images.name.removesuffix(".gz")):
        for path in (images.with_name(beside + packed), images.with_name(beside)):
            if path.is_file():
                return path
    expected = " or ".join(f"{one} with {other} beside it" for one, other in names.items())
    raise DataError(f"{images}: labelled pictures come from a folder FOLDER/CLASS/FILE, or from {expected}")
