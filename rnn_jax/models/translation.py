"""What one does with an encoder-decoder over subwords: score pairs, write, translate, see where it looks."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rnn_jax.data.padding import pad
from rnn_jax.data.parallel import teacher_forcing
from rnn_jax.data.subwords import Subwords
from rnn_jax.data.vocabulary import BEGIN, END, PAD, UNKNOWN
from rnn_jax.decoding import beam_search, greedy_search, repeat_rows
from rnn_jax.losses import token_cross_entropy
from rnn_jax.models.encoder_decoder import EncoderDecoder
from rnn_jax.models.transformer_decoder import TransformerEncoderDecoder
from rnn_jax.typing import Params

Model = EncoderDecoder | TransformerEncoderDecoder
Rebuild = Callable[[Params], Model]


def target_nats(
    model: Callable[..., jax.Array], batch: dict[str, Any], key: jax.Array | None = None, smoothing: float = 0.0
) -> tuple[jax.Array, jax.Array]:
    """The summed nats of the targets of a batch, their ends included, and how many tokens they have.

    Args:
        model: either encoder-decoder.
        batch: from `rnn_jax.data.parallel`.
        key: training, with dropout.
        smoothing: of the labels; see `token_cross_entropy`.
    """
    logits = model(batch["source"], batch["source_lengths"], batch["inputs"], key=key)
    counts = jnp.arange(len(logits))[:, None] < jnp.asarray(batch["target_lengths"])[None]
    return token_cross_entropy(logits, batch["targets"], counts, smoothing=smoothing)


def make_writer(
    rebuild: Rebuild, *, beams: int = 5, alpha: float = 1.0, rows: int = 64, unit: int = 8
) -> Callable[[Params, Sequence[np.ndarray]], list[np.ndarray]]:
    """A function from parameters and sources to what the model writes for each, without begin and end.

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
    def write(params: Params, source: jax.Array, lengths: jax.Array) -> jax.Array:
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

    def write_all(params: Params, sources: Sequence[np.ndarray]) -> list[np.ndarray]:
        if not all(len(source) for source in sources):
            raise ValueError("sources has an empty one: expected at least one token in each")
        order = np.argsort([len(source) for source in sources], kind="stable").tolist()
        written: list[np.ndarray] = [np.zeros(0, np.int32)] * len(sources)
        for start in range(0, len(order), rows):
            chosen = order[start : start + rows]
            full = np.resize(chosen, rows).tolist()  # the rest repeats the first ones
            longest = max(len(sources[k]) for k in chosen)
            source = pad([sources[k] for k in full], -(-longest // unit) * unit)
            for k, tokens in zip(chosen, np.asarray(write(params, *source)), strict=False):
                ends = np.flatnonzero(tokens == END)
                written[k] = tokens[: ends[0]] if len(ends) else tokens
        return written

    return write_all


def translate_texts(
    write: Callable[[Params, Sequence[np.ndarray]], list[np.ndarray]],
    params: Params,
    subwords: Subwords,
    texts: Sequence[str],
    longest: int = 400,
) -> list[str]:
    """What a model makes of texts; nothing of an empty one.

    Args:
        write: from `make_writer`.
        params: of the model.
        subwords: of the model.
        texts: a sentence each.
        longest: subwords of a text at most.

    Raises:
        ValueError: a text is longer.
    """
    sources = [subwords.encode(text) for text in texts]
    for text, source in zip(texts, sources, strict=True):
        if len(source) > longest:
            raise ValueError(
                f"text {text[:40]!r}… has {len(source):,} subwords: expected at most {longest}; give a sentence a line"
            )
    full = [k for k, source in enumerate(sources) if len(source)]
    written = dict(zip(full, write(params, [sources[k] for k in full]), strict=True))
    return [subwords.decode(written[k]) if k in written else "" for k in range(len(texts))]


def align_text(
    model: Model, subwords: Subwords, source: str, target: str
) -> tuple[tuple[list[str], list[str]], np.ndarray]:
    """The subwords of a source and of a target with its end, and the weights of attention `[T, S]` between them."""
    batch = teacher_forcing([subwords.encode(source)], [subwords.encode(target)], None)
    weights = model.align(batch["source"], batch["source_lengths"], batch["inputs"])
    pieces = subwords.pieces(source), [*subwords.pieces(target), "(end)"]
    return pieces, np.asarray(weights[: len(pieces[1]), 0, : len(pieces[0])])
