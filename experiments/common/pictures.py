"""Pictures as grey levels, whatever their format, depth, colours and transparency; Pillow is imported when needed."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rnn_jax.data.download import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm")
"""Of pictures."""


def read_grey(path: str | Path) -> "Image":
    """A picture upright, in grey, see `to_grey`; of a film the first frame.

    Raises:
        DataError: the file cannot be read, is no picture, or shows nothing but white on transparent ground.
    """
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as picture:
            upright = ImageOps.exif_transpose(picture)
            grey = to_grey(upright)
            low, high = grey.getextrema()
            if low == high == 255 and upright.has_transparency_data:
                raise DataError(f"{path} is white on transparent ground, which becomes white: put it on a dark one")
            return grey
    except DataError:
        raise
    except Exception as error:  # Pillow raises whatever it meets in a file of wrong bytes
        raise DataError(f"{path} cannot be read as a picture: {error}") from error


def to_grey(picture: "Image") -> "Image":
    """Any picture in Pillow's mode L: what is transparent lies on white, and 16 bits and floats are scaled to 8."""
    from PIL import Image

    if picture.mode == "F" or picture.mode.startswith("I"):
        levels = np.asarray(picture, np.float64)
        levels = np.nan_to_num(levels)
        highest = levels.max(initial=0)
        floating = picture.mode == "F" and highest <= 1
        scale = 255 if floating else 1 if picture.mode in ("F", "I") and highest <= 255 else 255 / 65535
        return Image.fromarray((levels * scale).clip(0, 255).round().astype(np.uint8))
    if picture.has_transparency_data:
        coloured = picture.convert("RGBA")
        white = Image.new("RGBA", coloured.size, "white")
        return Image.alpha_composite(white, coloured).convert("L")
    return picture.convert("L")
