"""What the primitives of a native loop compute, as scans over the cell's expressions: in JAX, for one loop.

It is what runs where no library can be called, and what every derivative beyond the first goes through.
"""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from rnn_jax.cells.base import dense
from rnn_jax.native.plan import Plan


@dataclasses.dataclass(frozen=True)
class Options:
    """What a loop is besides its arrays."""

    plan: Plan
    hoisted: bool
    valid: bool
    resets: bool
    reverse: bool
    save: bool = False

    @property
    def flags(self) -> int:
        """As `Flags` of common.cc."""
        return sum(on << bit for bit, on in enumerate((self.hoisted, self.valid, self.resets, self.reverse, self.save)))

    @property
    def leaves(self) -> int:
        return len(self.plan.leaves)

    @property
    def kept(self) -> int:
        """How many results `loop` has more of with `save`."""
        return self.leaves + bool(self.plan.code.saved and not self.plan.tile)

    def operands(self, flat: Sequence[Any]) -> "Operands":
        """The operands of `loop` by their names."""
        rest = iter(flat)

        def some(count: int) -> list[Any]:
            return [next(rest) for _ in range(count)]

        inputs = some(1 if self.hoisted else 3)
        product, vectors = some(2 if self.plan.r_size else 0), some(1 if self.plan.vectors_size else 0)
        carry, start = some(self.leaves), some(self.leaves if self.resets else 0)
        return Operands(inputs, product, vectors, carry, start, some(self.valid), some(self.resets))


@dataclasses.dataclass
class Operands:
    """Lists of arrays, empty for what is not there; [S, T, B, n], params [S, ...], carries [S, B, n]."""

    inputs: list[Any]  # xs, kernel and bias; or z
    product: list[Any]  # kernel and bias
    vectors: list[Any]
    carry: list[Any]
    start: list[Any]
    valid: list[Any]
    resets: list[Any]


def _projected(inputs: Sequence[Any]) -> Any:
    if len(inputs) == 1:
        return inputs[0]
    xs, kernel, bias = inputs
    return dense(xs, kernel, bias)


def _rows(function: Any, axes: Sequence[Any]) -> Any:
    return jax.vmap(function, in_axes=tuple(axes))


def _selected(mask: Any, on: Sequence[Any], off: Sequence[Any]) -> list[Any]:
    return [jnp.where(mask[..., None], a, b) for a, b in zip(on, off, strict=True)]


def _product(plan: Plan, product: Sequence[Any], vectors: Any, carry: Sequence[Any]) -> Any:
    """The recurrent product for rows of a carry; None where there is none."""
    if not product:
        return None
    kernel, bias = product
    return dense(_rows(lambda carry: plan.x(vectors, carry), [0])(list(carry)), kernel, bias)


def xs_of(plan: Plan, vectors: Any, before: Sequence[Any]) -> Any:
    """What enters the product at each step, from carries [T, B, n]."""
    return _rows(_rows(lambda carry: plan.x(vectors, carry), [0]), [0])(list(before))


def loop_by_scan(options: Options, *flat: Any) -> list[Any]:
    """`loop` as a scan: the leaves of the last carry, ys, and with `save` each carry before a step and what is kept.

    Of a plan with tiles these are the first carries of the tiles alone.
    """
    plan, given = options.plan, options.operands(flat)
    carry, ys, before, saved = _steps(options, given)
    if not options.save:
        return [*carry, ys]
    if plan.tile:
        return [*carry, ys, *((one[::-1] if options.reverse else one)[:: plan.tile] for one in before)]
    return [*carry, ys, *before, *([] if saved is None else [saved])]


def _steps(options: Options, given: Operands) -> tuple[list[Any], Any, list[Any], Any]:
    """The leaves of the last carry, ys, of each carry before a step, and what is kept of each step."""
    plan = options.plan
    vectors = plan.unpacked(given.vectors[0]) if given.vectors else []

    def step(carry: list[Any], inputs: Any) -> tuple[list[Any], Any]:
        z, valid, resets = inputs
        before = _selected(resets, given.start, carry) if options.resets else carry
        r = _product(plan, given.product, vectors, before)
        gate = _rows(lambda carry, z, r: plan.gate(vectors, carry, z, r), [0, 0, None if r is None else 0])
        after, y = gate(before, z, r)
        saved = None
        if options.save and plan.code.saved and not plan.tile:
            packed = given.vectors[0] if given.vectors else None
            saved = _rows(lambda carry, z, r: plan.kept(packed, carry, z, r), [0, 0, None if r is None else 0])(
                before, z, r
            )
        if options.valid:
            after, y = _selected(valid, after, carry), jnp.where(valid[:, None], y, jnp.zeros_like(y))
        return after, (y, before, saved)

    masks = [one[0] if one else None for one in (given.valid, given.resets)]
    carry, (ys, before, saved) = jax.lax.scan(
        step, list(given.carry), (_projected(given.inputs), *masks), reverse=options.reverse
    )
    return carry, ys, before, saved


