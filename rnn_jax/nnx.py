"""Flax NNX layers over cells: this is where Flax and the cells meet.

The layer holds a cell's parameters as `nnx.Param`, those never trained as `Fixed`, and calls the pure `unroll`;
everything else that a model needs (Embed, Linear, LayerNorm, Dropout, attention) comes from Flax. The module has this
name because it is used as `rnn_jax.nnx.Recurrent` beside `flax.nnx.Linear`.
"""

import contextlib
import contextvars
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from flax import nnx

from rnn_jax.cells.base import Cell
from rnn_jax.typing import Array, Carry, Checked, DType, Key, Output
from rnn_jax.unroll import Method, Unrolled, unroll

Model = TypeVar("Model", bound=nnx.Module)
_run: contextvars.ContextVar[Callable[..., Unrolled]] = contextvars.ContextVar("run", default=unroll)


@contextlib.contextmanager
def unrolled_by(run: Callable[..., Unrolled]) -> Iterator[None]:
    """While this lasts, layers call `run` in the place of `unroll`, with the same arguments, to look inside of models.

    It acts where Python runs: a function that was compiled before stays as it is.
    """
    token = _run.set(run)
    try:
        yield
    finally:
        _run.reset(token)


class Fixed(nnx.Variable):
    """An array of a cell that is never trained: no `nnx.Param`, so that no optimizer and no weight decay touches it."""


class Recurrent(nnx.Module):
    """A cell, a Stack or a Bidirectional as a Flax layer.

    Args:
        cell: what to run through time.
        param_dtype: of the parameters.
        rngs: the stream `params` (or `default`) draws them.

    Attributes:
        cell: as given, static.
        params: the cell's nested dict, each array an `nnx.Param`, or a `Fixed` where `cell.trainable` says so.
    """

    def __init__(self, cell: Cell, *, param_dtype: DType = jnp.float32, rngs: nnx.Rngs):
        if not isinstance(cell, Cell):
            raise ValueError(
                f"cell has type {type(cell).__name__}: expected a rnn_jax.Cell, such as rnn_jax.LSTM(8, 16)"
            )
        self.cell = nnx.static(cell)
        params = cell.init(rngs.params(), param_dtype)
        held = jax.tree.map(lambda leaf, free: (nnx.Param if free else Fixed)(leaf), params, cell.trainable(params))
        self.params = nnx.data(held)

    @property
    def input_size(self) -> int:
        """D."""
        return self.cell.input_size

    @property
    def output_size(self) -> int:
        """Features of an output."""
        return self.cell.output_size

    def initial_carry(self, batch_shape: tuple[int, ...] = (), dtype: DType = jnp.float32) -> Carry:
        """The cell's carry before the first step."""
        return self.cell.initial_carry(batch_shape, dtype)

    def __call__(
        self,
        xs: Checked[Array, "T *B D"],
        carry: Carry = None,
        *,
        lengths: Checked[Any, "*B"] = None,
        resets: Checked[Any, "T *B"] = None,
        reverse: bool = False,
        method: str | Method = "auto",
        checkpoint_every: int | None = None,
        time_axis: int = 0,
        key: Key | None = None,
    ) -> Unrolled:
        """Unroll the cell over xs `[T, B, D]`; arguments, result and errors as in `rnn_jax.unroll`."""
        return _run.get()(
            self.cell,
            self.pure_params(),
            xs,
            carry,
            lengths=lengths,
            resets=resets,
            reverse=reverse,
            method=method,
            checkpoint_every=checkpoint_every,
            time_axis=time_axis,
            key=key,
        )

    def step(self, carry: Carry, x: Checked[Array, "*B D"]) -> tuple[Carry, Output]:
        """One step of the cell, x `[B, D]`, for streaming."""
        return self.cell(self.pure_params(), carry, x)

    def pure_params(self) -> dict[str, Any]:
        """The parameters as the nested dict of arrays that the cell's functions take."""
        return jax.tree.map(lambda p: p[...], self.params, is_leaf=lambda p: isinstance(p, nnx.Variable))


def functional(model: Model) -> tuple[dict[str, Any], Callable[[dict[str, Any]], Model]]:
    """Split a model once, so that training is pure from there: its parameters, and the way back.

    Returns:
        The parameters as nested dicts of arrays, and a function from such a dict to a model that holds them; call it
        inside `jax.jit`, `jax.grad` or `jax.vmap`.

    Raises:
        ValueError: the model holds what a call in training changes, the key of a dropout or the statistics of a batch:
            a pure function would start from the same ones each time.
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
        in_evaluation = getattr(owner, "deterministic", False) or getattr(owner, "use_running_average", False)
        if in_evaluation or isinstance(owner, nnx.RNN):  # an nnx.RNN has a key for its first carry alone
            continue
        name = ".".join(map(str, ("model", *path)))
        if isinstance(variable, nnx.RngKey):
            raise ValueError(
                f"{name} would draw the same numbers in every call: leave rngs out of {type(owner).__name__} and call "
                "it with rngs=nnx.Rngs(key), the key an argument, or use rnn_jax.dropout; call model.eval() first for "
                "a model that is not trained"
            )
        if isinstance(variable, nnx.BatchStat):
            raise ValueError(
                f"{name} would never change: nnx.LayerNorm and nnx.GroupNorm have no statistics to keep; call "
                "model.eval() first for a model that is not trained, or trained with statistics that are fixed"
            )
