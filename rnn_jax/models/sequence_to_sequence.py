"""Training an encoder-decoder and generating with it: the loss of targets, greedy and beam search over many sources."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rnn_jax.data import BEGIN, END, PAD, UNKNOWN, pad
from rnn_jax.decoding import beam_search, greedy_search, repeat_rows
from rnn_jax.losses import Total, token_cross_entropy
from rnn_jax.models.encoder_decoder import EncoderDecoder
from rnn_jax.models.transformer_decoder import TransformerEncoderDecoder
from rnn_jax.typing import Key, Params


def target_nats(
    model: Callable[..., jax.Array], batch: dict[str, Any], key: Key | None = None, smoothing: float = 0.0
) -> Total:
    """The summed nats of the targets of a batch, their ends included, and how many tokens they have.

    Args:
        model: either encoder-decoder.
        batch: of `rnn_jax.data.teacher_forcing`.
        key: training, with dropout.
        smoothing: of the labels; see `token_cross_entropy`.
    """
    logits = model(batch["source"], batch["source_lengths"], batch["inputs"], key=key)
    counts = jnp.arange(logits.shape[0])[:, None] < jnp.asarray(batch["target_lengths"])[None]
    return token_cross_entropy(logits, batch["targets"], counts, smoothing=smoothing)


def make_generate(
    rebuild: Callable[[Params], EncoderDecoder | TransformerEncoderDecoder],
    *,
    beams: int = 5,
    alpha: float = 1.0,
    rows: int = 64,
    unit: int = 8,
) -> Callable[[Params, Sequence[np.ndarray]], list[np.ndarray]]:
    """A function from parameters and sources to the tokens that the model generates for each, without begin and end.

    Sources of similar length are read together, padded to a multiple of `unit` steps, so that few shapes are compiled.
    A text may have 10 tokens more than one and a half times those of its source.

    Args:
        rebuild: from `rnn_jax.nnx.functional`.
        beams: open sequences; 1 is greedy search.
        alpha: of the length penalty; see `beam_search`.
        rows: sources at once.
        unit: of padding.
    """

    @jax.jit
    def search(params: Params, source: jax.Array, lengths: jax.Array) -> jax.Array:
        model: Any = rebuild(params)
        steps = source.shape[0] * 3 // 2 + 10
        memory = model.encode(source, lengths)
        options: dict[str, Any] = {"begin": BEGIN, "end": END, "steps": steps, "forbidden": (PAD, UNKNOWN, BEGIN)}
        carry = model.start(memory, steps)
        if beams == 1:
            return greedy_search(lambda c, token: model.step(memory, c, token), carry, **options).tokens[:, 0]
        repeated = repeat_rows(memory, beams)
        step = lambda c, token: model.step(repeated, c, token)  # noqa: E731
        return beam_search(step, carry, beams=beams, alpha=alpha, **options).tokens[:, 0]

    def generate(params: Params, sources: Sequence[np.ndarray]) -> list[np.ndarray]:
        if not all(len(source) for source in sources):
            raise ValueError("sources has an empty one: expected at least one token in each")
        order = np.argsort([len(source) for source in sources], kind="stable").tolist()
        generated: list[np.ndarray] = [np.zeros(0, np.int32)] * len(sources)
        for start in range(0, len(order), rows):
            chosen = order[start : start + rows]
            full = np.resize(chosen, rows).tolist()  # the rest repeats the first ones
            longest = max(len(sources[k]) for k in chosen)
            source = pad([sources[k] for k in full], -(-longest // unit) * unit)
            for k, tokens in zip(chosen, np.asarray(search(params, *source)), strict=False):
                ends = np.flatnonzero(tokens == END)
                generated[k] = tokens[: ends[0]] if len(ends) else tokens
        return generated

    return generate
