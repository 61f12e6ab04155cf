"""The native loop as JAX sees it: three primitives, each with rules for derivatives, `vmap` and other devices.

    loop       the steps; differentiated, it is the loop that also keeps what the way back needs, and `tangent`
    tangent    the steps' derivative, linear in the derivatives of carry, z, r and vectors; its transpose is `gradient`
    gradient   the way back

On a CPU `loop` and `gradient` are calls of the library that is built for the cell; `tangent`, and all three elsewhere,
are scans over the same expressions, through which every further derivative goes. Operands have a leading axis of loops
side by side: what `vmap` maps over goes there.
"""

import dataclasses
import functools
import hashlib
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from rnn_jax.cells.base import dense
from rnn_jax.native.build import build
from rnn_jax.native.plan import Plan
from rnn_jax.native.source import source


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
        """As `Flags` of loop.cc."""
        return sum(on << bit for bit, on in enumerate((self.hoisted, self.valid, self.resets, self.reverse, self.save)))

    @property
    def leaves(self) -> int:
        return len(self.plan.leaves)

    @property
    def kept(self) -> int:
        """How many results `loop` has more of with `save`."""
        return self.leaves + bool(self.plan.code.saved)

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


# What the primitives compute, for one loop, without the leading axis.


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


def _xs(plan: Plan, vectors: Any, before: Sequence[Any]) -> Any:
    """What enters the product at each step, from carries [T, B, n]."""
    return _rows(_rows(lambda carry: plan.x(vectors, carry), [0]), [0])(list(before))


def loop_by_scan(options: Options, *flat: Any) -> list[Any]:
    """`loop` as a scan: the leaves of the last carry, ys, and with `save` each carry before a step and what is kept."""
    plan, given = options.plan, options.operands(flat)
    vectors = plan.unpacked(given.vectors[0]) if given.vectors else []

    def step(carry: list[Any], inputs: Any) -> tuple[list[Any], Any]:
        z, valid, resets = inputs
        before = _selected(resets, given.start, carry) if options.resets else carry
        r = _product(plan, given.product, vectors, before)
        gate = _rows(lambda carry, z, r: plan.gate(vectors, carry, z, r), [0, 0, None if r is None else 0])
        after, y = gate(before, z, r)
        saved = None
        if options.save and plan.code.saved:
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
    kept = [*before, *([] if saved is None else [saved])] if options.save else []
    return [*carry, ys, *kept]


def _linear_operands(options: Options) -> int:
    """How many operands of `tangent` are derivatives: of the carry, z, r, and the vectors."""
    plan = options.plan
    return options.leaves + 1 + plan.r_apart + bool(plan.vectors_size)


def tangent_by_scan(options: Options, *flat: Any) -> list[Any]:
    """`tangent`: derivatives of the last carry and ys. Its point is the operands of `loop` and what that kept."""
    plan, count = options.plan, _linear_operands(options)
    point, dots = flat[: len(flat) - count], flat[len(flat) - count :]
    given, before = options.operands(point), point[len(point) - options.kept :][: options.leaves]
    vectors = plan.unpacked(given.vectors[0]) if given.vectors else []
    carry_dot, rest = list(dots[: options.leaves]), list(dots[options.leaves :])
    z_dot = rest.pop(0)
    r_dot = rest.pop(0) if plan.r_apart else None
    vectors_dot = plan.unpacked(rest.pop(0)) if plan.vectors_size else []
    z = _projected(given.inputs)
    r = None
    if given.product:
        kernel, bias = given.product
        r = dense(_xs(plan, vectors, before), kernel, bias)
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


def _side_by_side(name: str) -> Any:
    """A function of operands with the leading axis."""

    def run(*flat: Any, options: Options) -> list[Any]:
        return jax.vmap(functools.partial(BY_SCAN[name], options))(*flat)

    return run


# What the library computes.


@functools.cache
def registered(plan: Plan) -> str:
    """The name under which XLA knows the library of a plan, built and loaded now if need be."""
    library = build(text := source(plan))
    name = f"rnn_jax.fused.{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    for part in ("Forward", "Backward"):
        jax.ffi.register_ffi_target(f"{name}.{part}", jax.ffi.pycapsule(getattr(library, part)), platform="cpu")
    return name


def _loop_call(*flat: Any, options: Options) -> list[Any]:
    plan = options.plan
    shapes = _abstract("loop", flat, options)
    call = jax.ffi.ffi_call(f"{registered(plan)}.Forward", shapes)
    return list(call(*flat, flags=np.int64(options.flags), units=np.int64(plan.units)))


