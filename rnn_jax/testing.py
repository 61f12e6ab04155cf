"""`assert_cell_contract`: check a cell, yours included, against everything the rest of the library relies on.

    from rnn_jax.testing import assert_cell_contract
    assert_cell_contract(MyCell(3, 5))

Each check is a function below that raises an AssertionError saying what does not hold. Comparisons run in float64,
where equal means equal; they take a few seconds a cell, most of it compilation.
"""

import dataclasses
import functools
import json
from collections.abc import Callable, Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jax.sharding import AxisType, PartitionSpec

from rnn_jax.cells.base import Cell, Composite, GatedCell, describe
from rnn_jax.checks import check_choice, check_input, is_shape, leaves_by_name
from rnn_jax.typing import Carry, Params
from rnn_jax.unroll import methods_of, unroll

Reference = Callable[[Params, Carry, np.ndarray], tuple[Carry, np.ndarray]]

LENGTH, BATCH, LONG = 7, 3, 1024

QUICK: dict[str, bool | int] = {
    "xla_backend_optimization_level": 0,
    "xla_llvm_disable_expensive_passes": True,
    "xla_cpu_parallel_codegen_split_count": 1,
} | ({"xla_cpu_use_fusion_emitters": False} if jax.__version_info__ < (0, 11) else {})
"""Options of XLA on a CPU for a program that runs once: equations are compared, not machine code. Compilation takes a
sixth of the time, half of it from JAX 0.11 on, whose compiler knows the last option no more and dies of it."""


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
            check_unroll(example)
            check_gradients(example)
            if reference is not None:
                check_reference(example, reference)
        if part != "core":
            check_newton(example)
            check_fused(example)
            check_curvature(example)


@dataclasses.dataclass
class Example:
    """A cell with random float64 parameters, carry and inputs `[T, B, ...]`; draw it under `jax.enable_x64(True)`."""

    cell: Cell
    params: Params
    carry: Carry
    xs: Any

    @classmethod
    def draw(cls, cell: Cell, key: jax.Array) -> "Example":
        init_key, params_key, carry_key, xs_key = jax.random.split(key, 4)
        with jax.enable_x64(False):  # as the other checks draw it: nothing is compiled twice
            params, carry = initial_params(cell, init_key), cell.initial_carry((BATCH,))
        xs = jax.tree.map(jnp.asarray, inputs_of(cell, (LENGTH, BATCH), _generator(xs_key).normal))
        return cls(cell, jittered(params_key, params), jittered(carry_key, carry), xs)

    @functools.cached_property
    def run(self) -> Callable[..., Any]:
        """`unroll`, compiled once: `run(xs)`, as NumPy arrays."""
        compiled = quick_jit(lambda params, xs, carry: unroll(self.cell, params, xs, carry))
        return lambda xs: jax.tree.map(np.asarray, compiled(self.params, xs, self.carry))


def jittered(key: jax.Array, tree: Any) -> Any:
    """`tree` in double precision with noise added to every floating leaf: no zero (a bias, a carry) hides a mistake."""
    random = _generator(key)

    def jitter(leaf: Any) -> jax.Array:
        if not jnp.issubdtype(leaf.dtype, jnp.floating):
            return jnp.asarray(leaf)
        return jnp.asarray(np.asarray(leaf) + 0.3 * random.normal(size=leaf.shape))

    return jax.tree.map(jitter, tree)


def inputs_of(cell: Cell, leading: tuple[int, ...], make: Callable[..., Any]) -> Any:
    """What `cell` reads: `make(size=shape)` for its one array, or for each of its tree."""
    return jax.tree.map(lambda shape: make(size=(*leading, *shape)), cell.input_shape, is_leaf=is_shape)


def _generator(key: jax.Array) -> np.random.Generator:
    # NumPy's numbers need no compilation, which is most of what the contract costs.
    return np.random.default_rng(np.asarray(jax.random.key_data(key)))


def quick_jit(function: Callable[..., Any], **options: Any) -> Any:
    """`jax.jit` for what runs once, by `QUICK`; what it makes cannot be called inside of other programs."""
    return jax.jit(function, compiler_options=QUICK if jax.default_backend() == "cpu" else None, **options)


