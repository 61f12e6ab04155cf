"""The cell and the params that an ONNX model of the operators LSTM, GRU and RNN computes.

The graph is read from its input on. Of each tensor the reader knows what it holds: a constant, a sequence (the outputs
of some layers, with the names of its axes), a state, or sizes. What stands between layers only moves axes, joins two
directions or adds a layer's input to its outputs; any other operator is refused by name once something depends on it.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rnn_jax.cells import Cell
from rnn_jax.interop.entries import check_option
from rnn_jax.interop.files import library
from rnn_jax.interop.onnx.operators import GATES, cell_of, params_of
from rnn_jax.interop.onnx.streams import RULES, Direction, Layer, Sizes, State, Stream, Unknown, Zeros, stacked
from rnn_jax.typing import Params

_FOLDED = ("Constant", "Identity", "Transpose", "Concat", "Slice", "Split", "Squeeze", "Unsqueeze", "Reshape", "Cast",
           "Gather", "ConstantOfShape", "Expand", "Shape", "Add")  # fmt: skip
"""Operators that exporters make weights with; they are computed where all that they read is constant."""

_OWN = {"LSTM": ("input_forget",), "GRU": ("linear_before_reset",)}
"""Attributes that only one operator has."""

_MOVES = ("Identity", "Transpose", "Concat", "Slice", "Split", "Squeeze", "Unsqueeze", "Reshape", "Cast", "Gather",
          "Expand")  # fmt: skip
"""Operators that move states, which are no part of a cell."""


def from_onnx(model: Any, *, reverse: bool = False) -> tuple[Cell, Params]:
    """The cell and the params that compute what an ONNX model of LSTM, GRU and RNN operators computes.

    Lengths and initial states are not part of a cell: they must be inputs of the graph, or be left out (initial states
    may be zero), and go to `unroll`. Nor are the axes of inputs and outputs: `unroll` has `time_axis=1` for batches
    first, and gives `[T, B, 2 H]` where a bare operator gives `[T, 2, B, H]`.

    Args:
        model: the path of a file, or an `onnx.ModelProto`.
        reverse: whether the model is for `unroll(..., reverse=True)`: what runs backward in it is forward in the cell.

    Returns:
        The bare cell for one layer in one direction, a `Bidirectional` for two, a `Stack` of these for more layers,
        `Residual` around layers whose input is added to their outputs; and its params, copied.

    Raises:
        ImportError: the package onnx is not installed.
        ValueError: the file is no valid model, or has an operator, an attribute or a form that no cell has; the message
            names it.
    """
    onnx = library("onnx")
    if isinstance(model, str | Path):
        named = f"model={str(model)!r}"
        if not Path(model).is_file():
            raise ValueError(f"{named}: there is no such file")
        try:
            model = onnx.load(model)
        except Exception as error:  # of which protobuf has many
            raise ValueError(f"{named} cannot be read as an ONNX model: {error}") from error
    elif isinstance(model, onnx.ModelProto):
        named = "model"
    else:
        raise ValueError(f"model has type {type(model).__name__}: expected a path or an onnx.ModelProto")
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        raise ValueError(f"{named} is not a valid ONNX model: {error}") from error
    return _Reader(model, reverse).result()


class _Reader:
    """What each tensor of a graph holds, by its name."""

    def __init__(self, model: Any, reverse: bool):
        self._model = model
        self._reverse = reverse
        self._recurrent: dict[str, str] = {}
        self._lengths: dict[str, frozenset[str]] = {}
        graph = model.graph
        self._values: dict[str, Any] = {one.name: _stored(one) for one in graph.initializer}
        for given in graph.input:
            rank = len(given.type.tensor_type.shape.dim) if given.type.tensor_type.HasField("shape") else 3
            outside = Stream(("0", "1", "F"), given.name) if rank == 3 else State(None, frozenset({given.name}))
            self._values.setdefault(given.name, outside)
        for node in graph.node:
            owner = f"{node.op_type} {node.name or _first(node.output)!r}"
            inputs = [self._values.get(name, Unknown(owner)) if name else None for name in node.input]
            try:
                outputs = self._evaluate(node, owner, inputs)
            except (IndexError, KeyError, TypeError) as error:  # of shapes that the checker of models lets through
                raise ValueError(f"{owner} cannot be read: {error}") from error
            outputs = outputs if isinstance(outputs, list) else [outputs] * len(node.output)
            self._values.update(zip(node.output, outputs, strict=False))

    def result(self) -> Layer:
        """What the graph's outputs are of."""
        found: list[tuple[Stream, bool]] = []
        for output in self._model.graph.output:
            value = self._values[output.name]
            if isinstance(value, Unknown):
                raise ValueError(
                    f"output {output.name!r} depends on {value.owner}, which is neither a layer nor moves axes between "
                    "layers: cut the model before it with onnx.utils.extract_model"
                )
            stream = value.of if isinstance(value, State) else value
            if isinstance(stream, Stream):
                found.append((stream, stream is value))
        stream, _ = max(found, key=lambda one: (len(one[0].nodes), one[1]), default=(Stream((), ""), True))
        left = [owner for output, owner in self._recurrent.items() if output not in stream.nodes]
        if left or not self._recurrent:
            told = f"{', '.join(left)} are not in it" if left else "there is no LSTM, GRU or RNN"
            raise ValueError(f"the model is not one chain of layers: {told}; cut it with onnx.utils.extract_model")
        if len(set(self._lengths.values())) > 1:
            told = "; ".join(f"{owner}: {', '.join(names) or 'none'}" for owner, names in self._lengths.items())
            raise ValueError(f"sequence_lens differ between layers ({told}): expected the same input for all, or none")
        return stacked(stream.complete())

    def _evaluate(self, node: Any, owner: str, inputs: list[Any]) -> Any:
        """What a node's outputs hold: a list, or one value for all of them."""
        if node.domain not in ("", "ai.onnx"):
            return Unknown(owner)
        if node.op_type in GATES:
            return self._layer(node, owner, inputs)
        for value in inputs:
            if isinstance(value, Unknown):
                return value
        constant = [value is None or isinstance(value, np.ndarray) for value in inputs]
        if all(constant):
            return self._fold(node, owner, inputs) if node.op_type in _FOLDED else Unknown(owner)
        if node.op_type == "Shape":
            return Sizes()
        if node.op_type == "Expand" and isinstance(inputs[0], np.ndarray) and not inputs[0].any():
            return Zeros()
        if all(known or isinstance(value, Sizes) for known, value in zip(constant, inputs, strict=True)):
            if node.op_type != "ConstantOfShape":
                return Sizes()
            fill = self._attributes(node).get("value")
            return Unknown(owner) if fill is not None and library("onnx").numpy_helper.to_array(fill).any() else Zeros()
        if isinstance(inputs[0], Stream) and node.op_type in RULES:
            moved = RULES[node.op_type](inputs, self._attributes(node))
            if isinstance(moved, Stream) or (moved is not None and len(moved) == len(node.output)):
                return moved
        if node.op_type in _MOVES:
            return _moved_states(inputs) or Unknown(owner)
        return Unknown(owner)

    def _attributes(self, node: Any) -> dict[str, Any]:
        read = library("onnx").helper.get_attribute_value
        found = {one.name: read(one) for one in node.attribute}
        return {name: value.decode() if isinstance(value, bytes) else value for name, value in found.items()}

    def _fold(self, node: Any, owner: str, inputs: list[Any]) -> Any:
        """The outputs of a node that reads constants alone."""
        helper = library("onnx").helper
        evaluator = library("onnx.reference").ReferenceEvaluator
        given = {name: value for name, value in zip(node.input, inputs, strict=True) if name}
        inputs = [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)
            for name, value in given.items()
        ]
        outputs = [helper.make_empty_tensor_value_info(name) for name in node.output]
        graph = helper.make_graph([node], "constant", inputs, outputs)
        model = helper.make_model(graph, opset_imports=self._model.opset_import, ir_version=self._model.ir_version)
        try:
            return [np.asarray(value) for value in evaluator(model).run(None, given)]
        except Exception:  # of which an evaluator of everything has many
            return Unknown(owner)

    def _layer(self, node: Any, owner: str, inputs: list[Any]) -> list[Any]:
        """The outputs Y, Y_h and Y_c of an LSTM, a GRU or an RNN."""
        names = ("X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c", "P")
        given = dict(zip(names, [*inputs, *[None] * 8], strict=False))
        attributes = self._attributes(node)
        layout = attributes.pop("layout", 0)
        check_option(owner, "layout", layout, (0, 1))
        below = self._inputs(owner, given["X"], layout)
        directions = self._directions(node.op_type, owner, attributes, given)
        for name in ("initial_h", "initial_c"):
            _check_outside(owner, name, given[name], below.source)
        _check_outside(owner, "sequence_lens", given["sequence_lens"], below.source)
        self._recurrent[_first(node.output)] = owner
        lengths = given["sequence_lens"]
        self._lengths[owner] = _sources(lengths)
        first, second, features = below.axes
        stream = dataclasses.replace(
            below,
            axes=(first, second, "N", features) if layout else (first, "N", second, features),
            layers=below.complete(),
            top=directions,
            time=below.axes[layout],
            nodes=below.nodes | {_first(node.output)},
        )
        return [stream, State(stream), State(stream)]

    def _inputs(self, owner: str, value: Any, layout: int) -> Stream:
        """The sequence that an operator reads, or an error that says what it reads instead."""
        if isinstance(value, Unknown):
            raise ValueError(
                f"X of {owner} depends on {value.owner}: it neither is a layer nor moves axes between layers"
            )
        if not isinstance(value, Stream) or len(value.axes) != 3 or value.axes[-1] != "F" or "N" in value.axes:
            axes = f" with axes {', '.join(value.axes)}" if isinstance(value, Stream) else ""
            raise ValueError(
                f"X of {owner} is {type(value).__name__.lower()}{axes}: expected an input of the graph or the outputs "
                "of another layer, [time, batch, features]"
            )
        if value.time not in (None, value.axes[layout]):
            raise ValueError(f"{owner} runs along the batch of the layer below it: expected the same axis for time")
        return value

    def _directions(
        self, operator: str, owner: str, attributes: dict[str, Any], given: dict[str, Any]
    ) -> tuple[Direction, ...]:
        """The cells of an operator and their params."""
        for name, value in attributes.items():
            if name not in ("direction", "hidden_size", "activations", *_OWN.get(operator, ())):
                raise ValueError(f"{owner} has {name}={value}, which no cell has: expected none of it")
        direction = attributes.get("direction", "forward")
        check_option(owner, "direction", direction, ("forward", "reverse", "bidirectional"))
        count = 2 if direction == "bidirectional" else 1
        weights = {name: given[name] for name in ("W", "R", "B", "P") if given[name] is not None}
        for name, value in weights.items():
            rank = 3 if name in "WR" else 2
            if not isinstance(value, np.ndarray):
                raise ValueError(f"{name} of {owner} is not stored in the model: expected an initializer or a constant")
            if value.ndim != rank or len(value) != count:
                raise ValueError(
                    f"{name} of {owner} has shape {list(value.shape)}: expected {rank} dims, {count} direction(s) first"
                )
        activations = [name.decode().lower() for name in attributes.get("activations", [])]
        if len(activations) % count:
            raise ValueError(f"{owner} has activations={activations}: expected as many for each of {count} directions")
        each = len(activations) // count
        found = []
        for i in range(count):
            own = {name: value[i] for name, value in weights.items()}
            shapes = {name: value.shape for name, value in own.items()}
            cell = cell_of(owner, operator, attributes, activations[i * each : (i + 1) * each], shapes)
            backward = (direction == "reverse" or i == 1) != self._reverse
            found.append(Direction(cell, params_of(owner, cell, own), backward, owner))
        return tuple(found)


