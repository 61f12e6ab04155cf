"""`method="fused"`: the whole loop over a gated cell as one call of native code, on a CPU.

The loop is compiled for the cell: its gates, and their derivatives, from the cell's own functions; see
`rnn_jax.native`.
"""

import contextlib
import dataclasses
import functools
import hashlib
import logging
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rnn_jax.cells.base import Cell, Composite, check_cell, param_shapes
from rnn_jax.cells.timed import Timed
from rnn_jax.native.adapters import Adapter, Carries, adapters
from rnn_jax.native.build import FLAGS, NoCompiler, cache_folder, compiler, processor
from rnn_jax.native.heads import heads_of, join_heads, one_head, params_of_heads, split_heads
from rnn_jax.native.plan import Plan, plan_of
from rnn_jax.native.primitives import LOOP, registered
from rnn_jax.native.scans import Options
from rnn_jax.native.units import NotPointwise
from rnn_jax.typing import Carry, Checked, Key, Params
from rnn_jax.unroll.method import MethodResult
from rnn_jax.unroll.scope import Scope, is_known, rows_of, varying_axes
from rnn_jax.unroll.segments import in_segments
from rnn_jax.unroll.sequential import Sequential

log = logging.getLogger(__name__)

FAILURES: list[str] = []
"""Why loops were not fused in this process where `method="auto"` would have had them so."""

FEW_ROWS, SMALL_KERNEL = 8, 2**13
"""With so few rows a step waits for the kernel to be read: one of so many numbers is better read once for all steps."""

LARGE, BLOCK, OPERATIONS = 2**24, 2**21, 210
"""A loop that writes so many numbers goes through time in blocks of so many, if each costs few operations to make anew.

What lies in memory that was just used need not be fetched, nor given by the system page by page."""


@dataclasses.dataclass(frozen=True)
class Fused:
    """`unroll(..., method="fused")`: for cells that are pointwise over units, but for one recurrent product.

    That is a `GatedCell` with pointwise gates, a cell of yours in whose `step` there is one product with the carry and
    nothing else that mixes units, and a linear cell with a vector for its carry.

    On other devices than one CPU, in `jax.export`, where a step is random or dt is given, and where resets go back to a
    carry that is learned, it is the sequential method. What a cell does is read once for all cells that are equal to
    it: what it reads beside its fields, a global of a module say, is as it was then, as in what `jax.jit` has compiled.
    """

    def applies(self, cell: Cell) -> bool:
        return not self.why_not(cell)

    def why_not(self, cell: Cell) -> str:
        """Why a cell has no fused loop here; "" if it has one."""
        return why_not(cell) or no_compiler()

    def run(
        self,
        cell: Cell,
        params: Params,
        xs: Checked[Any, "T *B D"],
        carry: Carry,
        scope: Scope,
        reverse: bool,
        key: Key | None,
    ) -> MethodResult:
        if scope.carries:
            raise ValueError(
                "method='fused': its loop keeps no carries; with return_carries=True expected 'auto', 'sequential', or "
                "'associative' or 'newton' for cells that can use them"
            )
        noisy = key is not None and type(cell).noisy_step is not Cell.noisy_step
        spread = varying_axes((params, xs, carry)) or rows_of(xs, len(scope.batch_shape)) is not None
        by_steps = noisy or spread or scope.learned_resets or isinstance(xs, Timed) or not is_known(scope)
        if by_steps or not scope.length * math.prod(scope.batch_shape):
            return Sequential().run(cell, params, xs, carry, scope, reverse, key)
        plan = plan_for(cell, params, xs, carry)
        return MethodResult(*_run(plan, cell, params, xs, carry, scope, reverse))


class NoFusedLoop(ValueError):
    """A cell that has no fused loop, or none that can be built here; the message says why."""


def plan_for(cell: Cell, params: Params, xs: Any, carry: Carry) -> Plan:
    """The plan of a cell for these arrays; its library is built where the device is a CPU.

    Raises:
        NoFusedLoop: there is none, or it cannot be built; the message says why.
    """
    try:
        plan = _plan(cell, params, jax.tree.leaves(carry)[0].dtype, xs.dtype)
        if jax.default_backend() == "cpu":
            registered(plan)
    except NotPointwise as error:
        raise NoFusedLoop(f"method='fused': {type(cell).__name__} has no fused loop: {error}") from None
    except NoCompiler as error:
        raise NoFusedLoop(f"method='fused': {error}") from None
    return plan


