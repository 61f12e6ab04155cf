"""What a function computes for one unit: a jaxpr over vectors of H units as expressions of scalars.

The gates of a cell are pointwise over the units, so that what they do is said by what they do for unit j. Here a jaxpr
is read so: an array `[k H]` is k parts, each an expression of the parts of the inputs at the same j. What mixes units,
as a sum over them does, has no such expression and is refused by name.
"""

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.extend import core as jex

ELEMENTWISE = {
    "add", "add_any", "sub", "mul", "div", "neg", "max", "min", "abs", "sign", "exp", "log", "log1p", "expm1", "tanh",
    "logistic", "sqrt", "rsqrt", "square", "sin", "cos", "eq", "ne", "lt", "le", "gt", "ge", "and", "or", "xor", "not",
    "select_n", "clamp", "is_finite", "floor",
}  # fmt: skip
SAME = {"copy", "copy_p", "optimization_barrier", "stop_gradient", "reduce_precision", "pvary"}
CALLS = {
    "jit": "jaxpr",
    "pjit": "jaxpr",
    "closed_call": "call_jaxpr",
    "core_call": "call_jaxpr",
    "custom_jvp_call": "call_jaxpr",
    "custom_vjp_call": "call_jaxpr",
    "checkpoint": "jaxpr",
    "remat2": "jaxpr",
}
COSTLY = {"div", "exp", "log", "log1p", "expm1", "tanh", "logistic", "sqrt", "rsqrt", "sin", "cos"}


class NotPointwise(ValueError):
    """A function that is not one of single units; the message says by what."""


class Node(NamedTuple):
    """One value of one unit: an operation on other nodes, by their numbers in the graph; or a leaf."""

    op: str
    args: tuple[int, ...] = ()
    attr: Any = None


@dataclasses.dataclass
class Graph:
    """Expressions that share what is equal; a node's arguments come before it."""

    nodes: list[Node] = dataclasses.field(default_factory=list)
    derivative: bool = False  # what is read now is a derivative: zeros in it are exact, whatever they meet
    index: dict[Node, int] = dataclasses.field(default_factory=dict)

    def add(self, op: str, *args: int, attr: Any = None) -> int:
        """The number of this node, new or not. What is constant is worked out."""
        if op == "add_any":
            op = "add"
        if (simple := self._simpler(op, args)) is not None:
            return simple
        if op in ("add", "mul", "max", "min") and args[0] > args[1]:
            args = args[::-1]
        node = Node(op, args, attr)
        if node not in self.index:
            self.index[node] = len(self.nodes)
            self.nodes.append(node)
        return self.index[node]

    def leaf(self, kind: str, *which: Any) -> int:
        """An input: of this kind, and which of them."""
        return self.add(kind, attr=which)

    def constant(self, value: Any) -> int:
        """A number, or a truth value."""
        value = bool(value) if isinstance(value, bool | np.bool_) else float(value)
        return self.add("constant", attr=(type(value).__name__, repr(value)))

    def is_leaf(self, number: int) -> bool:
        """Whether a node is an input."""
        return not self.nodes[number].args and self.nodes[number].op != "constant"

    def value(self, number: int) -> float | None:
        """The number that a node is, if it is a constant."""
        node = self.nodes[number]
        return float(node.attr[1]) if node.op == "constant" and node.attr[0] == "float" else None

    def _simpler(self, op: str, args: tuple[int, ...]) -> int | None:
        """A node that has the same value for every input, NaN and infinities among them."""
        values = [self.value(arg) for arg in args]
        if op == "mul" and 1.0 in values:
            return args[1 - values.index(1.0)]
        if self.derivative and op == "mul" and 0.0 in values:
            return self.constant(0.0)
        if self.derivative and op == "add" and 0.0 in values:
            return args[1 - values.index(0.0)]
        if self.derivative and op == "neg" and values == [0.0]:
            return args[0]
        if op == "neg" and self.nodes[args[0]].op == "neg":
            return self.nodes[args[0]].args[0]
        return None

    def reached(self, roots: Sequence[int], stop: frozenset[int] = frozenset()) -> list[int]:
        """The nodes that the roots need, in order; nothing behind those in `stop` is looked at."""
        found, waiting = set(), list(roots)
        while waiting:
            if (number := waiting.pop()) not in found:
                found.add(number)
                waiting += () if number in stop else self.nodes[number].args
        return sorted(found)


