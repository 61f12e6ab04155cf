"""Long sequences in segments: only the carries between them are kept for the gradient."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from rnn_jax.typing import Carry

Segment = Callable[[Carry, Any], tuple[Carry, Any]]


def in_segments(segment: Segment, carry: Carry, inputs: Any, every: int | None, reverse: bool):
    """`segment(carry, inputs)` over stretches of `every` steps; inputs, and what it gives of each, are `[T, ...]`.

    The last steps of a sequence that does not divide are one more segment. None, or more steps than there are, is one
    segment of all, whose steps are kept.
    """
    length = jax.tree.leaves(inputs)[0].shape[0]
    # A symbol, as T may be in `jax.export`, cannot be compared; a program that is exported has no gradient to keep for.
    if every is None or not isinstance(length, int) or every >= length:
        return segment(carry, inputs)
    segment = jax.checkpoint(segment)
    whole = length // every * every
    rest = whole < length
    body = jax.tree.map(lambda a: a[:whole].reshape(length // every, every, *a.shape[1:]), inputs)
    tail = jax.tree.map(lambda a: a[whole:], inputs)
    tail_ys = None
    if reverse and rest:
        carry, tail_ys = segment(carry, tail)
    carry, ys = jax.lax.scan(segment, carry, body, reverse=reverse)
    ys = jax.tree.map(lambda a: a.reshape(whole, *a.shape[2:]), ys)
    if not reverse and rest:
        carry, tail_ys = segment(carry, tail)
    return carry, ys if tail_ys is None else jax.tree.map(lambda *parts: jnp.concatenate(parts), ys, tail_ys)
