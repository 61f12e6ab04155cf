"""What a native loop over a cell has to do at every step, worked out from the cell's own functions.

With x what enters the recurrent product (a leaf of the carry, or pointwise in the carry) and v vectors of the params:

    forward     rₜ = xₜᵀ K + b,    xₜ = before(v, cₜ₋₁)        cₜ, yₜ = gate(v, cₜ₋₁, zₜ, rₜ)
    backward    c̄ₜ₋₁, z̄ₜ, r̄ₜ, v̄ += ∂gateᵀ · (c̄ₜ, ȳₜ)           c̄ₜ₋₁ += ∂beforeᵀ · (K r̄ₜ)

`gate` and `before` are those of a `GatedCell`, or are found in the `step` of another cell, around its one product with
the carry. They are read from the cell as expressions of one unit, and their derivatives from the jaxprs of their
vector-Jacobian products: nobody writes a cell twice. Where the gates see parts of z and of r as their sum alone, the
sum is what the product gives. For the way back it is kept what is costly and depends on z or r; what can be worked out
of that and of the carry before the step is worked out again.

A loop without a product needs no step of one unit for another. It keeps the first carry of each tile of steps alone,
and goes through a tile again on its way back. Its z may end in numbers that all units share.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rnn_jax.cells.base import Cell, Composite, GatedCell
from rnn_jax.checks import is_shape
from rnn_jax.native.adapters import States
from rnn_jax.native.graph import COSTLY, Code, Graph, Node, evaluate
from rnn_jax.native.split import Product, Split, product_of, product_within
from rnn_jax.native.units import NotPointwise, Reader, unit_axis


class Plan:
    """How a cell goes through a native loop. Equal cells with equal shapes share one; see `plan_of`.

    Attributes:
        units: H, the width of a part.
        code: the expressions.
        leaves: parts of each leaf of the carry.
        shared: numbers at the end of z that all units share.
        tile: steps of a loop without a product of which the first carry is kept; 0 with a product, where all are.
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
        self.shared = cell.shared_size if isinstance(cell, States) else 0
        if not hasattr(z, "shape") or len(z.shape) != 1 or (z.shape[0] - self.shared) % self.units:
            raise NotPointwise("its projected input is not one array some times the units wide")
        self.z_size = z.shape[0]
        zs = [jax.ShapeDtypeStruct((size,), dtype) for size in (self.z_size - self.shared, self.shared)]
        zs = zs if isinstance(cell, States) else zs[:1]
        self.leaves = tuple(leaf.shape[0] // self.units for leaf in carry_leaves)
        self.leaf_sizes = tuple(leaf.shape[0] for leaf in carry_leaves)

        self.input_product = self._input_product(leaves, x_dtype)
        self.product, r = None, None
        step = cell.step_of if isinstance(cell, States) else cell.step
        gate = Split(self._on_leaves(step), leaves, [*carry_leaves, *zs])  # without a product, all is the gate
        self._gate_steps, self._gate_inputs = gate.varying, gate.other_inputs
        if isinstance(cell, GatedCell) and type(cell).step is GatedCell.step:
            self.product = product_of(Split(self._on_leaves(cell.recur), leaves, carry_leaves), "recurrent product")
            if self.product is not None:
                r = jax.eval_shape(cell.recur, params, carry)
                gate = Split(self._on_leaves(cell.gate), leaves, [*carry_leaves, *zs, r])
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
        self._vector_axes = [unit_axis(aval.shape, self.units, isinstance(cell, States)) for aval in avals]
        for aval, axis in zip(avals, self._vector_axes, strict=True):
            if aval.dtype != dtype or (axis is None and np.prod(aval.shape) > self.units):
                raise NotPointwise(f"it reads {aval.dtype}{list(aval.shape)} of the params in every step")
        self.vector_avals = [jax.ShapeDtypeStruct(aval.shape, aval.dtype) for aval in avals]
        self.y_aval = jax.eval_shape(self._gate_of, self.vector_avals, carry_leaves, zs, r)[1]
        if self.y_aval.ndim != 1 or self.y_aval.shape[0] % self.units:
            raise NotPointwise(f"its output {list(self.y_aval.shape)} is not some times {self.units} units wide")
        self.r_size = 0 if r is None else r.shape[0]
        self.x_size = 0 if self.product is None else self.product.split.avals[self.product.x].shape[0]
        self.y_size = self.y_aval.shape[0]
        self.vector_sizes = [
            int(np.prod(aval.shape)) * (self.units if axis is None else 1)
            for aval, axis in zip(avals, self._vector_axes, strict=True)
        ]
        self.vectors_size = sum(self.vector_sizes)
        self.code = self._code(carry_leaves, zs, r)
        self.tile = 0 if self.r_size else self._tile()
        if self.tile:
            self.input_product = None  # one product for all steps is the faster one where there is no other

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
        flat = [self._in_parts(vector, axis) for vector, axis in zip(vectors, self._vector_axes, strict=True)]
        return *into, *again, jnp.concatenate(flat) if flat else jnp.zeros(0, self.dtype)

    def unpacked(self, vectors: jax.Array) -> list[jax.Array]:
        """The vectors that were packed."""
        packed = jnp.split(vectors, np.cumsum(self.vector_sizes)[:-1]) if self.vector_sizes else []
        found = []
        for parts, aval, axis in zip(packed, self.vector_avals, self._vector_axes, strict=True):
            others = [size for dim, size in enumerate(aval.shape) if dim != axis]
            parts = parts.reshape(*others, -1)
            found.append(parts[..., 0] if axis is None else jnp.moveaxis(parts, -1, axis))
        return found

    def gate(self, vectors: Sequence[Any], carry: Sequence[Any], z: Any, r: Any) -> tuple[list[Any], Any]:
        """The leaves of the carry and the output of one row."""
        zs = jnp.split(z, [self.z_size - self.shared]) if isinstance(self.cell, States) else [z]
        return self._gate_of(vectors, carry, zs, r)

    def _gate_of(
        self, vectors: Sequence[Any], carry: Sequence[Any], zs: Sequence[Any], r: Any
    ) -> tuple[list[Any], Any]:
        """The same, given apart what the units have of z and what they share."""
        given = dict(zip(self.gate_vectors, vectors, strict=False))
        others = [*carry, *zs] if r is None else [*carry, *zs, r]
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

    def _in_parts(self, vector: jax.Array, axis: int | None) -> jax.Array:
        """A vector as the loop reads it: part after part, a number for all units as one for each of them."""
        if axis is None:
            return jnp.broadcast_to(vector[..., None], (*vector.shape, self.units)).reshape(-1)
        return jnp.moveaxis(vector, axis, -1).reshape(-1)

    def _tile(self) -> int:
        """Steps whose carries, and what else is worked out again, fit into a memory near by: 128 kB of vectors."""
        fitting = 2048 // (sum(self.leaves) + len(self.code.saved))
        return 1 << max(3, min(6, fitting.bit_length() - 1))

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

    def _code(self, carry: Sequence[Any], zs: Sequence[Any], r: Any) -> Code:
        graph = Graph()
        reader = Reader(graph, self.units)
        firsts, axes = np.cumsum([0, *self.vector_sizes]) // self.units, self._vector_axes
        vectors = [
            reader.leaves("vector", int(first), aval, axis)
            for first, aval, axis in zip(firsts[:-1], self.vector_avals, axes, strict=True)
        ]
        before = [reader.leaves("carry", i, leaf) for i, leaf in enumerate(carry)]
        z_axes = [0, None][: len(zs)]
        z_parts = [reader.leaves(*at) for at in zip(["z", "shared"], [0, 0], zs, z_axes, strict=False)]
        r_parts = [] if r is None else [reader.leaves("r", 0, r)]
        bars = [reader.leaves("carry_bar", i, leaf) for i, leaf in enumerate(carry)]
        y_bar = reader.leaves("y_bar", 0, self.y_aval)

        def read(function: Any, avals: Sequence[Any], inputs: Sequence[Any], axes: Sequence[Any] | None) -> list[Any]:
            """The nodes of the outputs; with `axes` these are derivatives."""
            closed = jax.make_jaxpr(function)(*avals)
            graph.derivative = axes is not None
            found = reader.read(closed.jaxpr, closed.consts, inputs)
            graph.derivative = False
            numbers = [reader.numbers(*one) for one in zip(found, axes or [0] * len(found), strict=True)]
            return [self._each(graph, parts, axis) for parts, axis in zip(numbers, axes or numbers, strict=True)]

        sizes = len(self.vector_avals), len(carry), len(zs)
        of_gate = [*self.vector_avals, *carry, *zs, *([] if r is None else [r])]
        of_axes = [*axes, *[0] * len(carry), *z_axes, *([] if r is None else [0])]

        def gate(*args: Any) -> Any:
            rest = iter(args)
            vectors, carry, zs = ([next(rest) for _ in range(size)] for size in sizes)
            after, y = self._gate_of(vectors, carry, zs, next(rest, None))
            return [*after, y]

        def gate_bar(*args: Any) -> Any:
            primals, bars = args[: len(of_gate)], args[len(of_gate) :]
            return jax.vjp(gate, *primals)[1](list(bars))

        leaves = [*vectors, *before, *z_parts, *r_parts]
        *after, y = read(gate, of_gate, leaves, None)
        back = iter(read(gate_bar, [*of_gate, *carry, self.y_aval], [*leaves, *bars, y_bar], of_axes))
        vector_bar = [node for _ in axes for node in next(back)]
        carry_bar, z_bar = [next(back) for _ in carry], next(back)
        shared_bar, r_bar = next(back) if len(zs) > 1 else (), next(back, ())

        x, before_leaf, x_vector_bar, x_carry_bar = (), None, [], [() for _ in carry]
        if self.product is not None:
            of_x = [*self.vector_avals, *carry]
            aval = self.product.split.avals[self.product.x]
            aval = jax.ShapeDtypeStruct(aval.shape, aval.dtype)

            def make(*args: Any) -> Any:
                return self.x(args[: sizes[0]], args[sizes[0] :])

            def make_bar(*args: Any) -> Any:
                return jax.vjp(make, *args[:-1])[1](args[-1])

            (x,) = read(make, of_x, [*vectors, *before], None)
            x_bar = reader.leaves("x_bar", 0, aval)
            back = read(make_bar, [*of_x, aval], [*vectors, *before, x_bar], [*axes, *[0] * len(carry)])
            x_vector_bar = [node for parts in back[: sizes[0]] for node in parts]
            x_carry_bar = back[sizes[0] :]
            whole = [reader.numbers(parts) for parts in before]
            before_leaf = whole.index(x) if x in whole else None

        gradients = [node for parts in (*carry_bar, z_bar, shared_bar, r_bar, vector_bar) for node in parts]
        sums = self._sums(graph, [node for parts in (*after, y, gradients) for node in parts])
        saved = self._saved(graph, gradients, sums, given=() if self.product else ("z", "shared"))
        return Code(
            graph, tuple(after), y, x, before_leaf, sums, saved, tuple(carry_bar), z_bar, shared_bar, r_bar,
            tuple(vector_bar), tuple(x_carry_bar), tuple(x_vector_bar),
        )  # fmt: skip

    @staticmethod
    def _each(graph: Graph, numbers: Sequence[int], axis: Any) -> tuple[int, ...]:
        """Of sums over the units, as the gradients of numbers are that they share, what each unit adds."""
        if axis is not None:
            if any(graph.nodes[number].op == "total" for number in numbers):
                raise NotPointwise("it sums over the units")
            return tuple(numbers)
        if any(graph.nodes[n].op != "total" and graph.value(n) != 0.0 for n in numbers):
            raise NotPointwise("the gradient of a number that units share is no sum over them")
        return tuple(graph.nodes[n].args[0] if graph.nodes[n].op == "total" else n for n in numbers)

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
    def _saved(
        graph: Graph, gradients: Sequence[int], sums: dict[int, tuple[int, int]], given: tuple[str, ...]
    ) -> tuple[int, ...]:
        """What the gradients need of z and r, as results of what is costly where there are some.

        What is `given` on the way back too is not needed for itself.
        """
        late: set[int] = set()  # known on the way back only
        raw: set[int] = set()  # z and r are needed for it
        chosen: set[int] = set()
        for number in graph.reached(gradients, frozenset(sums)):
            node = graph.nodes[number]
            if node.op in ("carry_bar", "y_bar") or late & set(node.args):
                late.add(number)
            elif number in sums or node.op in ("z", "shared", "r"):
                raw.add(number)
            elif raw & set(node.args):
                (chosen if node.op in COSTLY else raw).add(number)
        needed = graph.reached(gradients, frozenset(chosen | set(sums)))
        itself = {n for n in raw if n in sums or graph.nodes[n].op in {"z", "r"} - set(given)}
        return tuple(n for n in needed if n in chosen or n in itself)


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
