"""What predictors of encoder-decoders share: the arrays that these take, and how unlikely it is what they write."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.common.prediction import Input, padded
from rnn_jax.data import BEGIN, END, PAD, UNKNOWN
from rnn_jax.losses import token_cross_entropy

WRITER_INPUTS: Mapping[str, Input] = {
    "source": Input("source_time, batch", "int32"),
    "source_lengths": Input("batch", "int32"),
    "inputs": Input("time, batch", "int32"),
}
"""Of an encoder-decoder, from tokens to logits of tokens."""

WRITER_ARRAYS: Mapping[str, Any] = {
    "arrays": {
        "source": "tokens of what is read, padding after them",
        "source_lengths": "how many they are, 1 or more",
        "inputs": "begin, then the tokens written so far",
    },
    "tokens": {"padding": PAD, "unknown": UNKNOWN, "begin": BEGIN, "end": END},
    "outputs": "float32 [time, batch, token], logits of what follows each of `inputs`",
}
"""The same in words."""


def search_in_words(beams: int, alpha: float, steps: int | str) -> dict[str, Any]:
    """How what is written is searched for, see `rnn_jax.decoding.beam_search`."""
    return {
        "beams": beams,
        "score": "log p / ((5 + tokens) / 6) ** alpha, the end counted; the best of all that have ended",
        "alpha": alpha,
        "steps": steps,
        "never written": ["padding", "unknown", "begin"],
    }


def before_writing(sources: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays of `WRITER_INPUTS` for tokens int `[n]` of sources of which nothing is written yet."""
    source, lengths = padded(sources)
    return {"source": source, "source_lengths": lengths, "inputs": np.full_like(source[:1], BEGIN)}


def make_target_nats(program: Callable[..., jax.Array]) -> Callable[..., np.ndarray]:
    """A function of sources and targets, tokens int `[n]` each, to the nats of each target, float32 `[N]`.

    Args:
        program: from the arrays of `WRITER_INPUTS` to logits `[T, B, V]`.
    """

    @jax.jit
    def nats(targets: jax.Array, lengths: jax.Array, **arrays: jax.Array) -> jax.Array:
        logits = program(**arrays)
        counts = jnp.arange(logits.shape[0])[:, None] < lengths
        return jax.vmap(lambda *row: token_cross_entropy(*row)[0], in_axes=1)(logits, targets, counts)

    def target_nats(sources: Sequence[np.ndarray], targets: Sequence[np.ndarray]) -> np.ndarray:
        right, lengths = padded(targets)
        inputs = np.concatenate([np.full_like(right[:1], BEGIN), right[:-1]])
        arrays = before_writing(sources) | {"inputs": inputs}
        return np.asarray(nats(right, lengths, **arrays))[: len(sources)]

    return target_nats
