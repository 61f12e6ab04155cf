"""A model split once into parameters and a pure function of them."""

from collections.abc import Callable
from typing import Any, TypeVar

import jax
from flax import nnx

from rnn_jax.nnx.recurrent import Fixed, Recurrent

Model = TypeVar("Model", bound=nnx.Module)


def functional(model: Model) -> tuple[dict[str, Any], Callable[[dict[str, Any]], Model]]:
    """Split a model once, so that training is pure from there: its parameters, and the way back.

    Returns:
        The parameters as nested dicts of arrays, and a function from such a dict to a model that holds them; call it
        inside `jax.jit`, `jax.grad` or `jax.vmap`.

    Raises:
        ValueError: the model holds what a call in training changes, the key of a dropout, the statistics of a batch or
            a variable of its own: a pure function would start from the same ones each time. Constants are `Fixed`.
    """
    graph, state, rest = nnx.split(model, nnx.Param, ...)
    _check_unchanging(model, rest)
    names = jax.tree.structure(nnx.to_pure_dict(state))

    def rebuild(params: dict[str, Any]) -> Model:
        if jax.tree.structure(params) != names:
            raise ValueError(f"params have the tree {jax.tree.structure(params)}: expected {names}, as in the model")
        fresh = jax.tree.map(lambda leaf: leaf, state)
        nnx.replace_by_pure_dict(fresh, params)
        return nnx.merge(graph, fresh, rest)

    return nnx.to_pure_dict(state), rebuild


def _check_unchanging(model: nnx.Module, state: Any) -> None:
    """Raise a ValueError if `state` has something that a call of the model as it is set would change."""
    modules = dict(nnx.iter_modules(model))
    for path, variable in nnx.to_flat_state(state):
        owner = next(modules[path[:end]] for end in reversed(range(len(path))) if path[:end] in modules)
        modes = ("deterministic", "use_running_average")
        idle = any(getattr(owner, mode, False) for mode in modes) or getattr(owner, "rate", None) == 0
        if idle or isinstance(owner, nnx.RNN) or isinstance(variable, Fixed | nnx.RngCount):
            continue  # an nnx.RNN has a key for its first carry alone
        name, kind = ".".join(map(str, ("model", *path))), type(owner).__name__
        remedy = "; call model.eval() first for a model that is not trained"
        remedy = remedy if any(hasattr(owner, mode) for mode in modes) else ""
        if isinstance(variable, nnx.RngKey):
            own = "make it with keep_rngs=False" if isinstance(owner, Recurrent) else f"leave rngs out of {kind}"
            raise ValueError(
                f"{name} would draw the same numbers in every call: {own} and call it with rngs=nnx.Rngs(key), the key "
                f"an argument, or use rnn_jax.dropout{remedy}"
            )
        if isinstance(variable, nnx.BatchStat):
            raise ValueError(
                f"{name} would never change: nnx.LayerNorm and nnx.GroupNorm have no statistics to keep{remedy}, or "
                "trained with statistics that are fixed"
            )
        raise ValueError(
            f"{name} is a {type(variable).__name__}, which a call may change and a pure function cannot: make it an "
            f"argument and a result of {kind}, an nnx.Param if it is trained, or a rnn_jax.nnx.Fixed if it is constant"
        )
