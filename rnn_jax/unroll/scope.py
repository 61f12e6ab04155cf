"""What every method needs to know about a sequence beside its inputs, and how rows are selected."""

import dataclasses
from collections.abc import Set
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import AxisType, PartitionSpec

from rnn_jax.cells.base import Cell
from rnn_jax.typing import Bool, Carry, Float, Int, Key, Shaped


@dataclasses.dataclass(frozen=True)
class Scope:
    """The masks and options of one `unroll`, shared by all parts of a composite.

    Attributes:
        length: T.
        batch_shape: B.
        valid: bool `[T, B]`, true where a step is taken; None where all are.
        resets: bool `[T, B]`, true where the carry starts anew; None where it never does.
        checkpoint_every: steps between two kept carries; None keeps all.
        rows: how B lies on a mesh with explicit axes; None elsewhere.
        gaps: whether steps before a valid one may not be valid; without, each row has a length.
        dt: `[T, B]`, the time that passes before each step, which stands in the inputs of cells that are timed; None
            where no cell is told.
        carries: whether the carries after all steps are asked for.
        initial: the carry that resets go back to, `[B, ...]`; None for the cell's own.
    """

    length: int
    batch_shape: tuple[int, ...]
    valid: Bool[jax.Array, "T *B"] | None
    resets: Bool[jax.Array, "T *B"] | None
    checkpoint_every: int | None
    rows: PartitionSpec | None = None
    gaps: bool = False
    dt: Float[jax.Array, "T *B"] | None = None
    carries: bool = False
    initial: Carry = None

    @property
    def learned_resets(self) -> bool:
        """Whether resets go back to a carry that a gradient may be taken by."""
        return self.initial is not None and self.resets is not None

    def noise(self, cell: Cell, key: Key | None) -> Any:
        """What is random in the steps of `cell`, `[T, B, ...]`, placed as the rows are; None without a key."""
        noise = None if key is None else cell.noise(key, self.length, self.batch_shape)
        return rows_placed(self.rows, noise, 1)

    def start(self, cell: Cell, carry: Carry) -> Carry:
        """The carry that resets put in place, in the dtypes of `carry` and placed as it is."""
        start = cell.initial_carry(self.batch_shape) if self.initial is None else self.initial
        start = jax.tree.map(lambda s, c: s.astype(c.dtype), start, carry)
        return placed_like(carry, start, self.rows)

    def against(self, reverse: bool) -> "Scope":
        """The scope of a part that runs the other way.

        A reset cuts a row in two before a step: whoever comes from the other side starts anew at the step on the other
        side of the cut. The time between two steps is the same from either side.

        Args:
            reverse: the direction of the other parts.
        """
        dt = None if self.dt is None else self._dt_against(reverse)
        if self.resets is None:
            return dataclasses.replace(self, dt=dt)
        resets = self.resets if self.valid is None else self.resets & self.valid
        if self.gaps:
            assert self.valid is not None
            moved = of_next_valid(resets, self.valid, not reverse, False)
        else:
            nowhere = jnp.zeros_like(resets[:1])
            moved = jnp.concatenate([nowhere, resets[:-1]] if reverse else [resets[1:], nowhere])
        return dataclasses.replace(self, resets=moved, dt=dt)

    def _dt_against(self, reverse: bool) -> Float[jax.Array, "T *B"]:
        """For each step the dt of the step taken after it; for the last one of a segment, that of the first."""
        assert self.dt is not None
        if self.length == 0 or (self.valid is None and self.resets is None):
            return jnp.roll(self.dt, 1 if reverse else -1, axis=0)
        valid = jnp.ones_like(self.dt, bool) if self.valid is None else self.valid
        starts = ~of_next_valid(valid, valid, reverse, False)
        starts = valid & (starts if self.resets is None else starts | self.resets)
        own_first = jnp.where(starts, self.dt, of_next_valid(self.dt, starts, reverse, 1))
        is_last = of_next_valid(starts, valid, not reverse, True)
        return jnp.where(is_last, own_first, of_next_valid(self.dt, valid, not reverse, 1))


def is_known(scope: Scope) -> bool:
    """Whether T and B are numbers; in `jax.export` they may be symbols, which cannot be compared."""
    return all(isinstance(size, int) for size in (scope.length, *scope.batch_shape))


