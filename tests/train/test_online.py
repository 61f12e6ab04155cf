"""The gradient that goes forward is the one that goes back through all of time."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_jax
from rnn_jax.testing import quick_jit
from rnn_jax.testing.example import initial_params
from rnn_jax.train.online import online_state, online_value_and_grad

LENGTH, BATCH = 6, 2
CELLS = [rnn_jax.LRU(3, 4), rnn_jax.MinGRU(3, 4), rnn_jax.RGLRU(4, 4), rnn_jax.IndRNN(3, 4), rnn_jax.MinLSTM(3, 4)]

FIRST = [(rnn_jax.LRU, 3), (rnn_jax.MinGRU, 1)]


def example(cell):
    """Params, those of a linear head, inputs and targets, in float64."""
    random = np.random.default_rng(0)
    params = jax.tree.map(
        lambda leaf: leaf + 0.1 * random.normal(size=leaf.shape), initial_params(cell, jax.random.key(0))
    )
    head = {"kernel": jnp.asarray(random.normal(size=(cell.output_size, 2)))}
    xs = jnp.asarray(random.normal(size=(LENGTH, BATCH, cell.input_size)))
    return params, head, xs, jnp.asarray(random.normal(size=(LENGTH, BATCH, 2)))


def loss_of(cell, params, head, carry, xs, targets):
    carry, ys = rnn_jax.unroll(cell, params, xs, carry)
    return jnp.square(ys @ head["kernel"] - targets).sum(), carry


@pytest.mark.parametrize(
    ("cell", "window"),
    [
        pytest.param(cell, window, marks=[pytest.mark.exhaustive] * ((type(cell), window) not in FIRST))
        for cell in CELLS
        for window in (1, 3)
    ],
)
def test_windows_have_the_gradient_of_the_whole_sequence(x64, cell, window):
    params, head, xs, targets = example(cell)
    loss = functools.partial(loss_of, cell)

    @quick_jit
    def both(params, head):
        state, total, gradients = online_state(cell, (BATCH,), jnp.float64), 0.0, []
        for begin in range(0, LENGTH, window):
            part = xs[begin : begin + window], targets[begin : begin + window]
            value, gradient, state = online_value_and_grad(loss, cell)(params, head, state, *part)
            total, gradients = total + value, [*gradients, gradient]
        whole = jax.value_and_grad(loss, argnums=(0, 1), has_aux=True)
        (value, carry), gradient = whole(params, head, cell.initial_carry((BATCH,), jnp.float64), xs, targets)
        return (total, jax.tree.map(lambda *g: sum(g), *gradients), state.carry), (value, gradient, carry)

    found, wanted = both(params, head)
    chex.assert_trees_all_close(found, wanted, rtol=1e-10, atol=1e-12)


def test_truncated_the_gradient_is_another(x64):
    cell = rnn_jax.MinGRU(3, 4)
    params, head, xs, targets = example(cell)
    gradient = quick_jit(jax.grad(functools.partial(loss_of, cell), has_aux=True))
    carry, truncated = cell.initial_carry((BATCH,), jnp.float64), 0.0
    for t in range(LENGTH):
        step = gradient(params, head, carry, xs[t : t + 1], targets[t : t + 1])
        truncated, carry = truncated + step[0]["input"]["kernel"], step[1]
    exact = gradient(params, head, cell.initial_carry((BATCH,), jnp.float64), xs, targets)[0]
    assert np.abs(truncated - exact["input"]["kernel"]).max() > 0.01 * np.abs(truncated).max()


def test_the_state_does_not_grow():
    state = online_state(rnn_jax.LRU(3, 4), (2,))
    assert {leaf.shape for leaf in jax.tree.leaves(state.trace)} == {(2 * 3 + 3, 2, 4)}


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        (rnn_jax.IRNN(3, 4), "a unit reads the past of another one"),
        (rnn_jax.MLSTM(3, 4), "its carry is no number for each unit"),
        (rnn_jax.Stack([rnn_jax.LRU(3, 4)]), "its carry is no number for each unit of one cell"),
    ],
)
def test_cells_whose_units_are_not_apart_are_refused(cell, message):
    with pytest.raises(ValueError, match=rf"cell=.*: expected one whose units are apart.*{message}"):
        online_state(cell)
