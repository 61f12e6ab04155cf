"""Two cells, one from the first step to the last and one back."""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from rnn_jax.cells.base import Cell, Composite, Run, check_cell
from rnn_jax.checks import check_choice
from rnn_jax.typing import Carry, Checked, DType, Key, Output, Params


class BidirectionalCarry(NamedTuple):
    """The carries of the two directions."""

    forward: Carry
    backward: Carry


MERGES: dict[str, Callable[[jax.Array, jax.Array], jax.Array]] = {
    "concat": lambda forward, backward: jnp.concatenate([forward, backward], axis=-1),
    "sum": jnp.add,
    "mul": jnp.multiply,
    "ave": lambda forward, backward: (forward + backward) / 2,
}
"""How the outputs of two directions become one, by name."""


@dataclasses.dataclass(frozen=True)
class Bidirectional(Composite):
    """Two cells over the same inputs, one in each direction. Schuster & Paliwal 1997.

    Both directions start inside the valid part of a row. A reset before a step cuts the row there for both: the forward
    cell starts anew at that step, the backward cell at the one before, so that packed sequences stay apart. With `dt`
    the backward cell takes the time to the next step instead of that from the last one, and before its first step that
    of the first step of the row, or of the packed sequence: each is what it would be alone.

    Params: `{"forward", "backward"}`. Carry: `BidirectionalCarry`.

    Args:
        forward: the cell that runs from the first step to the last.
        backward: the cell that runs from the last step to the first; one equal to `forward` by default.
        merge: "concat" joins the outputs on the last axis, forward first; "sum", "mul" and "ave" add, multiply and
            average them.

    Raises:
        ValueError: the two read different inputs, or give outputs that cannot be merged so.
    """

    forward: Cell
    backward: Cell | None = None
    merge: str = dataclasses.field(default="concat", kw_only=True)

    def __post_init__(self):
        forward, backward = self.directions
        check_cell("forward", forward)
        check_cell("backward", backward)
        check_choice("merge", self.merge, tuple(MERGES))
        if self.merge != "concat" and forward.output_size != backward.output_size:
            raise ValueError(
                f"merge={self.merge!r}: outputs of {forward.output_size} and {backward.output_size} features cannot be "
                "merged so; expected the same size"
            )
        if forward.input_shape != backward.input_shape:
            raise ValueError(f"backward has inputs {backward.input_shape}: expected {forward.input_shape}, as forward")

    @property
    def directions(self) -> tuple[Cell, Cell]:
        """The forward and the backward cell."""
        return self.forward, self.forward if self.backward is None else self.backward

    @property
    def input_size(self) -> int:
        return self.forward.input_size

    @property
    def input_shape(self) -> Any:
        return self.forward.input_shape

    @property
    def timed(self) -> bool:
        return any(cell.timed for cell in self.directions)

    @property
    def hidden_size(self) -> int:
        return self.output_size

    @property
    def output_size(self) -> int:
        forward, backward = self.directions
        return forward.output_size + backward.output_size if self.merge == "concat" else forward.output_size

    @property
    def methods(self) -> tuple[str, ...]:
        forward, backward = self.directions
        return tuple(m for m in forward.methods if m in backward.methods)

    def init(self, key: Key, param_dtype: DType = jnp.float32) -> Params:
        keys = jax.random.split(key)
        forward, backward = (cell.init(k, param_dtype) for cell, k in zip(self.directions, keys, strict=True))
        return {"forward": forward, "backward": backward}

    def initial_carry(self, batch_shape: tuple[int, ...] = (), dtype: DType = jnp.float32) -> BidirectionalCarry:
        return BidirectionalCarry(*(cell.initial_carry(batch_shape, dtype) for cell in self.directions))

    def start(
        self, params: Params, batch_shape: tuple[int, ...] = (), dtype: DType = jnp.float32
    ) -> BidirectionalCarry:
        forward, backward = self.directions
        return BidirectionalCarry(
            forward.start(params["forward"], batch_shape, dtype), backward.start(params["backward"], batch_shape, dtype)
        )

    def unroll_parts(
        self, run: Run, params: Params, xs: Checked[Any, "T *B D"], carry: Carry, reverse: bool, key: Key | None
    ) -> tuple[Carry, Output]:
        forward, backward = self.directions
        keys = (None, None) if key is None else jax.random.split(key)
        forward_carry, forward_ys = run(forward, params["forward"], xs, carry[0], reverse, keys[0])
        backward_carry, backward_ys = run(backward, params["backward"], xs, carry[1], not reverse, keys[1])
        return BidirectionalCarry(forward_carry, backward_carry), MERGES[self.merge](forward_ys, backward_ys)

    def trainable(self, params: Params) -> Params:
        forward, backward = self.directions
        return {"forward": forward.trainable(params["forward"]), "backward": backward.trainable(params["backward"])}

    def __call__(
        self, params: Params, carry: Carry, x: Checked[Any, "*B D"], dt: Checked[Any, "*B"] = None
    ) -> tuple[Carry, Output]:
        raise ValueError(
            "a Bidirectional cell cannot be streamed: its backward direction starts at the last step, "
            "which a stream has not seen yet; use unroll on the whole sequence"
        )
