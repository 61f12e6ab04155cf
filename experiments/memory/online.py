"""Losses by windows of a sequence: truncated backpropagation, and exact gradients that go forward (RTRL)."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from experiments.common.sequence_labeler import Labelers
from experiments.common.synthetic import Sample
from experiments.common.synthetic_training import step_scores
from experiments.memory.config import Config
from rnn_jax.train.online import online_state, online_value_and_grad
from rnn_jax.typing import Carry, Params


def windowed_loss(config: Config, params: Params, rebuild: Labelers) -> Callable[..., Any]:
    """The loss of a training whose gradients go back `config.window` steps: cut off there or, `online`, exact.

    Its value is the one without windows.

    Args:
        config: with a window.
        params: of the model.
        rebuild: from parameters to the model.

    Raises:
        ValueError: `online`, and units of the cell are not apart.
    """
    name, window = config.task, config.window
    assert window is not None

    def of_window(params: Params, carry: Carry, part: Sample) -> tuple[jax.Array, Carry]:
        carry, logits = rebuild(params)[name].advance(carry, part.inputs)
        return step_scores(logits, part).loss.sum(), carry

    if config.online:
        cell: Any = rebuild(params)[name].layer
        total = exact(of_window, name, cell.cell.layers[0])
    else:
        total = truncated(of_window, rebuild, name)

    def loss(params: Params, carry: Any, batch: Any, key: jax.Array) -> tuple[jax.Array, Any]:
        del key  # there is no dropout
        stream = config.streams(jax.random.wrap_key_data(batch["key"]), config.length)[name]
        sample = stream(batch["indices"])
        count = jnp.maximum(sample.mask.sum(), 1).astype(jnp.float32)
        return total(params, in_windows(sample, window)) / count, (carry, {})

    return loss


def in_windows(sample: Sample, size: int) -> Sample:
    """A sample `[T, B, ...]` in windows `[T / size, size, B, ...]`, filled up with steps that do not count."""

    def cut(leaf: jax.Array) -> jax.Array:
        count = -(-len(leaf) // size)
        filled = jnp.concatenate([leaf, jnp.zeros((count * size - len(leaf), *leaf.shape[1:]), leaf.dtype)])
        return filled.reshape(count, size, *leaf.shape[1:])

    return jax.tree.map(cut, sample)


def truncated(of_window: Callable[..., Any], rebuild: Labelers, name: str) -> Callable[[Params, Sample], jax.Array]:
    """The sum of the losses of windows, with gradients that end at the start of each."""

    def total(params: Params, windows: Sample) -> jax.Array:
        layer: Any = rebuild(params)[name].layer

        def body(carry: Carry, part: Sample) -> tuple[Carry, jax.Array]:
            value, carry = of_window(params, jax.lax.stop_gradient(carry), part)
            return carry, value

        return jax.lax.scan(body, layer.initial_carry((windows.mask.shape[2],)), windows)[1].sum()

    return total


def exact(of_window: Callable[..., Any], name: str, cell: Any) -> Callable[[Params, Sample], jax.Array]:
    """The sum of the losses of windows, whose gradient is made on the way forward, in memory of one window."""

    def loss(cell_params: Params, score: Params, carry: Carry, part: Sample) -> tuple[jax.Array, Carry]:
        value, (carry,) = of_window(joined(cell_params, score), (carry,), part)
        return value, carry

    def joined(cell_params: Params, score: Params) -> Params:
        return {name: {"layer": {"params": {"layer_0": cell_params}}, "score": score}}

    value_and_grad = online_value_and_grad(loss, cell)

    def forward(params: Params, windows: Sample) -> tuple[jax.Array, Params]:
        parts = params[name]["layer"]["params"]["layer_0"], params[name]["score"]

        def body(state: Any, part: Sample) -> tuple[Any, None]:
            online, sums = state
            value, gradients, online = value_and_grad(*parts, online, part)
            return (online, jax.tree.map(jnp.add, sums, (value, gradients))), None

        zeros = jnp.zeros(()), jax.tree.map(jnp.zeros_like, parts)
        (_, (total, gradients)), _ = jax.lax.scan(body, (online_state(cell, (windows.mask.shape[2],)), zeros), windows)
        return total, joined(*gradients)

    @jax.custom_vjp
    def total(params: Params, windows: Sample) -> jax.Array:
        return forward(params, windows)[0]

    def backward(gradients: Params, bar: jax.Array) -> tuple[Params, None]:
        return jax.tree.map(lambda leaf: leaf * bar, gradients), None

    total.defvjp(forward, backward)
    return total
