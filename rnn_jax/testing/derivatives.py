"""Checks of a cell's derivatives, of the first order and the second, by every method."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from rnn_jax.cells.base import Composite
from rnn_jax.testing.example import Example, assert_close, at, is_floating, quick_jit, usable_methods
from rnn_jax.testing.unrolling import check_unroll, times_of
from rnn_jax.unroll import methods_of, unroll


def check_gradients(example: Example, methods: Sequence[str] = ()) -> None:
    """First derivatives, forward and reverse, agree with finite differences along random directions.

    Leaves that training may not change are left out and have no gradient.

    Args:
        example: of the cell.
        methods: these instead of all that it can use.
    """

    def derivatives(loss: Any, first_method: bool, point: jax.Array, fixed: Any, v: jax.Array):
        loss = jax.jit(loss)  # traced once
        gradient, of_fixed = jax.grad(loss, (0, 1))(point, fixed)
        slopes = {"reverse": jnp.vdot(gradient, v)}
        if first_method:  # forward mode is the first half of reverse mode
            slopes["forward"] = jax.jvp(lambda p: loss(p, fixed), (point,), (v,))[1]
        return slopes, of_fixed

    for method, wanted, _, (slopes, of_fixed) in _along_lines(example, derivatives, methods):
        for name, found in slopes.items():
            assert_close(found, wanted, f"{method}: first derivative, {name}", rtol=1e-6, atol=1e-8)
        assert not any(np.any(g) for g in of_fixed), "a leaf that training may not change has a gradient"


def check_curvature(example: Example) -> None:
    """Second derivatives agree with finite differences, as first ones do in `check_gradients`, those by dt too."""

    def derivatives(loss: Any, first_method: bool, point: jax.Array, fixed: Any, v: jax.Array):
        def slope(p: jax.Array) -> jax.Array:
            return jnp.vdot(jax.grad(loss)(p, fixed), v)

        curves = {"forward over reverse": jax.jvp(slope, (point,), (v,))[1]}
        return curves | ({"reverse over reverse": jnp.vdot(jax.grad(slope)(point), v)} if first_method else {})

    for method, _, wanted, curves in _along_lines(example, derivatives, **times_of(example.cell)):
        for name, found in curves.items():
            assert_close(found, wanted, f"{method}: second derivative, {name}", rtol=1e-4, atol=1e-6)


def _along_lines(example: Example, derivatives: Callable[..., Any], methods: Sequence[str] = (), dt: Any = None):
    """For each method and two directions: its name, finite differences of both orders, and `derivatives`.

    They are those of the sum of sines of all that `unroll` returns, by the parameters that may change, the carry, three
    inputs and, where it is given, their dt.
    """
    cell, (leaves, tree) = example.cell, jax.tree.flatten((example.params, example.carry))
    may_change = cell.trainable(example.params), jax.tree.map(is_floating, example.carry)
    free = jax.tree.leaves(may_change)
    moved = [leaf for leaf, is_free in zip(leaves, free, strict=True) if is_free]
    fixed = [leaf for leaf, is_free in zip(leaves, free, strict=True) if not is_free and is_floating(leaf)]
    counts = [leaf for leaf in leaves if not is_floating(leaf)]
    times = () if dt is None else (jnp.asarray(dt)[:3],)
    point, unravel = ravel_pytree((moved, at(example.xs, slice(3)), times))
    random = np.random.default_rng(0)

    methods = methods or usable_methods(cell)
    for method in methods:

        def loss(point: jax.Array, fixed: list[jax.Array], method: str = method) -> jax.Array:
            moved, xs, times = unravel(point)
            moved, others, rest = iter(moved), iter(fixed), iter(counts)
            params, carry = tree.unflatten(
                next(moved) if is_free else next(others) if is_floating(leaf) else next(rest)
                for is_free, leaf in zip(free, leaves, strict=True)
            )
            given = {"dt": times[0]} if times else {}
            found = jax.tree.leaves(unroll(cell, params, xs, carry, method=method, **given))
            return jnp.stack([jnp.sum(jnp.sin(leaf)) for leaf in found if is_floating(leaf)]).sum()

        @quick_jit
        def all_at_once(line: jax.Array, fixed: Any, v: jax.Array, loss: Any = loss, method: str = method):
            values = jax.lax.map(lambda p: loss(p, fixed), line)
            return values, derivatives(loss, method == methods[0], line[2], fixed, v)

        for _ in range(2):
            v = random.normal(size=point.shape)
            v /= np.linalg.norm(v)
            values, found = all_at_once(np.asarray(point) + 1e-3 * np.arange(-2, 3)[:, None] * v, fixed, v)
            f = np.asarray(values)
            yield method, f @ [1, -8, 0, 8, -1] / 12e-3, f @ [-1, 16, -30, 16, -1] / 12e-6, found


def check_fused(example: Example) -> None:
    """The fused loop, where a cell has one and there is a compiler, is a loop over the cell, with its derivatives."""
    if "fused" in methods_of(example.cell) and not isinstance(example.cell, Composite):
        check_unroll(example, ("fused",))
        check_gradients(example, ("fused",))
