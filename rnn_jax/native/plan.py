"""What a native loop over a cell has to do at every step, worked out from the cell's own functions.

With x what enters the recurrent product (a leaf of the carry, or pointwise in the carry) and v vectors of the params:

    forward     rₜ = xₜᵀ K + b,    xₜ = before(v, cₜ₋₁)        cₜ, yₜ = gate(v, cₜ₋₁, zₜ, rₜ)
    backward    c̄ₜ₋₁, z̄ₜ, r̄ₜ, v̄ += ∂gateᵀ · (c̄ₜ, ȳₜ)           c̄ₜ₋₁ += ∂beforeᵀ · (K r̄ₜ)

`gate` and `before` are those of a `GatedCell`, or are found in the `step` of another cell, around its one product with
the carry. They are read from the cell as expressions of one unit, and their derivatives from the jaxprs of their
vector-Jacobian products: nobody writes a cell twice. Where the gates see parts of z and of r as their sum alone, the
sum is what the product gives. For the way back it is kept what is costly and depends on z or r; what can be worked out
of that and of the carry before the step is worked out again.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rnn_jax.cells.base import Cell, Composite, GatedCell
from rnn_jax.checks import is_shape
from rnn_jax.native.split import Product, Split, product_of, product_within
from rnn_jax.native.units import COSTLY, Graph, Node, NotPointwise, Reader, evaluate


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
    r_bar: tuple[int, ...]
    vector_bar: tuple[int, ...]
    x_carry_bar: tuple[tuple[int, ...], ...]
    x_vector_bar: tuple[int, ...]

    @property
    def same_bars(self) -> bool:
        """Whether the gradients of z and of r are the same numbers."""
        return self.z_bar == self.r_bar


class Plan:
    """How a cell goes through a native loop. Equal cells with equal shapes share one; see `plan_of`.

    Attributes:
        units: H, the width of a part.
        code: the expressions.
        leaves: parts of each leaf of the carry.
        leaf_sizes: numbers in each leaf of a row's carry; `z_size` and so on are those in z, r, x, y and the vectors.
        input_product: how z is made of the inputs; None where that is no plain product.
    """

    def __init__(self, cell: Cell, params: Any, dtype: Any, x_dtype: Any):
        leaves, self.params_tree = jax.tree.flatten(params)
        self.cell, self.dtype, self.units = cell, np.dtype(dtype), cell.hidden_size
        carry = jax.eval_shape(lambda: cell.initial_carry((), dtype))
        carry_leaves, self.carry_tree = jax.tree.flatten(carry)
        odd = [leaf for leaf in carry_leaves if leaf.ndim != 1 or leaf.shape[0] % self.units or leaf.dtype != dtype]
        if odd:
            raise NotPointwise(
                f"a leaf of its carry is {odd[0].dtype}{list(odd[0].shape)}, not some times {self.units}"
            )
        z = jax.eval_shape(cell.project, params, jax.ShapeDtypeStruct((cell.input_size,), x_dtype))
        if not hasattr(z, "shape") or len(z.shape) != 1 or z.shape[0] % self.units:
            raise NotPointwise("its projected input is not one array some times the units wide")
        z = jax.ShapeDtypeStruct(z.shape, dtype)
        self.leaves = tuple(leaf.shape[0] // self.units for leaf in carry_leaves)
        self.leaf_sizes = tuple(leaf.shape[0] for leaf in carry_leaves)

        self.input_product = self._input_product(leaves, x_dtype)
        self.product, r = None, None
        gate = Split(self._on_leaves(cell.step), leaves, [*carry_leaves, z])  # without a product, all is the gate
        self._gate_steps, self._gate_inputs = gate.varying, gate.other_inputs
        if isinstance(cell, GatedCell) and type(cell).step is GatedCell.step:
            self.product = product_of(Split(self._on_leaves(cell.recur), leaves, carry_leaves), "recurrent product")
            if self.product is not None:
                r = jax.eval_shape(cell.recur, params, carry)
                gate = Split(self._on_leaves(cell.gate), leaves, [*carry_leaves, z, r])
                self._gate_steps, self._gate_inputs = gate.varying, gate.other_inputs
        elif (product := product_within(gate, len(carry_leaves))) is not None:
            self.product = product
            r = jax.ShapeDtypeStruct((product.size,), dtype)
            self._gate_steps = [step for step in gate.varying if step is not product.step]
            self._gate_inputs = [*gate.other_inputs, *product.step.outputs]
        self._gate = gate
        self.gate_vectors = gate.used(self._gate_steps, gate.outputs)
        self.x_vectors = self._used_before()
        avals = [gate.avals[i] for i in self.gate_vectors]
        avals += [self.product.split.avals[i] for i in self.x_vectors] if self.product else []
        if wrong := [aval for aval in avals if aval.dtype != dtype or (aval.shape and aval.shape[-1] % self.units)]:
            raise NotPointwise(f"it reads {wrong[0].dtype}{list(wrong[0].shape)} of the params in every step")
        self.vector_avals = [jax.ShapeDtypeStruct(aval.shape, aval.dtype) for aval in avals]
        self.y_aval = jax.eval_shape(self.gate, self.vector_avals, carry_leaves, z, r)[1]
        self.z_size, self.r_size = z.shape[0], 0 if r is None else r.shape[0]
        self.x_size = 0 if self.product is None else self.product.split.avals[self.product.x].shape[0]
        self.y_size = self.y_aval.shape[0]
        self.vector_sizes = [int(np.prod(aval.shape)) if aval.shape else self.units for aval in avals]
        self.vectors_size = sum(self.vector_sizes)
        self.code = self._code(carry_leaves, z, r)

    @property
    def r_apart(self) -> bool:
        """Whether r has a gradient that is not that of z."""
        return bool(self.r_size) and not self.code.same_bars

    # What JAX runs.

    def weights(self, params: Any) -> tuple[Any, ...]:
        """Input kernel and bias, recurrent kernel and bias, and packed vectors; empty arrays for what is not there."""
        leaves = jax.tree.leaves(params)
        empty = jnp.zeros((0, 0), self.dtype), jnp.zeros(0, self.dtype)
        into = self.input_product.weights(leaves, self.dtype) if self.input_product else empty
        again = self.product.weights(leaves, self.dtype) if self.product else empty
        vectors = self._gate.run_known(leaves, self.gate_vectors)
        vectors += self.product.split.run_known(leaves, self.x_vectors) if self.product else []
        flat = [vector.reshape(-1) if vector.ndim else jnp.broadcast_to(vector, self.units) for vector in vectors]
        return *into, *again, jnp.concatenate(flat) if flat else jnp.zeros(0, self.dtype)

    def unpacked(self, vectors: jax.Array) -> list[jax.Array]:
        """The vectors that were packed."""
        parts = jnp.split(vectors, np.cumsum(self.vector_sizes)[:-1]) if self.vector_sizes else []
        return [p.reshape(aval.shape) if aval.shape else p[0] for p, aval in zip(parts, self.vector_avals, strict=True)]

    def gate(self, vectors: Sequence[Any], carry: Sequence[Any], z: Any, r: Any) -> tuple[list[Any], Any]:
        """The leaves of the carry and the output of one row."""
        given = dict(zip(self.gate_vectors, vectors, strict=False))
        others = [*carry, z] if r is None else [*carry, z, r]
        given |= dict(zip(self._gate_inputs, others, strict=True))
        *after, y = self._gate.run_varying(self._gate_steps, given, self._gate.outputs)
        return after, y

    def x(self, vectors: Sequence[Any], carry: Sequence[Any]) -> Any:
        """What enters the product of one row."""
        assert self.product is not None
        split = self.product.split
        given = dict(zip(self.x_vectors, vectors[len(self.gate_vectors) :], strict=True))
        given |= dict(zip(split.other_inputs, carry, strict=False))
        return split.run_varying(self.product.before, given, [self.product.x])[0]

    def kept(self, vectors: jax.Array | None, carry: Sequence[Any], z: Any, r: Any) -> jax.Array:
        """What is kept of one row for the way back, side by side, from the packed vectors and the carry before."""
        units = self.units

        arrays: dict[str, Callable[[int], Any]] = {
            "vector": lambda _: vectors,
            "carry": lambda i: carry[i],
            "z": lambda _: z,
            "r": lambda _: r,
        }

        def leaf(node: Node) -> jax.Array:
            part = sum(node.attr) if node.op == "vector" else node.attr[1]
            return arrays[node.op](node.attr[0])[part * units : (part + 1) * units]

        return jnp.concatenate(evaluate(self.code.graph, self.code.saved, leaf, self.dtype))

    # How it is worked out.

    def _on_leaves(self, function: Any) -> Any:
        """`function(params, carry, ...)` from leaves to a flat list of leaves."""
        count = self.carry_tree.num_leaves

        def flat(params: Sequence[Any], *others: Any) -> list[Any]:
            carry = self.carry_tree.unflatten(others[:count])
            return jax.tree.leaves(function(self.params_tree.unflatten(params), carry, *others[count:]))

        return flat

    def _input_product(self, leaves: Sequence[Any], x_dtype: Any) -> Product | None:
        """The product of the inputs, where projecting them is no more than that."""
        if x_dtype != self.dtype:
            return None

        def project(params: Sequence[Any], x: Any) -> list[Any]:
            return [self.cell.project(self.params_tree.unflatten(params), x)]

        split = Split(project, leaves, [jax.ShapeDtypeStruct((self.cell.input_size,), x_dtype)])
        try:
            product = product_of(split, "projection")
        except NotPointwise:
            return None
        return product if product is not None and not product.before and product.x == split.other_inputs[0] else None

    def _used_before(self) -> list[int]:
        if self.product is None:
            return []
        return self.product.split.used(self.product.before, [self.product.x])

    def _code(self, carry: Sequence[Any], z: Any, r: Any) -> Code:
        graph = Graph()
        reader = Reader(graph, self.units)
        firsts = np.cumsum([0, *self.vector_sizes]) // self.units
        vectors = [
            reader.leaves("vector", int(first), aval) for first, aval in zip(firsts, self.vector_avals, strict=False)
        ]
        before = [reader.leaves("carry", i, leaf) for i, leaf in enumerate(carry)]
        z_parts = [reader.leaves("z", 0, z)]
        r_parts = [] if r is None else [reader.leaves("r", 0, r)]
        bars = [reader.leaves("carry_bar", i, leaf) for i, leaf in enumerate(carry)]
        y_bar = reader.leaves("y_bar", 0, self.y_aval)

        def read(function: Any, avals: Sequence[Any], inputs: Sequence[Any], derivative: bool = False) -> list[Any]:
            closed = jax.make_jaxpr(function)(*avals)
            graph.derivative = derivative
            found = reader.read(closed.jaxpr, closed.consts, inputs)
            graph.derivative = False
            return [tuple(map(self._each(graph), reader.full(parts).ravel())) for parts in found]

        sizes = len(self.vector_avals), len(carry)
        of_gate = [*self.vector_avals, *carry, z, *([] if r is None else [r])]

        def gate(*args: Any) -> Any:
            vectors, carry, (z, *r) = args[: sizes[0]], args[sizes[0] : sum(sizes)], args[sum(sizes) :]
            after, y = self.gate(vectors, carry, z, r[0] if r else None)
            return [*after, y]

        def gate_bar(*args: Any) -> Any:
            primals, bars = args[: len(of_gate)], args[len(of_gate) :]
            return jax.vjp(gate, *primals)[1](list(bars))

        leaves = [*vectors, *before, *z_parts, *r_parts]
        *after, y = read(gate, of_gate, leaves)
        back = read(gate_bar, [*of_gate, *carry, self.y_aval], [*leaves, *bars, y_bar], True)
        vector_bar = [node for parts in back[: sizes[0]] for node in parts]
        carry_bar = back[sizes[0] : sum(sizes)]
        z_bar, r_bar = back[sum(sizes)], back[sum(sizes) + 1] if r is not None else ()

        x, before_leaf, x_vector_bar, x_carry_bar = (), None, [], [() for _ in carry]
        if self.product is not None:
            of_x = [*self.vector_avals, *carry]
            aval = self.product.split.avals[self.product.x]
            aval = jax.ShapeDtypeStruct(aval.shape, aval.dtype)

            def make(*args: Any) -> Any:
                return self.x(args[: sizes[0]], args[sizes[0] :])

            def make_bar(*args: Any) -> Any:
                return jax.vjp(make, *args[:-1])[1](args[-1])

            (x,) = read(make, of_x, [*vectors, *before])
            back = read(make_bar, [*of_x, aval], [*vectors, *before, reader.leaves("x_bar", 0, aval)], True)
            x_vector_bar = [node for parts in back[: sizes[0]] for node in parts]
            x_carry_bar = back[sizes[0] :]
            whole = [tuple(int(node) for node in parts.nodes.ravel()) for parts in before]
            before_leaf = whole.index(x) if x in whole else None

        roots = [node for parts in (*after, y, *carry_bar, z_bar, r_bar, vector_bar) for node in parts]
        sums = self._sums(graph, roots)
        gradients = [node for parts in (*carry_bar, z_bar, r_bar, vector_bar) for node in parts]
        saved = self._saved(graph, gradients, sums)
        return Code(
            graph, tuple(after), y, x, before_leaf, sums, saved, tuple(carry_bar), z_bar, r_bar,
            tuple(vector_bar), tuple(x_carry_bar), tuple(x_vector_bar),
        )  # fmt: skip

    @staticmethod
    def _each(graph: Graph) -> Any:
        """Of a sum over the units, what each of them adds."""
        return lambda number: graph.nodes[number].args[0] if graph.nodes[number].op == "total" else int(number)

    @staticmethod
    def _sums(graph: Graph, roots: Sequence[int]) -> dict[int, tuple[int, int]]:
        """The nodes z + r whose parts are read nowhere else."""
        readers: dict[int, set[int]] = {}
        for number in graph.reached(roots):
            for arg in graph.nodes[number].args:
                readers.setdefault(arg, set()).add(number)
        found = {}
        for number in graph.reached(roots):
            node = graph.nodes[number]
            parts = {graph.nodes[arg].op: arg for arg in node.args}
            alone = all(readers[arg] == {number} and arg not in roots for arg in parts.values())
            if node.op == "add" and set(parts) == {"z", "r"} and alone:
                found[number] = tuple(graph.nodes[parts[kind]].attr[1] for kind in ("z", "r"))
        return found

    @staticmethod
    def _saved(graph: Graph, gradients: Sequence[int], sums: dict[int, tuple[int, int]]) -> tuple[int, ...]:
        """What the gradients need of z and r, as results of what is costly where there are some."""
        late: set[int] = set()  # known on the way back only
        raw: set[int] = set()  # z and r are needed for it
        chosen: set[int] = set()
        for number in graph.reached(gradients, frozenset(sums)):
            node = graph.nodes[number]
            if node.op in ("carry_bar", "y_bar") or late & set(node.args):
                late.add(number)
            elif number in sums or node.op in ("z", "r"):
                raw.add(number)
            elif raw & set(node.args):
                (chosen if node.op in COSTLY else raw).add(number)
        needed = graph.reached(gradients, frozenset(chosen | set(sums)))
        return tuple(n for n in needed if n in chosen or (n in raw and (n in sums or graph.nodes[n].op in ("z", "r"))))


@functools.lru_cache(256)
def _plan(cell: Cell, tree: Any, params: tuple[Any, ...], dtype: Any, x_dtype: Any) -> Plan | str:
    leaves = [jax.ShapeDtypeStruct(shape, kind) for shape, kind in params]
    try:
        # Whoever asks first may be on a mesh; what is found holds for all that ask later, elsewhere.
        with jax.sharding.use_abstract_mesh(jax.sharding.AbstractMesh((), ())):
            return Plan(cell, tree.unflatten(leaves), dtype, x_dtype)
    except NotPointwise as error:
        return str(error)


def plan_of(cell: Cell, params: Any, dtype: Any, x_dtype: Any) -> Plan:
    """The plan of a cell for params of these shapes, a carry of this dtype and inputs of that.

    Raises:
        NotPointwise: it has none; the message says why.
    """
    if isinstance(cell, Composite) or jax.tree.structure(cell.input_shape, is_leaf=is_shape).num_leaves != 1:
        raise NotPointwise("it is made of cells, or reads a tree of arrays")
    leaves, tree = jax.tree.flatten(params)
    found = _plan(cell, tree, tuple((leaf.shape, leaf.dtype) for leaf in leaves), np.dtype(dtype), np.dtype(x_dtype))
    if isinstance(found, str):
        raise NotPointwise(found)
    return found
