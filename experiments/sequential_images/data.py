"""Pictures of one channel with their classes: MNIST, Fashion-MNIST, and the user's own in the IDX format."""

import gzip
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rnn_jax.data.download import DataError, fetch
from rnn_jax.data.sources import Dataset, file_digest, url_files

FASHION_MNIST = Dataset(
    name="fashion_mnist",
    files=url_files(
        "zalandoresearch/fashion-mnist",
        "b2617bb6d3ffa2e429640350f613e3291e10b141",
        "data/fashion",
        {
            "train-images-idx3-ubyte.gz": (
                "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
                26_421_880,
            ),
            "train-labels-idx1-ubyte.gz": (
                "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
                29_515,
            ),
            "t10k-images-idx3-ubyte.gz": (
                "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
                4_422_102,
            ),
            "t10k-labels-idx1-ubyte.gz": (
                "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
                5_148,
            ),
        },
    ),
    licence="MIT",
    citation="H. Xiao et al., Fashion-MNIST, 2017, arXiv:1708.07747",
    split="files: 60,000 / 10,000 pictures",
)

MNIST = Dataset(
    name="mnist",
    files=url_files(
        "fgnt/mnist",
        "68014a4df3a2820a5953f5c144aa731ce752e7de",
        "",
        {
            "train-images-idx3-ubyte.gz": (
                "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
                9_912_422,
            ),
            "train-labels-idx1-ubyte.gz": (
                "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
                28_881,
            ),
            "t10k-images-idx3-ubyte.gz": (
                "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
                1_648_877,
            ),
            "t10k-labels-idx1-ubyte.gz": (
                "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
                4_542,
            ),
        },
    ),
    licence="CC BY-SA 3.0",
    citation="Y. LeCun et al., Gradient-Based Learning Applied to Document Recognition, 1998",
    split="files: 60,000 / 10,000 pictures",
)

DATASETS = {"mnist": MNIST, "fashion_mnist": FASHION_MNIST}

FILES = {
    "training": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
"""What LeCun has called the files with images and with labels; with `.gz` or without."""


class Images(NamedTuple):
    """Labelled pictures."""

    pixels: np.ndarray
    """uint8 `[N, height, width]`."""
    labels: np.ndarray
    """int32 `[N]`."""


def load_images(data: str) -> dict[str, Images]:
    """The parts training, validation and test: of the 60,000 training pictures the last twelfth is for validation.

    Args:
        data: "mnist" (LeCun et al. 1998), "fashion_mnist" (Xiao et al. 2017, arXiv:1708.07747), or a folder with the
            four files named in `FILES`, packed by gzip or not.

    Raises:
        DataError: the data cannot be had (see `fetch`), or see `read_images`.
    """
    files = image_files(data)
    training, test = (read_images(files[images], files[labels]) for images, labels in FILES.values())
    if test.pixels.shape[1:] != training.pixels.shape[1:] or len(training.labels) < 2:
        shapes = [list(part.pixels.shape) for part in (training, test)]
        raise DataError(f"data={data!r}: pictures {shapes}, expected at least two for training, and all of one size")
    cut = len(training.labels) - max(1, len(training.labels) // 12)
    before, after = (Images(*(values[part] for values in training)) for part in (slice(cut), slice(cut, None)))
    return {"training": before, "validation": after, "test": test}


def image_files(data: str) -> dict[str, Path]:
    """The four files of `load_images`, by their names without `.gz`."""
    if data in DATASETS:
        return {name.removesuffix(".gz"): path for name, path in fetch(DATASETS[data]).items()}
    files = {}
    for name in (name for pair in FILES.values() for name in pair):
        places = [Path(data, name), Path(data, f"{name}.gz")]
        if not (present := [place for place in places if place.is_file()]):
            raise DataError(f"data={data!r}: {places[1]} is not there; expected mnist, fashion_mnist, or a folder")
        files[name] = present[0]
    return files


def image_digests(data: str) -> dict[str, str]:
    """Name and SHA-256 of each of the four files."""
    return {name: file_digest(path) for name, path in image_files(data).items()}


def read_images(images: str | Path, labels: str | Path) -> Images:
    """Pictures out of one IDX file, and their classes out of another.

    Raises:
        DataError: see `read_idx`; the first file has no pictures, or the second not one label for each.
    """
    pixels, classes = read_idx(images), read_idx(labels)
    if pixels.ndim != 3 or not pixels.size:
        raise DataError(f"{images} has the shape {list(pixels.shape)}: expected [pictures, height, width]")
    if classes.shape != pixels.shape[:1]:
        raise DataError(f"{labels} has the shape {list(classes.shape)}: expected [{len(pixels)}], as {images} has")
    return Images(pixels, classes.astype(np.int32))


def read_idx(path: str | Path) -> np.ndarray:
    """An array uint8 out of an IDX file (LeCun 1998), packed by gzip or not.

    The format: two zero bytes, 8 for the type uint8, the number of dimensions, each of them as a big-endian int32, and
    the values.

    Raises:
        DataError: the file cannot be read or unpacked, begins in another way, is of another type, or is cut off or too
            long.
    """
    try:
        content = Path(path).read_bytes()
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read: {error}; an IDX file is expected") from error
    if len(content) < 4 or content[:2] != b"\0\0" or len(content) < 4 + 4 * content[3]:
        raise DataError(f"{path} is no IDX file: it begins with {content[:4].hex(' ') or 'nothing'}")
    if content[2] != 8:
        raise DataError(f"{path} has values of type 0x{content[2]:02x}: expected 0x08, bytes")
    shape = np.frombuffer(content, ">i4", content[3], 4)
    start, size = 4 + 4 * content[3], int(np.prod(shape, dtype=np.int64))
    if (shape < 0).any() or len(content) - start != size:
        raise DataError(f"{path} has {len(content) - start:,} values: expected {size:,}, for {shape.tolist()}")
    return np.frombuffer(content, np.uint8, size, start).reshape(shape)


def pixel_sequences(pixels: np.ndarray, size: int, permuted: bool) -> list[np.ndarray]:
    """Pictures uint8 `[N, height, width]` as sequences of so many pixels a step, uint8 `[steps, size]` each.

    Args:
        pixels: of the pictures, read row by row.
        size: pixels in a step.
        permuted: all pixels in one random order, always the same (Le, Jaitly & Hinton 2015, arXiv:1504.00941).

    Raises:
        ValueError: the number of pixels is no multiple of the size.
    """
    flat = pixels.reshape(len(pixels), -1)
    if size < 1 or flat.shape[1] % size:
        raise ValueError(f"size={size}: expected a divisor of {flat.shape[1]}, the number of pixels")
    if permuted:
        flat = flat[:, np.random.default_rng(0).permutation(flat.shape[1])]
    return list(flat.reshape(len(flat), -1, size))


def read_picture(path: str | Path, height: int, width: int) -> np.ndarray:
    """A picture of any size and colour (.png, .jpg, ...) as grey levels uint8 `[height, width]`.

    The models know bright signs on black ground; a picture whose edge is bright is inverted.

    Raises:
        DataError: the file cannot be read, or is no picture.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as picture:
            grey = np.asarray(picture.convert("L").resize((width, height)))
    except (OSError, UnidentifiedImageError) as error:
        raise DataError(f"{path} cannot be read as a picture: {error}") from error
    edge = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    return 255 - grey if edge.mean() > 127 else grey
