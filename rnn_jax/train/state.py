"""What changes during training, and the pure function that changes it: several updates in one dispatch."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from rnn_jax.train.optimizer import AverageState
from rnn_jax.typing import Carry, Params

Batch = dict[str, Any]
Loss = Callable[[Params, Carry, Batch, jax.Array], tuple[jax.Array, tuple[Carry, dict[str, jax.Array]]]]


class TrainState(NamedTuple):
    """Everything that an interrupted run needs to go on as if nothing had happened.

    Attributes:
        step: updates made, int32.
        params: of the model.
        optimizer: optax's state.
        carry: the recurrent state that is carried from batch to batch; `()` where batches stand alone.
    """

    step: jax.Array
    params: Params
    optimizer: optax.OptState
    carry: Carry


def initial_state(params: Params, optimizer: optax.GradientTransformation, carry: Carry) -> TrainState:
    """The state before the first update."""
    return TrainState(jnp.int32(0), params, optimizer.init(params), carry)


def kept_params(state: TrainState) -> Params:
    """What is evaluated and kept of a state: the average of the parameters, or where none is made these themselves."""
    optimizer: Any = state.optimizer
    return optimizer[-1].average if isinstance(optimizer[-1], AverageState) else state.params


def make_dispatch(loss: Loss, optimizer: optax.GradientTransformation, key: jax.Array):
    """A pure function `(state, batches) -> (state, metrics)` that makes one update for each of n stacked batches.

    One dispatch costs Python once, and the buffers of the state stay where they are from update to update.

    Args:
        loss: `(params, carry, batch, key) -> (loss, (carry, metrics))`; the carry it returns enters the next batch
            as a plain input, so that gradients stop there: truncated backpropagation through time.
        optimizer: an optax transformation.
        key: of all randomness in training; update i uses `fold_in(key, i)`.

    Returns:
        The function; its metrics are those of `loss` plus `loss` and `grad_norm`, each `[n]`.
    """

    def update(state: TrainState, batch: Batch) -> tuple[TrainState, dict[str, jax.Array]]:
        step_key = jax.random.fold_in(key, state.step)
        differentiate = jax.value_and_grad(loss, has_aux=True)
        (value, (carry, metrics)), gradients = differentiate(state.params, state.carry, batch, step_key)
        updates, optimizer_state = optimizer.update(gradients, state.optimizer, state.params)
        params = optax.apply_updates(state.params, updates)
        metrics = metrics | {"loss": value, "grad_norm": optax.global_norm(gradients)}
        return TrainState(state.step + 1, params, optimizer_state, carry), metrics

    def dispatch(state: TrainState, batches: Batch) -> tuple[TrainState, dict[str, jax.Array]]:
        return jax.lax.scan(update, state, batches)

    return dispatch
