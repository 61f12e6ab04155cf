"""Layers as Flax has them: one that takes the place of `flax.nnx.RNN`, and one that keeps its carry between calls."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from rnn_jax.cells.base import Cell
from rnn_jax.checks import check_input, is_shape
from rnn_jax.nnx.recurrent import Recurrent
from rnn_jax.typing import Bool, Carry, Checked, DType, Key, Output
from rnn_jax.unroll import Method
from rnn_jax.unroll.scope import where_rows


class RNN(nnx.Module):
    """A cell over a sequence that returns its outputs alone, as `flax.nnx.RNN`: a layer for `nnx.Sequential`.

    Arguments have Flax's names and defaults; the batch comes first. It differs in that `reverse` keeps outputs where
    their inputs stand (Flax's `keep_order=True`), and in that what a cell has of dropout is drawn from `rngs`.

    Args:
        cell: what to run through time.
        time_major: inputs are `[T, B, D]`, not `[B, T, D]`.
        return_carry: return `(carry, outputs)`, not the outputs alone.
        reverse: go from the last valid step to the first.
        method: of `rnn_jax.unroll`.
        param_dtype: of the parameters.
        deterministic: whether the layer begins in eval mode.
        keep_rngs: keep a fork of the stream `dropout` (or `default`) of `rngs`, if the cell has anything random.
        rngs: the stream `params` (or `default`) draws the parameters.

    Raises:
        ValueError: as `Recurrent`.
    """

    def __init__(
        self,
        cell: Cell,
        *,
        time_major: bool = False,
        return_carry: bool = False,
        reverse: bool = False,
        method: str | Method = "auto",
        param_dtype: DType = jnp.float32,
        deterministic: bool = False,
        keep_rngs: bool = True,
        rngs: nnx.Rngs,
    ):
        held = {"param_dtype": param_dtype, "deterministic": deterministic, "keep_rngs": keep_rngs, "rngs": rngs}
        self.recurrent = Recurrent(cell, **held)
        self.time_major, self.return_carry, self.reverse = time_major, return_carry, reverse
        self.method = nnx.static(method)

    def __call__(
        self,
        inputs: Checked[Any, "..."],
        *,
        initial_carry: Carry = None,
        seq_lengths: Checked[Any, "*B"] = None,
        return_carry: bool | None = None,
        time_major: bool | None = None,
        reverse: bool | None = None,
        key: Key | None = None,
        rngs: nnx.Rngs | nnx.RngStream | None = None,
        **options: Any,
    ) -> Any:
        """The outputs `[B, T, H]` for inputs `[B, T, D]`, or `[T, H]` for `[T, D]`.

        Args:
            inputs: of the cell; with `time_major`, time first.
            initial_carry: where to start.
            seq_lengths: int `[B]`, the valid steps of each row; outputs past them are zero.
            return_carry: in place of the layer's.
            time_major: in place of the layer's.
            reverse: in place of the layer's.
            key: see `Recurrent`.
            rngs: see `Recurrent`.
            options: `dt`, `mask`, `resets`, `segment_ids` (their time where that of the inputs is) and
                `checkpoint_every` of `rnn_jax.unroll`.

        Returns:
            The outputs; with `return_carry`, `(carry, outputs)`.

        Raises:
            ValueError: as `rnn_jax.unroll`.
        """
        time_major = self.time_major if time_major is None else time_major
        carry, ys = self.recurrent(
            inputs,
            initial_carry,
            lengths=seq_lengths,
            reverse=self.reverse if reverse is None else reverse,
            method=self.method,
            time_axis=0 if time_major else _time_axis(self.recurrent.cell, inputs),
            key=key,
            rngs=rngs,
            **options,
        )
        return_carry = self.return_carry if return_carry is None else return_carry
        return (carry, ys) if return_carry else ys


class CarryState(nnx.Variable):
    """A leaf of the carry that a `StatefulRNN` keeps: `nnx.state(model, CarryState)` is where its streams are."""


class StatefulRNN(nnx.Module):
    """A cell that goes on where the last call ended, for streams that come in pieces: its carry is an `nnx.Variable`.

    Two calls on the halves of a sequence are one call on all of it. A gradient stays within what it is taken of: of a
    function that calls the layer once, it goes back to the start of that piece (truncated backpropagation).

    Args:
        cell: that can be streamed: no part of it runs backwards.
        batch_shape: B, how many streams there are side by side; `()` is one, without a batch dim.
        time_major: inputs are `[T, B, D]`, not `[B, T, D]`.
        carry_dtype: of the carry.
        param_dtype: of the parameters.
        deterministic: whether the layer begins in eval mode.
        keep_rngs: keep a fork of the stream `dropout` (or `default`) of `rngs`, if the cell has anything random.
        rngs: the stream `params` (or `default`) draws the parameters.

    Attributes:
        carry: the tree of the carry `[B, ...]`, each leaf a `CarryState`.

    Raises:
        ValueError: as `Recurrent`, or the cell has a part that runs backwards.
    """

    def __init__(
        self,
        cell: Cell,
        batch_shape: tuple[int, ...] = (),
        *,
        time_major: bool = False,
        carry_dtype: DType = jnp.float32,
        param_dtype: DType = jnp.float32,
        deterministic: bool = False,
        keep_rngs: bool = True,
        rngs: nnx.Rngs,
    ):
        held = {"param_dtype": param_dtype, "deterministic": deterministic, "keep_rngs": keep_rngs, "rngs": rngs}
        self.recurrent = Recurrent(cell, **held)
        self.batch_shape, self.time_major, self.carry_dtype = tuple(batch_shape), time_major, jnp.dtype(carry_dtype)
        carry = self.recurrent.initial_carry(self.batch_shape, carry_dtype)
        x = jax.tree.map(
            lambda shape: jax.ShapeDtypeStruct((*self.batch_shape, *shape), jnp.float32),
            cell.input_shape, is_leaf=is_shape,
        )  # fmt: skip
        jax.eval_shape(cell, self.recurrent.pure_params(), carry, x)  # a cell that cannot be streamed says so
        self.carry = nnx.data(jax.tree.map(CarryState, carry))

    def __call__(self, inputs: Checked[Any, "..."], **options: Any) -> Output:
        """The outputs `[B, T, H]` for the next inputs `[B, T, D]` of all streams.

        Args:
            inputs: of the cell; with `time_major`, time first.
            options: `dt`, `lengths`, `mask`, `resets`, `segment_ids`, `method`, `checkpoint_every`, `key` and `rngs` of
                `Recurrent`.

        Raises:
            ValueError: as `rnn_jax.unroll`, or there are other streams than the layer was made for.
        """
        axis = 0 if self.time_major else _time_axis(self.recurrent.cell, inputs)
        leading = check_input("inputs", inputs, self.recurrent.cell.input_shape)
        self._check_streams("inputs", leading[:axis] + leading[axis + 1 :])
        carry, ys = self.recurrent(inputs, self.current_carry(), time_axis=axis, **options)
        self._keep(carry)
        return ys

    def step(self, x: Checked[Any, "*B D"], dt: Checked[Any, "*B"] = None) -> Output:
        """The output `[B, H]` of one step x `[B, D]` of all streams; dt `[B]` is the time before it.

        Raises:
            ValueError: x is no input of the cell, or there are other streams than the layer was made for.
        """
        self._check_streams("x", check_input("x", x, self.recurrent.cell.input_shape))
        carry, y = self.recurrent.step(self.current_carry(), x, dt)
        self._keep(carry)
        return y

    def reset(self, rows: Bool[Any, "*B"] | None = None) -> None:
        """Begin anew: all streams, or those where bool `rows [B]` is true."""
        start = self.recurrent.initial_carry(self.batch_shape, self.carry_dtype)
        self._keep(start if rows is None else where_rows(jnp.asarray(rows), start, self.current_carry()))

    def current_carry(self) -> Carry:
        """The carry `[B, ...]` that the next call starts from, a tree of arrays."""
        return jax.tree.map(lambda leaf: leaf[...], self.carry, is_leaf=_is_variable)

    def _keep(self, carry: Carry) -> None:
        variables = jax.tree.leaves(self.carry, is_leaf=_is_variable)
        for variable, leaf in zip(variables, jax.tree.leaves(carry), strict=True):
            variable[...] = leaf

    def _check_streams(self, name: str, batch_shape: tuple[int, ...]) -> None:
        if batch_shape != self.batch_shape:
            raise ValueError(
                f"{name} has batch dims {batch_shape}: expected {self.batch_shape}, the streams that the layer was "
                "made for (batch_shape)"
            )


def _is_variable(node: Any) -> bool:
    return isinstance(node, nnx.Variable)


def _time_axis(cell: Cell, inputs: Any) -> int:
    """Where time stands when the batch comes first: behind all batch dims."""
    return max(0, len(check_input("inputs", inputs, cell.input_shape)) - 1)
