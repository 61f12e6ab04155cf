"""Flax as the outside oracle: our parameters in its layout give the same values and gradients over a sequence."""

import chex
import jax
import jax.numpy as jnp
import pytest
from flax import linen, nnx

import rnn_jax
from rnn_jax.testing import Example

D, H = 3, 4
FLOAT64 = {"dtype": jnp.float64, "param_dtype": jnp.float64}


def gates(kernel, names):
    return dict(zip(names, jnp.split(kernel, len(names), axis=-1), strict=True))


def linen_lstm(params):
    inputs, hidden = gates(params["input"]["kernel"], "ifgo"), gates(params["recurrent"]["kernel"], "ifgo")
    biases = gates(params["input"]["bias"], "ifgo")
    theirs = {f"i{g}": {"kernel": kernel} for g, kernel in inputs.items()}
    return theirs | {f"h{g}": {"kernel": hidden[g], "bias": biases[g]} for g in hidden}


def linen_gru(params):
    inputs, hidden = gates(params["input"]["kernel"], "rzn"), gates(params["recurrent"]["kernel"], "rzn")
    biases = gates(params["input"]["bias"], "rzn")
    theirs = {f"i{g}": {"kernel": kernel, "bias": biases[g]} for g, kernel in inputs.items()}
    theirs |= {f"h{g}": {"kernel": kernel} for g, kernel in hidden.items()}
    theirs["hn"]["bias"] = params["recurrent"]["bias"]
    return theirs


def linen_elman(params):
    return {"i": params["input"], "h": params["recurrent"]}


def nnx_lstm(params):
    theirs = linen_lstm(params)
    return {"if_" if name == "if" else name: layer for name, layer in theirs.items()}


def nnx_optimized_lstm(params):
    recurrent = {"kernel": params["recurrent"]["kernel"], "bias": params["input"]["bias"]}
    return {"dense_i": {"kernel": params["input"]["kernel"]}, "dense_h": recurrent}


def nnx_dense(params):
    return {"dense_i": params["input"], "dense_h": params["recurrent"]}


def nnx_gru(params):
    """Their cell has input biases, which ours has not without the candidate's: they are zero here."""
    return nnx_dense({"input": params["input"] | {"bias": jnp.zeros(3 * H)}, "recurrent": params["recurrent"]})


def linen_step(name, convert):
    cell = getattr(linen, name)(H, **FLOAT64)
    return lambda params, carry, x: cell.apply({"params": convert(params)}, carry, x)


def nnx_step(name, convert):
    graph, state = nnx.split(getattr(nnx, name)(D, H, rngs=nnx.Rngs(0), **FLOAT64))

    def step(params, carry, x):
        nnx.replace_by_pure_dict(state, convert(params))
        return nnx.merge(graph, state)(carry, x)

    return step


@pytest.mark.parametrize(
    ("cell", "flax_step", "name", "convert"),
    [
        (rnn_jax.LSTM(D, H), linen_step, "LSTMCell", linen_lstm),
        (rnn_jax.GRU(D, H), linen_step, "GRUCell", linen_gru),
        (rnn_jax.Elman(D, H), linen_step, "SimpleCell", linen_elman),
        (rnn_jax.LSTM(D, H), nnx_step, "LSTMCell", nnx_lstm),
        (rnn_jax.LSTM(D, H), nnx_step, "OptimizedLSTMCell", nnx_optimized_lstm),
        (rnn_jax.GRU(D, H, bias=False), nnx_step, "GRUCell", nnx_gru),
        (rnn_jax.Elman(D, H), nnx_step, "SimpleCell", nnx_dense),
    ],
)
def test_a_sequence_equals_flax(x64, cell, flax_step, name, convert):
    example = Example.draw(cell, jax.random.key(0))
    step = flax_step(name, convert)

    def ours(params, carry, xs):
        return tuple(rnn_jax.unroll(cell, params, xs, carry))

    def flax(params, carry, xs):
        # Flax carries (cell, hidden), we (hidden, cell).
        carry = carry if isinstance(carry, jax.Array) else tuple(reversed(carry))
        carry, ys = jax.lax.scan(lambda c, x: step(params, c, x), carry, xs)
        return carry if isinstance(carry, jax.Array) else rnn_jax.LSTMCarry(*reversed(carry)), ys

    def with_gradients(run, args):
        def loss(*args):
            result = run(*args)
            return sum(jnp.sin(leaf).sum() for leaf in jax.tree.leaves(result)), result

        return jax.value_and_grad(loss, argnums=(0, 1, 2), has_aux=True)(*args)

    both = jax.jit(lambda *args: (with_gradients(ours, args), with_gradients(flax, args)))
    chex.assert_trees_all_close(*both(example.params, example.carry, example.xs), rtol=1e-12, atol=1e-12)
