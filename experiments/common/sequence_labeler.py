"""An answer at every step, from that step and those before: the model of tasks whose data are generated."""

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
from rnn_jax.typing import Array, DType, Params

Networks = Mapping[str, Callable[[Params], "StepModel"]]
"""For each task, from parameters to its model."""


class StepModel(nnx.Module):
    """Scores of the classes, or a number, at every step.

    Args:
        layer: that reads forwards only.
        answers: C; 1 where the answer is a number.
        dtype: of the computation; parameters are float32, and so are the scores.
        rngs: the stream `params` (or `default`) draws the parameters.
    """

    def __init__(
        self,
        layer: Layers,
        answers: int,
        *,
        dtype: DType = jnp.float32,
        rngs: nnx.Rngs,
    ):
        check_size("answers", answers)
        self.layer = layer
        self.score = nnx.Linear(layer.output_size, answers, dtype=dtype, rngs=rngs)
        self.dtype = dtype

    def __call__(self, inputs: Array, *, key: jax.Array | None = None) -> jax.Array:
        """Scores float32 `[T, B, C]` for tokens int `[T, B]`, one-hot to the layer, or features `[T, B, D]`."""
        inputs = jnp.asarray(inputs)
        xs = jax.nn.one_hot(inputs, self.layer.input_size) if inputs.ndim == 2 else inputs
        return self.score(self.layer(xs.astype(self.dtype), key=key).ys).astype(jnp.float32)


@dataclasses.dataclass(frozen=True, kw_only=True)
class StepSettings(SequenceConfig):
    """A model that answers at every step.

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

    def network(self, task: Any, key: jax.Array) -> tuple[Params, Callable[[Params], StepModel]]:
        """The initial parameters of a model for a task, drawn with a typed key, and from parameters to the model."""
        size = getattr(task, "tokens", 0) or task.features

        def build(settings: StepSettings) -> StepModel:
            rngs = nnx.Rngs(params=key)
            layer = settings.layer(size, rngs)
            return StepModel(layer, max(1, task.classes), dtype=jnp.dtype(settings.dtype), rngs=rngs)

        return functional(build_matched(self, build))

    def networks(self, tasks: Mapping[str, Any], key: jax.Array) -> tuple[dict[str, Params], Networks]:
        """A model of its own for each task: parameters and ways to the models by the names of the tasks."""
        made = {name: self.network(task, jax.random.fold_in(key, i)) for i, (name, task) in enumerate(tasks.items())}
        return {name: params for name, (params, _) in made.items()}, {name: way for name, (_, way) in made.items()}
