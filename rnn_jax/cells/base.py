"""The cell contract: a cell is a few pure functions of `(params, carry, input)`.

A cell is a frozen dataclass that names these functions and binds sizes and options to them:

    params   = cell.init(key)                     nested dict of arrays
    carry    = cell.initial_carry((B,))           pytree of [B, ...]
    z        = cell.project(params, xs)           what does not depend on the carry, for any leading dims at once
    carry, y = cell.step(params, carry, z)        the truly recurrent part
    carry, y = cell(params, carry, x)             both: a body for `jax.lax.scan` as it stands

`unroll` calls `project` once for a whole sequence, as one matrix product, and scans `step`. A cell to which the time
between steps means something says `timed = True`; see `rnn_jax.cells.timed`.
"""

import abc
import dataclasses
import functools
from collections.abc import Callable
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from rnn_jax.cells.papers import Paper
from rnn_jax.cells.timed import Timed, apart, together
from rnn_jax.checks import check_carry, check_divisor, check_dt, check_input, check_size
from rnn_jax.typing import (
    Array,
    Carry,
    Checked,
    DType,
    Float,
    Hidden,
    Inputs,
    Key,
    Output,
    Params,
    Product,
    Projected,
    at_least_float32,
)


class Cell(abc.ABC):
    """Base of all cells. Subclasses are frozen dataclasses: hashable, equal by value, valid static arguments of jit.

    A subclass has the fields or properties `input_size` and `hidden_size` and the four methods below.
    """

    input_size: int
    hidden_size: int
    timed: bool = False
    """Whether the time between steps means something to it: `project` then takes `Timed` inputs too."""
    papers: ClassVar[tuple[Paper, ...]] = ()
    """Where the cell comes from, the first source first; see `rnn_jax.citation`."""

    def __init_subclass__(cls, **options: Any):
        super().__init_subclass__(**options)
        if "__repr__" not in vars(cls):
            cls.__repr__ = cls.__repr__  # a dataclass writes one of all fields into a class that has none of its own

    def __post_init__(self):
        plain_fields(self)
        for name in ("input_size", "hidden_size"):
            check_size(name, getattr(self, name))

    def __repr__(self):
        """The call that makes it: sizes, and what is not the default."""
        record: Any = self  # the base class is no dataclass, every subclass is
        shown = [f"{f.name}={value!r}" for f in dataclasses.fields(record) if _says(f, value := getattr(self, f.name))]
        return f"{type(self).__name__}({', '.join(shown)})"

    @property
    def input_shape(self) -> Any:
        """The dimensions of one input behind the batch dims; a tree of such tuples for inputs that are a tree."""
        return (self.input_size,)

    @property
    def output_size(self) -> int:
        """Features of one output."""
        return self.hidden_size

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods of `unroll` that this cell can use."""
        leaves = jax.tree.leaves(carry_shapes(self, ()))
        smooth = all(jnp.issubdtype(leaf.dtype, jnp.floating) for leaf in leaves)
        return ("sequential", "newton") if smooth else ("sequential",)

    @abc.abstractmethod
    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        """New parameters, drawn with a typed `key`."""

    @abc.abstractmethod
    def initial_carry(self, batch_shape: tuple[int, ...] = (), dtype: DType = jnp.float32) -> Carry:
        """The carry before the first step, for any batch shape."""

    def start(self, params: Params, batch_shape: tuple[int, ...] = (), dtype: DType = jnp.float32) -> Carry:
        """The carry that `unroll` starts from without one: `initial_carry`, or what `params` have learned to be it."""
        del params
        return self.initial_carry(batch_shape, dtype)

    @abc.abstractmethod
    def project(self, params: Params, xs: Inputs) -> Any:
        """The part of the step that does not depend on the carry, `[..., D]` to `[..., anything]`."""

    @abc.abstractmethod
    def step(self, params: Params, carry: Carry, z: Any) -> tuple[Carry, Output]:
        """One step from the projected input. Carries keep their dtype, the output has the dtype of `z`."""

    def prepare(self, params: Params) -> Params:
        """`params` with what depends on them alone worked out, such as a matrix exponential.

        `unroll` calls it once for a sequence. Doing it twice changes nothing, and the other functions take `params`
        either way.
        """
        return params

    def trainable(self, params: Params) -> Params:
        """The tree of `params` with True where training may change a leaf (not the reservoir of an echo state net)."""
        return jax.tree.map(lambda _: True, params)

    def output(self, carry: Carry) -> Output:
        """The output as a function of the carry alone, for cells that have one (zoneout needs it)."""
        raise ValueError(f"cell={type(self).__name__}: its output is not a function of its carry alone")

    def state(self, carry: Carry) -> Carry:
        """The tree of `carry` with True for the leaves that are state, which noise may change: no clock, no counter."""
        return jax.tree.map(lambda leaf: bool(jnp.issubdtype(leaf.dtype, jnp.floating)), carry)

    def noise(self, key: Key, length: int, batch_shape: tuple[int, ...]) -> Any:
        """What is random in `length` training steps, as arrays `[T, B, ...]` drawn at once; None for most cells."""
        del key, length, batch_shape
        return None

    def noisy_step(self, params: Params, carry: Carry, z: Any, noise: Any) -> tuple[Carry, Output]:
        """`step` in training, with one time step of `noise`."""
        del noise
        return self.step(params, carry, z)

    def __call__(
        self, params: Params, carry: Carry, x: Checked[Any, "*B D"], dt: Checked[Any, "*B"] = None
    ) -> tuple[Carry, Output]:
        """One step from the input: x `[B, D]` to the next carry and y `[B, H]`, for any leading dims.

        Args:
            params: the parameters.
            carry: before the step.
            x: the input.
            dt: `[B]`, the time that passes before this step, for a cell that is `timed`; None is one unit.

        Raises:
            ValueError: x is not floating point or its last dims are not `input_shape`, the carry is not that of this
                cell for the leading dims of x, or dt is not positive or means nothing to this cell.
        """
        check_call(self, carry, x, dt)
        params = self.prepare(params)
        return self.step(params, carry, self.project(params, timed_inputs(self, x, dt)))


class HiddenCell(Cell):
    """A cell whose carry is one hidden state `[B, H]`, zero at first, which is also its output.

    The input goes through one kernel and a bias: `params["input"]`.
    """

    def initial_carry(self, batch_shape: tuple[int, ...] = (), dtype: DType = jnp.float32) -> Hidden:
        return jnp.zeros((*batch_shape, self.hidden_size), dtype)

    def project(self, params: Params, xs: Inputs | Timed) -> Projected | Timed:
        xs, dt = apart(xs)
        return together(dense(xs, **params["input"]), dt)

    def output(self, carry: Hidden) -> Output:
        return carry


class GatedCell(Cell):
    """A cell whose only matrix product with the carry stands apart: `step = gate(params, carry, z, recur(...))`.

    The split lets an engine take the gradient of the recurrent weights out of the loop, or fuse the gates with the
    product. `gate` is pointwise over the batch dims. Two facts about `gate` make its loop faster where they hold:

    Attributes:
        additive: it sees `z` and `r` only as z + r.
        cut: it cuts `z` and `r` into parts of `hidden_size` before it does anything else with them.
        heads: N, where the recurrent kernel is block-diagonal, `[N, H / N, ...]`: the cell is then N cells of H / N
            units side by side, each part of every other array having all of them. A cell that offers the choice has a
            field of this name, draws its kernel by `initializers.in_heads` and multiplies with `block_dense`.

    Raises:
        ValueError: `heads` does not divide `hidden_size`.
    """

    additive: bool = False
    cut: bool = False
    heads: int = 1

    def __post_init__(self):
        super().__post_init__()
        check_divisor("heads", self.heads, self.hidden_size)

    @abc.abstractmethod
    def recur(self, params: Params, carry: Carry) -> Product:
        """The recurrent product, affine in the carry: a bias on it belongs here, where its gradient costs least."""

    @abc.abstractmethod
    def gate(self, params: Params, carry: Carry, z: Any, r: Product) -> tuple[Carry, Output]:
        """The next carry and the output from the projected input `z` and the recurrent product `r`."""

    def step(self, params: Params, carry: Carry, z: Any) -> tuple[Carry, Output]:
        return self.gate(params, carry, z, self.recur(params, carry))


class GatedHiddenCell(HiddenCell, GatedCell):
    """Both: one hidden state, whose product with one kernel is all that the gates see of it."""

    def recur(self, params: Params, carry: Hidden) -> Product:
        return block_dense(carry, params["recurrent"]["kernel"])


Run = Callable[..., tuple[Carry, jax.Array]]
"""`run(cell, params, xs, carry, reverse, key) -> (carry, ys)`: one part of a composite along a sequence.

