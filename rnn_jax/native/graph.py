"""Expressions of numbers that share what is equal: what a loop computes for one unit."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

COSTLY = {"div", "exp", "log", "log1p", "expm1", "tanh", "logistic", "sqrt", "rsqrt", "sin", "cos"}


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
        ordered = args[::-1] if op in ("add", "mul", "max", "min") and args[0] > args[1] else args
        node = Node(op, ordered, attr)
        if node in self.index:  # what the function itself computes stays so in its derivative, zeros or not
            return self.index[node]
        if (simple := self._simpler(op, args)) is not None:
            return simple
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


@dataclasses.dataclass(frozen=True)
class Code:
    """The expressions of a loop; nodes are numbers in the graph.

    Attributes:
        graph: all of them.
        carry: after the step, leaf by leaf and part by part.
        y: the output, part by part.
        x: what enters the product, part by part; empty without one.
        before_leaf: the leaf of the carry that x is; None where it is made of the carry.
        sums: for nodes that are z + r, which part of z and which of r.
        saved: nodes to be kept for the way back.
        carry_bar: gradients of the carry before the step, but for what comes through the product.
        z_bar: gradients of z.
        shared_bar: gradients of what units share of z, by what each unit adds to them.
        r_bar: gradients of r.
        vector_bar: gradients of the vectors.
        x_carry_bar: gradients of the carry through x.
        x_vector_bar: gradients of the vectors through x.
    """

    graph: Graph
    carry: tuple[tuple[int, ...], ...]
    y: tuple[int, ...]
    x: tuple[int, ...]
    before_leaf: int | None
    sums: dict[int, tuple[int, int]]
    saved: tuple[int, ...]
    carry_bar: tuple[tuple[int, ...], ...]
    z_bar: tuple[int, ...]
    shared_bar: tuple[int, ...]
    r_bar: tuple[int, ...]
    vector_bar: tuple[int, ...]
    x_carry_bar: tuple[tuple[int, ...], ...]
    x_vector_bar: tuple[int, ...]

    @property
    def same_bars(self) -> bool:
        """Whether the gradients of z and of r are the same numbers."""
        return self.z_bar == self.r_bar