def _run(
    plan: Plan, of_user: Cell, params: Params, xs: Any, carry: Carry, scope: Scope, reverse: bool
) -> tuple[Carry, jax.Array]:
    heads, rows = heads_of(of_user), math.prod(scope.batch_shape)
    cell = of_user if heads > 1 else plan.cell  # the plan of a cell with heads is that of one of them
    if heads > 1:
        in_kernel, in_bias, kernel, bias, vectors = jax.vmap(plan.weights)(params_of_heads(of_user, params))
    else:
        in_kernel, in_bias, kernel, bias, vectors = (one[None] for one in plan.weights(params))
    product = [kernel, bias] if plan.r_size else []
    packed = [vectors] if plan.vectors_size else []
    read = cell.cell.read if isinstance(cell, Carries) else None
    few = rows < FEW_ROWS and cell.input_size * plan.z_size > SMALL_KERNEL
    hoisted = few or plan.input_product is None or read is not None or heads > 1
    z = jax.eval_shape(of_user.project, params, jax.ShapeDtypeStruct(xs.shape[1:], xs.dtype))
    y_dtype = jax.eval_shape(of_user.step, params, carry, z)[1].dtype
    carry = cell.packed(carry) if isinstance(cell, Adapter) else carry
    start = [] if scope.resets is None else _flat(scope.start(cell, carry), 0, rows, heads, plan.units)

    def segment(carry: Any, inputs: Any) -> tuple[Any, jax.Array]:
        xs, valid, resets = inputs
        z = cell.project(params, xs) if hoisted else None
        given = _flat(xs if z is None else z.astype(plan.dtype), 1, rows, heads, plan.units)
        if resets is not None and valid is not None:
            resets = resets & valid
        masks = [
            jnp.broadcast_to(mask.reshape(len(mask), rows), (heads, len(mask), rows))
            for mask in (valid, resets)
            if mask is not None
        ]
        weights = [] if hoisted else [in_kernel, in_bias]
        operands = [*given, *weights, *product, *packed, *_flat(carry, 0, rows, heads, plan.units), *start, *masks]
        options = Options(plan, hoisted, valid is not None, resets is not None, reverse)
        *last, ys = LOOP.bind(*operands, options=options)
        last = [join_heads(one, scope.batch_shape, plan.units) for one in last]
        ys = join_heads(ys, (ys.shape[1], *scope.batch_shape), plan.units)
        if read is None:
            ys = ys.astype(y_dtype)
        else:
            carries = jnp.split(ys, np.cumsum(plan.leaf_sizes)[:-1], axis=-1)
            ys = read(params, plan.carry_tree.unflatten(carries), z)
        return plan.carry_tree.unflatten(last), ys

    every = scope.checkpoint_every or block_of(plan, scope.length, rows * heads)
    last, ys = in_segments(segment, carry, (xs, scope.valid, scope.resets), every, reverse)
    return cell.unpacked(last) if isinstance(cell, Adapter) else last, ys


