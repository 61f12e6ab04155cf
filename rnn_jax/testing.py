"""`assert_cell_contract`: check a cell, yours included, against everything the rest of the library relies on.

    from rnn_jax.testing import assert_cell_contract
    assert_cell_contract(MyCell(3, 5))

Each check is a function below that raises an AssertionError saying what does not hold. Comparisons run in float64,
where equal means equal; they take a few seconds a cell, most of it compilation.
"""

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jax.test_util import check_grads

from rnn_jax.cells.base import Cell, describe
from rnn_jax.typing import Carry, Params
from rnn_jax.unroll import unroll

Reference = Callable[[Params, Carry, np.ndarray], tuple[Carry, np.ndarray]]

LENGTH, BATCH = 7, 3


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
        check_rows_apart(example)
        check_causal(example)
        check_unroll(example)
        check_gradients(example)
        if reference is not None:
            check_reference(example, reference)


@dataclasses.dataclass
class Example:
    """A cell with random float64 parameters, carry and inputs `[T, B, ...]`."""

    cell: Cell
    params: Params
    carry: Carry
    xs: jax.Array

    @classmethod
    def draw(cls, cell: Cell, key: jax.Array) -> "Example":
        init_key, params_key, carry_key, xs_key = jax.random.split(key, 4)
        return cls(
            cell,
            jittered(params_key, jax.jit(lambda key: cell.init(key, jnp.float64))(init_key)),
            jittered(carry_key, cell.initial_carry((BATCH,), jnp.float64)),
            jax.random.normal(xs_key, (LENGTH, BATCH, *cell.input_shape), jnp.float64),
        )


def jittered(key: jax.Array, tree: Any) -> Any:
    """`tree` with noise added to every leaf, so that no zero (a bias, a carry) hides a mistake."""
    leaves, structure = jax.tree.flatten(tree)
    keys = jax.random.split(key, max(len(leaves), 1))
    noisy = [x + 0.3 * jax.random.normal(k, x.shape, x.dtype) for k, x in zip(keys, leaves, strict=False)]
    return jax.tree.unflatten(structure, noisy)


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
            abstract = jax.eval_shape(cell, params, carry, x)
            after, y = jax.jit(cell)(params, carry, x)
            what = f"x {x_dtype.__name__}, carry {carry_dtype.__name__}"
            assert _signature(after) == _signature(carry), (
                f"{what}: the carry was {_signature(carry)} and became {_signature(after)}; scan needs them the same"
            )
            assert _signature((after, y)) == _signature(abstract), f"{what}: eval_shape promises something else"
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
    """Inputs of 1e4 leave everything finite."""
    init_key, xs_key = jax.random.split(jax.random.key(seed))
    xs = 1e4 * jax.random.normal(xs_key, (LENGTH, BATCH, *cell.input_shape))
    for leaf in jax.tree.leaves(unroll(cell, cell.init(init_key), xs)):
        assert np.isfinite(leaf).all(), "inputs of 1e4 gave NaN or infinity"


def check_leading_dims(example: Example) -> None:
    """Any leading dims, none included, give what vmap gives."""
    cell, params, carry, x = example.cell, example.params, example.carry, example.xs[0]
    batched = cell(params, carry, x)
    _assert_close(jax.vmap(cell, (None, 0, 0))(params, carry, x), batched, "batched against vmap")
    single = jax.tree.map(lambda a: a[0], (carry, x))
    _assert_close(cell(params, *single), jax.tree.map(lambda a: a[0], batched), "one row against a batch")
    double = jax.tree.map(lambda a: jnp.stack([a, a]), (carry, x))
    _assert_close(cell(params, *double), jax.tree.map(lambda a: jnp.stack([a, a]), batched), "two leading dims")


def check_jit(example: Example) -> None:
    """Compiled equals not compiled, and an equal cell does not trace again."""
    traces = []

    def step(cell: Cell, params: Params, carry: Carry, x: jax.Array):
        traces.append(cell)
        return cell(params, carry, x)

    compiled = jax.jit(step, static_argnums=0)
    first = compiled(example.cell, example.params, example.carry, example.xs[0])
    compiled(_copy(example.cell), example.params, example.carry, example.xs[1])
    assert len(traces) == 1, f"traced {len(traces)} times: the cell is not equal to its copy"
    _assert_close(first, example.cell(example.params, example.carry, example.xs[0]), "jit against no jit")


