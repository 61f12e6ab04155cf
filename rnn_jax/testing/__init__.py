"""`assert_cell_contract`: check a cell, yours included, against everything the rest of the library relies on.

    from rnn_jax.testing import assert_cell_contract
    assert_cell_contract(MyCell(3, 5))

Each check is a function of this folder that raises an AssertionError saying what does not hold. Comparisons run in
float64, where equal means equal; they take a few seconds a cell, most of it compilation.
"""

from typing import Literal

import jax

from rnn_jax.cells.base import Cell
from rnn_jax.checks import check_choice
from rnn_jax.testing.cells import (
    check_bad_input,
    check_bfloat16,
    check_carry,
    check_devices,
    check_finite,
    check_init,
    check_names,
    check_no_steps,
    check_value_type,
)
from rnn_jax.testing.derivatives import check_curvature, check_fused, check_gradients
from rnn_jax.testing.example import BATCH, LENGTH, Example, Reference, jittered, quick_jit
from rnn_jax.testing.unrolling import (
    check_causal,
    check_gate,
    check_newton,
    check_reference,
    check_rows_apart,
    check_step,
    check_time,
    check_unroll,
    lengths_and_resets,
    loop,
    times_of,
)

__all__ = [
    "BATCH", "LENGTH", "Example", "assert_cell_contract", "check_curvature", "check_gradients", "check_reference",
    "jittered", "lengths_and_resets", "loop", "quick_jit", "times_of",
]  # fmt: skip


def assert_cell_contract(
    cell: Cell, reference: Reference | None = None, *, seed: int = 0, part: Literal["all", "core", "rest"] = "all"
) -> None:
    """Raise an AssertionError unless `cell` keeps the whole contract.

    Args:
        cell: a small one: second derivatives are checked by finite differences.
        reference: the equations in NumPy, `(params, carry, x) -> (carry, y)` on float64 arrays, written from the
            paper; compared to 1e-12.
        seed: of the random parameters and inputs.
        part: "core" leaves out second derivatives, Newton's method, fused loops, huge and narrow inputs, edges and
            devices, three quarters of the time; "rest" is these alone.
    """
    check_choice("part", part, ("all", "core", "rest"))
    if part != "rest":
        check_value_type(cell)
        check_init(cell, seed)
        check_carry(cell, seed)
        check_bad_input(cell, seed)
        check_names(cell, seed)
    if part != "core":
        check_no_steps(cell, seed)
        check_devices(cell, seed)
        check_finite(cell, seed)
        check_bfloat16(cell, seed)
    with jax.enable_x64(True):
        example = Example.draw(cell, jax.random.key(seed))
        if part != "rest":
            check_step(example)
            check_gate(example)
            check_rows_apart(example)
            check_causal(example)
            check_time(example)
            check_unroll(example)
            check_gradients(example)
            if reference is not None:
                check_reference(example, reference)
        if part != "core":
            check_newton(example)
            check_fused(example)
            check_curvature(example)
