"""What a function computes for one unit: a jaxpr over vectors of H units as expressions of scalars.

The gates of a cell are pointwise over the units, so that what they do is said by what they do for unit j. Here a jaxpr
is read so: an array `[k H]` is k parts, each an expression of the parts of the inputs at the same j, and a state
`[H, N]` is N of them. Numbers that all units share may stand beside. What mixes units, as a sum over them does, has no
such expression and is refused by name.
"""

import contextlib
import dataclasses
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.extend import core as jex

from rnn_jax.native.graph import Graph

ELEMENTWISE = {
    "add", "add_any", "sub", "mul", "div", "neg", "max", "min", "abs", "sign", "exp", "log", "log1p", "expm1", "tanh",
    "logistic", "sqrt", "rsqrt", "square", "sin", "cos", "eq", "ne", "lt", "le", "gt", "ge", "and", "or", "xor", "not",
    "select_n", "clamp", "is_finite", "floor",
}  # fmt: skip
OF_TRUTHS = {"eq", "ne", "and", "or", "xor", "not", "select_n"}
"""Operations of which truth values may be operands; all others are of real numbers alone."""
SAME = {"copy", "copy_p", "optimization_barrier", "stop_gradient", "pvary"}
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


class NotPointwise(ValueError):
    """A function that is not one of single units; the message says by what."""


class Parts(NamedTuple):
    """An array as expressions of one unit.

    Attributes:
        shape: of the array.
        axis: where the units lie, so many times over as there are parts; None where all units share the entries.
        nodes: an array of as many axes: along `axis` a node for each part, along others for each entry, or one for all.
    """

    shape: tuple[int, ...]
    axis: int | None
    nodes: np.ndarray


LARGEST = 2**12
"""Numbers in an array whose entries are single numbers, not units: each is read on its own."""


def unit_axis(shape: Sequence[int], units: int, first: bool = False) -> int | None:
    """The last axis, or the first, that is some times the units long; None if none is."""
    axes = [axis for axis, size in enumerate(shape) if size and not size % units]
    return None if not axes else axes[0 if first else -1]


def _keeps(params: Any, dtype: Any) -> bool:
    """Whether a reduction of the precision leaves numbers of a dtype as they are."""
    kind = jax.numpy.finfo(dtype)
    return params["exponent_bits"] >= kind.nexp and params["mantissa_bits"] >= kind.nmant


