"""The options of recurrent layers, and of the transformer beside them, as fields that experiments share."""

import dataclasses
import math
from collections.abc import Callable
from typing import TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from rnn_jax.cells import Cell, make_cell
from rnn_jax.checks import check_choice, check_rate, check_size
from rnn_jax.compose import Bidirectional, RecurrentDropout, Stack
from rnn_jax.models.blocks import Layers, RecurrentBlocks
from rnn_jax.models.transformer import Transformer
from rnn_jax.nnx import Recurrent


@dataclasses.dataclass(frozen=True, kw_only=True)
class RecurrentConfig:
    """Which cell, how large, how many, and how regularised. Experiments inherit these fields into their Config.

    Raises:
        ValueError: a value is out of range.
    """

    cell: str = "gru"
    """A name in rnn_jax.CELLS, or your own as module:Class."""
    hidden_size: int = 256
    """Features of each layer."""
    layers: int = 1
    """Recurrent layers, one above the other."""
    dropout: float = 0.1
    """Rate on the outputs of every layer."""
    dropout_kind: str = "step"
    """step: a new mask at every step; sequence: one for the whole batch."""
    recurrent_dropout: float = 0.0
    """Rate on the hidden state that enters the recurrent product."""
    dtype: str = "float32"
    """Of the computation: float32 or bfloat16; parameters and losses are float32."""

    def __post_init__(self):
        check_size("layers", self.layers)
        check_rate("dropout", self.dropout)
        check_rate("recurrent_dropout", self.recurrent_dropout)
        check_choice("dropout_kind", self.dropout_kind, ("step", "sequence"))
        check_choice("dtype", self.dtype, ("float32", "bfloat16"))
        cell = make_cell(self.cell, 1, self.hidden_size)
        if len(cell.input_shape) > 1:
            raise ValueError(
                f"cell={self.cell!r} reads inputs {list(cell.input_shape)}: expected one that reads vectors"
            )
        getattr(super(), "__post_init__", lambda: None)()  # of the settings beside these in a Config

    def one_cell(self, input_size: int, bidirectional: bool = False) -> Cell:
        """The cell of a layer; with `bidirectional`, one in each direction, with hidden_size features each."""
        cell: Cell = make_cell(self.cell, input_size, self.hidden_size)
        if self.recurrent_dropout:
            cell = RecurrentDropout(cell, self.recurrent_dropout)
        return Bidirectional(cell) if bidirectional else cell

    def stack(self, input_size: int, bidirectional: bool = False) -> Stack:
        """The stack for inputs of some size; see `one_cell`."""
        layers: list[Cell] = []
        for _ in range(self.layers):
            layers.append(self.one_cell(layers[-1].output_size if layers else input_size, bidirectional))
        return Stack(layers, dropout=self.dropout, dropout_kind=self.dropout_kind)


@dataclasses.dataclass(frozen=True, kw_only=True)
class SequenceConfig(RecurrentConfig):
    """Recurrent layers, or a transformer in their place.

    Raises:
        ValueError: a value is out of range.
    """

    model: str = "recurrent"
    """recurrent, or transformer: one of as many parameters, whatever hidden_size says."""
    bidirectional: bool = True
    """Read in both directions, with hidden_size features each; the transformer then sees what comes after, too."""
    blocks: bool = False
    """Put each cell into a residual block with a feed-forward part, as cells linear in their carry need it."""
    heads: int = 4
    """Of the transformer's attention."""
    transformer_layers: int = 2
    """Layers of the transformer."""

    def __post_init__(self):
        check_choice("model", self.model, ("recurrent", "transformer"))
        check_size("heads", self.heads)
        check_size("transformer_layers", self.transformer_layers)
        super().__post_init__()

    @property
    def summary(self) -> str:
        """The model in a few words."""
        if self.model == "transformer":
            return f"transformer, {self.transformer_layers} layers"
        said = f"{self.cell} {self.layers} x {self.hidden_size}"
        return said + ", in blocks" * self.blocks + ", both directions" * self.bidirectional

    def layer(self, input_size: int, rngs: nnx.Rngs) -> Layers:
        """The layers for inputs `[T, B, input_size]`: called as `(xs, lengths=, key=) -> (carry, ys)`."""
        dtype = jnp.dtype(self.dtype)
        if self.model == "transformer":
            return Transformer(
                input_size, self.hidden_size, self.transformer_layers, self.heads, causal=not self.bidirectional,
                dropout_rate=self.dropout, dtype=dtype, rngs=rngs,
            )  # fmt: skip
        if not self.blocks:
            return Recurrent(self.stack(input_size, self.bidirectional), rngs=rngs)
        size = self.one_cell(input_size, self.bidirectional).output_size
        cells = [self.one_cell(size, self.bidirectional) for _ in range(self.layers)]
        return RecurrentBlocks(
            input_size, cells, dropout_rate=self.dropout, dropout_kind=self.dropout_kind, dtype=dtype, rngs=rngs
        )


Settings = TypeVar("Settings", bound=SequenceConfig)
Model = TypeVar("Model", bound=nnx.Module)


def build_matched(settings: Settings, build: Callable[[Settings], Model], tolerance: float = 0.05) -> Model:
    """The model of some settings; a transformer gets the hidden_size at which it is as large as the recurrent model.

    Args:
        settings: with `model` "transformer", of the recurrent model that is to be matched.
        build: from settings to a model.
        tolerance: how far the number of parameters may be from that of the recurrent model, as a part of it.

    Raises:
        ValueError: no hidden_size comes so near.
    """
    if settings.model == "recurrent":
        return build(settings)

    def count(**changes) -> int:
        return _parameters(lambda: build(dataclasses.replace(settings, **changes)))

    target, unit = count(model="recurrent"), math.lcm(2, settings.heads)
    # Kernels grow with the square of the size and biases with the size, so three counts tell all the others.
    sizes = unit * np.array([1, 2, 3])
    square, slope, constant = np.polyfit(sizes, [count(hidden_size=int(size)) for size in sizes], 2)
    wanted = np.roots([square, slope, constant - target]).real.max()
    size = unit * max(1, round(wanted / unit))
    if abs(count(hidden_size=size) - target) > tolerance * target:
        raise ValueError(
            f"no transformer with heads={settings.heads} has within {tolerance:.0%} of {target:,} parameters: the "
            f"nearest, hidden_size={size}, has {count(hidden_size=size):,}; change heads, layers or hidden_size"
        )
    return build(dataclasses.replace(settings, hidden_size=size))


def _parameters(build: Callable[[], nnx.Module]) -> int:
    """How many parameters a model has; nothing is computed."""
    leaves = jax.tree.leaves(nnx.state(nnx.eval_shape(build), nnx.Param))
    return sum(leaf.size for leaf in leaves)