def check_rows_apart(example: Example) -> None:
    """NaN in one row of the batch stays in that row."""
    compiled = jax.jit(unroll, static_argnums=0)
    clean = compiled(example.cell, example.params, example.xs, example.carry)
    spoilt = compiled(example.cell, example.params, example.xs.at[0, 0].set(jnp.nan), example.carry)
    _assert_close(spoilt.ys[:, 1:], clean.ys[:, 1:], "rows beside one with NaN")
    others, wanted = (jax.tree.map(lambda a: a[1:], r.carry) for r in (spoilt, clean))
    _assert_close(others, wanted, "carries beside a row with NaN")
    assert np.isnan(spoilt.ys[:, 0]).any(), "NaN in an input vanished from its row"


def check_causal(example: Example) -> None:
    """No output depends on a later input: the Jacobian is zero above the diagonal of time."""
    row = jax.tree.map(lambda a: a[0], example.carry)
    jacobian = jax.jit(jax.jacobian(lambda xs: unroll(example.cell, example.params, xs, row).ys))(example.xs[:, 0])
    features = example.xs[0, 0].size
    strength = np.abs(jacobian).reshape(LENGTH, -1, LENGTH, features).max(axis=(1, 3))
    assert (np.triu(strength, 1) == 0).all(), "an output depends on a later input"
    assert (np.diag(strength) > 0).all(), "an output does not depend on its own input"


def check_unroll(example: Example) -> None:
    """`unroll` is a loop over the cell: lengths, resets, both directions, segments, a carry given or not."""
    lengths, resets = jnp.array([LENGTH, 0, 4]), jnp.zeros((LENGTH, BATCH), bool).at[2, 0].set(True).at[3, 2].set(True)
    for reverse in (False, True):
        for every in (None, 3):
            options: dict[str, Any] = {"lengths": lengths, "resets": resets, "reverse": reverse}
            found = unroll(example.cell, example.params, example.xs, example.carry, checkpoint_every=every, **options)
            wanted = loop(example.cell, example.params, example.xs, example.carry, **options)
            _assert_close(found, wanted, f"unroll against a loop, {reverse=}, checkpoint_every={every}")
    start = example.cell.initial_carry((BATCH,), jnp.float64)
    _assert_close(
        unroll(example.cell, example.params, example.xs),
        unroll(example.cell, example.params, example.xs, start),
        "no carry against the initial carry",
    )


def check_gradients(example: Example) -> None:
    """First and second derivatives, forward and reverse, agree with finite differences."""
    # One vector instead of many leaves, compiled: finite differences then cost little more than the compilation.
    point, unravel = ravel_pytree((example.params, example.carry, example.xs[:3]))

    @jax.jit
    def loss(point: jax.Array) -> jax.Array:
        params, carry, xs = unravel(point)
        leaves = jax.tree.leaves(unroll(example.cell, params, xs, carry))
        return jnp.stack([jnp.sum(jnp.sin(leaf)) for leaf in leaves]).sum()

    check_grads(loss, (point,), order=2, modes=("fwd", "rev"), eps=1e-4)


def check_reference(example: Example, reference: Reference) -> None:
    """One step equals the equations in NumPy to 1e-12, at every step of a sequence."""
    params, carry = jax.tree.map(np.asarray, (example.params, example.carry))
    structure = jax.tree.structure(example.carry)
    for x in example.xs:
        wanted = reference(params, carry, np.asarray(x))
        found = example.cell(example.params, structure.unflatten(map(jnp.asarray, jax.tree.leaves(carry))), x)
        _assert_close(found, wanted, "the cell against its reference")
        carry = wanted[0]


def loop(
    cell: Cell, params: Params, xs: jax.Array, carry: Carry, lengths: Any = None, resets: Any = None, reverse=False
) -> tuple[Carry, jax.Array]:
    """What `unroll` means for xs `[T, B, D]`, as a plain loop over steps and rows: slow, nothing to get wrong."""
    length, batch = xs.shape[:2]
    start = cell.initial_carry((), xs.dtype)
    step = jax.jit(type(cell).__call__, static_argnums=0)
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
