"""A window that is read, and answered, in segments of several steps: SegRNN."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from rnn_jax.checks import check_size
from rnn_jax.compose import dropout
from rnn_jax.nnx import Recurrent
from rnn_jax.typing import Array


class SegmentReader(nnx.Module):
    """n = L / w segments of a window to the numbers of m = H / w segments after it (Lin et al. 2023, arXiv:2308.11200).

        x̃  = x − x_L                                   the target's last value taken off, which a forecast gets back
        z_i = ReLU(W_e x̃_{(i−1)w+1..iw} + b_e)         i = 1..n
        h_i = cell(h_{i−1}, z_i)                        h_0 the cell's own
        g_j = cell(h_n, [p_j; c])                       j = 1..m, side by side: each segment from what was read
        ŷ_j = W_p dropout(g_j) + b_p

    p_j is the embedding of a place, c that of the series (of the channel, as the paper calls it) and of other words.
    Segments hold all features of their steps; with the target alone it is the model of the paper, "each channel on its
    own". Here c has as many features as any embedded word and p_j has the rest, where the paper gives each half; and
    W_p begins at zero, as the scores of every forecaster do.

    Args:
        layer: the cell, H features to H.
        input_size: F, features of a step; the last ones are embedded words.
        words: E, how many of them are.
        segment: w.
        window: L.
        horizon: H.
        size: K, numbers for each step ahead.
        centred: whether the last value of the first feature is taken off it.
        dropout_rate: in training.
        dtype: of the computation.
        rngs: the stream `params` (or `default`) draws the parameters.

    Raises:
        ValueError: segments do not fit, or words leave no room for places.
    """

    def __init__(
        self,
        layer: Recurrent,
        input_size: int,
        *,
        words: int = 0,
        segment: int,
        window: int,
        horizon: int,
        size: int,
        centred: bool = True,
        dropout_rate: float = 0.0,
        dtype: Any = jnp.float32,
        rngs: nnx.Rngs,
    ):
        check_segment(segment, window, horizon)
        hidden = layer.input_size
        if words >= hidden:
            raise ValueError(f"hidden_size={hidden}: embedded words have {words} features: expected more than these")
        self.layer, self.input_size, self.words, self.segment = layer, input_size, words, segment
        self.output_size, self.dtype = layer.output_size, dtype
        self.centred, self.dropout_rate = centred, dropout_rate
        self.embed = nnx.Linear(segment * (input_size - words), hidden, dtype=dtype, rngs=rngs)
        self.places = nnx.Param(jax.random.normal(rngs.params(), (horizon // segment, hidden - words)))
        zeros = nnx.initializers.zeros
        self.score = nnx.Linear(layer.output_size, segment * size, kernel_init=zeros, dtype=dtype, rngs=rngs)

    def read(self, inputs: Array, lengths: Array | None = None, *, key: jax.Array | None = None) -> jax.Array:
        """What is scored of each segment to come, `[B, m, F]`, after windows `[L, B, F]`; `lengths` are all L."""
        keys = (None,) * 3 if key is None else tuple(jax.random.split(key, 3))
        xs = jnp.asarray(inputs, self.dtype)
        words, xs = xs[-1, :, xs.shape[2] - self.words :], xs[..., : xs.shape[2] - self.words]
        if self.centred:
            xs = xs.at[..., 0].add(-xs[-1, :, 0])
        segments = xs.reshape(-1, self.segment, *xs.shape[1:])  # [n, w, B, F]
        segments = jnp.moveaxis(segments, 1, 2).reshape(len(segments), xs.shape[1], -1)
        carry = self.layer(jax.nn.relu(self.embed(segments)), key=keys[0]).carry
        count, batch = self.places[...].shape[0], xs.shape[1]
        carries = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (count, *leaf.shape)), carry)
        places = jnp.asarray(self.places[...], self.dtype)[:, None]
        query = jnp.concatenate(
            [jnp.broadcast_to(places, (count, batch, places.shape[2])), jnp.broadcast_to(words, (count, *words.shape))],
            axis=-1,
        )
        answers = self.layer(query[None], carries, key=keys[1]).ys[0]
        return dropout(keys[2], jnp.swapaxes(answers, 0, 1), self.dropout_rate)


def check_segment(segment: int, window: int, horizon: int) -> None:
    """See to it that a window and a horizon are whole segments.

    Raises:
        ValueError: one of them is not.
    """
    check_size("segment", segment)
    for name, steps in (("window", window), ("horizon", horizon)):
        if steps % segment:
            raise ValueError(f"segment={segment}: expected a divisor of {name}={steps}, which is read whole")
