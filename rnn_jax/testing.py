"""`assert_cell_contract`: check a cell, yours included, against everything the rest of the library relies on.

    from rnn_jax.testing import assert_cell_contract
    assert_cell_contract(MyCell(3, 5))

Each check is a function below that raises an AssertionError saying what does not hold. Comparisons run in float64,
where equal means equal; they take a few seconds a cell, most of it compilation.
"""

import dataclasses
import functools
import json
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from rnn_jax.cells.base import Cell, GatedCell, describe
from rnn_jax.typing import Carry, Params
from rnn_jax.unroll import unroll

Reference = Callable[[Params, Carry, np.ndarray], tuple[Carry, np.ndarray]]

LENGTH, BATCH = 7, 3

QUICK = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}
"""Equations are compared, not machine code: a quarter of the contract's time is saved where code is made quickly."""


def assert_cell_contract(cell: Cell, reference: Reference | None = None, *, seed: int = 0) -> None:
    """Raise an AssertionError unless `cell` keeps the whole contract.

    Args:
        cell: a small one: second derivatives are checked by finite differences.
        reference: the equations in NumPy, `(params, carry, x) -> (carry, y)` on float64 arrays, written from the
            paper; compared to 1e-12.
        seed: of the random parameters and inputs.
    """
    check_value_type(cell)
    check_init(cell, seed)
    check_carry(cell, seed)
    check_bad_input(cell, seed)
    check_finite(cell, seed)
    with jax.enable_x64(True):
        example = Example.draw(cell, jax.random.key(seed))
        check_leading_dims(example)
        check_jit(example)
        check_gate(example)
        check_rows_apart(example)
        check_causal(example)
        check_unroll(example)
        check_newton(example)
        check_gradients(example)
        if reference is not None:
            check_reference(example, reference)


@dataclasses.dataclass
class Example:
    """A cell with random float64 parameters, carry and inputs `[T, B, ...]`; draw it under `jax.enable_x64(True)`."""

    cell: Cell
    params: Params
    carry: Carry
    xs: jax.Array

    @classmethod
    def draw(cls, cell: Cell, key: jax.Array) -> "Example":
        init_key, params_key, carry_key, xs_key = jax.random.split(key, 4)
        with jax.enable_x64(False):  # as the other checks draw it: nothing is compiled twice
            params, carry = cell.init(init_key), cell.initial_carry((BATCH,))
        xs = jnp.asarray(_generator(xs_key).normal(size=(LENGTH, BATCH, *cell.input_shape)))
        return cls(cell, jittered(params_key, params), jittered(carry_key, carry), xs)

    @functools.cached_property
    def run(self) -> Callable[..., Any]:
        """`unroll`, compiled once: `run(xs)`, as NumPy arrays."""
        compiled = _jit(lambda xs: unroll(self.cell, self.params, xs, self.carry))
        return lambda xs: jax.tree.map(np.asarray, compiled(xs))


def jittered(key: jax.Array, tree: Any) -> Any:
    """`tree` in double precision with noise added to every leaf, so that no zero (a bias, a carry) hides a mistake."""
    random = _generator(key)
    return jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf) + 0.3 * random.normal(size=leaf.shape)), tree)


def _generator(key: jax.Array) -> np.random.Generator:
    # NumPy's numbers need no compilation, which is most of what the contract costs.
    return np.random.default_rng(np.asarray(jax.random.key_data(key)))


def _jit(function: Callable[..., Any], **options: Any) -> Any:
    return jax.jit(function, compiler_options=QUICK if jax.default_backend() == "cpu" else None, **options)


def check_value_type(cell: Cell) -> None:
    """A cell is a value: equal to its copy, hashable, and described by JSON."""
    copy = _copy(cell)
    assert copy == cell and hash(copy) == hash(cell), f"{cell}: a copy must be equal and hash alike"
    json.dumps(describe(cell))


def check_init(cell: Cell, seed: int) -> None:
    """Parameters depend on the key and on nothing else, and have the dtype asked for."""
    params, again, other = (cell.init(jax.random.key(s)) for s in (seed, seed, seed + 1))
    _assert_equal(params, again, "init with the same key twice")
    different = [not np.array_equal(a, b) for a, b in zip(jax.tree.leaves(params), jax.tree.leaves(other), strict=True)]
    assert any(different) or not different, "init: two keys gave the same parameters"
    for dtype in (jnp.float32, jnp.bfloat16):
        leaves = jax.tree.leaves(jax.eval_shape(lambda k, dtype=dtype: cell.init(k, dtype), jax.random.key(seed)))
        assert all(x.dtype == dtype for x in leaves), f"init: param_dtype={dtype.__name__} was not kept"


