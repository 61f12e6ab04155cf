"""Checks of a cell through time: every method is a loop over its steps."""

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rnn_jax.cells.base import Cell, GatedCell
from rnn_jax.checks import check_input
from rnn_jax.testing.example import (
    BATCH,
    LENGTH,
    Example,
    Reference,
    assert_close,
    at,
    copied,
    quick_jit,
    usable_methods,
    with_nan,
)
from rnn_jax.typing import Carry, Params
from rnn_jax.unroll import unroll


def check_step(example: Example) -> None:
    """Any leading dims, none included, give what vmap gives, compiled or not; an equal cell does not trace again."""
    params, traces = example.params, []

    def results(cell: Cell, params: Params, batch: Any, double: Any):
        traces.append(cell)
        return cell(params, *batch), jax.vmap(cell, (None, 0, 0))(params, *batch), cell(params, *double)

    compiled = quick_jit(results, static_argnums=0)
    for cell, x in ((copied(example.cell), at(example.xs, 1)), (example.cell, at(example.xs, 0))):
        batch = example.carry, x
        batched, vmapped, doubled = compiled(cell, params, batch, jax.tree.map(lambda a: np.stack([a, a]), batch))
    assert len(traces) == 1, f"traced {len(traces)} times: the cell is not equal to its copy"
    assert_close(vmapped, batched, "batched against vmap")
    assert_close(doubled, jax.tree.map(lambda a: np.stack([a, a]), batched), "two leading dims")
    one = one_step(example.cell, params, *jax.tree.map(lambda a: a[0], batch))
    assert_close(one, jax.tree.map(lambda a: a[0], batched), "one row against a batch")
    assert_close(batched, example.cell(params, *batch), "jit against no jit")


def check_gate(example: Example) -> None:
    """What a `GatedCell` says about its gates is so."""
    cell = example.cell
    if not isinstance(cell, GatedCell) or not cell.additive:
        return
    z, r = cell.project(example.params, at(example.xs, 0)), cell.recur(example.params, example.carry)
    found = cell.gate(example.params, example.carry, z + r, jnp.zeros_like(r))
    assert_close(found, cell.gate(example.params, example.carry, z, r), "additive: the gates see more than z + r")


def check_rows_apart(example: Example) -> None:
    """NaN in one row of the batch stays in that row."""
    clean, spoilt = example.run(example.xs), example.run(with_nan(example.xs, 0, 0))
    assert_close(spoilt.ys[:, 1:], clean.ys[:, 1:], "rows beside one with NaN")
    others, wanted = (jax.tree.map(lambda a: a[1:], r.carry) for r in (spoilt, clean))
    assert_close(others, wanted, "carries beside a row with NaN")
    assert np.isnan(spoilt.ys[:, 0]).any(), "NaN in an input vanished from its row"


def check_causal(example: Example) -> None:
    """An input changes the output of its own step, and no output before it."""
    ys = example.run(example.xs).ys
    for t in range(LENGTH):
        changed = example.run(jax.tree.map(lambda a, t=t: a.at[t].add(1), example.xs)).ys
        assert_close(changed[:t], ys[:t], f"outputs before step {t}, whose input changed: an output sees the future")
        assert (changed[t] != ys[t]).any(), f"the output of step {t} does not depend on its own input"


def check_unroll(example: Example, methods: Sequence[str] = ()) -> None:
    """Every method is a loop over the cell: lengths, masks, resets, both directions, segments, a carry given or not.

    Args:
        example: of the cell.
        methods: these alone.
    """
    cell, params, options = example.cell, example.params, lengths_and_resets()
    start, times = cell.start(params, (BATCH,), jnp.float64), times_of(cell)
    mask = np.arange(LENGTH * BATCH).reshape(LENGTH, BATCH) % 3 > 0
    wanted = {
        "": loop(cell, params, example.xs, example.carry, **options),
        ", reverse=True, checkpoint_every=3": loop(cell, params, example.xs, example.carry, reverse=True, **options),
        ", mask, no carry given": loop(cell, params, example.xs, start, mask=mask, **times),
    }
    if times:
        wanted[", dt, reverse=True"] = loop(cell, params, example.xs, example.carry, reverse=True, **options, **times)

    for method in methods or usable_methods(cell):
        bound = functools.partial(unroll, cell, method=method)

        @quick_jit
        def results(params: Params, xs: Any, carry: Carry, bound: Any = bound):
            forward = bound(params, xs, carry, **options)
            timed = (bound(params, xs, carry, reverse=True, **options, **times),) if times else ()
            return (
                forward,
                bound(params, xs, carry, reverse=True, checkpoint_every=3, **options),
                bound(params, xs, mask=mask, **times),
                *timed,
            )

        found = results(params, example.xs, example.carry)
        for unrolled, (what, by_loop) in zip(found, wanted.items(), strict=True):
            assert_close(unrolled, by_loop, f"{method} against a loop{what}")
        spoilt = results(params, with_nan(example.xs, 0, 2), example.carry)[0]
        assert_close(spoilt.ys[3:], found[0].ys[3:], f"{method}: outputs after a reset, with NaN before it")


