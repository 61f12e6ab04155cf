"""Models of one kind side by side in one program: their parameters stacked along a first axis."""

from collections.abc import Callable
from typing import Any

import jax

from rnn_jax.typing import Params


def stack_params(build: Callable[[jax.Array], tuple[Params, Any]], key: jax.Array, count: int) -> tuple[Params, Any]:
    """The parameters of so many models, drawn apart, each leaf `[K, ...]`, and the way from those of one to a model.

    Args:
        build: from a typed key to what `rnn_jax.nnx.functional` returns.
        key: a typed key.
        count: K.
    """
    _, rebuild = build(jax.random.key(0))  # the values do not matter
    return jax.vmap(lambda model_key: build(model_key)[0])(jax.random.split(key, count)), rebuild