def _gradient_call(*flat: Any, options: Options) -> list[Any]:
    plan, count = options.plan, options.leaves + 1
    point, bars = flat[:-count], flat[-count:]
    given, kept = options.operands(point), point[len(point) - options.kept :]
    native = [*given.product[:1], *given.vectors, *kept, *given.valid, *given.resets, *bars]
    shapes = _abstract("gradient", flat, options)
    # The library gives r̄ before z̄, and one of them where they are the same.
    leaves, z, rest = shapes[: options.leaves], shapes[options.leaves], shapes[options.leaves + 1 :]
    order = [*leaves, *rest[: plan.r_apart], z, *rest[plan.r_apart :]]
    found = list(
        jax.ffi.ffi_call(f"{registered(plan)}.Backward", order)(
            *native, flags=np.int64(options.flags), units=np.int64(plan.units)
        )
    )
    if plan.r_apart:
        at = options.leaves
        found[at], found[at + 1] = found[at + 1], found[at]
    return found


CALLS = {"loop": _loop_call, "gradient": _gradient_call}


def _abstract(name: str, flat: Sequence[Any], options: Options) -> list[jax.ShapeDtypeStruct]:
    """Shapes of the results."""
    plan, dtype = options.plan, options.plan.dtype
    loops, length, rows = flat[0].shape[:3]

    def along(size: int) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct((loops, length, rows, size), dtype)

    carry = [jax.ShapeDtypeStruct((loops, rows, size), dtype) for size in plan.leaf_sizes]
    if name == "gradient":
        separate = [along(plan.r_size)] if plan.r_apart else []
        vectors = [jax.ShapeDtypeStruct((loops, rows, plan.vectors_size), dtype)] if plan.vectors_size else []
        return [*carry, along(plan.z_size), *separate, *vectors]
    kept = []
    if name == "loop" and options.save:
        kept = [along(size) for size in plan.leaf_sizes]
        kept += [along(plan.units * len(plan.code.saved))] if plan.code.saved else []
    return [*carry, along(plan.y_size), *kept]


# The primitives.


def _primitive(name: str) -> Primitive:
    made = Primitive(f"rnn_jax_{name}")
    made.multiple_results = True

    @made.def_abstract_eval
    def abstract(*avals: Any, options: Options) -> list[Any]:
        return [jax.core.ShapedArray(one.shape, one.dtype) for one in _abstract(name, avals, options)]

    @made.def_impl
    def run(*flat: Any, options: Options) -> Any:
        return _jitted(made, options)(*flat)

    by_scan = mlir.lower_fun(_side_by_side(name), multiple_results=True)
    mlir.register_lowering(made, by_scan)
    if name in CALLS:
        by_call = mlir.lower_fun(CALLS[name], multiple_results=True)

        def on_cpu(context: Any, *operands: Any, options: Options) -> Any:
            return (by_call if _is_native(context) else by_scan)(context, *operands, options=options)

        mlir.register_lowering(made, on_cpu, platform="cpu")
    batching.primitive_batchers[made] = functools.partial(_batched, name, made)
    ad.primitive_jvps[made] = functools.partial(_through_scan, name)
    return made


@functools.cache
def _jitted(primitive: Primitive, options: Options) -> Any:
    return jax.jit(functools.partial(primitive.bind, options=options))


def _is_native(context: Any) -> bool:
    """Whether a program is for one device of this process: no other could call the library, or cut its arrays."""
    module = context.module_context
    exported = getattr(module.lowering_parameters, "for_export", False)
    return not exported and getattr(module.axis_context, "num_devices", 1) in (1, None)


def _axes(name: str, options: Options) -> tuple[list[int | None], list[int | None]]:
    """Where the rows of each operand and of each result of a primitive stand; None for params, which have none."""
    plan, leaves = options.plan, options.leaves
    kept, separate, packed = [2] * options.kept, plan.r_apart, bool(plan.vectors_size)
    params = [None] * (2 * (not options.hoisted) + 2 * bool(plan.r_size) + packed)
    point = [2, *params, *[1] * (leaves * (1 + options.resets)), *[2] * (options.valid + options.resets)]
    if name == "loop":
        return point, [*[1] * leaves, 2, *(kept if options.save else [])]
    if name == "tangent":
        return [*point, *kept, *[1] * leaves, 2, *[2] * separate, *[None] * packed], [*[1] * leaves, 2]
    return [*point, *kept, *[1] * leaves, 2], [*[1] * leaves, 2, *[2] * separate, *[1] * packed]


