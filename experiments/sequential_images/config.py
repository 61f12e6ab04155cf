"""Which pictures, in which order, read by which model."""

import dataclasses
from pathlib import Path

from experiments.sequential_images.model import PixelClassifierConfig
from rnn_jax.train import FitConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Which pictures, in which order, read by which model."""

    data: str = "mnist"
    """mnist, fashion_mnist, or a folder with your own files in the IDX format, named as theirs."""
    permuted: bool = False
    """Pixels in one random order instead of row by row."""
    pixels: int = 1
    """Read in a step."""
    batch_size: int = 100
    """Pictures in an update."""
    model: PixelClassifierConfig = PixelClassifierConfig()
    fit: FitConfig = FitConfig(steps=11_000, evaluate_every=550, learning_rate=1e-3)

    @property
    def title(self) -> str:
        """The pictures, their order and the model in a few words."""
        return f"{Path(self.data).name}{', permuted' * self.permuted}: {self.model.summary}"