def evaluate(graph: Graph, roots: Sequence[int], leaf: Callable[[Node], jax.Array], dtype: Any) -> list[jax.Array]:
    """The values of nodes for all units at once, by JAX.

    Args:
        graph: of the nodes.
        roots: the nodes.
        leaf: the value of an input.
        dtype: of the numbers among the constants.
    """
    named = {"and": "bitwise_and", "or": "bitwise_or", "xor": "bitwise_xor", "not": "bitwise_not"}
    values: dict[int, jax.Array] = {}
    for number in graph.reached(roots):
        node = graph.nodes[number]
        if node.op == "constant":
            kind, text = node.attr
            values[number] = jax.numpy.asarray(text == "True" if kind == "bool" else np.asarray(float(text), dtype))
        elif not node.args:
            values[number] = leaf(node)
        else:
            function = getattr(jax.lax, named.get(node.op, node.op))
            values[number] = function(*jax.numpy.broadcast_arrays(*(values[arg] for arg in node.args)))
    return [values[root] for root in roots]


class Parts(NamedTuple):
    """An array as expressions: a node for each entry of an array `[..., n / H]` of nodes, or one node for all."""

    shape: tuple[int, ...]
    nodes: np.ndarray


@dataclasses.dataclass(frozen=True)
class Reader:
    """Reads jaxprs over vectors of so many units into a graph."""

    graph: Graph
    units: int

    def leaves(self, kind: str, which: int, aval: Any) -> Parts:
        """An input `[..., k H]` as leaves `(which, part)`."""
        shape = tuple(aval.shape)
        if kind == "vector" and not shape:  # a number for all units, which the loop reads as one for each
            return Parts(shape, np.array(self.graph.leaf(kind, which, 0), object))
        if not shape or shape[-1] % self.units:
            raise NotPointwise(f"an array of shape {shape} is not some times {self.units} units wide")
        parts = (*shape[:-1], shape[-1] // self.units)
        numbers = [self.graph.leaf(kind, which, part) for part in range(math.prod(parts))]
        return Parts(shape, np.array(numbers, object).reshape(parts))

    def read(self, jaxpr: Any, consts: Sequence[Any], inputs: Sequence[Parts]) -> list[Parts]:
        """The outputs of a jaxpr.

        Raises:
            NotPointwise: it does something that is not one of single units.
        """
        known: dict[Any, Parts] = {}

        def get(atom: Any) -> Parts:
            return self._constant(atom.val, atom.aval) if isinstance(atom, jex.Literal) else known[atom]

        known.update(
            zip(
                jaxpr.constvars,
                (self._constant(c, v.aval) for c, v in zip(consts, jaxpr.constvars, strict=True)),
                strict=True,
            )
        )
        known.update(zip(jaxpr.invars, inputs, strict=True))
        for eqn in jaxpr.eqns:
            outs = self._equation(eqn, [get(atom) for atom in eqn.invars])
            known.update(zip(eqn.outvars, outs, strict=True))
        return [get(atom) for atom in jaxpr.outvars]

    def _constant(self, value: Any, aval: Any) -> Parts:
        """A constant array, each part of which is one number."""
        value = np.asarray(value)
        if value.size and (value == value.ravel()[0]).all():
            return Parts(tuple(aval.shape), np.array(self.graph.constant(value.ravel()[0]), object))
        if not value.ndim or value.shape[-1] % self.units:
            raise NotPointwise(f"a constant of shape {value.shape} is not some times {self.units} units wide")
        cut = value.reshape(*value.shape[:-1], -1, self.units)
        if not (cut == cut[..., :1]).all():
            raise NotPointwise("a constant differs between units")
        nodes = np.empty(cut.shape[:-1], object)
        for at in np.ndindex(nodes.shape):
            nodes[at] = self.graph.constant(cut[at][0])
        return Parts(value.shape, nodes)

    def _equation(self, eqn: Any, inputs: list[Parts]) -> list[Parts]:
        name, params = eqn.primitive.name, eqn.params
        if name in CALLS:
            inner = params[CALLS[name]]
            inner, consts = (inner.jaxpr, inner.consts) if hasattr(inner, "consts") else (inner, ())
            return self.read(inner, consts, inputs)
        shapes = [tuple(var.aval.shape) for var in eqn.outvars]
        if name in SAME:
            return list(inputs)
        if name == "split":
            return self._split(inputs[0], params["axis"], params["sizes"], shapes)
        return [self._one(name, params, inputs, shapes[0], eqn.outvars[0].aval.dtype, eqn)]

    def _one(self, name: str, params: Any, inputs: list[Parts], shape: tuple[int, ...], dtype: Any, eqn: Any) -> Parts:
        if name in ELEMENTWISE:
            return self._map(name, inputs, shape)
        if not inputs:
            raise NotPointwise(f"{name} is not among the operations")
        first = inputs[0]
        if name == "one_minus_square":  # of JAX from 0.12 on, in the derivative of tanh
            one = Parts(shape, np.array(self.graph.constant(1.0), object))
            return self._map("sub", [one, self._map("mul", [first, first], shape)], shape)
        if name == "integer_pow":
            return self._power(first, params["y"], shape)
        if name == "convert_element_type":
            return self._convert(first, eqn.invars[0].aval.dtype, dtype, shape)
        if not first.nodes.ndim and name in (
            "broadcast_in_dim",
            "reshape",
            "squeeze",
            "expand_dims",
            "transpose",
            "slice",
        ):
            return Parts(shape, first.nodes)  # one number everywhere
        if name in ("reshape", "squeeze", "expand_dims") and shape and not shape[-1] % self.units:
            return Parts(shape, first.nodes.reshape(*shape[:-1], shape[-1] // self.units))
        if name == "broadcast_in_dim":
            return self._broadcast(first, params["broadcast_dimensions"], shape)
        if name == "slice" and not params["strides"]:
            return self._slice(first, params["start_indices"], params["limit_indices"])
        if name == "concatenate":
            return self._concatenate(inputs, params["dimension"], shape)
        if name == "pad":
            return self._pad(inputs, params["padding_config"], shape)
        if name == "transpose" and params["permutation"][-1] == len(shape) - 1:
            return Parts(shape, first.nodes.transpose(params["permutation"]))
        if name == "reduce_sum" and len(first.shape) - 1 not in params["axes"]:
            return self._sum(first, params["axes"], shape)
        if name == "reduce_sum" and not shape:
            return self._total(first)
        raise NotPointwise(f"{name} of {', '.join(str(var.aval) for var in eqn.invars)} is not one of single units")

    def full(self, parts: Parts) -> np.ndarray:
        """The nodes of all parts, where one stood for all of them."""
        if parts.nodes.ndim or not parts.shape:
            return parts.nodes
        return np.full((*parts.shape[:-1], parts.shape[-1] // self.units), parts.nodes.item(), object)

    def _map(self, op: str, inputs: Sequence[Parts], shape: tuple[int, ...]) -> Parts:
        uniform = [parts.nodes for parts in inputs if not parts.nodes.ndim]
        if len(uniform) == len(inputs):
            if any(self.graph.nodes[int(node.item())].op == "total" for node in uniform):
                return self._of_totals(op, [int(node.item()) for node in uniform])
            return Parts(shape, np.array(self.graph.add(op, *(int(node.item()) for node in uniform)), object))
        arrays = np.broadcast_arrays(*(parts.nodes for parts in inputs))
        nodes = np.empty(arrays[0].shape, object)
        for at in np.ndindex(nodes.shape):
            nodes[at] = self.graph.add(op, *(int(array[at]) for array in arrays))
        return Parts(shape, nodes)

    def _power(self, base: Parts, exponent: Any, shape: tuple[int, ...]) -> Parts:
        if abs(exponent) > 8 or exponent == 0:
            raise NotPointwise(f"a power of {exponent} is not among the operations")
        result = base
        for _ in range(abs(exponent) - 1):
            result = self._map("mul", [result, base], shape)
        one = Parts(shape, np.array(self.graph.constant(1.0), object))
        return result if exponent > 0 else self._map("div", [one, result], shape)

    def _convert(self, parts: Parts, old: Any, new: Any, shape: tuple[int, ...]) -> Parts:
        if old == new:
            return parts
        if old == np.bool_ and jax.numpy.issubdtype(new, np.floating):
            zero, one = (Parts(shape, np.array(self.graph.constant(value), object)) for value in (0.0, 1.0))
            return self._map("select_n", [parts, zero, one], shape)
        if not parts.nodes.ndim and self.graph.nodes[int(parts.nodes.item())].op == "constant":
            value = self.graph.nodes[int(parts.nodes.item())].attr[1]
            number = np.asarray(value == "True" if value in ("True", "False") else float(value)).astype(new)
            return Parts(shape, np.array(self.graph.constant(number), object))
        raise NotPointwise(f"it converts {old} to {new}")

    def _split(self, parts: Parts, axis: Any, sizes: Sequence[Any], shapes: list[tuple[int, ...]]) -> list[Parts]:
        starts = np.cumsum([0, *sizes])[:-1]
        found = []
        for start, size, shape in zip(starts, sizes, shapes, strict=True):
            low, high = [0] * len(shape), list(shape)
            low[axis], high[axis] = int(start), int(start + size)
            found.append(self._slice(parts, low, high) if parts.nodes.ndim else Parts(shape, parts.nodes))
        return found

    def _slice(self, parts: Parts, low: Sequence[Any], high: Sequence[Any]) -> Parts:
        shape = tuple(end - start for start, end in zip(low, high, strict=True))
        if low[-1] % self.units or high[-1] % self.units:
            raise NotPointwise(f"a slice [{low[-1]}:{high[-1]}] does not cut between the parts of {self.units} units")
        at = [slice(start, end) for start, end in zip(low[:-1], high[:-1], strict=True)]
        at.append(slice(low[-1] // self.units, high[-1] // self.units))
        return Parts(shape, parts.nodes[tuple(at)])

    def _concatenate(self, inputs: list[Parts], axis: int, shape: tuple[int, ...]) -> Parts:
        if any(parts.shape[-1] % self.units for parts in inputs):
            raise NotPointwise("it concatenates what is not some times the units wide")
        return Parts(shape, np.concatenate([self.full(parts) for parts in inputs], axis=axis))

    def _pad(self, inputs: list[Parts], config: Sequence[Any], shape: tuple[int, ...]) -> Parts:
        parts, value = inputs
        low, high, interior = config[-1]
        if (
            any(any(one) for one in config[:-1])
            or interior
            or low % self.units
            or high % self.units
            or low < 0
            or high < 0
        ):
            raise NotPointwise("it pads by what is not some times the units")
        nodes = self.full(parts)
        widths = [(0, 0)] * (nodes.ndim - 1) + [(low // self.units, high // self.units)]
        return Parts(shape, np.pad(nodes, widths, constant_values=value.nodes.item()))

    def _broadcast(self, parts: Parts, dims: Sequence[Any], shape: tuple[int, ...]) -> Parts:
        if not dims or dims[-1] != len(shape) - 1 or parts.shape[-1] != shape[-1]:
            raise NotPointwise(f"it broadcasts {parts.shape} to {shape} over units")
        expanded = [1] * len(shape)
        for dim, size in zip(dims, parts.nodes.shape, strict=True):
            expanded[dim] = size
        full = (*shape[:-1], shape[-1] // self.units)
        return Parts(shape, np.broadcast_to(parts.nodes.reshape(expanded), full))

    def _total(self, parts: Parts) -> Parts:
        """The sum over all units, as what each unit adds to it: only as an output, the gradient of a number."""
        nodes = [int(node) for node in self.full(parts).ravel()]
        each = nodes[0]
        for node in nodes[1:]:
            each = self.graph.add("add", each, node)
        return Parts((), np.array(self.graph.add("total", each), object))

    def _of_totals(self, op: str, numbers: list[int]) -> Parts:
        """What is linear in totals is a total."""
        nodes = [self.graph.nodes[number] for number in numbers]
        inner = [node.args[0] if node.op == "total" else number for node, number in zip(nodes, numbers, strict=True)]
        totals = sum(node.op == "total" for node in nodes)
        if (
            op not in ("add", "add_any", "sub", "neg", "mul")
            or (op == "mul" and totals > 1)
            or (op != "mul" and totals < len(nodes))
        ):
            raise NotPointwise(f"it takes {op} of a sum over the units")
        return Parts((), np.array(self.graph.add("total", self.graph.add(op, *inner)), object))

    def _sum(self, parts: Parts, axes: Sequence[Any], shape: tuple[int, ...]) -> Parts:
        nodes = np.moveaxis(self.full(parts), axes, range(len(axes)))
        nodes = nodes.reshape(-1, *nodes.shape[len(axes) :])
        total = Parts(shape, nodes[0])
        for other in nodes[1:]:
            total = self._map("add", [total, Parts(shape, other)], shape)
        return total