@functools.partial(quick_jit, static_argnums=0)
def initial_params(cell: Cell, key: jax.Array) -> Params:
    """`cell.init(key)`, one program instead of dozens."""
    return cell.init(key)


def check_value_type(cell: Cell) -> None:
    """A cell is a value: equal to its copy, hashable, and described by JSON."""
    copy = _copy(cell)
    assert copy == cell and hash(copy) == hash(cell), f"{cell}: a copy must be equal and hash alike"
    json.dumps(describe(cell))


def check_init(cell: Cell, seed: int) -> None:
    """Parameters depend on the key and on nothing else, and have the dtype asked for."""
    params, again, other = (initial_params(cell, jax.random.key(s)) for s in (seed, seed, seed + 1))
    _assert_equal(params, again, "init with the same key twice")
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
            assert _signature(after) == _signature(carry), (
                f"{what}: the carry was {_signature(carry)} and became {_signature(after)}; scan needs them the same"
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
        ("carry", jax.tree.map(lambda a: a.astype(np.int32 if _is_floating(a) else np.float32), carry), x),
    ]
    if is_shape(cell.input_shape):
        bad.append(("x", carry, x.astype(np.int32)))
    for name, carry, x in bad:
        what = f"carry {_signature(carry)} with x {_signature(x)}"
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
            assert _signature(carry) == _signature(wanted), f"{what}: the carry is {_signature(carry)}"
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
    for method in _methods(cell):
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


def check_step(example: Example) -> None:
    """Any leading dims, none included, give what vmap gives, compiled or not; an equal cell does not trace again."""
    params, traces = example.params, []

    def results(cell: Cell, params: Params, batch: Any, double: Any):
        traces.append(cell)
        return cell(params, *batch), jax.vmap(cell, (None, 0, 0))(params, *batch), cell(params, *double)

    compiled = quick_jit(results, static_argnums=0)
    for cell, x in ((_copy(example.cell), _at(example.xs, 1)), (example.cell, _at(example.xs, 0))):
        batch = example.carry, x
        batched, vmapped, doubled = compiled(cell, params, batch, jax.tree.map(lambda a: np.stack([a, a]), batch))
    assert len(traces) == 1, f"traced {len(traces)} times: the cell is not equal to its copy"
    _assert_close(vmapped, batched, "batched against vmap")
    _assert_close(doubled, jax.tree.map(lambda a: np.stack([a, a]), batched), "two leading dims")
    one = one_step(example.cell, params, *jax.tree.map(lambda a: a[0], batch))
    _assert_close(one, jax.tree.map(lambda a: a[0], batched), "one row against a batch")
    _assert_close(batched, example.cell(params, *batch), "jit against no jit")


def check_gate(example: Example) -> None:
    """What a `GatedCell` says about its gates is so."""
    cell = example.cell
    if not isinstance(cell, GatedCell) or not cell.additive:
        return
    z, r = cell.project(example.params, _at(example.xs, 0)), cell.recur(example.params, example.carry)
    found = cell.gate(example.params, example.carry, z + r, jnp.zeros_like(r))
    _assert_close(found, cell.gate(example.params, example.carry, z, r), "additive: the gates see more than z + r")


def check_rows_apart(example: Example) -> None:
    """NaN in one row of the batch stays in that row."""
    clean, spoilt = example.run(example.xs), example.run(_with_nan(example.xs, 0, 0))
    _assert_close(spoilt.ys[:, 1:], clean.ys[:, 1:], "rows beside one with NaN")
    others, wanted = (jax.tree.map(lambda a: a[1:], r.carry) for r in (spoilt, clean))
    _assert_close(others, wanted, "carries beside a row with NaN")
    assert np.isnan(spoilt.ys[:, 0]).any(), "NaN in an input vanished from its row"


def check_causal(example: Example) -> None:
    """An input changes the output of its own step, and no output before it."""
    ys = example.run(example.xs).ys
    for t in range(LENGTH):
        changed = example.run(jax.tree.map(lambda a, t=t: a.at[t].add(1), example.xs)).ys
        _assert_close(changed[:t], ys[:t], f"outputs before step {t}, whose input changed: an output sees the future")
        assert (changed[t] != ys[t]).any(), f"the output of step {t} does not depend on its own input"


