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

from rnn_jax.native.build import build
from rnn_jax.native.plan import Plan
from rnn_jax.native.scans import Operands, Options, linear_operands, side_by_side, xs_of
from rnn_jax.native.source import source

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
    again = [*given.inputs, *given.vectors, *kept, *given.start] if plan.tile else []  # the steps of a tile, once more
    native = [*(again or [*given.product[:1], *given.vectors, *kept]), *given.valid, *given.resets, *bars]
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
    if name == "loop" and options.save and plan.tile:
        tiles = -(-length // plan.tile)
        kept = [jax.ShapeDtypeStruct((loops, tiles, rows, size), dtype) for size in plan.leaf_sizes]
    elif name == "loop" and options.save:
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
        with jax.disable_jit(False):  # which would come back here, over and over
            return _jitted(made, options)(*flat)

    by_scan = mlir.lower_fun(side_by_side(name), multiple_results=True)
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
    run = functools.partial(side_by_side(name), options=options)
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
    return jax.vmap(functools.partial(xs_of, plan))(vectors, list(before))


def _tangent_transpose(bars: Sequence[Any], *flat: Any, options: Options) -> Any:
    count = linear_operands(options)
    point, dots = flat[: len(flat) - count], flat[len(flat) - count :]
    shapes = _abstract("tangent", point, options)
    bars = [jnp.zeros(s.shape, s.dtype) if type(b) is ad.Zero else b for b, s in zip(bars, shapes, strict=True)]
    found = GRADIENT.bind(*point, *bars, options=options)
    if options.plan.vectors_size:
        found = [*found[:-1], found[-1].sum(axis=1)]
    return [*[None] * len(point), *(g if ad.is_undefined_primal(d) else None for g, d in zip(found, dots, strict=True))]


ad.primitive_jvps[LOOP] = _loop_jvp
ad.primitive_transposes[TANGENT] = _tangent_transpose
