"""Pictures of every kind as the same grey levels."""

import numpy as np
import pytest
from PIL import Image

from experiments.common.pictures import read_grey
from rnn_jax.data import DataError

SIGN = np.zeros((8, 12), np.uint8)
SIGN[2:4, 1:9] = 200
SIGN[6, 10] = 90


def as_kind(kind: str) -> Image.Image:
    grey = Image.fromarray(SIGN)
    if kind == "16 bits":
        return Image.fromarray(SIGN.astype(np.uint16) * 257)
    if kind == "floats":
        return Image.fromarray(SIGN.astype(np.float32) / 255)
    if kind == "32 bits":
        return Image.fromarray(SIGN.astype(np.int32))
    if kind == "transparent":  # the sign is where the picture is opaque, on white
        return Image.merge("LA", (Image.new("L", grey.size, 0), Image.fromarray(255 - SIGN)))
    if kind == "transparent palette":
        picture = grey.convert("P")
        picture.info["transparency"] = 255  # no pixel has it
        return picture
    return grey.convert(kind)


@pytest.mark.parametrize(
    ("kind", "suffix"),
    [
        ("L", "png"),
        ("RGB", "png"),
        ("RGBA", "png"),
        ("P", "png"),
        ("P", "gif"),
        ("CMYK", "tiff"),
        ("16 bits", "png"),
        ("16 bits", "tiff"),
        ("32 bits", "tiff"),
        ("floats", "tiff"),
        ("transparent", "png"),
        ("transparent palette", "png"),
    ],
)
def test_every_kind(tmp_path, kind, suffix):
    as_kind(kind).save(tmp_path / f"a.{suffix}")
    grey = read_grey(tmp_path / f"a.{suffix}")
    assert grey.mode == "L"
    np.testing.assert_allclose(np.asarray(grey, int), SIGN, atol=1)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_as_its_camera_says(tmp_path, orientation):
    ways = [None, 0, 3, 1, 5, 2, 6, 4]  # of Image.transpose, to be undone
    sign = Image.fromarray(SIGN)
    stored = sign if ways[orientation - 1] is None else sign.transpose(ways[orientation - 1])
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(np.asarray(read_grey(tmp_path / "a.png")), SIGN)


def test_white_on_transparent_ground_cannot_be_seen(tmp_path):
    Image.merge("LA", (Image.new("L", (12, 8), 255), Image.fromarray(SIGN))).save(tmp_path / "a.png")
    with pytest.raises(DataError, match=r"a\.png is white on transparent ground"):
        read_grey(tmp_path / "a.png")


@pytest.mark.parametrize("content", [b"", b"words", b"\x89PNG\r\n\x1a\n" + bytes(20)])
def test_what_is_no_picture_is_named(tmp_path, content):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.png cannot be read as a picture"):
        read_grey(tmp_path / "a.png")