def check_unroll(example: Example, methods: Sequence[str] = ()) -> None:
    """Every method is a loop over the cell: lengths, masks, resets, both directions, segments, a carry given or not.

    Args:
        example: of the cell.
        methods: these alone.
    """
    cell, params, options = example.cell, example.params, lengths_and_resets()
    start = cell.initial_carry((BATCH,), jnp.float64)
    mask = np.arange(LENGTH * BATCH).reshape(LENGTH, BATCH) % 3 > 0
    wanted = {
        "": loop(cell, params, example.xs, example.carry, **options),
        ", reverse=True, checkpoint_every=3": loop(cell, params, example.xs, example.carry, reverse=True, **options),
        ", mask, no carry given": loop(cell, params, example.xs, start, mask=mask),
    }
    for method in methods or _methods(cell):
        bound = functools.partial(unroll, cell, method=method)

        @quick_jit
        def results(params: Params, xs: Any, carry: Carry, bound: Any = bound):
            forward = bound(params, xs, carry, **options)
            return (
                forward,
                bound(params, xs, carry, reverse=True, checkpoint_every=3, **options),
                bound(params, xs, mask=mask),
            )

        forward, backward, anew = results(params, example.xs, example.carry)
        for found, (what, by_loop) in zip((forward, backward, anew), wanted.items(), strict=True):
            _assert_close(found, by_loop, f"{method} against a loop{what}")
        spoilt = results(params, _with_nan(example.xs, 0, 2), example.carry)[0]
        _assert_close(spoilt.ys[3:], forward.ys[3:], f"{method}: outputs after a reset, with NaN before it")


def check_fused(example: Example) -> None:
    """The fused loop, where a cell has one and there is a compiler, is a loop over the cell, with its derivatives."""
    if "fused" in methods_of(example.cell) and not isinstance(example.cell, Composite):
        check_unroll(example, ("fused",))
        check_gradients(example, ("fused",))


def check_newton(example: Example) -> None:
    """Newton's method, where a cell can use it, is a loop over the cell, also where it has to give up before NaN.

    Only values are compared: its derivatives come of those of `step`, which `check_gradients` knows by other methods.
    """
    cell, options = example.cell, lengths_and_resets()
    if "newton" in cell.methods:
        results = quick_jit(lambda xs: unroll(cell, example.params, xs, example.carry, method="newton", **options))
        found = results(example.xs)
        _assert_close(found, loop(cell, example.params, example.xs, example.carry, **options), "newton against a loop")
        spoilt = results(_with_nan(example.xs, 0, 2))
        _assert_close(spoilt.ys[3:], found.ys[3:], "newton: outputs after a reset, with NaN before it")


def lengths_and_resets() -> dict[str, Any]:
    """Options of `unroll` for an `Example`: rows of all lengths, two of which start anew."""
    resets = np.zeros((LENGTH, BATCH), bool)
    resets[2, 0] = resets[3, 2] = True
    return {"lengths": np.array([LENGTH, 0, 4]), "resets": resets}


def _methods(cell: Cell) -> list[str]:
    """The methods whose derivatives and options are checked for each cell; the others have checks of their own."""
    return [method for method in cell.methods if method != "newton"]


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
            _assert_close(found, wanted, f"{method}: first derivative, {name}", rtol=1e-6, atol=1e-8)
        assert not any(np.any(g) for g in of_fixed), "a leaf that training may not change has a gradient"


def check_curvature(example: Example) -> None:
    """Second derivatives agree with finite differences, as first ones do in `check_gradients`."""

    def derivatives(loss: Any, first_method: bool, point: jax.Array, fixed: Any, v: jax.Array):
        def slope(p: jax.Array) -> jax.Array:
            return jnp.vdot(jax.grad(loss)(p, fixed), v)

        curves = {"forward over reverse": jax.jvp(slope, (point,), (v,))[1]}
        return curves | ({"reverse over reverse": jnp.vdot(jax.grad(slope)(point), v)} if first_method else {})

    for method, _, wanted, curves in _along_lines(example, derivatives):
        for name, found in curves.items():
            _assert_close(found, wanted, f"{method}: second derivative, {name}", rtol=1e-4, atol=1e-6)


