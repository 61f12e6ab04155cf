"""The layer that holds a cell: what the other layers and the models of the library are built on."""

import contextlib
import contextvars
import warnings
from collections.abc import Callable, Iterator
from typing import Any, Literal, overload

import jax
import jax.numpy as jnp
from flax import nnx

from rnn_jax.cells.base import Cell, check_cell
from rnn_jax.compose import is_random
from rnn_jax.typing import Carry, Checked, DType, Key, Output
from rnn_jax.unroll import Method, Unrolled, UnrolledCarries, unroll

_run: contextvars.ContextVar[Callable[..., Any]] = contextvars.ContextVar("run", default=unroll)


@contextlib.contextmanager
def unrolled_by(run: Callable[..., Any]) -> Iterator[None]:
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

    What is random in training draws its key as follows, the first that is there: `key`, an argument, which acts in
    either mode; in train mode (`layer.train()`, as a layer begins) the stream `dropout` of the argument `rngs`; that of
    the layer, if it keeps one. In eval mode (`layer.eval()`) nothing is drawn from streams.

    Args:
        cell: what to run through time.
        param_dtype: of the parameters.
        deterministic: whether the layer begins in eval mode.
        keep_rngs: keep a fork of the stream `dropout` (or `default`) of `rngs`, if the cell has anything random;
            without it keys are arguments, and the layer is one for `functional`.
        rngs: the stream `params` (or `default`) draws the parameters.

    Attributes:
        cell: as given, static.
        params: the cell's nested dict, each array an `nnx.Param`, or a `Fixed` where `cell.trainable` says so.
        deterministic: as Flax has it: set by `train()` and `eval()` of the layer or of a model around it.
        rngs: the stream that was kept; None without one.

    Raises:
        ValueError: `cell` is no cell, `rngs` are none, or they have no stream to keep.
    """

    def __init__(
        self,
        cell: Cell,
        *,
        param_dtype: DType = jnp.float32,
        deterministic: bool = False,
        keep_rngs: bool = False,
        rngs: nnx.Rngs,
    ):
        check_cell("cell", cell)
        if not isinstance(rngs, nnx.Rngs):
            raise ValueError(f"rngs={rngs!r}: expected flax.nnx.Rngs, such as nnx.Rngs(0)")
        self.cell = nnx.static(cell)
        params = cell.init(rngs.params(), param_dtype)
        held = jax.tree.map(lambda leaf, free: (nnx.Param if free else Fixed)(leaf), params, cell.trainable(params))
        self.params = nnx.data(held)
        self.deterministic = deterministic
        self.rngs = _dropout_stream(rngs).fork() if keep_rngs and is_random(cell) else nnx.data(None)

    @property
    def input_size(self) -> int:
        """D."""
        return self.cell.input_size

    @property
    def output_size(self) -> int:
        """Features of an output."""
        return self.cell.output_size

    def initial_carry(self, batch_shape: tuple[int, ...] = (), dtype: DType = jnp.float32) -> Carry:
        """The carry before the first step, the cell's own or a learned one."""
        return self.cell.start(self.pure_params(), batch_shape, dtype)

    @overload
    def __call__(  # pyrefly: ignore[inconsistent-overload]
        self, xs: Any, carry: Carry = None, *, return_carries: Literal[False] = False, **options: Any
    ) -> Unrolled: ...
    @overload
    def __call__(  # pyrefly: ignore[inconsistent-overload]
        self, xs: Any, carry: Carry = None, *, return_carries: Literal[True], **options: Any
    ) -> UnrolledCarries: ...
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
        return_carries: bool = False,
        rngs: nnx.Rngs | nnx.RngStream | None = None,
    ) -> Unrolled | UnrolledCarries:
        """Unroll the cell over xs `[T, B, D]`; arguments, result and errors as in `rnn_jax.unroll`.

        In train mode, where no `key` is given, the stream `dropout` (or `default`) of `rngs` draws one. A gradient in
        train mode without a key through a cell that has dropout is warned of once: nothing is dropped then.
        """
        params = self.pure_params()
        if key is None and not self.deterministic and is_random(self.cell):
            stream = self.rngs if rngs is None else _dropout_stream(rngs)
            key = None if stream is None else stream()
        silent = key is None and not self.deterministic and is_random(self.cell)
        if silent and any(map(_is_differentiated, jax.tree.leaves(params))):
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
            return_carries=return_carries,
        )

    def step(self, carry: Carry, x: Checked[Any, "*B D"], dt: Checked[Any, "*B"] = None) -> tuple[Carry, Output]:
        """One step of the cell, x `[B, D]`, for streaming; dt `[B]` is the time before it."""
        return self.cell(self.pure_params(), carry, x, dt)

    def pure_params(self) -> dict[str, Any]:
        """The parameters as the nested dict of arrays that the cell's functions take."""
        return jax.tree.map(lambda p: p[...], self.params, is_leaf=lambda p: isinstance(p, nnx.Variable))


def _is_differentiated(leaf: Any) -> bool:
    return type(leaf).__name__ in ("JVPTracer", "LinearizeTracer")  # JAX has no public question for it


def _dropout_stream(rngs: nnx.Rngs | nnx.RngStream) -> nnx.RngStream:
    """The stream that draws keys for what is random in training."""
    if isinstance(rngs, nnx.RngStream):
        return rngs
    if "dropout" not in rngs and "default" not in rngs:
        raise ValueError(f"rngs has the streams {sorted(rngs)}: expected dropout or default among them")
    return rngs.dropout
