"""What one does with an encoder-decoder over subwords: translate texts, see where it looks."""

from collections.abc import Callable, Sequence

import numpy as np

from rnn_jax.data import Subwords, teacher_forcing
from rnn_jax.models import EncoderDecoder, TransformerEncoderDecoder
from rnn_jax.typing import Params


def encode_sources(subwords: Subwords, texts: Sequence[str], longest: int = 400) -> list[np.ndarray]:
    """The subwords of texts; ValueError where one has more than `longest`."""
    sources = [subwords.encode(text) for text in texts]
    for text, source in zip(texts, sources, strict=True):
        if len(source) > longest:
            raise ValueError(
                f"text {text[:40]!r}… has {len(source):,} subwords: expected at most {longest}; give a sentence a line"
            )
    return sources


def translate_texts(
    generate: Callable[[Params, Sequence[np.ndarray]], list[np.ndarray]],
    params: Params,
    subwords: Subwords,
    texts: Sequence[str],
    longest: int = 400,
) -> list[str]:
    """What a model makes of texts; nothing of an empty one.

    Args:
        generate: from `rnn_jax.models.make_generate`.
        params: of the model.
        subwords: of the model.
        texts: a sentence each.
        longest: subwords of a text at most.

    Raises:
        ValueError: a text is longer.
    """
    sources = encode_sources(subwords, texts, longest)
    full = [k for k, source in enumerate(sources) if len(source)]
    written = dict(zip(full, generate(params, [sources[k] for k in full]), strict=True))
    return [subwords.decode(written[k]) if k in written else "" for k in range(len(texts))]


def align_text(
    model: EncoderDecoder | TransformerEncoderDecoder, subwords: Subwords, source: str, target: str
) -> tuple[tuple[list[str], list[str]], np.ndarray]:
    """The subwords of a source and of a target with its end, and the weights of attention `[T, S]` between them."""
    batch = teacher_forcing([subwords.encode(source)], [subwords.encode(target)])
    weights = model.align(batch["source"], batch["source_lengths"], batch["inputs"])
    pieces = subwords.pieces(source), [*subwords.pieces(target), "(end)"]
    return pieces, np.asarray(weights[: len(pieces[1]), 0, : len(pieces[0])])