def _along_lines(example: Example, derivatives: Callable[..., Any], methods: Sequence[str] = ()):
    """For each method and two directions: its name, finite differences of both orders, and `derivatives`.

    They are those of the sum of sines of all that `unroll` returns, by the parameters that may change, the carry and
    three inputs.
    """
    cell, (leaves, tree) = example.cell, jax.tree.flatten((example.params, example.carry))
    may_change = cell.trainable(example.params), jax.tree.map(_is_floating, example.carry)
    free = jax.tree.leaves(may_change)
    moved = [leaf for leaf, is_free in zip(leaves, free, strict=True) if is_free]
    fixed = [leaf for leaf, is_free in zip(leaves, free, strict=True) if not is_free and _is_floating(leaf)]
    counts = [leaf for leaf in leaves if not _is_floating(leaf)]
    point, unravel = ravel_pytree((moved, _at(example.xs, slice(3))))
    random = np.random.default_rng(0)

    methods = methods or _methods(cell)
    for method in methods:

        def loss(point: jax.Array, fixed: list[jax.Array], method: str = method) -> jax.Array:
            moved, xs = unravel(point)
            moved, others, rest = iter(moved), iter(fixed), iter(counts)
            params, carry = tree.unflatten(
                next(moved) if is_free else next(others) if _is_floating(leaf) else next(rest)
                for is_free, leaf in zip(free, leaves, strict=True)
            )
            found = jax.tree.leaves(unroll(cell, params, xs, carry, method=method))
            return jnp.stack([jnp.sum(jnp.sin(leaf)) for leaf in found if _is_floating(leaf)]).sum()

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


def check_reference(example: Example, reference: Reference) -> None:
    """A sequence equals the equations in NumPy, step by step, to 1e-12."""
    found = example.run(example.xs)
    params, carry, xs = jax.tree.map(np.asarray, (example.params, example.carry, example.xs))
    for x, y in zip(xs, found.ys, strict=True):
        carry, wanted = reference(params, carry, x)
        _assert_close(y, wanted, "outputs against the reference")
    _assert_close(found.carry, carry, "the final carry against the reference")


def loop(
    cell: Cell,
    params: Params,
    xs: Any,
    carry: Carry,
    lengths: Any = None,
    resets: Any = None,
    reverse: bool = False,
    mask: Any = None,
) -> tuple[Carry, jax.Array]:
    """What `unroll` means for xs `[T, B, D]`, as a plain loop over steps and rows: slow, nothing to get wrong."""
    length, batch = check_input("xs", xs, cell.input_shape)
    start = cell.initial_carry((), jnp.result_type(*jax.tree.leaves(xs)))
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
            row_carry, ys[t] = one_step(cell, params, row_carry, _at(xs, (t, row)))
        shape = jax.eval_shape(cell, params, row_carry, _at(xs, (0, row)))[1]
        outputs.append(jnp.stack([jnp.zeros(shape.shape, shape.dtype) if y is None else y for y in ys]))
        carries.append(row_carry)
    return jax.tree.map(lambda *rows: jnp.stack(rows), *carries), jnp.stack(outputs, axis=1)


@functools.partial(jax.jit, static_argnums=0)  # not quick_jit: a gradient may be taken through it
def one_step(cell: Cell, params: Params, carry: Carry, x: Any) -> tuple[Carry, jax.Array]:
    """`cell(params, carry, x)`."""
    return cell(params, carry, x)


def _is_floating(leaf: Any) -> bool:
    return bool(jnp.issubdtype(leaf.dtype, jnp.floating))


def _at(xs: Any, index: Any) -> Any:
    return jax.tree.map(lambda a: a[index], xs)


def _with_nan(xs: Any, step: int, row: int) -> Any:
    return jax.tree.map(lambda a: a.at[step, row].set(jnp.nan), xs)


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
