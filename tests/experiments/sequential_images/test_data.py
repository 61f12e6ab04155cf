"""IDX files: what is read, in parts; every damage; pixels as sequences; pictures of other formats."""

import gzip

import numpy as np
import pytest

from experiments.sequential_images.data import (
    FILES,
    image_digests,
    load_images,
    pixel_sequences,
    read_idx,
    read_images,
    read_picture,
)
from rnn_jax.data import DataError


def idx(array: np.ndarray) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">i4").tobytes() + array.astype(np.uint8).tobytes()


def write_folder(folder, packed: bool = False) -> None:
    rng = np.random.default_rng(0)
    for part, (images, labels) in FILES.items():
        count = 24 if part == "training" else 5
        for name, array in ((images, rng.integers(256, size=(count, 4, 6))), (labels, np.arange(count) % 3)):
            if packed:
                (folder / f"{name}.gz").write_bytes(gzip.compress(idx(array)))
            else:
                (folder / name).write_bytes(idx(array))


@pytest.mark.parametrize("packed", [True, False])
def test_a_folder_in_its_parts(tmp_path, packed):
    write_folder(tmp_path, packed)
    parts = load_images(str(tmp_path))
    pixels = np.random.default_rng(0).integers(256, size=(24, 4, 6)).astype(np.uint8)
    np.testing.assert_array_equal(parts["training"].pixels, pixels[:22], strict=True)
    np.testing.assert_array_equal(parts["validation"].pixels, pixels[22:], strict=True)
    np.testing.assert_array_equal(parts["validation"].labels, np.array([1, 2], np.int32), strict=True)
    assert parts["test"].pixels.shape == (5, 4, 6)
    assert set(image_digests(str(tmp_path))) == {name for pair in FILES.values() for name in pair}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is no IDX file: it begins with nothing"),
        (b"\x89PNG", "it begins with 89 50 4e 47"),
        (b"\0\0\x08\x03\0\0", "it begins with 00 00 08 03"),
        (b"\0\0\x0d\x01\0\0\0\0", "values of type 0x0d: expected 0x08"),
        (idx(np.zeros((2, 3, 3)))[:-1], r"has 17 values: expected 18, for \[2, 3, 3\]"),
        (idx(np.zeros((2, 3, 3))) + b"\0", "has 19 values"),
        (b"\0\0\x08\x01\xff\xff\xff\xff", r"expected -1, for \[-1\]"),
        (gzip.compress(idx(np.zeros((2, 3, 3))), mtime=0)[:-9], "cannot be read"),
        (b"\x1f\x8bnot so", "cannot be read"),
    ],
)
def test_damaged_files(tmp_path, content, message):
    (tmp_path / "d").write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_idx(tmp_path / "d")


def test_files_that_do_not_fit(tmp_path):
    for name, array in (("p", np.zeros((2, 3, 3))), ("l", np.zeros(3)), ("e", np.zeros((0, 3, 3)))):
        (tmp_path / name).write_bytes(idx(array))
    with pytest.raises(DataError, match=r"l has the shape \[3\]: expected \[2\]"):
        read_images(tmp_path / "p", tmp_path / "l")
    for wrong in ("l", "e"):
        with pytest.raises(DataError, match=r"expected \[pictures, height, width\]"):
            read_images(tmp_path / wrong, tmp_path / "l")
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte\.gz is not there; expected mnist"):
        load_images(str(tmp_path))
    write_folder(tmp_path)
    (tmp_path / FILES["test"][0]).write_bytes(idx(np.zeros((5, 4, 5))))
    with pytest.raises(DataError, match=r"pictures \[\[24, 4, 6\], \[5, 4, 5\]\], expected at least two"):
        load_images(str(tmp_path))


def test_pixels_in_order_and_permuted():
    pixels = np.arange(48, dtype=np.uint8).reshape(2, 4, 6)
    rows = pixel_sequences(pixels, 6, permuted=False)
    np.testing.assert_array_equal(np.stack(rows), pixels)
    one, two = (np.stack(pixel_sequences(pixels, size, permuted=True)).reshape(2, 24) for size in (1, 8))
    np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(one[1] - 24, one[0])  # the same order for all
    assert sorted(one[0].tolist()) == list(range(24)) != one[0].tolist()
    with pytest.raises(ValueError, match="size=5: expected a divisor of 24"):
        pixel_sequences(pixels, 5, permuted=False)


def test_pictures_bright_on_dark_and_dark_on_bright(tmp_path):
    from PIL import Image

    sign = np.zeros((20, 20), np.uint8)
    sign[5:15, 8:12] = 255
    Image.fromarray(sign).save(tmp_path / "bright.png")
    Image.fromarray(np.stack([255 - sign] * 3, axis=-1)).save(tmp_path / "dark.png")
    bright, dark = (read_picture(tmp_path / f"{name}.png", 10, 10) for name in ("bright", "dark"))
    np.testing.assert_allclose(bright.astype(int), dark.astype(int), atol=1)
    assert bright.shape == (10, 10) and bright.dtype == np.uint8 and bright[5, 5] > 200 and bright[0, 0] == 0
    (tmp_path / "text.png").write_text("words")
    for name in ("text.png", "nowhere.png"):
        with pytest.raises(DataError, match=f"{name} cannot be read as a picture"):
            read_picture(tmp_path / name, 10, 10)
