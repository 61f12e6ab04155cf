"""Checks of a cell by itself: its value, parameters, carry, names, dtypes and devices."""

import functools
import json
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, PartitionSpec

from rnn_jax.cells.base import Cell, describe
from rnn_jax.checks import is_shape, leaves_by_name
from rnn_jax.testing.example import (
    BATCH,
    LENGTH,
    LONG,
    assert_equal,
    copied,
    initial_params,
    inputs_of,
    is_floating,
    quick_jit,
    signature,
    usable_methods,
)
from rnn_jax.typing import Params
from rnn_jax.unroll import methods_of, unroll


def check_value_type(cell: Cell) -> None:
    """A cell is a value: equal to its copy, hashable, and described by JSON."""
    copy = copied(cell)
    assert copy == cell and hash(copy) == hash(cell), f"{cell}: a copy must be equal and hash alike"
    json.dumps(describe(cell))


def check_init(cell: Cell, seed: int) -> None:
    """Parameters depend on the key and on nothing else, and have the dtype asked for."""
    params, again, other = (initial_params(cell, jax.random.key(s)) for s in (seed, seed, seed + 1))
    assert_equal(params, again, "init with the same key twice")
    different = [not np.array_equal(a, b) for a, b in zip(jax.tree.leaves(params), jax.tree.leaves(other), strict=True)]
    assert any(different) or not different, "init: two keys gave the same parameters"
    for dtype in (jnp.float32, jnp.bfloat16):
        leaves = jax.tree.leaves(jax.eval_shape(lambda k, dtype=dtype: cell.init(k, dtype), jax.random.key(seed)))
        assert all(x.dtype == dtype for x in leaves), f"init: param_dtype={dtype.__name__} was not kept"


def check_carry(cell: Cell, seed: int) -> None:
    """The carry keeps its structure, shapes and dtypes, whatever the dtype of inputs and carry; y follows the input."""
    params = jax.eval_shape(cell.init, jax.random.key(seed))
    for x_dtype in (jnp.float32, jnp.bfloat16):
        for carry_dtype in (jnp.float32, jnp.bfloat16):
            carry = jax.eval_shape(lambda dtype=carry_dtype: cell.initial_carry((BATCH,), dtype))
            x = inputs_of(cell, (BATCH,), functools.partial(_shape_struct, x_dtype))
            after, y = jax.eval_shape(cell, params, carry, x)
            what = f"x {x_dtype.__name__}, carry {carry_dtype.__name__}"
            assert signature(after) == signature(carry), (
                f"{what}: the carry was {signature(carry)} and became {signature(after)}; scan needs them the same"
            )
            assert y.shape[:1] == (BATCH,) and y.shape[-1] == cell.output_size, f"{what}: y has shape {y.shape}"
            assert y.dtype == x_dtype, f"{what}: y is {y.dtype}"
    leaves = jax.tree.leaves(cell.initial_carry((BATCH,)))
    places = {leaf.unsafe_buffer_pointer() for leaf in leaves if leaf.size}
    assert len(places) == sum(bool(leaf.size) for leaf in leaves), "two leaves of the initial carry are one buffer"


def check_bad_input(cell: Cell, seed: int) -> None:
    """Wrong shapes and dtypes are ValueErrors that name the argument."""
    params, carry = initial_params(cell, jax.random.key(seed)), cell.initial_carry((BATCH,))
    x = inputs_of(cell, (BATCH,), lambda size: np.ones(size, np.float32))
    bad: list[tuple[str, Any, Any]] = [
        ("x", carry, jax.tree.map(lambda a: np.concatenate([a, a[..., :1]], axis=-1), x)),
        ("carry", cell.initial_carry((1,)), x),
        ("carry", cell.initial_carry(()), x),
        ("carry", {"not": cell.initial_carry((BATCH,))}, x),
        ("carry", jax.tree.map(lambda a: a.astype(np.int32 if is_floating(a) else np.float32), carry), x),
    ]
    if is_shape(cell.input_shape):
        bad.append(("x", carry, x.astype(np.int32)))
    for name, carry, x in bad:
        what = f"carry {signature(carry)} with x {signature(x)}"
        try:
            cell(params, carry, x)
        except ValueError as error:
            assert str(error).startswith(name), f"{what}: the error must name {name}: {error}"
        else:
            raise AssertionError(f"{what} was accepted")


def check_names(cell: Cell, seed: int) -> None:
    """`trainable` says the same of a leaf whatever the order of names: `jax.tree.map` sorts the keys of dicts."""
    params = initial_params(cell, jax.random.key(seed))  # sorted by jit
    assert jax.tree.structure(cell.trainable(params)) == jax.tree.structure(params), (
        "trainable: another tree than params"
    )
    found = [leaves_by_name(cell.trainable(order(params))) for order in (_forth, _back)]
    assert found[0] == found[1], f"trainable depends on the order of names: {found[0]}, {found[1]}"


