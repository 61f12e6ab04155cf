"""A forecaster that draws what comes, one step after the other, each given those before: as DeepAR."""

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
        last = self.window - 1 + np.arange(self.horizon)  # the step before each
        raw = self.head.score(dropout(keys[2], states, self.head.dropout_rate)).astype(jnp.float32)
        if self.linear is not None:
            raw = raw + self.linear(self.means_before(read)).astype(jnp.float32)
        if self.season:
            raw = self.seasonal(raw, inputs[last + 1 - self.season, :, 0])
        return jnp.swapaxes(raw, 0, 1)

    def means_before(self, inputs: jax.Array) -> jax.Array:
        """The means over the last steps before each of the H that are forecast, side by side: `[H, B, N F]`."""
        last = self.window - 1 + np.arange(self.horizon)
        means = [inputs[last[:, None] - np.arange(steps)].mean(axis=1) for steps in self.means]
        return jnp.concatenate(means, axis=-1)

    def seasonal(self, raw: jax.Array, before: jax.Array) -> jax.Array:
        """Numbers `[..., B, K]` moved by what the target had a season before, `[..., B]`."""
        return raw.at[..., : self.output.moved].add(self.output.link(before)[..., None].astype(jnp.float32))

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

        def for_paths(one: jax.Array) -> jax.Array:
            return jnp.repeat(one, paths, axis=0)

        carry, scale = jax.tree.map(for_paths, (carry, jnp.asarray(scale)))
        past = jnp.repeat(inputs[: self.window, :, 0], paths, axis=1)  # [L, B P]: all else is the same in each path
        known, weights = jnp.zeros((self.horizon, inputs.shape[1], self.output.size)), []
        if self.linear is not None:
            means = self.means_before(inputs.at[:, :, 0].set(0))
            known = self.linear(means).astype(jnp.float32)
            kernel = self.linear.kernel[...].reshape(len(self.means), -1, self.output.size)
            weights = list(zip(self.means, kernel[:, 0], strict=True))

        def step(state: Any, read: Any) -> tuple[Any, jax.Array]:
            carry, past = state
            row, known, key = read
            carry, output = layer.step(carry, for_paths(row).at[:, 0].set(past[-1]))
            raw = self.head.score(output).astype(jnp.float32) + for_paths(known)
            for steps, weight in weights:
                raw = raw + past[-steps:].mean(axis=0).astype(jnp.float32)[:, None] * weight[None]
            if self.season:
                raw = self.seasonal(raw, past[-self.season])
            drawn = self.output.sample(raw, key, scale)
            return (carry, jnp.concatenate([past[1:], drawn[None].astype(past.dtype)])), drawn

        keys = jax.random.split(key, self.horizon)
        drawn = jax.lax.scan(step, (carry, past), (inputs[self.window - 1 :], known, keys))[1]
        return jnp.transpose(drawn.reshape(self.horizon, -1, paths), (1, 2, 0))
