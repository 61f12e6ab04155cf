"""IDX files: what is read, in parts; every damage; pixels as sequences; pictures of other formats."""

import dataclasses
import gzip

import numpy as np
import pytest

from experiments.sequential_images.data import (
    DATASETS,
    FILES,
    image_digests,
    load_images,
    pixel_sequences,
    read_idx,
    read_images,
    read_picture,
)
from rnn_jax.data import DataError, UrlFile
from rnn_jax.data.sources import file_digest


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
    parts, names = load_images(str(tmp_path))
    pixels = np.random.default_rng(0).integers(256, size=(24, 4, 6)).astype(np.uint8)
    classes = {picture.tobytes(): i % 3 for i, picture in enumerate(pixels)}
    for part, count in (("training", 21), ("validation", 3)):
        images = parts[part]
        assert len(images.pixels) == count and images.labels.dtype == np.int32 and set(images.labels) == {0, 1, 2}
        assert [classes.pop(picture.tobytes()) for picture in images.pixels] == images.labels.tolist()
    assert parts["test"].pixels.shape == (5, 4, 6) and names == () and not classes
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


def test_a_label_of_the_test_that_training_lacks_is_refused(tmp_path):
    write_folder(tmp_path)
    (tmp_path / FILES["test"][1]).write_bytes(idx(np.array([0, 1, 2, 7, 2])))
    with pytest.raises(DataError, match=r"t10k-labels-idx1-ubyte part has 7, which the .*train-labels.* lacks"):
        load_images(str(tmp_path))


def test_published_files_are_divided_as_published_wherever_they_lie(tmp_path, monkeypatch):
    write_folder(tmp_path, packed=True)
    files = tuple(
        UrlFile(path.name, "", "", "", file_digest(path), 0) for path in tmp_path.iterdir() if path.suffix == ".gz"
    )
    record = dataclasses.replace(DATASETS["fashion_mnist"], files=files)
    monkeypatch.setitem(DATASETS, "fashion_mnist", record)
    parts, _ = load_images(str(tmp_path))
    pixels = np.random.default_rng(0).integers(256, size=(24, 4, 6)).astype(np.uint8)
    np.testing.assert_array_equal(parts["training"].pixels, pixels[:22], strict=True)
    np.testing.assert_array_equal(parts["validation"].pixels, pixels[22:], strict=True)


def draw(path, bar: int, shade: int) -> None:
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    grey = np.zeros((20, 30), np.uint8)
    grey[5:15, bar : bar + 3] = shade
    Image.fromarray(grey).save(path)


@pytest.mark.parametrize("tops", [("",), ("train", "test")])
def test_a_folder_of_pictures(tmp_path, tops, capsys):
    for top in tops:
        for i in range(20):
            draw(
                tmp_path / top / ("left", "right")[i % 2] / f"{i}.png", 20 * (i % 2) + 3, 100 + i + 30 * (top == "test")
            )
    (tmp_path / "runs" / "run" / "figures").mkdir(parents=True)
    draw(tmp_path / "runs" / "run" / "figures" / "a.png", 3, 200)
    parts, names = load_images(str(tmp_path), side=10)
    assert names == ("left", "right") and parts["training"].pixels.shape[1:] == (10, 10)
    sizes = [len(images.labels) for images in parts.values()]
    assert sizes == ([16, 2, 2] if tops == ("",) else [18, 2, 20])
    for pixels, labels in parts.values():
        np.testing.assert_array_equal(pixels[:, :, 5:].sum((1, 2)) > pixels[:, :, :5].sum((1, 2)), labels == 1)
    assert len(image_digests(str(tmp_path))) == 20 * len(tops)
    broken = sorted(tmp_path.rglob("left/*.png"))[:2]
    for path in broken:
        path.write_text("words")
    with pytest.raises(DataError) as caught:
        load_images(str(tmp_path))
    assert all(str(path) in str(caught.value) for path in broken)
    parts, _ = load_images(str(tmp_path), skip_unreadable=True)
    assert sum(len(images.labels) for images in parts.values()) == 20 * len(tops) - 2
    assert f"note: 2 of {20 * len(tops)} pictures cannot be read" in capsys.readouterr().err
    if tops == ("train", "test"):
        draw(tmp_path / "test" / "up" / "0.png", 3, 90)
        with pytest.raises(DataError, match=r"test part has up, which the .*train part lacks"):
            load_images(str(tmp_path), skip_unreadable=True)


def test_a_bar_in_a_picture_that_its_camera_turns(tmp_path):
    from PIL import Image

    bar = np.zeros((16, 16), np.uint8)
    bar[:, 6:9] = 255
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(bar).save(tmp_path / "turned.jpg", exif=exif, quality=95)
    np.testing.assert_allclose(read_picture(tmp_path / "turned.jpg", 16, 16).astype(int), np.rot90(bar, -1), atol=20)


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
