"""A classifier that reads a picture pixel by pixel."""

import dataclasses

import jax
import jax.numpy as jnp
from flax import nnx

from rnn_jax.models import Classifier, SequenceConfig, build_matched
from rnn_jax.typing import Array


class PixelClassifier(Classifier):
    """A `Classifier` of grey levels from 0 to 255, which its layers read as numbers from 0 to 1."""

    def __call__(self, inputs: Array, lengths: Array, *, key: jax.Array | None = None) -> jax.Array:
        """Logits float32 `[B, C]` for pixels uint8 `[T, B, D]`, lengths int `[B]`, and in training a typed key."""
        return super().__call__(inputs / jnp.float32(255), lengths, key=key)


@dataclasses.dataclass(frozen=True, kw_only=True)
class PixelClassifierConfig(SequenceConfig):
    """The model that reads pictures.

    Raises:
        ValueError: a value is out of range.
    """

    pooling: str = "last"
    """What is taken of the layers: last, max, mean or attention over the steps."""
    cell: str = "lstm"
    hidden_size: int = 128
    bidirectional: bool = False
    dropout: float = 0.0

    def classifier(self, pixels: int, classes: int, key: jax.Array) -> PixelClassifier:
        """The model for so many pixels in a step and so many classes, its initial values drawn with a typed key.

        Raises:
            ValueError: the pooling is not known.
        """

        def build(config: PixelClassifierConfig) -> PixelClassifier:
            rngs = nnx.Rngs(params=key)
            return PixelClassifier(
                config.layer(pixels, rngs),
                classes,
                pooling=config.pooling,
                dropout_rate=config.dropout,
                dtype=jnp.dtype(config.dtype),
                rngs=rngs,
            )

        return build_matched(self, build)
