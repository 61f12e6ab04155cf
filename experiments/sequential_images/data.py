"""Pictures of one channel with their classes: MNIST, Fashion-MNIST, the user's own in the IDX format or in folders."""

import gzip
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from experiments.common.pictures import SUFFIXES, read_grey
from experiments.common.reading import Note, read_each, refuse_one_class, refuse_unseen, say
from experiments.common.splitting import number_groups, repeated, split_groups
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


PARTS = ("training", "validation", "test")


class Images(NamedTuple):
    """Labelled pictures."""

    pixels: np.ndarray
    """uint8 `[N, height, width]`."""
    labels: np.ndarray
    """int32 `[N]`."""


class LabelledImages(NamedTuple):
    """Pictures in three parts."""

    parts: dict[str, Images]
    names: tuple[str, ...] = ()
    """Of the classes; numbers where there are none."""


def load_images(data: str, side: int = 28, *, skip_unreadable: bool = False) -> LabelledImages:
    """The parts training, validation and test.

    Of the 60,000 training pictures of a published set the last twelfth is for validation. Of the user's own it is one
    of twelve of each class, shuffled with copies on one side.

    Args:
        data: "mnist" (LeCun et al. 1998), "fashion_mnist" (Xiao et al. 2017, arXiv:1708.07747), a folder with the four
            files named in `FILES`, packed by gzip or not, or one with pictures (see `read_folder`).
        side: rows and columns that pictures of a folder get.
        skip_unreadable: leave out pictures of a folder that cannot be read, see `read_each`.

    Raises:
        DataError: the data cannot be had (see `fetch`), see `read_images` and `read_folder`; or the test part has
            labels that the training part lacks.
    """
    if is_folder_of_pictures(data):
        return read_folder(data, side, skip_unreadable=skip_unreadable)
    files = image_files(data)
    training, test = (read_images(files[images], files[labels]) for images, labels in FILES.values())
    if test.pixels.shape[1:] != training.pixels.shape[1:] or len(training.labels) < 2:
        shapes = [list(part.pixels.shape) for part in (training, test)]
        raise DataError(f"data={data!r}: pictures {shapes}, expected at least two for training, and all of one size")
    if not is_published(files):
        known, labels = (files[names[1]].name for names in FILES.values())
        parts = {known: map(str, training.labels), labels: map(str, test.labels)}
        refuse_one_class(data, map(str, training.labels))
        refuse_unseen(data, parts, "correct the labels, or take those pictures out")
        return LabelledImages(_own_parts(training, test))
    cut = len(training.labels) - max(1, len(training.labels) // 12)
    before, after = (Images(*(values[part] for values in training)) for part in (slice(cut), slice(cut, None)))
    return LabelledImages({"training": before, "validation": after, "test": test})


def is_published(files: dict[str, Path]) -> bool:
    """Whether these are the files of one of the published sets, wherever they lie."""
    records = [{file.name.removesuffix(".gz"): file.sha256 for file in one.files} for one in DATASETS.values()]
    first = next(iter(FILES.values()))[1]
    likely = [record for record in records if record[first] == file_digest(files[first])]
    return any(record == {name: file_digest(path) for name, path in files.items()} for record in likely)


def is_folder_of_pictures(data: str) -> bool:
    """Whether it is a folder that has others in it, and no IDX file."""
    if data in DATASETS or not Path(data).is_dir():
        return False
    inside = list(Path(data).iterdir())
    return not any("-ubyte" in path.name for path in inside) and any(path.is_dir() for path in inside)


def read_folder(folder: str, side: int, *, skip_unreadable: bool = False) -> LabelledImages:
    """The pictures in a folder, FOLDER/CLASS/FILE, or FOLDER/train/CLASS/FILE and FOLDER/test/CLASS/FILE.

    Without a folder `test` a tenth of each class is for the test.

    Args:
        folder: its path.
        side: rows and columns that pictures get, whatever they had.
        skip_unreadable: leave out what cannot be read, see `read_each`.

    Raises:
        DataError: there are fewer than two classes or too few pictures, some cannot be read, or the test part has
            classes that the training part lacks.
    """
    places = {path.name.lower(): path for path in Path(folder).iterdir() if path.is_dir()}
    training = next((places[name] for name in ("train", "training") if name in places), None)
    test = next((places[name] for name in ("test", "t10k") if name in places), None)
    if (training is None) != (test is None):
        raise DataError(f"data={folder!r} has the folders {', '.join(places)}: expected train and test, or classes")
    found: list[tuple[bool, str, Path]] = []
    for top, held_out in ((training, False), (test, True)) if training and test else ((Path(folder), False),):
        found += [(held_out, path.parent.name, path) for path in _pictures(top)]
    if not found:
        raise DataError(f"data={folder!r} has no pictures in folders: expected FOLDER/CLASS/FILE.png, or .jpg")

    def read(item: tuple[bool, str, Path], note: Note) -> np.ndarray:
        return read_picture(item[2], side, side)

    pictures = read_each(found, read, what="pictures", skip_unreadable=skip_unreadable)
    names = tuple(sorted({name for (held_out, name, _), _ in pictures if not held_out}))
    if len(names) < 2:
        raise DataError(f"data={folder!r} has the classes {list(names)}: expected at least two folders of pictures")
    by_part = {str(top): [n for (out, n, _), _ in pictures if out == held] for top, held in ((training, 0), (test, 1))}
    refuse_unseen(folder, by_part, "add pictures of them for training, or take those of the test out")

    def images(held_out: bool) -> Images:
        chosen = [(pixels, name) for (out, name, _), pixels in pictures if out == held_out]
        pixels = np.stack([pixels for pixels, _ in chosen]) if chosen else np.zeros((0, side, side), np.uint8)
        return Images(pixels, np.array([names.index(name) for _, name in chosen], np.int32))

    return LabelledImages(_own_parts(images(False), images(True)), names)


def _pictures(folder: Path) -> list[Path]:
    """The pictures in the folders of a folder, but not in hidden ones, nor further down."""
    paths = (path for path in folder.glob("*/*") if path.suffix.lower() in SUFFIXES)
    return sorted(path for path in paths if not path.name.startswith(".") and not path.parent.name.startswith("."))


def _own_parts(training: Images, test: Images) -> dict[str, Images]:
    """A validation part out of that for training, and a test part where there is none."""
    digests = [picture.tobytes() for picture in training.pixels]
    shares = (11 / 12, 1 / 12) if len(test.labels) else (0.8, 0.1, 0.1)
    if len(set(digests)) < len(shares):
        raise DataError(f"{len(set(digests))} different pictures for training: expected at least {len(shares)}")
    groups = number_groups(digests)
    places = split_groups(groups.tolist(), training.labels, dict(zip(PARTS, shares, strict=False)))
    if count := repeated(groups):
        say(f"note: {count:,} of {len(digests):,} pictures are copies of others; copies are in one part")
    if known := len({picture.tobytes() for picture in test.pixels} & set(digests)):
        say(f"note: {known:,} pictures of the test part are in the training part, too: its scores say little")
    parts = {part: Images(training.pixels[chosen], training.labels[chosen]) for part, chosen in places.items()}
    return {**parts, "test": parts.get("test", test)}


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
    """Name and SHA-256 of each of the four files, or of each picture in a folder."""
    if is_folder_of_pictures(data):
        paths = [path for top in (data, *Path(data).glob("*/")) for path in _pictures(Path(top))]
        return {str(path.relative_to(data)): file_digest(path) for path in paths}
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
    return list(flat[:, pixel_order(flat.shape[1], permuted)].reshape(len(flat), -1, size))


def pixel_order(count: int, permuted: bool) -> np.ndarray:
    """In which order so many pixels are read: row by row, or in one random order, always the same; int `[count]`."""
    return np.random.default_rng(0).permutation(count) if permuted else np.arange(count)


def read_picture(path: str | Path, height: int, width: int) -> np.ndarray:
    """A picture of any size and colour (.png, .jpg, ...) as grey levels uint8 `[height, width]`.

    It is turned as its camera says, and what is transparent lies on white. The models know bright signs on black
    ground; a picture whose edge is bright is inverted.

    Raises:
        DataError: the file cannot be read, or is no picture.
    """
    grey = np.asarray(read_grey(path).resize((width, height)))
    edge = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    return 255 - grey if edge.mean() > 127 else grey