def check_carry(cell: Cell, seed: int) -> None:
    """The carry keeps its structure, shapes and dtypes, whatever the dtype of inputs and carry; y follows the input."""
    params = cell.init(jax.random.key(seed))
    for x_dtype in (jnp.float32, jnp.bfloat16):
        for carry_dtype in (jnp.float32, jnp.bfloat16):
            carry = cell.initial_carry((BATCH,), carry_dtype)
            x = jnp.ones((BATCH, *cell.input_shape), x_dtype)
            after, y = jax.eval_shape(cell, params, carry, x)
            what = f"x {x_dtype.__name__}, carry {carry_dtype.__name__}"
            assert _signature(after) == _signature(carry), (
                f"{what}: the carry was {_signature(carry)} and became {_signature(after)}; scan needs them the same"
            )
            assert y.shape[:1] == (BATCH,) and y.shape[-1] == cell.output_size, f"{what}: y has shape {y.shape}"
            assert y.dtype == x_dtype, f"{what}: y is {y.dtype}"


def check_bad_input(cell: Cell, seed: int) -> None:
    """Wrong shapes and dtypes are ValueErrors that name the argument."""
    params, carry = cell.init(jax.random.key(seed)), cell.initial_carry((BATCH,))
    wide = jnp.ones((BATCH, *cell.input_shape[:-1], cell.input_shape[-1] + 1))
    for x in (wide, jnp.ones((BATCH, *cell.input_shape), jnp.int32)):
        try:
            cell(params, carry, x)
        except ValueError as error:
            assert "x has" in str(error), f"the error for x {x.dtype}{x.shape} must name x: {error}"
        else:
            raise AssertionError(f"x {x.dtype}{x.shape} was accepted")


def check_finite(cell: Cell, seed: int) -> None:
    """Inputs of 1e4 leave everything finite, in float32 and in bfloat16."""
    params = cell.init(jax.random.key(seed))
    xs = 1e4 * np.random.default_rng(seed).normal(size=(LENGTH, BATCH, *cell.input_shape))
    compiled = _jit(functools.partial(unroll, cell))
    for dtype in (jnp.float32, jnp.bfloat16):
        for leaf in jax.tree.leaves(compiled(params, jnp.asarray(xs, dtype))):
            assert jnp.isfinite(leaf).all(), f"{dtype.__name__} inputs of 1e4 gave NaN or infinity"


def check_leading_dims(example: Example) -> None:
    """Any leading dims, none included, give what vmap gives."""
    cell, params = example.cell, example.params
    single, double = (
        jax.tree.map(change, (example.carry, example.xs[0])) for change in (lambda a: a[0], lambda a: jnp.stack([a, a]))
    )

    @_jit
    def results(batch: Any, single: Any):
        return cell(params, *batch), jax.vmap(cell, (None, 0, 0))(params, *batch), cell(params, *single)

    batched, vmapped, one = results((example.carry, example.xs[0]), single)
    _assert_close(vmapped, batched, "batched against vmap")
    _assert_close(one, jax.tree.map(lambda a: a[0], batched), "one row against a batch")
    wanted = jax.tree.map(lambda a: jnp.stack([a, a]), batched)
    _assert_close(_jit(cell)(params, *double), wanted, "two leading dims")


def check_jit(example: Example) -> None:
    """Compiled equals not compiled, and an equal cell does not trace again."""
    traces = []

    def step(cell: Cell, params: Params, carry: Carry, x: jax.Array):
        traces.append(cell)
        return cell(params, carry, x)

    compiled = _jit(step, static_argnums=0)
    first = compiled(example.cell, example.params, example.carry, example.xs[0])
    compiled(_copy(example.cell), example.params, example.carry, example.xs[1])
    assert len(traces) == 1, f"traced {len(traces)} times: the cell is not equal to its copy"
    _assert_close(
        first,
        example.cell(example.params, example.carry, example.xs[0]),
        "jit against no jit",
    )


def check_gate(example: Example) -> None:
    """What a `GatedCell` says about its gates is so."""
    cell = example.cell
    if not isinstance(cell, GatedCell) or not cell.additive:
        return
    z, r = cell.project(example.params, example.xs[0]), cell.recur(example.params, example.carry)
    found = cell.gate(example.params, example.carry, z + r, jnp.zeros_like(r))
    _assert_close(found, cell.gate(example.params, example.carry, z, r), "additive: the gates see more than z + r")


