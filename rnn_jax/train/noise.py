"""Weight noise: train with parameters that are a little off, so that only what needs no precision is learned."""

import jax

from rnn_jax.typing import Params


def noisy_params(key: jax.Array, params: Params, deviation: float) -> Params:
    """Parameters with Gaussian noise added to each; the gradient there is the gradient at the parameters themselves.

    Graves 2011, "Practical variational inference for neural networks", with one fixed deviation as in Graves et al.
    2013, arXiv:1303.5778.

    Args:
        key: a typed key, another one for each update.
        params: a pytree of arrays.
        deviation: of the noise; 0 for none.
    """
    if not deviation:
        return params
    leaves, tree = jax.tree.flatten(params)
    keys = jax.random.split(key, len(leaves))
    noisy = [leaf + deviation * jax.random.normal(keys[i], leaf.shape, leaf.dtype) for i, leaf in enumerate(leaves)]
    return jax.tree.unflatten(tree, noisy)