def of_next_valid(
    values: Shaped[jax.Array, "T *B"], valid: Bool[jax.Array, "T *B"], later: bool, other: Any
) -> Shaped[jax.Array, "T *B"]:
    """At each step the value at the next valid step after it, or the last one before it; `other` where there is none.

    Args:
        values: of each step.
        valid: which steps are.
        later: whether the next one is meant.
        other: a scalar.
    """

    def nearer(far: Any, near: Any) -> Any:
        return far[0] | near[0], jnp.where(near[0], near[1], far[1])

    found, nearest = jax.lax.associative_scan(nearer, (valid, values), reverse=later)
    none, nothing = jnp.zeros_like(found[:1]), jnp.zeros_like(nearest[:1])
    if later:
        found, nearest = jnp.concatenate([found[1:], none]), jnp.concatenate([nearest[1:], nothing])
    else:
        found, nearest = jnp.concatenate([none, found[:-1]]), jnp.concatenate([nothing, nearest[:-1]])
    return jnp.where(found, nearest, jnp.full_like(nearest, other))


def boundaries(
    segment_ids: Int[jax.Array, "T *B"], reverse: bool, valid: Bool[jax.Array, "T *B"] | None = None
) -> Bool[jax.Array, "T *B"]:
    """True at the first step of each segment but the first, in the order of steps; with `valid`, of those alone."""
    if valid is not None and len(segment_ids):
        before = of_next_valid(segment_ids, valid, reverse, 0)
        first = ~of_next_valid(valid, valid, reverse, False)
        return valid & ~first & (segment_ids != before)
    nowhere, changes = jnp.zeros_like(segment_ids[:1], bool), segment_ids[1:] != segment_ids[:-1]
    return jnp.concatenate([changes, nowhere] if reverse else [nowhere, changes])


def placed_like(others: Any, carry: Carry, rows: PartitionSpec | None) -> Carry:
    """`carry` as a loop over `others` needs it in the work of several devices.

    In `jax.shard_map` a loop carries what varies over all mesh axes that anything it reads varies over. Where shardings
    are explicit, the rows of a carry lie where those of the inputs lie.

    Args:
        others: all that the loop reads.
        carry: what enters the loop, `[B, ...]`.
        rows: of the inputs, see `rows_of`.
    """
    return rows_placed(rows, vary(carry, varying_axes(others)), 0)


def rows_of(xs: Any, batch_dims: int) -> PartitionSpec | None:
    """How the rows of inputs `[T, B, ...]` with so many dims B lie on a mesh with explicit axes; None elsewhere."""
    spec = next(map(_explicit, jax.tree.leaves(xs)), None)
    return None if spec is None else PartitionSpec(*spec[1 : 1 + batch_dims])


def rows_placed(rows: PartitionSpec | None, tree: Any, first: int) -> Any:
    """Arrays whose rows, from the dim `first` on, lie as `rows` says."""
    if rows is None:
        return tree

    def place(leaf: jax.Array) -> jax.Array:
        others = leaf.ndim - first - len(rows)
        return jax.reshard(leaf, PartitionSpec(*(None,) * first, *rows, *(None,) * others))

    return jax.tree.map(place, tree)


def spread_like(a: Shaped[jax.Array, "..."], like: Shaped[jax.Array, "*B n"]) -> Shaped[jax.Array, "*B n"]:
    """`a` in the shape of `like`, and over devices as it is."""
    spec = _explicit(like)
    a = jnp.broadcast_to(a, like.shape) if spec is None else jnp.broadcast_to(a, like.shape, out_sharding=spec)
    return vary(a, varying_axes(like))


def vary(tree: Any, axes: Set[str]) -> Any:
    """A tree whose arrays vary over these mesh axes of a `jax.shard_map` at least."""

    def cast(leaf: jax.Array) -> jax.Array:
        missing = tuple(sorted(axes - varying_axes(leaf)))
        return jax.lax.pcast(leaf, missing, to="varying") if missing else leaf

    return jax.tree.map(cast, tree)


def varying_axes(tree: Any) -> frozenset[str]:
    """The mesh axes of a `jax.shard_map` that any array of a tree varies over."""
    return frozenset().union(*(jax.typeof(leaf).manual_axis_type.varying for leaf in jax.tree.leaves(tree)))


def _explicit(leaf: jax.Array) -> PartitionSpec | None:
    """The sharding of an array over a mesh with explicit axes; None elsewhere."""
    sharding = jax.typeof(leaf).sharding
    return sharding.spec if AxisType.Explicit in sharding.mesh.axis_types else None


def where_rows(mask: Bool[jax.Array, "*B"], on: Any, off: Any) -> Any:
    """`on` in the rows where `mask` is true, `off` elsewhere: leaf by leaf, over the trailing dims of each."""

    def select(on: jax.Array, off: jax.Array) -> jax.Array:
        rows = mask.reshape(mask.shape + (1,) * (on.ndim - mask.ndim))
        return jnp.where(jnp.broadcast_to(rows, on.shape), on, off)

    return jax.tree.map(select, on, off)
