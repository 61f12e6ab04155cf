"""Cells one above the other."""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from rnn_jax.cells.base import Cell, Composite, Run, check_call, check_cell, plain_fields
from rnn_jax.checks import check_choice, check_rate, is_shape
from rnn_jax.compose.noise import dropout
from rnn_jax.typing import Carry, Checked, DType, Key, Output, Params


@dataclasses.dataclass(frozen=True)
class Stack(Composite):
    """Layers one above the other. Unrolled layer by layer, so that each input product is hoisted; streamed by steps.

    Params: `{"layer_0": ..., "layer_1": ...}`. Carry: a tuple, one entry a layer.

    Args:
        layers: cells (or composites), each reading the outputs of the one before.
        dropout: rate on the inputs of every layer but the first, in training.
        dropout_kind: "step" or "sequence"; see `dropout`.

    Raises:
        ValueError: there is no layer, or two neighbours do not fit.
    """

    layers: Sequence[Cell]
    dropout: float = dataclasses.field(default=0.0, kw_only=True)
    dropout_kind: str = dataclasses.field(default="step", kw_only=True)

    def __post_init__(self):
        plain_fields(self)
        if not isinstance(self.layers, Iterable):
            raise ValueError(f"layers={self.layers!r}: expected a list of cells, such as Stack([LSTM(8, 16)])")
        object.__setattr__(self, "layers", tuple(self.layers))
        for i, layer in enumerate(self.layers):
            check_cell(f"layers[{i}]", layer)
        check_rate("dropout", self.dropout)
        check_choice("dropout_kind", self.dropout_kind, ("step", "sequence"))
        if not self.layers:
            raise ValueError("layers=(): expected at least one cell")
        for i, (below, above) in enumerate(zip(self.layers, self.layers[1:], strict=False)):
            if below.output_size != above.input_size:
                raise ValueError(
                    f"layers[{i + 1}].input_size={above.input_size}: expected {below.output_size}, "
                    f"the output size of layers[{i}]"
                )
            if is_shape(below.input_shape) and below.input_shape[:-1] != above.input_shape[:-1]:
                raise ValueError(
                    f"layers[{i + 1}] reads space {above.input_shape[:-1]}: expected {below.input_shape[:-1]}, "
                    f"as layers[{i}]"
                )

    @property
    def input_size(self) -> int:
        return self.layers[0].input_size

    @property
    def input_shape(self) -> Any:
        return self.layers[0].input_shape

    @property
    def timed(self) -> bool:
        return any(layer.timed for layer in self.layers)

    @property
    def hidden_size(self) -> int:
        return self.layers[-1].hidden_size

    @property
    def output_size(self) -> int:
        return self.layers[-1].output_size

    @property
    def methods(self) -> tuple[str, ...]:
        return tuple(m for m in self.layers[0].methods if all(m in layer.methods for layer in self.layers))

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        keys = jax.random.split(key, len(self.layers))
        return {f"layer_{i}": layer.init(keys[i], param_dtype) for i, layer in enumerate(self.layers)}

    def initial_carry(self, batch_shape: tuple[int, ...] = (), dtype: DType = jnp.float32) -> tuple[Carry, ...]:
        return tuple(layer.initial_carry(batch_shape, dtype) for layer in self.layers)

    def start(self, params: Params, batch_shape: tuple[int, ...] = (), dtype: DType = jnp.float32) -> tuple[Carry, ...]:
        return tuple(layer.start(params[f"layer_{i}"], batch_shape, dtype) for i, layer in enumerate(self.layers))

    def output(self, carry: tuple[Carry, ...]) -> Output:
        return self.layers[-1].output(carry[-1])

    def unroll_parts(
        self, run: Run, params: Params, xs: Checked[Any, "T *B D"], carry: Carry, reverse: bool, key: Key | None
    ) -> tuple[Carry, Output]:
        after = []
        for i, layer in enumerate(self.layers):
            layer_key = None
            if key is not None:
                mask_key, layer_key = jax.random.split(jax.random.fold_in(key, i))
                if i:
                    xs = dropout(mask_key, xs, self.dropout, self.dropout_kind)
            layer_carry, xs = run(layer, params[f"layer_{i}"], xs, carry[i], reverse, layer_key)
            after.append(layer_carry)
        return tuple(after), jnp.asarray(xs)

    def trainable(self, params: Params) -> Params:
        return {f"layer_{i}": layer.trainable(params[f"layer_{i}"]) for i, layer in enumerate(self.layers)}

    def __call__(
        self, params: Params, carry: Carry, x: Checked[Any, "*B D"], dt: Checked[Any, "*B"] = None
    ) -> tuple[Carry, Output]:
        check_call(self, carry, x, dt)
        after = []
        for i, layer in enumerate(self.layers):
            layer_carry, x = layer(params[f"layer_{i}"], carry[i], x, dt if layer.timed else None)
            after.append(layer_carry)
        return tuple(after), jnp.asarray(x)
