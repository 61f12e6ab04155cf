"""Flax as the outside oracle: its weights give the same values and gradients over a sequence here."""

import chex
import jax
import jax.numpy as jnp
import pytest
from flax import linen, nnx

import rnn_jax
from rnn_jax.interop.flax import from_linen, from_nnx
from rnn_jax.testing import Example, jittered, quick_jit

D, H = 3, 4
FLOAT64 = {"dtype": jnp.float64, "param_dtype": jnp.float64}


def linen_side(name):
    cell = getattr(linen, name)(H, **FLOAT64)
    carry = cell.initialize_carry(jax.random.key(0), (D,))
    variables = cell.init(jax.random.key(1), carry, jnp.zeros(D))
    return variables, cell.apply, lambda variables: from_linen(cell, variables)


def nnx_side(name):
    graph, state = nnx.split(getattr(nnx, name)(D, H, rngs=nnx.Rngs(0), **FLOAT64))

    def step(state, carry, x):
        return nnx.merge(graph, state)(carry, x)

    return state, step, lambda state: from_nnx(nnx.merge(graph, state))


@pytest.mark.exhaustive(but=1)
@pytest.mark.parametrize("name", ["SimpleCell", "LSTMCell", "OptimizedLSTMCell", "GRUCell"])
@pytest.mark.parametrize("side", [linen_side, nnx_side])
def test_a_sequence_equals_flax(x64, side, name):
    weights, step, convert = side(name)
    weights = jittered(jax.random.key(2), weights)
    example = Example.draw(convert(weights)[0], jax.random.key(3))

    def ours(weights, carry, xs):
        return tuple(rnn_jax.unroll(*convert(weights), xs, carry))

    def flax(weights, carry, xs):
        # Flax carries (cell, hidden), we (hidden, cell).
        carry = carry if isinstance(carry, jax.Array) else tuple(reversed(carry))
        carry, ys = jax.lax.scan(lambda c, x: step(weights, c, x), carry, xs)
        return carry if isinstance(carry, jax.Array) else rnn_jax.LSTMCarry(*reversed(carry)), ys

    def with_gradients(run, args):
        def loss(*args):
            result = run(*args)
            return sum(jnp.sin(leaf).sum() for leaf in jax.tree.leaves(result)), result

        return jax.value_and_grad(loss, argnums=(0, 1, 2), has_aux=True)(*args)

    both = quick_jit(lambda *args: (with_gradients(ours, args), with_gradients(flax, args)))
    chex.assert_trees_all_close(*both(weights, example.carry, example.xs), rtol=1e-12, atol=1e-12)