def check_rows_apart(example: Example) -> None:
    """NaN in one row of the batch stays in that row."""
    clean, spoilt = example.run(example.xs), example.run(example.xs.at[0, 0].set(jnp.nan))
    _assert_close(spoilt.ys[:, 1:], clean.ys[:, 1:], "rows beside one with NaN")
    others, wanted = (jax.tree.map(lambda a: a[1:], r.carry) for r in (spoilt, clean))
    _assert_close(others, wanted, "carries beside a row with NaN")
    assert np.isnan(spoilt.ys[:, 0]).any(), "NaN in an input vanished from its row"


def check_causal(example: Example) -> None:
    """An input changes the output of its own step, and no output before it."""
    ys = example.run(example.xs).ys
    for t in range(LENGTH):
        changed = example.run(example.xs.at[t].add(1)).ys
        _assert_close(changed[:t], ys[:t], f"outputs before step {t}, whose input changed: an output sees the future")
        assert (changed[t] != ys[t]).any(), f"the output of step {t} does not depend on its own input"


def check_unroll(example: Example) -> None:
    """Every method is a loop over the cell: lengths, resets, both directions, segments, a carry given or not."""
    cell, params, options = example.cell, example.params, lengths_and_resets()
    for method in _methods(cell):
        bound = functools.partial(unroll, cell, method=method)

        @_jit
        def results(params: Params, xs: jax.Array, carry: Carry, bound: Any = bound):
            forward = bound(params, xs, carry, **options)
            return forward, bound(params, xs, carry, reverse=True, checkpoint_every=3, **options), bound(params, xs)

        forward, backward, anew = results(params, example.xs, example.carry)
        _assert_close(forward, loop(cell, params, example.xs, example.carry, **options), f"{method} against a loop")
        wanted = loop(cell, params, example.xs, example.carry, reverse=True, **options)
        _assert_close(backward, wanted, f"{method} against a loop, reverse=True, checkpoint_every=3")
        wanted = loop(cell, params, example.xs, cell.initial_carry((BATCH,), jnp.float64))
        _assert_close(anew, wanted, f"{method}: no carry against the initial carry")
        spoilt = results(params, example.xs.at[0, 2].set(jnp.nan), example.carry)[0]
        _assert_close(spoilt.ys[3:], forward.ys[3:], f"{method}: outputs after a reset, with NaN before it")


def check_newton(example: Example) -> None:
    """Newton's method, where a cell can use it, is a loop over the cell, also where it has to give up before NaN.

    Only values are compared: its derivatives come of those of `step`, which `check_gradients` knows by other methods.
    """
    cell, options = example.cell, lengths_and_resets()
    if "newton" in cell.methods:
        results = _jit(lambda xs: unroll(cell, example.params, xs, example.carry, method="newton", **options))
        found = results(example.xs)
        _assert_close(found, loop(cell, example.params, example.xs, example.carry, **options), "newton against a loop")
        spoilt = results(example.xs.at[0, 2].set(jnp.nan))
        _assert_close(spoilt.ys[3:], found.ys[3:], "newton: outputs after a reset, with NaN before it")


def lengths_and_resets() -> dict[str, Any]:
    """Options of `unroll` for an `Example`: rows of all lengths, two of which start anew."""
    resets = np.zeros((LENGTH, BATCH), bool)
    resets[2, 0] = resets[3, 2] = True
    return {"lengths": np.array([LENGTH, 0, 4]), "resets": resets}


def _methods(cell: Cell) -> list[str]:
    """The methods whose derivatives and options are checked for each cell; newton's have their own tests."""
    return [method for method in cell.methods if method != "newton"]