def _forth(tree: Any) -> Any:
    return {name: _forth(tree[name]) for name in sorted(tree)} if isinstance(tree, dict) else tree


def _back(tree: Any) -> Any:
    return {name: _back(tree[name]) for name in sorted(tree, reverse=True)} if isinstance(tree, dict) else tree


def check_no_steps(cell: Cell, seed: int) -> None:
    """No steps, no rows, one step of one row: every method takes them, in segments too."""
    params = jax.eval_shape(cell.init, jax.random.key(seed))
    for method in methods_of(cell):
        for length, batch, masked in ((0, BATCH, True), (LENGTH, 0, True), (LENGTH, 0, False), (1, 1, False)):
            xs = inputs_of(cell, (length, batch), functools.partial(_shape_struct, jnp.float32))
            masks = {"lengths": np.zeros(batch, int), "resets": np.zeros((length, batch), bool)}
            options = masks | {"reverse": True, "checkpoint_every": 3} if masked else {}
            carry, ys = jax.eval_shape(functools.partial(unroll, cell, method=method, **options), params, xs)
            wanted = jax.eval_shape(functools.partial(cell.initial_carry, (batch,)))
            what = f"{method}, T={length}, B={batch}, {options}"
            assert signature(carry) == signature(wanted), f"{what}: the carry is {signature(carry)}"
            assert ys.shape[:2] == (length, batch), f"{what}: outputs have shape {ys.shape}"


def check_devices(cell: Cell, seed: int) -> None:
    """Every method runs in `jax.shard_map` over the batch, checked, and over arrays with explicit shardings."""
    params = jax.eval_shape(cell.init, jax.random.key(seed))
    xs = inputs_of(cell, (LENGTH, BATCH), functools.partial(_shape_struct, jnp.float32))
    resets = jax.ShapeDtypeStruct((LENGTH, BATCH), bool)
    rows, mesh = PartitionSpec(None, "rows"), jax.make_mesh((1,), ("rows",), axis_types=(AxisType.Auto,))
    for method in methods_of(cell):

        def run(params: Params, xs: Any, resets: Any, method: str = method):
            anew = unroll(cell, params, xs, resets=resets, method=method)
            return anew.ys, unroll(cell, params, xs, anew.carry, method=method).ys

        specs = {"in_specs": (PartitionSpec(), rows, rows), "out_specs": (rows, rows)}
        jax.eval_shape(jax.shard_map(run, mesh=mesh, **specs), params, xs, resets)


def _shape_struct(dtype: Any, size: tuple[int, ...]) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(size, dtype)


def check_finite(cell: Cell, seed: int) -> None:
    """Inputs of 1e4 leave everything finite, in float32 and in bfloat16."""
    params = initial_params(cell, jax.random.key(seed))
    xs = inputs_of(cell, (LENGTH, BATCH), np.random.default_rng(seed).normal)
    compiled = quick_jit(functools.partial(unroll, cell))
    for dtype in (jnp.float32, jnp.bfloat16):
        huge = jax.tree.map(lambda a, dtype=dtype: jnp.asarray(1e4 * a, dtype), xs)
        for leaf in jax.tree.leaves(compiled(params, huge)):
            assert np.isfinite(np.asarray(leaf, np.float32)).all(), (
                f"{dtype.__name__} inputs of 1e4 gave NaN or infinity"
            )


def check_bfloat16(cell: Cell, seed: int) -> None:
    """Inputs in bfloat16 give, over a long time too, what they give in float32.

    That is, up to a few times of what inputs that differ by the rounding of bfloat16 give: a cell may be chaotic.
    """
    params, random = initial_params(cell, jax.random.key(seed)), np.random.default_rng(seed)
    narrow = jax.tree.map(lambda a: jnp.asarray(a, jnp.bfloat16), inputs_of(cell, (LONG, 1), random.normal))
    xs = jax.tree.map(lambda a: np.asarray(a, np.float32), narrow)
    near = jax.tree.map(lambda a: a * np.float32(1 + 2.0**-9 * random.choice([-1, 1], size=a.shape)), xs)
    for method in usable_methods(cell):
        run = quick_jit(functools.partial(unroll, cell, method=method))
        wanted = np.asarray(run(params, xs).ys)

        def error(ys: Any, wanted: np.ndarray = wanted) -> float:
            return float(np.linalg.norm(np.asarray(ys, np.float32) - wanted) / np.linalg.norm(wanted))

        carry, ys = run(params, narrow)
        assert all(leaf.dtype != jnp.bfloat16 for leaf in jax.tree.leaves(carry)), f"{method}: a carry in bfloat16"
        allowed = 0.01 + 5 * error(run(params, near).ys)
        assert error(ys) < allowed, (
            f"{method}: outputs of bfloat16 inputs are {error(ys):.3f} off after {LONG} steps, allowed is {allowed:.3f}"
        )
