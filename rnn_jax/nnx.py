"""Flax NNX layers over cells: this is where Flax and the cells meet.

The layer holds a cell's parameters as `nnx.Param`, those never trained as `Fixed`, and calls the pure `unroll`;
everything else that a model needs (Embed, Linear, LayerNorm, Dropout, attention) comes from Flax. The module has this
name because it is used as `rnn_jax.nnx.Recurrent` beside `flax.nnx.Linear`.
"""

import contextlib
import contextvars
import warnings
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from flax import nnx

from rnn_jax.cells.base import Cell
from rnn_jax.compose import is_random
from rnn_jax.typing import Carry, Checked, DType, Key, Output
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
        if not isinstance(rngs, nnx.Rngs):
            raise ValueError(f"rngs={rngs!r}: expected flax.nnx.Rngs, such as nnx.Rngs(0)")
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
        xs: Checked[Any, "T *B D"],
        carry: Carry = None,
        *,
        dt: Checked[Any, "T *B"] = None,
        lengths: Checked[Any, "*B"] = None,
        mask: Checked[Any, "T *B"] = None,
        resets: Checked[Any, "T *B"] = None,
        segment_ids: Checked[Any, "T *B"] = None,
        reverse: bool = False,
        method: str | Method = "auto",
        checkpoint_every: int | None = None,
        time_axis: int = 0,
        key: Key | None = None,
    ) -> Unrolled:
        """Unroll the cell over xs `[T, B, D]`; arguments, result and errors as in `rnn_jax.unroll`.

        A gradient without `key` through a cell that has dropout is warned of once: nothing is dropped then.
        """
        params = self.pure_params()
        if key is None and is_random(self.cell) and any(map(_is_differentiated, jax.tree.leaves(params))):
            warnings.warn(
                f"a gradient is taken through {self.cell} without key: nothing is random, so nothing is dropped; "
                "in training give the layer key=jax.random.key(...), another one at each update",
                stacklevel=2,
            )
        return _run.get()(
            self.cell,
            params,
            xs,
            carry,
            dt=dt,
            lengths=lengths,
            mask=mask,
            resets=resets,
            segment_ids=segment_ids,
            reverse=reverse,
            method=method,
            checkpoint_every=checkpoint_every,
            time_axis=time_axis,
            key=key,
        )

    def step(self, carry: Carry, x: Checked[Any, "*B D"], dt: Checked[Any, "*B"] = None) -> tuple[Carry, Output]:
        """One step of the cell, x `[B, D]`, for streaming; dt `[B]` is the time before it."""
        return self.cell(self.pure_params(), carry, x, *(() if dt is None else (dt,)))

    def pure_params(self) -> dict[str, Any]:
        """The parameters as the nested dict of arrays that the cell's functions take."""
        return jax.tree.map(lambda p: p[...], self.params, is_leaf=lambda p: isinstance(p, nnx.Variable))


def _is_differentiated(leaf: Any) -> bool:
    return type(leaf).__name__ in ("JVPTracer", "LinearizeTracer")  # JAX has no public question for it


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
            raise ValueError(
                f"{name} would draw the same numbers in every call: leave rngs out of {kind} and call it with "
                f"rngs=nnx.Rngs(key), the key an argument, or use rnn_jax.dropout{remedy}"
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
