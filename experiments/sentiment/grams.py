"""Words as bags of the character sequences in them, so that words never seen still mean something.

Bojanowski et al. 2016, arXiv:1607.04606 (fastText).
"""

import itertools
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from experiments.common.text_items import WORD_RULE
from rnn_jax.data.vocabulary import SPECIALS, UNKNOWN, split_words

PAIRS_IN_WORDS = (
    "the id of a word and the one before it, with a blank between the two, is the last one of the second word, where "
    "it is known; they are numbered after the grams, and count among `most`"
)


@dataclass(frozen=True)
class CharGrams:
    """Each word is itself and its n-grams of characters, with `<` before it and `>` after it; used as `Words` is.

    Ids 0 to 3 are the same as in a `Vocabulary`. A word may have one more, of itself and the word before it (as in
    Joulin et al. 2016, arXiv:1607.01759).

    Attributes:
        grams: the known ones from number 4 on, each once; a whole word is `<word>`.
        sizes: the shortest and the longest n.
        most: K, the most ids of a word, its first ones.
        lower: whether texts are folded to lower case.
        pairs: the known pairs of words, with a blank between the two, numbered after the grams.
    """

    grams: Sequence[str]
    sizes: tuple[int, int] = (3, 5)
    most: int = 20
    lower: bool = False
    pairs: Sequence[str] = ()

    @classmethod
    def fit(
        cls,
        texts: Iterable[str],
        *,
        min_count: int = 4,
        sizes: tuple[int, int] = (3, 5),
        lower: bool = False,
        pair_count: int = 0,
    ) -> "CharGrams":
        """The n-grams of training texts, those that at least `min_count` words have, counted in each text.

        Pairs are those that at least `pair_count` texts have; with 0 there are none.
        """
        empty, split = cls((), sizes, lower=lower), [split_words(text, lower=lower) for text in texts]
        counts = Counter(gram for words in split for word in words for gram in empty.parts(word))
        paired = Counter(pair for words in split for pair in set(pairs_of(words))) if pair_count else Counter()
        grams, pairs = (
            tuple(sorted(part for part in found if found[part] >= least))
            for found, least in ((counts, min_count), (paired, pair_count))
        )
        return cls(grams, sizes, lower=lower, pairs=pairs)

    def __len__(self) -> int:
        return len(SPECIALS) + len(self.grams) + len(self.pairs)

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {gram: i for i, gram in enumerate((*self.grams, *self.pairs), len(SPECIALS))}

    def parts(self, word: str) -> list[str]:
        """A word as `<word>`, and its n-grams, the short ones first."""
        whole = f"<{word}>"
        sizes = range(self.sizes[0], min(self.sizes[1], len(whole) - 1) + 1)
        return [whole, *dict.fromkeys(whole[i : i + n] for n in sizes for i in range(len(whole) + 1 - n))]

    def encode(self, text: str) -> np.ndarray:
        """The ids of each word of a text, int32 `[N, K]`, filled up with 0; a word without known n-grams is 1.

        A known pair is the last one of its second word.
        """
        words = split_words(text, lower=self.lower)
        ids = np.zeros((len(words), self.most), np.int32)
        for row, word, pair in zip(ids, words, ["", *pairs_of(words)], strict=False):
            paired = [self._ids[pair]] if self.pairs and pair in self._ids else []
            most = self.most - len(paired)
            known = ([self._ids[part] for part in self.parts(word) if part in self._ids][:most] or [UNKNOWN]) + paired
            row[: len(known)] = known
        return ids

    def spans(self, text: str) -> list[tuple[str, int, int]]:
        """Each word with its place and the one after it."""
        return [(word, i, i + 1) for i, word in enumerate(split_words(text, lower=self.lower))]

    def to_json(self) -> str:
        """All of it as JSON text."""
        stored = {"grams": self.grams, "sizes": self.sizes, "most": self.most, "lower": self.lower}
        return json.dumps(stored | ({"pairs": self.pairs} if self.pairs else {}))

    def in_words(self) -> dict[str, Any]:
        """All of it in JSON's types, so that another program can cut texts as it does."""
        return {
            "format": "n-grams of the characters of each word",
            **WORD_RULE,
            "grams of a word": "with < before it and > after it: the whole of it, then its n-grams from the shortest n "
            "to the longest, from left to right, each once; the known ones, `most` at most",
            "ids": f"places among the grams from {len(SPECIALS)} on; a word without known ones is {UNKNOWN}; filled up "
            "with 0",
            **({"pairs of words": PAIRS_IN_WORDS} if self.pairs else {}),
            **json.loads(self.to_json()),
        }

    @classmethod
    def from_json(cls, state: str) -> "CharGrams":
        """The n-grams that `to_json` was called on."""
        stored = json.loads(state)
        pairs = tuple(stored.get("pairs", ()))
        return cls(tuple(stored["grams"]), tuple(stored["sizes"]), stored["most"], stored["lower"], pairs)


def pairs_of(words: Sequence[str]) -> list[str]:
    """Each two words that follow one another, with a blank between them."""
    return [f"{first} {second}" for first, second in itertools.pairwise(words)]
