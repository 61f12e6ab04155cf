"""What every method needs to know about a sequence beside its inputs, and how rows are selected."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from rnn_jax.cells.base import Cell
from rnn_jax.typing import Bool, Carry


@dataclasses.dataclass(frozen=True)
class Scope:
    """The masks and options of one `unroll`, shared by all parts of a composite.

    Attributes:
        batch_shape: B.
        valid: bool `[T, B]`, true before each row's length; None where all steps are valid.
        resets: bool `[T, B]`, true where the carry starts anew; None where it never does.
        checkpoint_every: steps between two kept carries; None keeps all.
    """

    batch_shape: tuple[int, ...]
    valid: Bool[jax.Array, "T *B"] | None
    resets: Bool[jax.Array, "T *B"] | None
    checkpoint_every: int | None

    def start(self, cell: Cell, carry: Carry) -> Carry:
        """The initial carry of `cell`, in the dtypes of `carry`."""
        return jax.tree.map(lambda s, c: s.astype(c.dtype), cell.initial_carry(self.batch_shape), carry)


def where_rows(mask: Bool[jax.Array, "*B"], on: Any, off: Any) -> Any:
    """`on` in the rows where `mask` is true, `off` elsewhere: leaf by leaf, over the trailing dims of each."""

    def select(on: jax.Array, off: jax.Array) -> jax.Array:
        rows = mask.reshape(mask.shape + (1,) * (on.ndim - mask.ndim))
        return jnp.where(jnp.broadcast_to(rows, on.shape), on, off)

    return jax.tree.map(select, on, off)
