"""A forecaster that draws what comes, one step after the other, each given those before: as DeepAR."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.forecasting.model import Forecaster
from rnn_jax.compose import dropout
from rnn_jax.models.blocks import Layers, RecurrentBlocks
from rnn_jax.models.transformer import Transformer
from rnn_jax.nnx import Recurrent
from rnn_jax.typing import Array


class AncestralForecaster(Forecaster):
    """p(next step | all before), from which whole paths are drawn (DeepAR, Salinas et al. 2020, arXiv:1704.04110).

    In training a step is given what came before it (teacher forcing); in forecasting, what was drawn. The layers read
    each step once and keep their carry from the window into the path. What the target had a season before, and the
    linear map of means of the last steps, are those of `Forecaster`, of the L steps before each.

    Args:
        layer: recurrent, and in one direction.
        arguments: those of `Forecaster`, its `output` one of which values can be drawn.
        options: of it; what is read is the last step.
    """

    def __init__(self, layer: Layers, *arguments: Any, **options: Any):
        super().__init__(layer, *arguments, **options, recursive=True, pooling="last")

    @property
    def layer(self) -> Recurrent | RecurrentBlocks:
        """What reads the steps."""
        layer = self.head.layer
        assert not isinstance(layer, Transformer)  # which has no carry
        return layer

    def __call__(self, inputs: Array, codes: Array | None = None, *, key: jax.Array | None = None) -> jax.Array:
        """The distribution of each of the H steps after windows, given what came before it.

        Args:
            inputs: features `[L + H - 1, B, F]`, the first one the target as it came.
            codes: int `[L + H - 1, B, C]`, see `Forecaster`.
            key: a typed key: training, with dropout.

        Returns:
            float32 `[B, H, K]`, for `output` to interpret.
        """
        keys = (None,) * 3 if key is None else tuple(jax.random.split(key, 3))
        inputs = self.embedded(inputs, codes)
        read = dropout(keys[0], inputs, self.input_dropout)
        states = self.head.layer(read, key=keys[1]).ys[self.window - 1 :]
        last = self.window - 1 + np.arange(self.horizon)  # before each step
        means = [read[last[:, None] - np.arange(steps)].mean(axis=1) for steps in self.means]
        seasonal = inputs[last + 1 - self.season, :, 0] if self.season else None
        raw = self.scored(dropout(keys[2], states, self.head.dropout_rate), means, seasonal)
        return jnp.swapaxes(raw, 0, 1)

    def scored(self, states: jax.Array, means: Sequence[jax.Array], seasonal: jax.Array | None) -> jax.Array:
        """What is forecast of a step: float32 `[..., B, K]`.

        Args:
            states: `[..., B, H]`, what the layers have read.
            means: `[..., B, F]` each, of the last steps.
            seasonal: `[..., B]`, what the target had a season before, if there is one.
        """
        raw = self.head.score(states).astype(jnp.float32)
        if self.linear is not None:
            raw = raw + self.linear(jnp.concatenate(means, axis=-1)).astype(jnp.float32)
        if seasonal is None:
            return raw
        return raw.at[..., : self.output.moved].add(self.output.link(seasonal)[..., None].astype(jnp.float32))

    def sample(
        self, inputs: Array, codes: Array | None = None, *, scale: Array, paths: int, key: jax.Array
    ) -> jax.Array:
        """Draw paths after windows, in the scale of the target.

        Args:
            inputs: features `[L + H - 1, B, F]`; the target of the steps after the window is not read.
            codes: int `[L + H - 1, B, C]`, see `Forecaster`.
            scale: `[B]`, by what a scaled target is multiplied to be the target.
            paths: P.
            key: a typed key.

        Returns:
            float32 `[B, P, H]`.
        """
        layer = self.layer
        inputs = self.embedded(inputs, codes)
        carry = layer.initial_carry(inputs.shape[1:2], inputs.dtype)
        if self.window > 1:
            carry = layer(inputs[: self.window - 1]).carry
        carry, scale = jax.tree.map(lambda one: jnp.repeat(one, paths, axis=0), (carry, jnp.asarray(scale)))
        inputs = jnp.repeat(inputs, paths, axis=1)  # [L + H - 1, B P, F]

        def step(state: Any, read: Any) -> tuple[Any, jax.Array]:
            carry, window = state
            row, key = read
            carry, output = layer.step(carry, window[-1])
            means = [window[-steps:].mean(axis=0) for steps in self.means]
            seasonal = window[-self.season, :, 0] if self.season else None
            drawn = self.output.sample(self.scored(output, means, seasonal), key, scale)
            row = row.at[:, 0].set(drawn.astype(row.dtype))
            return (carry, jnp.concatenate([window[1:], row[None]])), drawn

        later = jnp.concatenate([inputs[self.window :], inputs[-1:]])  # what follows the last one is never read
        keys = jax.random.split(key, self.horizon)
        drawn = jax.lax.scan(step, (carry, inputs[: self.window]), (later, keys))[1]
        return jnp.transpose(drawn.reshape(self.horizon, -1, paths), (1, 2, 0))
