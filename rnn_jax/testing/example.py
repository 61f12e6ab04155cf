"""A cell with parameters, a carry and inputs, none of them zero, and how results are compared."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rnn_jax.cells.base import Cell
from rnn_jax.checks import is_shape
from rnn_jax.typing import Carry, Params
from rnn_jax.unroll import unroll

Reference = Callable[[Params, Carry, np.ndarray], tuple[Carry, np.ndarray]]

LENGTH, BATCH, LONG = 7, 3, 1024
"""Steps and rows of an `Example`, and the steps of a long one."""

QUICK: dict[str, bool | int] = {
    "xla_backend_optimization_level": 0,
    "xla_llvm_disable_expensive_passes": True,
    "xla_cpu_parallel_codegen_split_count": 1,
} | ({"xla_cpu_use_fusion_emitters": False} if jax.__version_info__ < (0, 11) else {})
"""Options of XLA on a CPU for a program that runs once: equations are compared, not machine code. Compilation takes a
sixth of the time, half of it from JAX 0.11 on, whose compiler knows the last option no more and dies of it."""


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


def initial_params(cell: Cell, key: jax.Array) -> Params:
    """`cell.init(key)`, one program instead of dozens, which draws from no key twice.

    Raises:
        AssertionError: it does.
    """
    try:
        with jax.debug_key_reuse(True):
            return _initial_params()(cell, key)
    except jax.errors.KeyReuseError as error:
        raise AssertionError(
            f"{type(cell).__name__}.init draws from a key twice, so that parameters are copies of each other: "
            "split it first, with jax.random.split"
        ) from error


@functools.cache
def _initial_params() -> Callable[..., Params]:
    # Made when it is first used: `quick_jit` asks for the device, and no import may start JAX.
    return quick_jit(lambda cell, key: cell.init(key), static_argnums=0)


def is_floating(leaf: Any) -> bool:
    """Whether an array holds floating-point numbers."""
    return bool(jnp.issubdtype(leaf.dtype, jnp.floating))


def at(xs: Any, index: Any) -> Any:
    """Every array of a tree at an index."""
    return jax.tree.map(lambda a: a[index], xs)


def with_nan(xs: Any, step: int, row: int) -> Any:
    """Inputs with NaN at one step of one row."""
    return jax.tree.map(lambda a: a.at[step, row].set(jnp.nan), xs)


def copied(cell: Any) -> Any:
    """An equal cell that is another object."""
    return dataclasses.replace(cell)


def signature(tree: Any) -> str:
    """Dtypes and shapes of a tree, in words."""
    return str(jax.tree.map(lambda a: f"{a.dtype}{list(a.shape)}", tree))


def assert_equal(found: Any, wanted: Any, what: str) -> None:
    """Raise an AssertionError unless two trees hold the same numbers."""
    assert_close(found, wanted, what, rtol=0.0, atol=0.0)


def assert_close(found: Any, wanted: Any, what: str, rtol: float = 1e-12, atol: float = 1e-12) -> None:
    """Raise an AssertionError unless two trees hold the same numbers within a tolerance."""
    found, wanted = jax.tree.leaves(found), jax.tree.leaves(wanted)
    assert len(found) == len(wanted), f"{what}: {len(found)} arrays against {len(wanted)}"
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=atol, err_msg=what)


def usable_methods(cell: Cell) -> list[str]:
    """The methods whose derivatives and options are checked for each cell; the others have checks of their own."""
    return [method for method in cell.methods if method != "newton"]
