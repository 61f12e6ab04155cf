"""A method beside the sequential one: values and gradients of all arguments."""

import chex
import jax
import jax.numpy as jnp
import numpy as np

import rnn_jax


def drawn(cell, length=9, batch=(5,), dtype=jnp.float32):
    """Params, inputs and a carry, none of them zero."""
    params, carry = cell.init(jax.random.key(0), dtype), cell.initial_carry(batch, dtype)
    leaves, tree = jax.tree.flatten((params, carry, jnp.zeros((length, *batch, cell.input_size), dtype)))
    random = np.random.default_rng(0)
    leaves = [leaf + jnp.asarray(0.1 * random.normal(size=leaf.shape), dtype) for leaf in leaves]
    return tree.unflatten(leaves)


def everything(cell, method, **options):
    """The function that gives the last carry, the outputs, and the gradients of all arguments."""

    def loss(params, carry, xs):
        found = rnn_jax.unroll(cell, params, xs, carry, method=method, **options)
        return sum(jnp.sin(leaf).sum() for leaf in jax.tree.leaves(found)), found

    return jax.jit(jax.value_and_grad(loss, argnums=(0, 1, 2), has_aux=True))


def assert_same(cell, drawn, **options):
    """Equal but for rounding, of which a chaotic cell makes more: by the largest number of each array."""
    wanted, found = (everything(cell, method, **options)(*drawn) for method in ("sequential", "fused"))
    chex.assert_trees_all_equal_shapes_and_dtypes(found, wanted)
    for one, other in zip(jax.tree.leaves(wanted), jax.tree.leaves(found), strict=True):
        size = max(1.0, float(jnp.abs(one).max(initial=0)))
        np.testing.assert_allclose(other, one, rtol=1e-4, atol=5e-5 * size)
