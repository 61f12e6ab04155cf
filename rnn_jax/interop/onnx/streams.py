"""What a tensor of a graph may hold between recurrent layers, and what operators do to it there.

A rule `(inputs, attributes) -> Stream | list[Stream] | None` is for a first input that is a stream; None where
the operator does something that is no part of a layer.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from rnn_jax.cells import Cell
from rnn_jax.compose import Bidirectional, Residual, Stack
from rnn_jax.typing import Params

Layer = tuple[Cell, Params]


@dataclasses.dataclass(frozen=True)
class Direction:
    """A cell that runs from the first step to the last, or back."""

    cell: Cell
    params: Params
    backward: bool
    owner: str


@dataclasses.dataclass(frozen=True)
class Stream:
    """A sequence: outputs of layers over an input of the graph.

    Attributes:
        axes: their names: "0" and "1" as in the graph's input, one of them time, "N" directions, "F" features.
        source: the input of the graph.
        layers: those that are complete, from the first on.
        top: directions of one more layer, side by side on N, or one that another may join.
        time: the axis that is time, where a layer has told.
        nodes: the LSTM, GRU and RNN operators in it.
    """

    axes: tuple[str, ...]
    source: str
    layers: tuple[Layer, ...] = ()
    top: tuple[Direction, ...] = ()
    time: str | None = None
    nodes: frozenset[str] = frozenset()

    def complete(self) -> tuple[Layer, ...]:
        """All layers, the directions at the top joined."""
        if not self.top:
            return self.layers
        if len(self.top) == 2:
            return (*self.layers, _joined("concat", *self.top))
        (one,) = self.top
        if one.backward:
            raise ValueError(
                f"{one.owner} runs backward, and nothing forward beside it: no cell does so by itself; read a model "
                "whose operators all have direction='reverse' with from_onnx(model, reverse=True), and give "
                "reverse=True to unroll"
            )
        return (*self.layers, (one.cell, one.params))


@dataclasses.dataclass(frozen=True)
class State:
    """States: given from outside where `of` is None, else final ones of layers."""

    of: Stream | None
    sources: frozenset[str] = frozenset()


@dataclasses.dataclass(frozen=True)
class Sizes:
    """Whole numbers that depend on shapes."""


@dataclasses.dataclass(frozen=True)
class Zeros:
    """Zeros of a shape that depends on others."""


@dataclasses.dataclass(frozen=True)
class Unknown:
    """What no rule is for, with the operator that it began at."""

    owner: str


def stacked(layers: Sequence[Layer]) -> Layer:
    """One layer, or a stack of them."""
    if len(layers) == 1:
        return layers[0]
    return Stack([cell for cell, _ in layers]), {f"layer_{i}": params for i, (_, params) in enumerate(layers)}


def _joined(merge: str, forward: Direction, backward: Direction) -> Layer:
    """Two directions as one layer."""
    if forward.backward or not backward.backward:
        raise ValueError(
            f"{forward.owner} runs backward and stands before what runs forward: expected forward first, then backward"
        )
    second = None if backward.cell == forward.cell else backward.cell
    return Bidirectional(forward.cell, second, merge=merge), {"forward": forward.params, "backward": backward.params}


def _numbers(inputs: Sequence[Any], place: int, attribute: Any) -> list[int] | None:
    """What newer opsets have as constant input and older ones as attribute."""
    if attribute is not None:
        return [int(n) for n in np.ravel(attribute)]
    value = inputs[place] if place < len(inputs) else None
    return [int(n) for n in np.ravel(value)] if isinstance(value, np.ndarray) else None


def _same(inputs: Sequence[Any], attributes: dict[str, Any]) -> Stream | None:
    del attributes
    training = inputs[2] if len(inputs) > 2 else None  # of Dropout
    return inputs[0] if training is None or (isinstance(training, np.ndarray) and not training.any()) else None


def _transpose(inputs: Sequence[Any], attributes: dict[str, Any]) -> Stream:
    axes = inputs[0].axes
    order = attributes.get("perm", range(len(axes))[::-1])
    return dataclasses.replace(inputs[0], axes=tuple(axes[i] for i in order))


def _squeeze(inputs: Sequence[Any], attributes: dict[str, Any]) -> Stream | None:
    """The axis of directions is taken away where there is one direction."""
    stream: Stream = inputs[0]
    removed = _numbers(inputs, 1, attributes.get("axes"))
    if removed is None or len(stream.top) != 1 or [stream.axes[i] for i in removed] != ["N"]:
        return None
    return dataclasses.replace(stream, axes=tuple(axis for axis in stream.axes if axis != "N"))


def _reshape(inputs: Sequence[Any], attributes: dict[str, Any]) -> Stream | None:
    """Directions are set side by side, as features, or the axis of one direction is taken away."""
    stream: Stream = inputs[0]
    shape = _numbers(inputs, 1, attributes.get("shape"))
    if shape is None or "N" not in stream.axes or len(shape) != len(stream.axes) - 1 or attributes.get("allowzero", 0):
        return None
    place, features = stream.axes.index("N"), sum(one.cell.output_size for one in stream.top)
    copied = [i for i, size in enumerate(shape) if size == 0]
    fits = len(stream.top) == 1 or place == len(stream.axes) - 2
    fits = fits and stream.axes[-1] == "F" and shape[-1] in (-1, features) and all(i < place for i in copied)
    if not fits:
        return None
    return dataclasses.replace(stream, axes=tuple(axis for axis in stream.axes if axis != "N"))


def _gather(inputs: Sequence[Any], attributes: dict[str, Any]) -> Stream | None:
    """One of two directions."""
    stream, index = inputs[0], inputs[1]
    axis = attributes.get("axis", 0)
    if stream.axes[axis] != "N" or not isinstance(index, np.ndarray) or index.size != 1:
        return None
    axes = tuple(name for name in stream.axes if name != "N") if index.ndim == 0 else stream.axes
    return dataclasses.replace(stream, axes=axes, top=(stream.top[int(index.ravel()[0])],))


def _slice(inputs: Sequence[Any], attributes: dict[str, Any]) -> Stream | None:
    """One of two directions."""
    stream: Stream = inputs[0]
    starts, ends, axes, steps = (
        _numbers(inputs, place, attributes.get(name))
        for place, name in enumerate(("starts", "ends", "axes", "steps"), 1)
    )
    if starts is None or ends is None or axes is None or len(axes) != 1 or stream.axes[axes[0]] != "N":
        return None
    top = stream.top[slice(starts[0], ends[0], steps[0] if steps else None)]
    return dataclasses.replace(stream, top=top) if len(top) == 1 else None


def _split(inputs: Sequence[Any], attributes: dict[str, Any]) -> list[Stream] | None:
    """Two directions, each by itself."""
    stream: Stream = inputs[0]
    if stream.axes[attributes.get("axis", 0)] != "N":
        return None
    return [dataclasses.replace(stream, top=(one,)) for one in stream.top]


def _concat(inputs: Sequence[Any], attributes: dict[str, Any]) -> Stream | None:
    """Two directions, side by side as features."""
    if inputs[0].axes[attributes["axis"]] != "F":
        return None
    return _join("concat", inputs)


def _join(merge: str, inputs: Sequence[Any]) -> Stream | None:
    if len(inputs) != 2 or not all(isinstance(one, Stream) and len(one.top) == 1 for one in inputs):
        return None
    forward, backward = inputs
    if forward.axes != backward.axes or "N" in forward.axes or not _same_layers(forward.layers, backward.layers):
        return None
    if forward.top[0].backward or not backward.top[0].backward:
        return None
    layers = (*forward.layers, _joined(merge, forward.top[0], backward.top[0]))
    return dataclasses.replace(forward, layers=layers, top=(), nodes=forward.nodes | backward.nodes)


def _same_layers(some: Sequence[Layer], others: Sequence[Layer]) -> bool:
    """Whether they are the same layers of the graph, not only alike."""

    def one(layer: Layer, other: Layer) -> bool:
        pairs = zip(jax.tree.leaves(layer[1]), jax.tree.leaves(other[1]), strict=True)
        return layer[0] == other[0] and all(a is b for a, b in pairs)

    return len(some) == len(others) and all(one(a, b) for a, b in zip(some, others, strict=True))


def _add(inputs: Sequence[Any], attributes: dict[str, Any]) -> Stream | None:
    """Two directions, added, or the outputs of layers and their input."""
    del attributes
    joined = _join("sum", inputs)
    if joined is not None or len(inputs) != 2 or not all(isinstance(one, Stream) for one in inputs):
        return joined
    lower, upper = sorted(inputs, key=lambda stream: len(stream.nodes))
    if lower.axes != upper.axes or "N" in upper.axes or lower.source != upper.source or not upper.nodes > lower.nodes:
        return None
    inside, outside = upper.complete(), lower.complete()
    if not _same_layers(inside[: len(outside)], outside):
        return None
    cell, params = stacked(inside[len(outside) :])
    return dataclasses.replace(upper, layers=(*outside, (Residual(cell), params)), top=())


RULES: dict[str, Callable[[Sequence[Any], dict[str, Any]], Any]] = {
    "Identity": _same, "Dropout": _same, "Transpose": _transpose, "Squeeze": _squeeze, "Reshape": _reshape,
    "Gather": _gather, "Slice": _slice, "Split": _split, "Concat": _concat, "Add": _add, "Sum": _add,
    "Mul": lambda inputs, _: _join("mul", inputs), "Mean": lambda inputs, _: _join("ave", inputs),
}  # fmt: skip
