"""Contexts and replies as tokens, and in batches."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments.chatbot.data import Pair, normal_form
from rnn_jax.data import END, BucketBatches, Subwords, Words, pad

PAIR_AXES: dict[str, int | None] = {
    "contexts": 1, "context_lengths": 0, "replies": 1, "reply_lengths": 0, "texts": 0,
}  # fmt: skip
"""Which axis of each array of `PairBatches` is the batch."""


class TurnTokenizer:
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
        tokenizer: of the turns.
        batch_size: B.
        seed: of the order.
        group: batches in a row that share a shape, those of one dispatch.
        buckets: how many lengths of replies there are, at most; contexts are padded to the longest.
    """

    def __init__(
        self,
        pairs: Sequence[Pair],
        tokenizer: TurnTokenizer,
        batch_size: int,
        seed: int,
        *,
        group: int = 1,
        buckets: int = 1,
    ):
        self.contexts = pad([tokenizer.context(pair.context) for pair in pairs])
        self.replies = [tokenizer.reply(pair.reply) for pair in pairs]
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


def in_parts(
    sequences: Sequence[np.ndarray], rows: int, longest: int, filler: np.ndarray
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Values `[longest, rows]` and lengths `[rows]` of sequences in their order, the last part filled up."""
    padded = pad([*sequences, *[filler] * (-len(sequences) % rows)], longest)
    starts = range(0, len(padded.lengths), rows)
    return [(padded.values[:, i : i + rows], padded.lengths[i : i + rows]) for i in starts]