def check_time(example: Example) -> None:
    """A step without dt is one of one unit, where a cell is timed, and one of another length is another step."""
    cell, params, carry, x = example.cell, example.params, example.carry, at(example.xs, 0)
    if cell.timed:
        plain = cell(params, carry, x)
        assert_close(cell(params, carry, x, np.ones(BATCH)), plain, "a step of dt = 1 against one without")
        longer = cell(params, carry, x, np.full(BATCH, 1.5))
        pairs = zip(jax.tree.leaves(longer), jax.tree.leaves(plain), strict=True)
        assert any(np.any(a != b) for a, b in pairs), "timed: a step of dt = 1.5 is one of dt = 1"


def check_newton(example: Example) -> None:
    """Newton's method, where a cell can use it, is a loop over the cell, also where it has to give up before NaN.

    Only values are compared: its derivatives come of those of `step`, which `check_gradients` knows by other methods.
    """
    cell, options = example.cell, lengths_and_resets()
    if "newton" in cell.methods:
        results = quick_jit(lambda xs: unroll(cell, example.params, xs, example.carry, method="newton", **options))
        found = results(example.xs)
        assert_close(found, loop(cell, example.params, example.xs, example.carry, **options), "newton against a loop")
        spoilt = results(with_nan(example.xs, 0, 2))
        assert_close(spoilt.ys[3:], found.ys[3:], "newton: outputs after a reset, with NaN before it")


def lengths_and_resets() -> dict[str, Any]:
    """Options of `unroll` for an `Example`: rows of all lengths, two of which start anew."""
    resets = np.zeros((LENGTH, BATCH), bool)
    resets[2, 0] = resets[3, 2] = True
    return {"lengths": np.array([LENGTH, 0, 4]), "resets": resets}


def times_of(cell: Cell) -> dict[str, Any]:
    """The option dt of `unroll` for an `Example`, where a cell is timed: steps of half a unit to two."""
    random = np.random.default_rng(5)
    return {"dt": 2.0 ** random.uniform(-1, 1, (LENGTH, BATCH))} if cell.timed else {}


def check_reference(example: Example, reference: Reference) -> None:
    """A sequence equals the equations in NumPy, step by step, to 1e-12."""
    found = example.run(example.xs)
    params, carry, xs = jax.tree.map(np.asarray, (example.params, example.carry, example.xs))
    for t, y in enumerate(found.ys):
        carry, wanted = reference(params, carry, at(xs, t))
        assert_close(y, wanted, "outputs against the reference")
    assert_close(found.carry, carry, "the final carry against the reference")


def loop(
    cell: Cell,
    params: Params,
    xs: Any,
    carry: Carry,
    lengths: Any = None,
    resets: Any = None,
    reverse: bool = False,
    mask: Any = None,
    dt: Any = None,
) -> tuple[Carry, jax.Array]:
    """What `unroll` means for xs `[T, B, D]`, as a plain loop over steps and rows: slow, nothing to get wrong."""
    length, batch = check_input("xs", xs, cell.input_shape)
    start = cell.start(params, (), jnp.result_type(*jax.tree.leaves(xs)))
    carries, outputs = [], []
    for row in range(batch):
        row_carry = jax.tree.map(lambda a, row=row: a[row], carry)
        valid = length if lengths is None else int(lengths[row])
        ys: list[Any] = [None] * length
        for t in reversed(range(valid)) if reverse else range(valid):
            if mask is not None and not bool(mask[t, row]):
                continue
            if resets is not None and bool(resets[t, row]):
                row_carry = start
            time = () if dt is None else (dt[t, row],)
            row_carry, ys[t] = one_step(cell, params, row_carry, at(xs, (t, row)), *time)
        shape = jax.eval_shape(cell, params, row_carry, at(xs, (0, row)))[1]
        outputs.append(jnp.stack([jnp.zeros(shape.shape, shape.dtype) if y is None else y for y in ys]))
        carries.append(row_carry)
    return jax.tree.map(lambda *rows: jnp.stack(rows), *carries), jnp.stack(outputs, axis=1)


@functools.partial(jax.jit, static_argnums=0)  # not quick_jit: a gradient may be taken through it
def one_step(cell: Cell, params: Params, carry: Carry, x: Any, *dt: Any) -> tuple[Carry, jax.Array]:
    """`cell(params, carry, x)`, or with dt."""
    return cell(params, carry, x, *dt)