def linear_operands(options: Options) -> int:
    """How many operands of `tangent` are derivatives: of the carry, z, r, and the vectors."""
    plan = options.plan
    return options.leaves + 1 + plan.r_apart + bool(plan.vectors_size)


def tangent_by_scan(options: Options, *flat: Any) -> list[Any]:
    """`tangent`: derivatives of the last carry and ys. Its point is the operands of `loop` and what that kept."""
    plan, count = options.plan, linear_operands(options)
    point, dots = flat[: len(flat) - count], flat[len(flat) - count :]
    given, before = options.operands(point), point[len(point) - options.kept :][: options.leaves]
    if plan.tile:
        _, _, before, _ = _steps(options, given)
    vectors = plan.unpacked(given.vectors[0]) if given.vectors else []
    carry_dot, rest = list(dots[: options.leaves]), list(dots[options.leaves :])
    z_dot = rest.pop(0)
    r_dot = rest.pop(0) if plan.r_apart else None
    vectors_dot = plan.unpacked(rest.pop(0)) if plan.vectors_size else []
    z = _projected(given.inputs)
    r = None
    if given.product:
        kernel, bias = given.product
        r = dense(xs_of(plan, vectors, before), kernel, bias)
        if r_dot is None:
            r_dot = jnp.zeros_like(r)

    def row(vectors: Any, carry: Any, z: Any, r: Any, dots: Any) -> Any:
        vectors_dot, carry_dot, z_dot, r_dot = dots
        if r is None:
            return jax.jvp(
                lambda v, c, z: plan.gate(v, c, z, None), (vectors, carry, z), (vectors_dot, carry_dot, z_dot)
            )[1]
        return jax.jvp(plan.gate, (vectors, carry, z, r), (vectors_dot, carry_dot, z_dot, r_dot))[1]

    def x_row(carry: Any, carry_dot: Any) -> Any:
        return jax.jvp(plan.x, (vectors, carry), (vectors_dot, carry_dot))[1]

    def step(carry_dot: list[Any], inputs: Any) -> tuple[list[Any], Any]:
        before, z, r, z_dot, r_dot, valid, resets = inputs
        entering = carry_dot
        if options.resets:
            entering = _selected(resets, list(map(jnp.zeros_like, carry_dot)), carry_dot)
        if r is not None:
            r_dot = r_dot + jax.vmap(x_row)(before, entering) @ kernel
        axes = [None, 0, 0, None if r is None else 0, (None, 0, 0, None if r is None else 0)]
        after, y = _rows(row, axes)(vectors, before, z, r, (vectors_dot, entering, z_dot, r_dot))
        if options.valid:
            after, y = _selected(valid, after, carry_dot), jnp.where(valid[:, None], y, jnp.zeros_like(y))
        return after, y

    masks = [one[0] if one else None for one in (given.valid, given.resets)]
    inputs = (list(before), z, r, z_dot, r_dot, *masks)
    carry_dot, ys_dot = jax.lax.scan(step, carry_dot, inputs, reverse=options.reverse)
    return [*carry_dot, ys_dot]


def gradient_by_scan(options: Options, *flat: Any) -> list[Any]:
    """`gradient`: the transpose of `tangent`, operands its point and the gradients of its results."""
    count = options.leaves + 1
    point, bars = flat[:-count], flat[-count:]
    plan, given = options.plan, options.operands(point)
    shape = jax.eval_shape(_projected, given.inputs).shape[:2]

    def zeros(size: int) -> Any:
        return jnp.zeros((*shape, size), plan.dtype)

    dots = [*(jnp.zeros_like(one) for one in given.carry), zeros(plan.z_size)]
    dots += [zeros(plan.r_size)] if plan.r_apart else []
    # A row of vectors for each row of the batch, as the native loop gives their gradients.
    linear = jax.linear_transpose(
        lambda *dots: tangent_by_scan(options, *point, *dots),
        *dots,
        *([jnp.zeros(plan.vectors_size, plan.dtype)] if plan.vectors_size else []),
    )
    found = list(linear(list(bars)))
    if plan.vectors_size:
        rows = jnp.zeros((shape[1], plan.vectors_size), plan.dtype)
        found[-1] = rows.at[0].set(found[-1]) if shape[1] else rows
    return found


BY_SCAN = {"loop": loop_by_scan, "tangent": tangent_by_scan, "gradient": gradient_by_scan}


def side_by_side(name: str) -> Any:
    """A function of operands with the leading axis."""

    def run(*flat: Any, options: Options) -> list[Any]:
        return jax.vmap(functools.partial(BY_SCAN[name], options))(*flat)

    return run