def _stored(tensor: Any) -> np.ndarray:
    """An initializer as an array."""
    try:
        return library("onnx").numpy_helper.to_array(tensor)
    except Exception as error:  # of a type that is none, of data in a file that is not there, and more
        raise ValueError(f"initializer {tensor.name!r} cannot be read: {error}") from error


def _first(names: Sequence[str]) -> str:
    """The first output that is not left out."""
    return next(filter(None, names), "")


def _check_outside(owner: str, name: str, value: Any, source: str) -> None:
    """Raise a ValueError unless lengths or initial states come from outside, or are zero."""
    if value is None or (isinstance(value, Zeros) and name != "sequence_lens"):
        return
    if isinstance(value, np.ndarray) and name != "sequence_lens" and not value.any():
        return
    outside = (isinstance(value, Stream) and not value.nodes) or (isinstance(value, State) and value.of is None)
    if not outside or source in _sources(value):
        kind = "a constant" if isinstance(value, np.ndarray) else "computed in the model"
        argument = "lengths" if name == "sequence_lens" else "the carry"
        raise ValueError(f"{name} of {owner} is {kind}: make it an input of the graph, and give {argument} to unroll")


def _sources(value: Any) -> frozenset[str]:
    """The inputs of the graph that a value comes from."""
    return frozenset({value.source}) if isinstance(value, Stream) else getattr(value, "sources", frozenset())


def _moved_states(inputs: Sequence[Any]) -> State | Zeros | None:
    """States, zeros and constants together: final states remember their layers, others where they come from."""
    states = [State(None, _sources(v)) if isinstance(v, Stream) and not v.nodes else v for v in inputs]
    if not all(v is None or isinstance(v, State | Zeros | Sizes | np.ndarray) for v in states):
        return None
    states = [value for value in states if isinstance(value, State)]
    if not states:
        return Zeros()
    of = [value.of for value in states if value.of is not None]
    deepest = max(of, key=lambda stream: len(stream.nodes), default=None)
    return State(deepest, frozenset().union(*(value.sources for value in states)))