def check_gradients(example: Example) -> None:
    """First and second derivatives, forward and reverse, agree with finite differences along random directions.

    With every method of the cell; leaves that training may not change are left out and have no gradient.
    """
    cell, (leaves, tree) = example.cell, jax.tree.flatten(example.params)
    free = jax.tree.leaves(cell.trainable(example.params))
    trained = [leaf for leaf, is_free in zip(leaves, free, strict=True) if is_free]
    fixed = [leaf for leaf, is_free in zip(leaves, free, strict=True) if not is_free]
    point, unravel = ravel_pytree((trained, example.carry, example.xs[:3]))
    random = np.random.default_rng(0)

    def loss(point: jax.Array, fixed: list[jax.Array], method: str) -> jax.Array:
        trained, carry, xs = unravel(point)
        trained, others = iter(trained), iter(fixed)
        params = tree.unflatten(next(trained) if is_free else next(others) for is_free in free)
        leaves = jax.tree.leaves(unroll(cell, params, xs, carry, method=method))
        return jnp.stack([jnp.sum(jnp.sin(leaf)) for leaf in leaves]).sum()

    for method in _methods(cell):
        here = functools.partial(loss, method=method)

        @_jit
        def derivatives(point: jax.Array, v: jax.Array, here: Any = here, method: str = method):
            def slope(p: jax.Array) -> jax.Array:
                return jnp.vdot(jax.grad(here)(p, fixed), v)

            reverse, curve = jax.jvp(slope, (point,), (v,))
            if method != cell.methods[0]:  # the same function, so that much less has to be compiled
                return {"reverse": reverse}, {"forward over reverse": curve}, jax.grad(here, 1)(point, fixed)
            forward = jax.jvp(lambda p: here(p, fixed), (point,), (v,))[1]
            curves = {"forward over reverse": curve, "reverse over reverse": jnp.vdot(jax.grad(slope)(point), v)}
            return {"forward": forward, "reverse": reverse}, curves, jax.grad(here, 1)(point, fixed)

        value = _jit(here)
        for _ in range(2):
            v = random.normal(size=point.shape)
            v /= np.linalg.norm(v)
            f = np.array([value(point + step * v, fixed) for step in 1e-3 * np.arange(-2, 3)])
            first, second = f @ [1, -8, 0, 8, -1] / 12e-3, f @ [-1, 16, -30, 16, -1] / 12e-6
            slopes, curves, of_fixed = derivatives(point, v)
            for name, found in slopes.items():
                _assert_close(found, first, f"{method}: first derivative, {name}", rtol=1e-6, atol=1e-8)
            for name, found in curves.items():
                _assert_close(found, second, f"{method}: second derivative, {name}", rtol=1e-4, atol=1e-6)
            assert not any(np.any(g) for g in of_fixed), "a leaf that training may not change has a gradient"


def check_reference(example: Example, reference: Reference) -> None:
    """A sequence equals the equations in NumPy, step by step, to 1e-12."""
    found = example.run(example.xs)
    params, carry, xs = jax.tree.map(np.asarray, (example.params, example.carry, example.xs))
    for x, y in zip(xs, found.ys, strict=True):
        carry, wanted = reference(params, carry, x)
        _assert_close(y, wanted, "outputs against the reference")
    _assert_close(found.carry, carry, "the final carry against the reference")


def loop(cell: Cell, params: Params, xs: Any, carry: Carry, lengths: Any = None, resets: Any = None, reverse=False):
    """What `unroll` means for xs `[T, B, D]`, as a plain loop over steps and rows: slow, nothing to get wrong."""
    length, batch = xs.shape[:2]
    start = cell.initial_carry((), xs.dtype)
    step = jax.jit(type(cell).__call__, static_argnums=0)  # not _jit: a gradient may be taken through it
    carries, outputs = [], []
    for row in range(batch):
        row_carry = jax.tree.map(lambda a, row=row: a[row], carry)
        valid = length if lengths is None else int(lengths[row])
        ys: list[Any] = [None] * length
        for t in reversed(range(valid)) if reverse else range(valid):
            if resets is not None and bool(resets[t, row]):
                row_carry = start
            row_carry, ys[t] = step(cell, params, row_carry, xs[t, row])
        shape = jax.eval_shape(cell, params, row_carry, xs[0, row])[1]
        outputs.append(jnp.stack([jnp.zeros(shape.shape, shape.dtype) if y is None else y for y in ys]))
        carries.append(row_carry)
    return jax.tree.map(lambda *rows: jnp.stack(rows), *carries), jnp.stack(outputs, axis=1)


def _copy(cell: Any) -> Any:
    return dataclasses.replace(cell)


def _signature(tree: Any) -> str:
    return str(jax.tree.map(lambda a: f"{a.dtype}{list(a.shape)}", tree))


def _assert_equal(found: Any, wanted: Any, what: str) -> None:
    _assert_close(found, wanted, what, rtol=0.0, atol=0.0)


def _assert_close(found: Any, wanted: Any, what: str, rtol: float = 1e-12, atol: float = 1e-12) -> None:
    found, wanted = jax.tree.leaves(found), jax.tree.leaves(wanted)
    assert len(found) == len(wanted), f"{what}: {len(found)} arrays against {len(wanted)}"
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=atol, err_msg=what)