A composite puts the carries that it is given together and does not look inside: where all carries are asked for, each
is more than a carry. With `start=`, a part that is no composite goes back to that carry at resets."""


class Composite(Cell):
    """A cell made of cells (a stack, two directions). `unroll` hands it the means to unroll its parts, one by one."""

    @abc.abstractmethod
    def unroll_parts(
        self, run: Run, params: Params, xs: Checked[Any, "T *B D"], carry: Carry, reverse: bool, key: Key | None
    ) -> tuple[Carry, Output]:
        """Unroll the parts with `run`; same return order."""

    def project(self, params: Params, xs: Any) -> Any:
        """A composite hoists nothing by itself: its parts project their own inputs."""
        del params
        return xs

    def step(self, params: Params, carry: Carry, z: Any) -> tuple[Carry, Output]:
        return self(params, carry, z)


def block_dense(x: Inputs, kernel: Float[Array, "*N _ _"], parts: int = 1) -> Output:
    """`x [..., P H]` times a kernel: a dense one, `[P H, G H]`, or N blocks `[N, P h, G h]`, h = H / N.

    Block n reads head n of the units and writes it. What is read and what is written are P and G parts side by side,
    each of which has all heads.

    Args:
        x: what is read.
        kernel: of one head or of several.
        parts: P.
    """
    if kernel.ndim == 2:
        return dense(x, kernel)
    heads, rows, columns = kernel.shape
    kernel = jnp.asarray(kernel, x.dtype)
    if heads == 1:
        return dense(x, kernel[0])
    batch, size = x.shape[:-1], rows // parts
    by_head = jnp.moveaxis(x.reshape(*batch, parts, heads, size), -3, -2).reshape(*batch, heads, rows)
    products = jnp.einsum("...ni,nio->...no", by_head, kernel)
    by_part = jnp.moveaxis(products.reshape(*batch, heads, columns // size, size), -2, -3)
    return by_part.reshape(*batch, heads * columns)


def dense(x: Inputs, kernel: Float[Array, "D H"], bias: Float[Array, "H"] | None = None) -> Output:
    """`x @ kernel + bias` in the dtype of `x`, for any leading dims."""
    y = jnp.matmul(x, jnp.asarray(kernel, x.dtype))
    return y if bias is None else y + along_last(bias, y)


def along_last(a: Float[Array, "..."], like: Float[jax.Array, "..."]) -> Float[jax.Array, "..."]:
    """An array shaped and typed to be combined with the last dims of `like` (no rank is promoted silently)."""
    a = jnp.asarray(a, like.dtype)
    return a.reshape((1,) * (like.ndim - a.ndim) + a.shape)


def widened(a: Float[Array, "*B"]) -> Float[jax.Array, "*B"]:
    """`a` in float32 or wider: bfloat16 cannot tell a decay of 0.999 from one that forgets nothing."""
    a = jnp.asarray(a)
    return a.astype(at_least_float32(a.dtype))


def sigmoid(x: Float[jax.Array, "*B"]) -> Float[jax.Array, "*B"]:
    """The logistic function by way of tanh, which XLA vectorises on CPU and which cannot overflow."""
    return 0.5 * jnp.tanh(0.5 * x) + 0.5


def squash(x: Projected, kinds: str) -> list[Hidden]:
    """Equal parts of the last axis of `x`, each through the sigmoid ("s") or tanh ("t") that `kinds` says.

    It is one call of tanh for all: XLA on CPU vectorises that, but not a function of slices of what it just read.
    """
    scale = np.repeat([0.5 if kind == "s" else 1.0 for kind in kinds], x.shape[-1] // len(kinds))
    parts = jnp.split(jnp.tanh(along_last(scale, x) * x), len(kinds), axis=-1)
    return [0.5 * part + 0.5 if kind == "s" else part for kind, part in zip(kinds, parts, strict=True)]


def interpolate(hidden: Hidden, keep: Float[jax.Array, "*#B H"], new: Hidden) -> tuple[Hidden, Output]:
    """(1 − keep) ⊙ new + keep ⊙ hidden, in the dtype of `hidden` for the carry and of `new` for the output."""
    wide = new.astype(hidden.dtype)
    hidden = wide + keep.astype(hidden.dtype) * (hidden - wide)
    return hidden, hidden.astype(new.dtype)


@functools.lru_cache(256)
def carry_shapes(cell: Cell, batch_shape: tuple[int, ...]) -> Carry:
    """The shapes of the carry of a cell, worked out once."""
    return jax.eval_shape(lambda: cell.initial_carry(batch_shape))


@functools.lru_cache(256)
def param_shapes(cell: Cell) -> Params:
    """The shapes of the parameters of a cell, worked out once."""
    return jax.eval_shape(cell.init, jax.eval_shape(jax.random.key, 0))  # no key is made in a program that is traced


def check_cell(name: str, value: Any) -> None:
    """A ValueError unless an argument is a cell."""
    if not isinstance(value, Cell):
        raise ValueError(
            f"{name} has type {type(value).__name__}: expected a rnn_jax.Cell, such as rnn_jax.LSTM(8, 16)"
        )


def check_call(cell: Cell, carry: Carry, x: Checked[Any, "*B D"], dt: Checked[Any, "*B"] = None) -> None:
    """Raise a ValueError unless `x` is an input of the cell, and `carry` and `dt` fit its leading dims."""
    batch_shape = check_input("x", x, cell.input_shape)
    check_carry(carry, carry_shapes(cell, batch_shape), f", as x has leading dims {batch_shape}")
    if dt is not None:
        check_timed(cell)
        check_dt(dt, batch_shape)


def check_timed(cell: Cell) -> None:
    """Raise a ValueError unless the time between steps means something to a cell, or to a part of a composite."""
    if not cell.timed:
        raise ValueError(
            f"dt is given, but {cell} has no notion of time: leave dt out, or use a cell that has one, such as "
            "rnn_jax.CfC, LEM or S5"
        )


def timed_inputs(cell: Cell, xs: Any, dt: Checked[Any, "*B"]) -> Any:
    """What `project` is given: `xs`, with dt beside them where there is one and the cell is `timed`.

    dt is in float32 or wider, as wide as the inputs.
    """
    if dt is None or not cell.timed:
        return xs
    return together(xs, jnp.asarray(dt).astype(wide_type(xs)))


def wide_type(xs: Any) -> Any:
    """The dtype of what is worked out from inputs: float32, or that of the widest of them."""
    floating = [leaf.dtype for leaf in jax.tree.leaves(xs) if jnp.issubdtype(leaf.dtype, jnp.floating)]
    return at_least_float32(jnp.result_type(float, *floating))


def _says(field: dataclasses.Field[Any], value: Any) -> bool:
    """Whether a field is to be given to make the cell again: it is not its default, not even of another type."""
    default = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
    return field.init and (default is dataclasses.MISSING or type(value) is not type(default) or value != default)


def plain_fields(cell: Cell) -> None:
    """Make NumPy's numbers in the fields of a cell Python's own, which are equal, and are JSON."""
    record: Any = cell
    for field in dataclasses.fields(record):
        if isinstance(value := getattr(cell, field.name), np.generic):
            object.__setattr__(cell, field.name, value.item())


def count_parameters(params: Params) -> int:
    """How many numbers the arrays of `params` hold."""
    return sum(leaf.size for leaf in jax.tree.leaves(params))


def describe(cell: Cell) -> dict[str, Any]:
    """A cell as JSON-able nested dicts: its type's name and its fields."""
    record: Any = cell  # the base class is no dataclass, every subclass is
    fields = {f.name: getattr(cell, f.name) for f in dataclasses.fields(record)}
    return {"type": type(cell).__name__} | {name: _plain(value) for name, value in fields.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Cell):
        return describe(value)
    return [_plain(v) for v in value] if isinstance(value, tuple) else value
