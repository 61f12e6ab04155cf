"""Videos of the user's own: animated GIFs."""

from pathlib import Path

import numpy as np

from rnn_jax.data.download import DataError


def read_gif(path: str | Path, size: int, most: int = 1000) -> np.ndarray:
    """The frames of an animated GIF (or of any other image) in grey: float32 `[T, size, size]`, from 0 to 1.

    Args:
        path: of the file.
        size: rows and columns that frames are resized to; sides of a frame that are not equal become so.
        most: frames that are read at most.

    Raises:
        DataError: it cannot be read, or has more frames.
    """
    from PIL import Image, ImageSequence

    frames = []
    try:
        with Image.open(path) as image:
            for frame in ImageSequence.Iterator(image):
                if len(frames) == most:
                    raise DataError(f"{path} has more than {most} frames: cut it")
                grey = frame.convert("L").resize((size, size), Image.Resampling.BOX)
                frames.append(np.asarray(grey, np.float32) / 255)
    except DataError:
        raise
    except Exception as error:  # Pillow raises whatever it meets in a file of wrong bytes
        raise DataError(f"{path} cannot be read as a GIF: {error}") from error
    return np.stack(frames)
