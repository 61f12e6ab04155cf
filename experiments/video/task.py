"""What an experiment on video needs of each of its tasks."""

import abc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import jax
import numpy as np

from rnn_jax.typing import Params


class VideoTask(abc.ABC):
    """A task on its data.

    Args:
        config: of this task.

    Attributes:
        facts: what a model has to know of its training part, for JSON.
        digests: name and SHA-256 of the data.
        summary: lines that say what has been read.
        published: values of the metric on the same data, with who reached them, and the source.
        axes: which axis of each array of a batch is the batch.
        unit: of the training loss.
        monitor: the validation metric that the best update is chosen by.
        higher_is_better: of that metric.
    """

    axes: ClassVar[dict[str, int | None]]
    unit: ClassVar[str]
    monitor: ClassVar[str] = "validation_loss"
    higher_is_better: ClassVar[bool] = False

    facts: dict[str, Any]
    digests: dict[str, str]
    summary: Sequence[str] = ()
    published: Sequence[dict[str, Any]] = ()

    @abc.abstractmethod
    def __init__(self, config: Any): ...

    @staticmethod
    @abc.abstractmethod
    def build(config: Any, facts: dict[str, Any], key: jax.Array) -> Any:
        """The model, its initial values drawn with a typed key."""

    @abc.abstractmethod
    def batch(self, i: int) -> dict[str, np.ndarray]:
        """The training batch of update i."""

    @abc.abstractmethod
    def loss(self, model: Any, batch: dict[str, Any], key: jax.Array | None) -> tuple[jax.Array, jax.Array]:
        """Summed nats of a batch, and over how many things; a key means training."""

    @abc.abstractmethod
    def make_validate(self, rebuild: Callable[[Params], Any]) -> Callable[[Params], dict[str, float]]:
        """A function from parameters to validation metrics."""

    @abc.abstractmethod
    def test(self, model: Any, figures: Path) -> tuple[dict[str, Any], str]:
        """The scores of a result (metric, value, higher_is_better, baseline, scores), and examples; draws figures."""
