"""`method="cudnn"`: the LSTM of NVIDIA's cuDNN, through `jax.experimental.rnn`, on a GPU."""

import dataclasses
import math
from typing import Any

import jax
import jax.numpy as jnp
from jax.experimental import rnn

from rnn_jax.cells.base import Cell
from rnn_jax.cells.gated.lstm import LSTM, LSTMCarry
from rnn_jax.typing import Carry, Checked, Float, Int, Key, Params
from rnn_jax.unroll.method import MethodResult
from rnn_jax.unroll.scope import Scope

IN_ORDER = "ifgo"
"""The gates as cuDNN has them."""


@dataclasses.dataclass(frozen=True)
class CuDNN:
    """`unroll(..., method="cudnn")`: for an `LSTM` as it is published, in float32, without resets.

    Its derivatives are of the first order and in reverse mode alone; `checkpoint_every` changes nothing. Whether
    products are of full precision is what `jax_default_matmul_precision` says, "highest" or any other.
    """

    def applies(self, cell: Cell) -> bool:
        return not self.why_not(cell)

    def why_not(self, cell: Cell) -> str:
        """Why a cell cannot be run this way here; "" if it can."""
        if (
            type(cell) is not LSTM
            or cell.gates != IN_ORDER
            or any((cell.without, cell.peepholes, cell.layer_norm, cell.heads > 1))
        ):
            return "cuDNN has the LSTM without options alone"
        backend = jax.default_backend()
        return "" if backend == "gpu" else f"it needs an NVIDIA GPU, and the default device here is a {backend}"

    def run(
        self,
        cell: Cell,
        params: Params,
        xs: Checked[Any, "T *B D"],
        carry: Carry,
        scope: Scope,
        reverse: bool,
        key: Key | None,
    ) -> MethodResult:
        """One LSTM.

        Raises:
            ValueError: there are resets, a mask, all carries are asked for, or inputs are not float32.
        """
        assert isinstance(cell, LSTM)
        if scope.resets is not None:
            raise ValueError("method='cudnn': cuDNN has no resets or segment_ids: leave them out")
        if scope.carries:
            raise ValueError(
                "method='cudnn': cuDNN gives the last carry alone; with return_carries=True expected another method"
            )
        if scope.gaps:
            raise ValueError("method='cudnn': cuDNN has no mask: say lengths, or use another method")
        if xs.dtype != jnp.float32:
            raise ValueError(f"method='cudnn': xs is {xs.dtype}; expected float32, or another method")
        rows, length = math.prod(scope.batch_shape), scope.length
        if not rows or not length:
            return MethodResult(carry, jnp.zeros((*xs.shape[:-1], cell.hidden_size), xs.dtype))
        steps = jnp.full(rows, length) if scope.valid is None else scope.valid.reshape(length, rows).sum(0)
        there = steps > 0  # a row without a step is given one, and keeps its carry
        order = _backwards(steps, length) if reverse else None
        flat = xs.reshape(length, rows, -1).swapaxes(0, 1)
        flat = flat if order is None else jnp.take_along_axis(flat, order[..., None], axis=1)
        start = LSTMCarry(*(part.reshape(1, rows, -1).astype(jnp.float32) for part in carry))
        ys, *last = lstm(cell, weights(cell, params), flat, start, jnp.maximum(steps, 1).astype(jnp.int32))
        ys = ys if order is None else jnp.take_along_axis(ys, order[..., None], axis=1)
        last = [jnp.where(there[:, None], new[0], old[0]) for new, old in zip(last, start, strict=True)]
        carry = LSTMCarry(*(new.reshape(old.shape).astype(old.dtype) for new, old in zip(last, carry, strict=True)))
        return MethodResult(carry, ys.swapaxes(0, 1).reshape(*xs.shape[:-1], -1))


def lstm(
    cell: LSTM,
    flat: Float[jax.Array, "M"],
    xs: Float[jax.Array, "B T D"],
    start: LSTMCarry,
    lengths: Int[jax.Array, "B"],
) -> Any:
    """The outputs `[B, T, H]` and both parts `[1, B, H]` of the last carry, from inputs `[B, T, D]`."""
    config: Any = jax.config
    exact = config.jax_default_matmul_precision in ("highest", "float32")
    precision = jax.lax.Precision.HIGHEST if exact else jax.lax.Precision.HIGH
    return rnn.lstm(
        xs, start.hidden, start.cell, flat, lengths, cell.input_size, cell.hidden_size, 1, 0.0, False, precision
    )


def weights(cell: LSTM, params: Params) -> Float[jax.Array, "M"]:
    """The params as cuDNN has them: both kernels, gate by gate and unit by unit, then both biases in one array."""
    bias = params["input"].get("bias", jnp.zeros(4 * cell.hidden_size, jnp.float32))
    kernels = params["input"]["kernel"].T, params["recurrent"]["kernel"].T
    parts = [*kernels, bias, jnp.zeros_like(bias)]
    return jnp.concatenate([part.astype(jnp.float32).ravel() for part in parts])


def _backwards(steps: jax.Array, length: int) -> jax.Array:
    """For each row and step which step comes there when the valid ones are turned round; the padding stays."""
    at = jnp.arange(length)[None]
    return jnp.where(at < steps[:, None], steps[:, None] - 1 - at, at)
