"""A forecaster that draws what comes, one step after the other, each given those before: as DeepAR."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from experiments.forecasting.model import Forecaster
from rnn_jax.compose import dropout
from rnn_jax.models.blocks import Layers, RecurrentBlocks
from rnn_jax.models.transformer import Transformer
from rnn_jax.nnx import Recurrent
from rnn_jax.typing import Array


class AncestralForecaster(Forecaster):
    """p(next step | all before), from which whole paths are drawn (DeepAR, Salinas et al. 2020, arXiv:1704.04110).

    In training a step is given what came before it (teacher forcing); in forecasting, what was drawn. The layers read
    each step once and keep their carry from the window into the path. The linear map is that of `Forecaster`, of the L
    steps before each; what the target had a season before is a further number that it reads, and not added by itself.

    Args:
        layer: recurrent, and in one direction.
        arguments: those of `Forecaster`, its `output` one of which values can be drawn.
        options: of it; what is read is the last step.
    """

    def __init__(self, layer: Layers, *arguments: Any, **options: Any):
        super().__init__(layer, *arguments, **options, recursive=True, pooling="last")
        if self.linear is not None and self.season:
            size, zeros = len(self.means) * layer.input_size + 1, nnx.initializers.zeros
            self.linear = nnx.Linear(size, self.output.size, kernel_init=zeros, dtype=self.dtype, rngs=options["rngs"])

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
        raw = self.head.score(dropout(keys[2], states, self.head.dropout_rate)).astype(jnp.float32)
        if self.linear is not None:
            raw = raw + self.linear(self.read_before(read)).astype(jnp.float32)
        return jnp.swapaxes(raw, 0, 1)

    def read_before(self, inputs: jax.Array) -> jax.Array:
        """What the linear map reads before each of the H steps that are forecast, `[H, B, N F]`, or one number more.

        Means over the last steps, and what the target had a season before.
        """
        last = self.window - 1 + np.arange(self.horizon)
        parts = [inputs[last[:, None] - np.arange(steps)].mean(axis=1) for steps in self.means]
        parts += [inputs[last + 1 - self.season, :, :1]] if self.season else []
        return jnp.concatenate(parts, axis=-1)

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
            known = self.linear(self.read_before(inputs.at[:, :, 0].set(0))).astype(jnp.float32)
            kernel = self.linear.kernel[...]
            weights = list(zip(self.means, kernel[:: inputs.shape[2]], strict=False))

        def step(state: Any, read: Any) -> tuple[Any, jax.Array]:
            carry, past = state
            row, known, key = read
            carry, output = layer.step(carry, for_paths(row).at[:, 0].set(past[-1]))
            raw = self.head.score(output).astype(jnp.float32) + for_paths(known)
            for steps, weight in weights:
                raw = raw + past[-steps:].mean(axis=0).astype(jnp.float32)[:, None] * weight[None]
            if weights and self.season:
                raw = raw + past[-self.season].astype(jnp.float32)[:, None] * kernel[-1][None]
            drawn = self.output.sample(raw, key, scale)
            return (carry, jnp.concatenate([past[1:], drawn[None].astype(past.dtype)])), drawn

        keys = jax.random.split(key, self.horizon)
        drawn = jax.lax.scan(step, (carry, past), (inputs[self.window - 1 :], known, keys))[1]
        return jnp.transpose(drawn.reshape(self.horizon, -1, paths), (1, 2, 0))
