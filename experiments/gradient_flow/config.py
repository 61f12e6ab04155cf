"""A small network on the adding problem."""

import dataclasses

import jax
from flax import nnx

from rnn_jax.checks import check_size
from rnn_jax.models import Classifier, RecurrentConfig
from rnn_jax.nnx import Recurrent
from rnn_jax.train import FitConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """A small network on the adding problem.

    Raises:
        ValueError: a value is out of range.
    """

    length: int = 200
    """T, steps of a sequence."""
    batch_size: int = 32
    """Sequences in an update."""
    model: RecurrentConfig = RecurrentConfig(hidden_size=32, dropout=0.0)
    fit: FitConfig = FitConfig(steps=300, evaluate_every=100, warmup_steps=20, schedule="constant")

    def __post_init__(self):
        for name in ("length", "batch_size"):
            check_size(name, getattr(self, name))

    @property
    def summary(self) -> str:
        """The model in a few words."""
        return f"{self.model.cell} {self.model.layers} x {self.model.hidden_size}"

    def network(self, key: jax.Array) -> Classifier:
        """The model: a number after the last of the steps `[T, B, 2]`, its initial values drawn with a typed key."""
        rngs = nnx.Rngs(params=key)
        return Classifier(Recurrent(self.model.stack(2), rngs=rngs), 1, pooling="last", rngs=rngs)
