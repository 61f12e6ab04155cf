"""Which pictures, in which order, read by which model."""

import dataclasses
from pathlib import Path

from experiments.sequential_images.data import LabelledImages, is_folder_of_pictures, load_images
from experiments.sequential_images.model import PixelClassifierConfig
from rnn_jax.checks import check_size
from rnn_jax.train import FitConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Which pictures, in which order, read by which model.

    Raises:
        ValueError: a value is out of range.
    """

    data: str = "mnist"
    """mnist, fashion_mnist, or a folder with your own files in the IDX format, named as theirs, or with pictures,
    FOLDER/CLASS/FILE or FOLDER/train/CLASS/FILE and FOLDER/test/CLASS/FILE."""
    side: int | None = None
    """Rows and columns that pictures of your own folders get, 28 if not given."""
    skip_unreadable: bool = False
    """Leave out pictures of your own folders that cannot be read, and list them."""
    permuted: bool = False
    """Pixels in one random order instead of row by row."""
    pixels: int = 1
    """Read in a step."""
    batch_size: int = 100
    """Pictures in an update."""
    model: PixelClassifierConfig = PixelClassifierConfig()
    fit: FitConfig = FitConfig(steps=11_000, evaluate_every=550, learning_rate=1e-3)

    def __post_init__(self):
        check_size("pixels", self.pixels)
        check_size("batch_size", self.batch_size)
        if self.side is not None:
            check_size("side", self.side)

    def images(self) -> LabelledImages:
        """The pictures for training, validation and test.

        Raises:
            ValueError: the data have no use for an option; and see `load_images`.
        """
        for option in ("side", "skip_unreadable"):
            if getattr(self, option) and not is_folder_of_pictures(self.data):
                raise ValueError(
                    f"{option}={getattr(self, option)}: data={self.data!r} is no folder FOLDER/CLASS/FILE; leave it out"
                )
        return load_images(self.data, self.side or 28, skip_unreadable=self.skip_unreadable)

    @property
    def title(self) -> str:
        """The pictures, their order and the model in a few words."""
        return f"{Path(self.data).name}{', permuted' * self.permuted}: {self.model.summary}"
