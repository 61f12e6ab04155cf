"""Configs of recurrent layers and encoder-decoders, and of the transformers beside them; parts of one's own config."""

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
from rnn_jax.models.attention import KINDS
from rnn_jax.models.blocks import Layers, RecurrentBlocks
from rnn_jax.models.encoder_decoder import EncoderDecoder, Reader
from rnn_jax.models.transformer import Transformer
from rnn_jax.models.transformer_decoder import TransformerEncoderDecoder
from rnn_jax.nnx import Recurrent
from rnn_jax.typing import Array, Key, Num


@dataclasses.dataclass(frozen=True, kw_only=True)
class RecurrentConfig:
    """Which cell, how large, how many, and how regularised.

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

    @property
    def summary(self) -> str:
        """The layers in a few words."""
        return f"{self.cell} {self.layers} x {self.hidden_size}"

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
    def architecture(self) -> str:
        """The kind of the model, with the cell and its sizes: what it is called in a list of results."""
        return "transformer" if self.model == "transformer" else super().summary

    @property
    def summary(self) -> str:
        """The model in a few words."""
        if self.model == "transformer":
            return f"transformer, {self.transformer_layers} layers"
        return self.architecture + ", in blocks" * self.blocks + ", both directions" * self.bidirectional

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


@dataclasses.dataclass(frozen=True, kw_only=True)
class EncoderDecoderConfig(SequenceConfig):
    """An encoder-decoder of recurrent layers, or of transformer layers with as many parameters.

    Raises:
        ValueError: a value is out of range.
    """

    attention: str = "multiplicative"
    """additive (Bahdanau) or multiplicative (Luong)."""
    embedding_size: int = 256
    """Features of an embedded token, and of what is scored."""
    embedding_dropout: float = 0.2
    """Rate on embedded tokens, one mask for a whole sequence."""

    def __post_init__(self):
        check_choice("attention", self.attention, KINDS)
        check_size("embedding_size", self.embedding_size)
        check_rate("embedding_dropout", self.embedding_dropout)
        super().__post_init__()

    @property
    def decoder_size(self) -> int:
        """Features of each decoder layer: as many as both directions of the encoder together."""
        return self.hidden_size * (2 if self.bidirectional else 1)

    def encoder_decoder(
        self,
        vocabulary_size: int,
        key: Key,
        counts: Num[Array, "V"] | None = None,
        make_reader: Callable[[int, nnx.Rngs], Reader] | None = None,
    ) -> EncoderDecoder | TransformerEncoderDecoder:
        """The model, its parameters drawn with `key`.

        Args:
            vocabulary_size: V.
            key: a typed key.
            counts: how often each token is a target, int `[V]`: where scores begin (see `TiedEmbedding.init_bias`).
            make_reader: from embedding_size to the reader of a source that is not tokens.

        Raises:
            ValueError: `blocks` is set.
        """
        if self.blocks:
            raise ValueError("blocks=True: an encoder-decoder has layers of cells without blocks; leave it out")

        def build(config: "EncoderDecoderConfig") -> EncoderDecoder | TransformerEncoderDecoder:
            size, rngs = config.embedding_size, nnx.Rngs(params=key)
            options = {
                "reader": make_reader(size, rngs) if make_reader else None,
                "dropout_rate": config.dropout,
                "embedding_dropout": config.embedding_dropout,
                "dtype": jnp.dtype(config.dtype),
                "rngs": rngs,
            }
            if config.model == "transformer":
                return TransformerEncoderDecoder(
                    vocabulary_size, size, config.hidden_size, config.transformer_layers, config.heads, **options
                )
            encoder = config.stack(size, config.bidirectional)
            decoder = dataclasses.replace(config, hidden_size=config.decoder_size).stack(2 * size)
            return EncoderDecoder(vocabulary_size, encoder, decoder, attention=config.attention, **options)

        model = build_matched(self, build)
        if counts is not None:
            model.tokens.init_bias(counts)
        return model


Config = TypeVar("Config", bound=SequenceConfig)
Model = TypeVar("Model", bound=nnx.Module)


def build_matched(config: Config, build: Callable[[Config], Model], tolerance: float = 0.05) -> Model:
    """The model of a config; a transformer gets the hidden_size at which it is as large as the recurrent model.

    Args:
        config: with `model` "transformer", of the recurrent model that is to be matched.
        build: from a config to a model.
        tolerance: how far the number of parameters may be from that of the recurrent model, as a part of it.

    Raises:
        ValueError: no hidden_size comes so near.
    """
    if config.model == "recurrent":
        return build(config)

    def count(**changes) -> int:
        return _parameters(lambda: build(dataclasses.replace(config, **changes)))

    target, unit = count(model="recurrent"), math.lcm(2, config.heads)
    # Kernels grow with the square of the size and biases with the size, so three counts tell all the others.
    sizes = unit * np.array([1, 2, 3])
    square, slope, constant = np.polyfit(sizes, [count(hidden_size=int(size)) for size in sizes], 2)
    matched = np.roots([square, slope, constant - target]).real.max()
    size = unit * max(1, round(matched / unit))
    if abs(count(hidden_size=size) - target) > tolerance * target:
        raise ValueError(
            f"no transformer with heads={config.heads} has within {tolerance:.0%} of {target:,} parameters: the "
            f"nearest, hidden_size={size}, has {count(hidden_size=size):,}; change heads, layers or hidden_size"
        )
    return build(dataclasses.replace(config, hidden_size=size))


def _parameters(build: Callable[[], nnx.Module]) -> int:
    """How many parameters a model has; nothing is computed."""
    leaves = jax.tree.leaves(nnx.state(nnx.eval_shape(build), nnx.Param))
    return sum(leaf.size for leaf in leaves)