@dataclasses.dataclass(frozen=True)
class Reader:
    """Reads jaxprs over vectors of so many units into a graph."""

    graph: Graph
    units: int

    def leaves(self, kind: str, which: int, aval: Any, axis: int | None = 0) -> Parts:
        """An input as leaves `(which, part)`, numbered in the order of the array with its units moved to the end."""
        shape = tuple(aval.shape)
        if axis is not None and (axis >= len(shape) or shape[axis] % self.units):
            raise NotPointwise(f"an array of shape {shape} is not some times {self.units} units wide")
        counts = [self._count(shape, dim, axis) for dim in range(len(shape))]
        order = list(range(len(shape)))
        if axis is not None:
            order.append(order.pop(axis))
        numbers = [self.graph.leaf(kind, which, part) for part in range(math.prod(counts))]
        nodes = np.array(numbers, object).reshape([counts[dim] for dim in order])
        return Parts(shape, axis, nodes if axis is None else np.moveaxis(nodes, -1, axis))

    def numbers(self, parts: Parts, axis: int | None = 0) -> tuple[int, ...]:
        """The nodes of an output, in the order in which `leaves` numbers those of an input."""
        nodes = self._full(parts._replace(axis=axis, nodes=self._along(parts, axis)))
        return tuple(map(int, (nodes if axis is None else np.moveaxis(nodes, axis, -1)).ravel()))

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

    def _equation(self, eqn: Any, inputs: list[Parts]) -> list[Parts]:
        name, params = eqn.primitive.name, eqn.params
        if name in CALLS:
            inner = params[CALLS[name]]
            inner, consts = (inner.jaxpr, inner.consts) if hasattr(inner, "consts") else (inner, ())
            return self.read(inner, consts, inputs)
        if name in SAME or (name == "reduce_precision" and _keeps(params, eqn.invars[0].aval.dtype)):
            return list(inputs)
        if name == "split":
            return self._split(inputs[0], params["axis"], params["sizes"])
        return [self._one(name, params, inputs, tuple(eqn.outvars[0].aval.shape), eqn.outvars[0].aval.dtype, eqn)]

    def _one(self, name: str, params: Any, inputs: list[Parts], shape: tuple[int, ...], dtype: Any, eqn: Any) -> Parts:
        if name in ELEMENTWISE:
            self._check_kinds(name, [var.aval.dtype for var in eqn.invars])
            return self._map(name, inputs, shape)
        if not inputs:
            raise NotPointwise(f"{name} is not among the operations")
        first = inputs[0]
        if name == "one_minus_square":  # of JAX from 0.12 on, in the derivative of tanh
            return self._map("sub", [self._everywhere(1.0, shape), self._map("mul", [first, first], shape)], shape)
        if name == "integer_pow":
            return self._power(first, params["y"], shape)
        if name == "convert_element_type":
            return self._convert(first, eqn.invars[0].aval.dtype, dtype, shape)
        if name in ("reshape", "squeeze", "expand_dims"):
            return self._reshape(first, shape)
        if name == "broadcast_in_dim":
            return self._placed(first, params["broadcast_dimensions"], shape)
        if name == "transpose":
            return self._placed(first, np.argsort(params["permutation"]).tolist(), shape)
        if name == "slice" and not params["strides"]:
            return self._slice(first, params["start_indices"], params["limit_indices"])
        if name == "concatenate":
            return self._concatenate(inputs, params["dimension"], shape)
        if name == "pad" and not any(interior for _, _, interior in params["padding_config"]):
            return self._pad(inputs, params["padding_config"], shape)
        if name == "reduce_sum":
            return self._sum(first, params["axes"], shape)
        if name == "dot_general":
            with contextlib.suppress(NotPointwise):
                return self._product(inputs, params["dimension_numbers"], shape)
        raise NotPointwise(f"{name} of {', '.join(str(var.aval) for var in eqn.invars)} is not one of single units")

    @staticmethod
    def _check_kinds(name: str, dtypes: Sequence[Any]) -> None:
        """Raise NotPointwise for an operation on whole numbers, or on truth values as if they were numbers.

        A loop computes with real numbers: it would neither cut off a quotient nor wrap around.
        """
        for dtype in dtypes:
            if not jax.numpy.issubdtype(dtype, np.floating) and (dtype != np.bool_ or name not in OF_TRUTHS):
                raise NotPointwise(f"it takes {name} of {dtype}")

    # Arrays of nodes.

    def _count(self, shape: Sequence[int], dim: int, axis: int | None) -> int:
        """Nodes along a dim, at most."""
        return shape[dim] // self.units if dim == axis else shape[dim]

    def _everywhere(self, value: Any, shape: tuple[int, ...]) -> Parts:
        """One number."""
        return Parts(shape, None, np.full((1,) * len(shape), self.graph.constant(value), object))

    def _full(self, parts: Parts) -> np.ndarray:
        """The nodes of all parts and entries, where one stood for all of them."""
        shape = [self._count(parts.shape, dim, parts.axis) for dim in range(len(parts.shape))]
        if parts.axis is None and math.prod(shape) > LARGEST:
            raise NotPointwise(f"it has {math.prod(shape)} numbers that are not units")
        return np.broadcast_to(parts.nodes, shape)

    def _along(self, parts: Parts, axis: int | None) -> np.ndarray:
        """The nodes, with the units along this axis."""
        if parts.axis == axis or (axis is not None and parts.axis is None and parts.nodes.shape[axis] == 1):
            return parts.nodes
        if axis is None or parts.axis is not None:
            raise NotPointwise(f"an array of shape {parts.shape} has its units along two axes")
        nodes = np.moveaxis(parts.nodes, axis, -1)
        if nodes.shape[-1] % self.units:
            raise NotPointwise(f"an array of shape {parts.shape} is not some times {self.units} units wide")
        nodes = nodes.reshape(*nodes.shape[:-1], -1, self.units)
        if not (nodes == nodes[..., :1]).all():
            raise NotPointwise(f"a value of shape {parts.shape} differs between units")
        return np.moveaxis(nodes[..., 0], -1, axis)

    def _constant(self, value: Any, aval: Any) -> Parts:
        """A constant array."""
        value, shape = np.asarray(value), tuple(aval.shape)
        if value.size and (value == value.ravel()[0]).all():
            return self._everywhere(value.ravel()[0], shape)
        if value.size > LARGEST:
            raise NotPointwise(f"a constant of shape {value.shape} differs between its entries")
        nodes = np.array([self.graph.constant(one) for one in value.ravel()], object)
        return Parts(shape, None, nodes.reshape(shape))

    def _map(self, op: str, inputs: Sequence[Parts], shape: tuple[int, ...]) -> Parts:
        axes = {parts.axis for parts in inputs} - {None}
        if len(axes) > 1:
            raise NotPointwise(f"{op} of arrays of shape {shape} has its units along two axes")
        axis = next(iter(axes), None)
        arrays = [
            self._along(parts, axis) if parts.shape else parts.nodes.reshape((1,) * len(shape)) for parts in inputs
        ]
        return Parts(shape, axis, self._nodes(op, *arrays))

    def _nodes(self, op: str, *arrays: Any) -> np.ndarray:
        arrays = tuple(np.broadcast_arrays(*arrays))
        nodes = np.empty(arrays[0].shape, object)
        for at in np.ndindex(nodes.shape):
            nodes[at] = self._node(op, [int(array[at]) for array in arrays])
        return nodes

    def _node(self, op: str, numbers: list[int]) -> int:
        """One operation. What is linear in sums over the units is such a sum."""
        graph, totals = self.graph, sum(self.graph.nodes[number].op == "total" for number in numbers)
        if not totals:
            return graph.add(op, *numbers)
        rest = [number for number in numbers if graph.value(number) != 0.0]
        if op in ("add", "add_any") and len(rest) == 1:
            return rest[0]
        inner = [graph.nodes[n].args[0] if graph.nodes[n].op == "total" else n for n in numbers]
        linear = totals == 1 if op == "mul" else totals == len(numbers) and op in ("add", "add_any", "sub", "neg")
        if not linear:
            raise NotPointwise(f"it takes {op} of a sum over the units")
        return self._total(graph.add(op, *inner))

    def _total(self, each: int) -> int:
        """A sum over all units, by what each of them adds: only as an output, the gradient of a number."""
        return each if self.graph.value(each) == 0.0 else self.graph.add("total", each)

    # Operations.

    def _power(self, base: Parts, exponent: Any, shape: tuple[int, ...]) -> Parts:
        if abs(exponent) > 8 or exponent == 0:
            raise NotPointwise(f"a power of {exponent} is not among the operations")
        result = base
        for _ in range(abs(exponent) - 1):
            result = self._map("mul", [result, base], shape)
        return result if exponent > 0 else self._map("div", [self._everywhere(1.0, shape), result], shape)

    def _convert(self, parts: Parts, old: Any, new: Any, shape: tuple[int, ...]) -> Parts:
        if old == new:
            return parts
        if old == np.bool_ and jax.numpy.issubdtype(new, np.floating):
            zero, one = (self._everywhere(value, shape) for value in (0.0, 1.0))
            return self._map("select_n", [parts, zero, one], shape)
        values = [self.graph.nodes[int(node)] for node in parts.nodes.ravel()]
        if any(node.op != "constant" for node in values):
            raise NotPointwise(f"it converts {old} to {new}")
        texts = [node.attr[1] for node in values]
        found = [np.asarray(text == "True" if text in ("True", "False") else float(text)).astype(new) for text in texts]
        nodes = np.array([self.graph.constant(one) for one in found], object).reshape(parts.nodes.shape)
        return Parts(shape, parts.axis, nodes)

    def _placed(self, parts: Parts, dims: Sequence[int], shape: tuple[int, ...]) -> Parts:
        """The array with its axes at these dims of a shape, the same for all entries along the others."""
        own = parts.axis
        axis = None if own is None else dims[own]
        if own is not None and parts.shape[own] != shape[dims[own]]:
            raise NotPointwise(f"it broadcasts {parts.shape} to {shape} over units")
        nodes, expanded = parts.nodes.transpose(np.argsort(dims)), [1] * len(shape)
        for dim, size in zip(sorted(dims), nodes.shape, strict=True):
            expanded[dim] = size
        return Parts(shape, axis, nodes.reshape(expanded))

    def _reshape(self, parts: Parts, shape: tuple[int, ...]) -> Parts:
        old = [dim for dim, size in enumerate(parts.shape) if size != 1 or dim == parts.axis]
        new = [dim for dim, size in enumerate(shape) if size != 1]
        if [parts.shape[dim] for dim in old] == [shape[dim] for dim in new]:  # but for axes of one entry the same
            axis = None if parts.axis is None else old.index(parts.axis)
            nodes = parts.nodes.reshape([parts.nodes.shape[dim] for dim in old])
            return self._placed(Parts(tuple(parts.shape[dim] for dim in old), axis, nodes), new, shape)
        if parts.axis is None:
            if parts.nodes.size == 1:
                return Parts(shape, None, parts.nodes.reshape((1,) * len(shape)))
            return Parts(shape, None, self._full(parts).reshape(shape))
        # Units stay units where as many entries lie behind each of them as before.
        behind = math.prod(parts.shape[parts.axis + 1 :])
        axes = [a for a, size in enumerate(shape) if not size % self.units and math.prod(shape[a + 1 :]) == behind]
        if not axes:
            raise NotPointwise(f"it reshapes {parts.shape} to {shape} across units")
        counts = [self._count(shape, dim, axes[0]) for dim in range(len(shape))]
        return Parts(shape, axes[0], self._full(parts).reshape(counts))

    def _split(self, parts: Parts, axis: Any, sizes: Sequence[Any]) -> list[Parts]:
        found, start = [], 0
        for size in sizes:
            low, high = [0] * len(parts.shape), list(parts.shape)
            low[axis], high[axis] = start, start + size
            found.append(self._slice(parts, low, high))
            start += size
        return found

    def _slice(self, parts: Parts, low: Sequence[Any], high: Sequence[Any]) -> Parts:
        at = []
        for dim, (start, end) in enumerate(zip(low, high, strict=True)):
            step = self.units if dim == parts.axis else 1
            if start % step or end % step:
                raise NotPointwise(f"a slice [{start}:{end}] does not cut between the parts of {self.units} units")
            at.append(slice(None) if parts.nodes.shape[dim] == 1 else slice(start // step, end // step))
        shape = tuple(end - start for start, end in zip(low, high, strict=True))
        return Parts(shape, parts.axis, parts.nodes[tuple(at)])

    def _concatenate(self, inputs: list[Parts], dim: int, shape: tuple[int, ...]) -> Parts:
        axes = {parts.axis for parts in inputs} - {None}
        if not axes and not any(parts.shape[dim] % self.units for parts in inputs):
            axes = {dim}  # of numbers that are the same for all units parts can be made, too
        if len(axes) > 1 or (axes == {dim} and any(parts.shape[dim] % self.units for parts in inputs)):
            raise NotPointwise("it concatenates what is not some times the units wide")
        axis = next(iter(axes), None)
        arrays = []
        for parts in inputs:
            nodes = self._along(parts, axis)
            count = self._count(parts.shape, dim, axis)
            arrays.append(np.broadcast_to(nodes, [count if d == dim else n for d, n in enumerate(nodes.shape)]))
        common = np.broadcast_shapes(*([1 if d == dim else n for d, n in enumerate(a.shape)] for a in arrays))
        arrays = [np.broadcast_to(a, [a.shape[d] if d == dim else n for d, n in enumerate(common)]) for a in arrays]
        return Parts(shape, axis, np.concatenate(arrays, axis=dim))

    def _pad(self, inputs: list[Parts], config: Sequence[Any], shape: tuple[int, ...]) -> Parts:
        parts, value = inputs
        widths = []
        for dim, (low, high, _) in enumerate(config):
            step = self.units if dim == parts.axis else 1
            if low < 0 or high < 0 or low % step or high % step:
                raise NotPointwise("it pads by what is not some times the units")
            widths.append((low // step, high // step))
        return Parts(shape, parts.axis, np.pad(self._full(parts), widths, constant_values=value.nodes.item()))

    def _product(self, inputs: list[Parts], numbers: Any, shape: tuple[int, ...]) -> Parts:
        """A product of arrays of which no axis but that of the units is long, written out."""
        (left_sum, right_sum), (left_batch, right_batch) = numbers
        left, right = inputs
        sides = [(left, left_batch, left_sum), (right, right_batch, right_sum)]
        free = [[d for d in range(len(a.shape)) if d not in (*batch, *summed)] for a, batch, summed in sides]
        sizes = [left.shape[d] for d in (*left_batch, *free[0])] + [right.shape[d] for d in free[1]]
        both = (*sizes, *(left.shape[d] for d in left_sum))
        placed, start = [], len(left_batch)
        for (parts, batch, summed), own in zip(sides, free, strict=True):
            dims = [0] * len(parts.shape)
            for place, dim in [*enumerate(batch), *enumerate(own, start), *enumerate(summed, len(sizes))]:
                dims[dim] = place
            placed.append(self._placed(parts, dims, both))
            start += len(own)
        return self._sum(self._map("mul", placed, both), range(len(sizes), len(both)), shape)

    def _sum(self, parts: Parts, axes: Sequence[int], shape: tuple[int, ...]) -> Parts:
        nodes, axis = parts.nodes, parts.axis
        for dim in sorted(axes, reverse=True):
            count, pieces = self._count(parts.shape, dim, axis), np.moveaxis(nodes, dim, 0)
            nodes = np.array(pieces[0], object)
            for piece in pieces[1:]:
                nodes = self._nodes("add", nodes, piece)
            if len(pieces) < count:
                nodes = self._nodes("mul", nodes, np.full(nodes.shape, self.graph.constant(float(count)), object))
        if axis in axes:
            flat = [self._total(int(node)) for node in nodes.ravel()]
            return Parts(shape, None, np.array(flat, object).reshape(nodes.shape))
        return Parts(shape, None if axis is None else axis - sum(dim < axis for dim in axes), nodes)
