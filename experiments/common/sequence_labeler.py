"""A prediction at every step, from that step and those before it: the model of synthetic tasks."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from rnn_jax.checks import check_size
from rnn_jax.models.blocks import Layers
from rnn_jax.models.config import SequenceConfig, build_matched
from rnn_jax.nnx import functional
from rnn_jax.typing import Array, Carry, DType, Params


class SequenceLabeler(nnx.Module):
    """Logits of the classes, or a number, at every step.

    Args:
        layer: that reads forwards only.
        outputs: C, the classes; 1 where the prediction is a number.
        dtype: of the computation; parameters are float32, and so are the logits.
        rngs: the stream `params` (or `default`) draws the parameters.
    """

    def __init__(
        self,
        layer: Layers,
        outputs: int,
        *,
        dtype: DType = jnp.float32,
        rngs: nnx.Rngs,
    ):
        check_size("outputs", outputs)
        self.layer = layer
        self.score = nnx.Linear(layer.output_size, outputs, dtype=dtype, rngs=rngs)
        self.dtype = dtype

    def __call__(self, inputs: Array, *, key: jax.Array | None = None) -> jax.Array:
        """Logits float32 `[T, B, C]` for tokens int `[T, B]`, one-hot to the layer, or features `[T, B, D]`."""
        return self.score(self.layer(self._features(inputs), key=key).ys).astype(jnp.float32)

    def advance(self, carry: Carry, inputs: Array) -> tuple[Carry, jax.Array]:
        """The carry after some steps that go on from `carry`, and their logits; for layers of cells without blocks."""
        layer: Any = self.layer
        carry, ys = layer(self._features(inputs), carry)
        return carry, self.score(ys).astype(jnp.float32)

    def _features(self, inputs: Array) -> jax.Array:
        inputs = jnp.asarray(inputs)
        xs = jax.nn.one_hot(inputs, self.layer.input_size) if inputs.ndim == 2 else inputs
        return xs.astype(self.dtype)


Labelers = Callable[[Params], Mapping[str, SequenceLabeler]]
"""From parameters, by the names of the tasks, to the model of each task."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class SequenceLabelerConfig(SequenceConfig):
    """A model that predicts at every step.

    Raises:
        ValueError: a value is out of range, or the model would read backwards.
    """

    bidirectional: bool = False
    """Must stay off: an answer is to follow from the steps before it."""
    dropout: float = 0.0

    def __post_init__(self):
        if self.bidirectional:
            raise ValueError("bidirectional=True: an answer at every step follows from those before it; leave it off")
        super().__post_init__()

    def labeler(self, task: Any, key: jax.Array) -> SequenceLabeler:
        """The model for a synthetic task, its initial values drawn with a typed key."""
        size = getattr(task, "tokens", 0) or task.features

        def build(config: SequenceLabelerConfig) -> SequenceLabeler:
            rngs = nnx.Rngs(params=key)
            layer = config.layer(size, rngs)
            return SequenceLabeler(layer, max(1, task.classes), dtype=jnp.dtype(config.dtype), rngs=rngs)

        return build_matched(self, build)

    def labelers(self, tasks: Mapping[str, Any], key: jax.Array) -> tuple[dict[str, Params], Labelers]:
        """A model of its own for each task, by the tasks' names: the initial parameters, and from those to the models.

        Args:
            tasks: by their names.
            key: typed; the i-th model draws with the i-th key of it.
        """
        split = {
            name: functional(self.labeler(task, jax.random.fold_in(key, i)))
            for i, (name, task) in enumerate(tasks.items())
        }

        def rebuild(params: Params) -> dict[str, SequenceLabeler]:
            return {name: rebuild_one(params[name]) for name, (_, rebuild_one) in split.items()}

        return {name: params for name, (params, _) in split.items()}, rebuild
