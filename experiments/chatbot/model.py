"""Around models of dialogue: contexts and replies as tokens, training batches, vectors of many texts."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from experiments.chatbot.data import Pair, normal_form
from rnn_jax.data import END, BucketBatches, Subwords, Words, pad
from rnn_jax.typing import Params

Rebuild = Callable[[Params], Callable[..., jax.Array]]

PAIR_AXES: dict[str, int | None] = {
    "contexts": 1, "context_lengths": 0, "replies": 1, "reply_lengths": 0, "texts": 0,
}  # fmt: skip


class TurnTokens:
    """Turns of conversations as tokens, never none and never more than `longest`.

    Args:
        tokenizer: `Words` or `Subwords`.
        longest: tokens of a context and of a reply, at most.
    """

    def __init__(self, tokenizer: Words | Subwords, longest: int):
        self.tokenizer, self.longest = tokenizer, longest

    def context(self, turns: Sequence[str]) -> np.ndarray:
        """The turns, each with an end after it; of too many tokens the last."""
        return np.concatenate([self._ended(turn) for turn in turns])[-self.longest :]

    def reply(self, turn: str) -> np.ndarray:
        """A turn and its end; of too many tokens the first."""
        return self._ended(turn)[: self.longest]

    def counts(self, pairs: Sequence[Pair]) -> np.ndarray:
        """How often each token is in the replies of pairs, int `[V]`."""
        return np.bincount(np.concatenate([self.reply(pair.reply) for pair in pairs]), minlength=len(self.tokenizer))

    def _ended(self, turn: str) -> np.ndarray:
        return np.append(self.tokenizer.encode(turn), np.int32(END))


class PairBatches:
    """Shuffled training batches of pairs; batch i is a pure function of i.

    Args:
        pairs: contexts and their replies.
        tokens: of the turns.
        batch_size: B.
        seed: of the order.
        group: batches in a row that share a shape, those of one dispatch.
        buckets: how many lengths of replies there are, at most; contexts are padded to the longest.
    """

    def __init__(
        self, pairs: Sequence[Pair], tokens: TurnTokens, batch_size: int, seed: int, *, group: int = 1, buckets: int = 1
    ):
        self.contexts = pad([tokens.context(pair.context) for pair in pairs])
        self.replies = [tokens.reply(pair.reply) for pair in pairs]
        numbers: dict[str, int] = {}
        self.texts = np.array([numbers.setdefault(normal_form(pair.reply), len(numbers)) for pair in pairs], np.int32)
        self.order = BucketBatches(np.array([len(r) for r in self.replies]), batch_size, seed, group, buckets)

    def batch(self, i: int) -> dict[str, Any]:
        """`{"contexts": [S, B], "context_lengths": [B], "replies": [T, B], "reply_lengths": [B], "texts": [B]}`.

        Equal numbers in "texts" are replies of the same text.
        """
        examples, length = self.order.examples(i)
        replies = pad([self.replies[k] for k in examples], length)
        return {
            "contexts": self.contexts.values[:, examples], "context_lengths": self.contexts.lengths[examples],
            "replies": replies.values, "reply_lengths": replies.lengths, "texts": self.texts[examples],
        }  # fmt: skip


def make_vectors(rebuild: Rebuild, longest: int, *, rows: int = 64) -> Callable[..., np.ndarray]:
    """A function of parameters and texts to their vectors: `(params, sequences) -> float32 [N, E]`, compiled once.

    Args:
        rebuild: from `rnn_jax.nnx.functional` of a `DualEncoder`.
        longest: tokens of a text, at most; all are padded to so many.
        rows: texts at once.
    """
    read = jax.jit(lambda params, tokens, lengths: rebuild(params)(tokens, lengths))

    def vectors(params: Params, sequences: Sequence[np.ndarray]) -> np.ndarray:
        parts = in_parts(sequences, rows, longest, filler=sequences[0])
        return np.concatenate([np.asarray(read(params, *part)) for part in parts])[: len(sequences)]

    return vectors


def in_parts(
    sequences: Sequence[np.ndarray], rows: int, longest: int, filler: np.ndarray
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Values `[longest, rows]` and lengths `[rows]` of sequences in their order, the last part filled up."""
    padded = pad([*sequences, *[filler] * (-len(sequences) % rows)], longest)
    starts = range(0, len(padded.lengths), rows)
    return [(padded.values[:, i : i + rows], padded.lengths[i : i + rows]) for i in starts]