def block_of(plan: Plan, length: int, rows: int) -> int | None:
    """Steps of a block: what a loop writes besides its carries stays near by, and is made anew on the way back."""
    numbers = rows * (plan.z_size + plan.y_size)
    products = plan.cell.input_size * plan.z_size + plan.x_size * plan.r_size
    operations = products + plan.units * len(plan.code.graph.nodes)
    if length * numbers < LARGE or operations > OPERATIONS * (plan.z_size + plan.y_size):
        return None
    most = max(1, BLOCK // numbers)
    return next((every for every in range(most, most // 2, -1) if length % every == 0), most)


def _flat(tree: Any, leading: int, rows: int, heads: int, size: int) -> list[jax.Array]:
    """The leaves `[..., n]` with an axis of heads, each a loop, before all, and one of rows for the batch dims."""
    return [
        split_heads(leaf.reshape(*leaf.shape[:leading], rows, leaf.shape[-1]), heads, size)
        for leaf in jax.tree.leaves(tree)
    ]


def why_not(cell: Cell) -> str:
    """Why a cell has no fused loop, wherever it runs; "" if it has one."""
    if isinstance(cell, Composite):
        reasons = ((type(part).__name__, why_not(part)) for part in _parts(cell))
        return next((f"its {name}: {reason}" for name, reason in reasons if reason), "")
    found = _plan_alone(cell)
    return found if isinstance(found, str) else ""


def _parts(cell: Cell) -> list[Cell]:
    """The cells that a composite is made of."""
    record: Any = cell
    values = [getattr(cell, field.name) for field in dataclasses.fields(record)]
    return [
        part for value in values for part in (value if isinstance(value, tuple) else (value,)) if isinstance(part, Cell)
    ]


def kernel_size(cell: Cell) -> int:
    """Numbers in the recurrent kernel of a cell; 0 without a fused loop."""
    plan = _plan_alone(cell)
    return 0 if isinstance(plan, str) else heads_of(cell) * plan.x_size * plan.r_size


def _plan_alone(cell: Cell) -> Plan | str:
    """The plan of a cell with params as it makes them, worked out once, or why there is none.

    With 64-bit types a cell may have one in float64 alone: numbers that it makes are then of that dtype.
    """
    return _plan_of_dtypes(cell, (jnp.float32, jnp.float64)[: 1 + (jnp.result_type(float) == jnp.float64)])


@functools.lru_cache(256)
def _plan_of_dtypes(cell: Cell, dtypes: tuple[Any, ...]) -> Plan | str:
    reasons = []
    for dtype in dtypes:

        def of_dtype(leaf: Any, dtype: Any = dtype) -> jax.ShapeDtypeStruct:
            floating = jnp.issubdtype(leaf.dtype, jnp.floating)
            return jax.ShapeDtypeStruct(leaf.shape, dtype if floating else leaf.dtype)

        params = jax.tree.map(of_dtype, param_shapes(cell))
        try:
            return _plan(cell, jax.eval_shape(cell.prepare, params), dtype, dtype)
        except NotPointwise as error:
            reasons.append(str(error))
    return reasons[0]


def _plan(cell: Cell, params: Params, dtype: Any, x_dtype: Any) -> Plan:
    """The plan of a cell, as it is or as a native loop can have it.

    Raises:
        NotPointwise: there is none, however one looks at it; the message says why the cell as it is has none.
    """
    if heads_of(cell) > 1:
        one = jax.eval_shape(lambda params: jax.tree.map(lambda a: a[0], params_of_heads(cell, params)), params)
        return plan_of(one_head(cell), one, dtype, x_dtype)
    try:
        return plan_of(cell, params, dtype, x_dtype)
    except NotPointwise:
        for adapter in adapters(cell, params, x_dtype):
            with contextlib.suppress(NotPointwise):
                return plan_of(adapter, params, dtype, x_dtype)
        raise


def no_compiler() -> str:
    """Why no library can be built here; "" if it can."""
    try:
        compiler()
    except NoCompiler as error:
        return str(error)
    return ""


def fused_report(cell: Cell | None = None) -> str:
    """What `method="fused"` has to work with here: the compiler, where its libraries are, and whether it is used.

    Args:
        cell: say of this cell whether it has a fused loop, too.
    """
    if cell is not None:
        check_cell("cell", cell)
    if missing := no_compiler():
        lines = [f"compiler: none; {missing}"]
    else:
        by = compiler()
        lines = [f"compiler: {' '.join(by.command)} ({by.version})", f"flags: {' '.join(FLAGS)}"]
        lines.append(f"libraries: {cache_folder()}")
    backend, devices = jax.default_backend(), jax.local_device_count()
    if missing:
        used = "no fused loops without a compiler"
    elif (backend, devices) == ("cpu", 1):
        used = "used"
    else:
        used = "used where asked for, not by auto, for there is not one CPU device"
    lines.append(f"devices: {devices} of kind {backend}; {used}")
    lines += [f"failed in this process: {reason}" for reason in FAILURES]
    if cell is not None:
        reason = why_not(cell) or missing
        lines.append(f"{type(cell).__name__}: " + (f"no fused loop, {reason}" if reason else "has a fused loop"))
    return "\n".join(lines)


def fused_build() -> dict[str, str] | None:
    """By what fused loops are built here, as JSON can hold it; None where "auto" takes none."""
    if not is_available():
        return None
    by, features = compiler(), hashlib.sha256(processor().encode()).hexdigest()[:12]
    return {"compiler": " ".join(by.command), "version": by.version, "flags": " ".join(FLAGS), "features": features}


def is_available() -> bool:
    """Whether a fused loop can be built and run here; where a compiler is missing, that is said once."""
    if jax.default_backend() != "cpu" or jax.device_count() != 1:
        return False
    if (reason := no_compiler()) and "RNN_JAX_FUSED" not in reason:
        say_once(reason)
    return not reason


@functools.cache
def say_once(reason: str) -> None:
    """Say that something which could be faster is not, and why."""
    FAILURES.append(reason)
    log.warning("a loop that could be fused runs as a scan: %s; rnn_jax.fused_report() says more", reason)
