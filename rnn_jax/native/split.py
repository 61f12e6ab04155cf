"""A function of params and of something else, cut in two: what depends on the params alone, and the rest.

Of the gates of a cell only the rest belongs into the loop over time. What is worked out of the params (a kernel made
skew-symmetric, a bias cast to the dtype of the inputs) is a function that JAX runs, and differentiates, before it.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax.extend import core as jex

from rnn_jax.native.units import CALLS, NotPointwise

CONSTANT, KNOWN, VARYING = range(3)


@dataclasses.dataclass(frozen=True)
class Step:
    """One equation on numbered values."""

    eqn: Any
    names: Any
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    @property
    def name(self) -> str:
        return self.eqn.primitive.name

    def run(self, values: dict[int, Any]) -> None:
        """Add the outputs to the values."""
        given = {v: i for v, i in zip(self.eqn.invars, self.inputs, strict=True) if not isinstance(v, jex.Literal)}
        alone = jex.Jaxpr((), list(given), self.eqn.outvars, [self.eqn], debug_info=self.names)
        outs = jex.jaxpr_as_fun(jex.ClosedJaxpr(alone, ()))(*(values[i] for i in given.values()))
        values.update(zip(self.outputs, outs, strict=True))


class Split:
    """`function(params, *others)` with its equations sorted by what they depend on.

    Args:
        function: from leaves of params and other arrays to a tree of arrays.
        params: shapes of the leaves of params.
        others: shapes of the others, a flat list.
    """

    def __init__(self, function: Callable[..., Any], params: Sequence[Any], others: Sequence[Any]):
        closed = jax.make_jaxpr(function)(list(params), *others)
        self.names = closed.jaxpr.debug_info.with_unknown_names()
        self.kinds: list[int] = []
        self.constants: dict[int, Any] = {}
        self.known: list[Step] = []
        self.varying: list[Step] = []
        self.avals: list[Any] = []
        names: dict[Any, int] = {}
        count = len(params)
        for place, var in enumerate(closed.jaxpr.invars):
            names[var] = self._new(var.aval, KNOWN if place < count else VARYING)
        inputs = [names[var] for var in closed.jaxpr.invars]
        self.param_inputs, self.other_inputs = inputs[:count], inputs[count:]
        self.outputs = self._read(closed.jaxpr, closed.consts, names)

    def used(self, steps: Sequence[Step], outputs: Sequence[int]) -> list[int]:
        """The known values that these steps and outputs read."""
        made = {number for step in steps for number in step.outputs}
        read = {number for step in steps for number in step.inputs} | set(outputs)
        return sorted(number for number in read - made if self.kinds[number] == KNOWN)

    def run_known(self, params: Sequence[Any], wanted: Sequence[int]) -> list[Any]:
        """The values of these numbers, from the leaves of params."""
        values = dict(self.constants) | dict(zip(self.param_inputs, params, strict=True))
        needed, steps = set(wanted), []
        for step in reversed(self.known):
            if needed & set(step.outputs):
                needed |= set(step.inputs)
                steps.append(step)
        for step in reversed(steps):
            step.run(values)
        return [values[number] for number in wanted]

    def run_varying(self, steps: Sequence[Step], given: dict[int, Any], outputs: Sequence[int]) -> list[Any]:
        """The outputs, from known values and inputs that are given by their numbers."""
        values = dict(self.constants) | given
        for step in steps:
            step.run(values)
        return [values[number] for number in outputs]

    def _new(self, aval: Any, kind: int) -> int:
        self.kinds.append(kind)
        self.avals.append(aval)
        return len(self.kinds) - 1

    def _constant(self, value: Any, aval: Any) -> int:
        number = self._new(aval, CONSTANT)
        self.constants[number] = np.asarray(value, aval.dtype)
        return number

    def _read(self, jaxpr: Any, consts: Sequence[Any], names: dict[Any, int]) -> list[int]:
        for var, value in zip(jaxpr.constvars, consts, strict=True):
            names[var] = self._constant(value, var.aval)

        def number(atom: Any) -> int:
            return self._constant(atom.val, atom.aval) if isinstance(atom, jex.Literal) else names[atom]

        for eqn in jaxpr.eqns:
            inputs = tuple(number(atom) for atom in eqn.invars)
            kinds = {self.kinds[i] for i in inputs}
            kind = max(kinds, default=CONSTANT)
            if kind == VARYING and eqn.primitive.name in ("jit", "pjit", "closed_call"):
                inner = eqn.params[CALLS[eqn.primitive.name]]
                outputs = self._read(inner.jaxpr, inner.consts, dict(zip(inner.jaxpr.invars, inputs, strict=True)))
            else:
                outputs = [self._new(var.aval, kind) for var in eqn.outvars]
                step = Step(eqn, self.names, inputs, tuple(outputs))
                if kind == CONSTANT:
                    with jax.ensure_compile_time_eval():
                        step.run(self.constants)
                    self.constants |= {i: np.asarray(self.constants[i]) for i in outputs}
                else:
                    (self.known if kind == KNOWN else self.varying).append(step)
            names.update(zip(eqn.outvars, outputs, strict=True))
        return [number(atom) for atom in jaxpr.outvars]


@dataclasses.dataclass(frozen=True)
class Product:
    """`x @ kernel + bias` inside a split function: x is what steps before it make."""

    split: Split
    before: tuple[Step, ...]
    x: int
    kernel: int
    biases: tuple[int, ...]
    size: int
    step: Step

    def weights(self, params: Sequence[Any], dtype: Any) -> tuple[jax.Array, jax.Array]:
        """The kernel and the bias, from the leaves of params."""
        kernel, *biases = self.split.run_known(params, [self.kernel, *self.biases])
        bias = jax.numpy.zeros(self.size, dtype)
        for one in biases:
            bias = bias + one.reshape(-1)
        return kernel, bias


def product_within(split: Split, inputs: int) -> Product | None:
    """The one dense product within a function, if what enters it depends on so many of the first other inputs alone."""
    dots = [step for step in split.varying if step.name == "dot_general"]
    if len(dots) != 1 or not _is_dense(split, dots[0]):
        return None
    wanted, before = {dots[0].inputs[0]}, []
    for step in reversed(split.varying):
        if wanted & set(step.outputs):
            wanted |= set(step.inputs)
            before.append(step)
    if wanted & set(split.other_inputs[inputs:]):
        return None
    size = split.avals[dots[0].outputs[0]].shape[0]
    x, kernel = dots[0].inputs
    return Product(split, tuple(reversed(before)), x, kernel, (), size, dots[0])


def _is_dense(split: Split, step: Step) -> bool:
    left, right = (split.avals[i] for i in step.inputs)
    plain = step.eqn.params["dimension_numbers"] == (((0,), (0,)), ((), ())) and (left.ndim, right.ndim) == (1, 2)
    return plain and split.kinds[step.inputs[1]] != VARYING


def product_of(split: Split, what: str) -> Product | None:
    """The one dense product that a function is; None if there is no product in it.

    Raises:
        NotPointwise: it is something else.
    """
    dots = [step for step in split.varying if step.name in ("dot_general", "conv_general_dilated")]
    if not dots:
        return None
    at = split.varying.index(dots[0])
    step = dots[0]
    if len(dots) != 1 or step.name != "dot_general" or not _is_dense(split, step):
        raise NotPointwise(f"its {what} is not one product with one dense kernel")
    current, biases, before = step.outputs[0], [], list(split.varying[:at])
    for after in split.varying[at + 1 :]:
        if current not in after.inputs:
            before.append(after)
            continue
        others = [i for i in after.inputs if i != current]
        known = len(others) == 1 and split.kinds[others[0]] != VARYING
        if after.name in ("add", "add_any") and known and split.avals[others[0]].shape == split.avals[current].shape:
            biases.append(others[0])
        elif after.name not in ("copy", "reshape", "convert_element_type") or (
            split.avals[after.outputs[0]] != split.avals[current]
        ):
            raise NotPointwise(f"its {what} is more than one product and a bias: {after.name}")
        current = after.outputs[0]
    if split.outputs != [current]:
        raise NotPointwise(f"its {what} is more than one product and a bias")
    size = split.avals[current].shape[0]
    return Product(split, tuple(before), step.inputs[0], step.inputs[1], tuple(biases), size, step)