def _batched(name: str, primitive: Primitive, flat: Sequence[Any], dims: Sequence[Any], *, options: Options) -> Any:
    """`vmap`: what is mapped over becomes more rows; with params of their own, loops side by side."""
    size = next(a.shape[d] for a, d in zip(flat, dims, strict=True) if d is not None)
    rows, found_rows = _axes(name, options)
    if any(row is None and dim is not None for row, dim in zip(rows, dims, strict=True)):
        rows, found_rows = [0] * len(rows), [0] * len(found_rows)

    def together(a: Any, dim: Any, row: int | None) -> Any:
        if row is None:
            return a
        if dim is None:
            a = jnp.broadcast_to(jnp.expand_dims(a, row), (*a.shape[:row], size, *a.shape[row:]))
        else:
            a = jnp.moveaxis(a, dim, row)
        return a.reshape(*a.shape[:row], size * a.shape[row + 1], *a.shape[row + 2 :])

    found = primitive.bind(*map(together, flat, dims, rows), options=options)
    apart = [
        one.reshape(*one.shape[:row], size, one.shape[row] // size, *one.shape[row + 1 :])
        for one, row in zip(found, found_rows, strict=True)
    ]
    return apart, found_rows


def _instantiated(primals: Sequence[Any], tangents: Sequence[Any]) -> list[Any]:
    def instantiate(primal: Any, tangent: Any) -> Any:
        if type(tangent) is not ad.Zero:
            return tangent
        if not jnp.issubdtype(primal.dtype, jnp.floating):
            return np.zeros(primal.shape, jax.dtypes.float0)
        return jnp.zeros_like(primal)

    return list(map(instantiate, primals, tangents))


def _through_scan(name: str, primals: Sequence[Any], tangents: Sequence[Any], *, options: Options) -> Any:
    run = functools.partial(_side_by_side(name), options=options)
    return jax.jvp(run, tuple(primals), tuple(_instantiated(primals, tangents)))


LOOP, TANGENT, GRADIENT = map(_primitive, ("loop", "tangent", "gradient"))


def _loop_jvp(primals: Sequence[Any], tangents: Sequence[Any], *, options: Options) -> Any:
    if options.save:
        return _through_scan("loop", primals, tangents, options=options)
    plan, saving = options.plan, dataclasses.replace(options, save=True)
    found = LOOP.bind(*primals, options=saving)
    results, kept = found[: options.leaves + 1], found[options.leaves + 1 :]
    given, dots = options.operands(primals), options.operands(tangents)

    def dot(name: str, i: int) -> Any:
        return None if type(one := getattr(dots, name)[i]) is ad.Zero else one

    # z˙ and ρ = x K˙ + b˙ for all steps at once: products whose transposes are those of the weights' gradients.
    leading = given.inputs[0].shape[:3]
    if options.hoisted:
        z_terms = [] if dot("inputs", 0) is None else [dot("inputs", 0)]
    else:
        xs, kernel, _ = given.inputs
        z_terms = [] if dot("inputs", 0) is None else [_product_of(dot("inputs", 0), kernel)]
        z_terms += [] if dot("inputs", 1) is None else [_product_of(xs, dot("inputs", 1))]
        z_terms += [] if dot("inputs", 2) is None else [dot("inputs", 2)[:, None, None]]
    r_terms = []
    if given.product:
        if dot("product", 0) is not None:
            r_terms.append(_product_of(_entering(plan, given, kept[: options.leaves]), dot("product", 0)))
        r_terms += [] if dot("product", 1) is None else [dot("product", 1)[:, None, None]]
    linear = _instantiated(given.carry, dots.carry)
    if plan.code.same_bars:
        linear.append(_total([*z_terms, *r_terms], (*leading, plan.z_size), plan.dtype))
    else:
        linear.append(_total(z_terms, (*leading, plan.z_size), plan.dtype))
        linear += [_total(r_terms, (*leading, plan.r_size), plan.dtype)] if given.product else []
    if given.vectors:
        linear += _instantiated(given.vectors, dots.vectors)
    derivatives = TANGENT.bind(*primals, *kept, *linear, options=options)
    return results, derivatives


def _total(terms: Sequence[Any], shape: tuple[int, ...], dtype: Any) -> Any:
    terms = [jnp.broadcast_to(term, shape) for term in terms]
    return functools.reduce(jnp.add, terms) if terms else jnp.zeros(shape, dtype)


def _product_of(xs: Any, kernel: Any) -> Any:
    """The product of [S, T, B, D] with a kernel [S, D, G]."""
    flat = xs.reshape(xs.shape[0], -1, xs.shape[-1])
    return jnp.matmul(flat, kernel).reshape(*xs.shape[:-1], kernel.shape[-1])


def _entering(plan: Plan, given: Operands, before: Sequence[Any]) -> Any:
    """What entered the product at each step."""
    if plan.code.before_leaf is not None:
        return before[plan.code.before_leaf]

    vectors = jax.vmap(plan.unpacked)(given.vectors[0]) if given.vectors else []
    return jax.vmap(functools.partial(_xs, plan))(vectors, list(before))


def _tangent_transpose(bars: Sequence[Any], *flat: Any, options: Options) -> Any:
    count = _linear_operands(options)
    point, dots = flat[: len(flat) - count], flat[len(flat) - count :]
    shapes = _abstract("tangent", point, options)
    bars = [jnp.zeros(s.shape, s.dtype) if type(b) is ad.Zero else b for b, s in zip(bars, shapes, strict=True)]
    found = GRADIENT.bind(*point, *bars, options=options)
    if options.plan.vectors_size:
        found = [*found[:-1], found[-1].sum(axis=1)]
    return [*[None] * len(point), *(g if ad.is_undefined_primal(d) else None for g, d in zip(found, dots, strict=True))]


ad.primitive_jvps[LOOP] = _loop_jvp
ad.primitive_transposes[TANGENT] = _tangent_transpose
