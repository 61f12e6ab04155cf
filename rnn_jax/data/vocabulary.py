"""Words and the numbers that stand for them."""

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

PAD, UNKNOWN, BEGIN, END = 0, 1, 2, 3
"""The ids that every vocabulary of words or subwords keeps for padding, unknown words, begin and end of a sequence."""

SPECIALS = ("<pad>", "<unknown>", "<begin>", "<end>")


def split_words(text: str, *, lower: bool = False) -> list[str]:
    """The words and marks of a text, in Unicode's form NFC, much as the Penn Treebank cuts English.

    A word is a run of letters, digits and underscores, with an apostrophe, hyphen, period, comma or slash between two
    of them (`O'Brien`, `well-made`, `3.5`). English endings are words (`did` `n't`, `it` `'s`), and so are runs of
    periods or hyphens (`...`, `--`) and the treebank's quotes and brackets (`-lrb-`). Any other character that is
    not a blank stands alone.

    Args:
        text: any text; an empty one has no words.
        lower: whether to fold to lower case.
    """
    text = unicodedata.normalize("NFC", text.lower() if lower else text).replace("’", "'")
    return ENGLISH_WORD.findall(ENGLISH_ENDING.sub(" ", text))


ENGLISH_ENDING = re.compile(r"(?<=\w)(?=n't\b|'(?:s|re|ve|ll|d|m)\b)", re.IGNORECASE)
"""Where `split_words` puts a blank."""
ENGLISH_WORD = re.compile(
    r"-[lr][rcs]b-|n't\b|'(?:s|re|ve|ll|d|m)\b|\w+(?:(?:['.,-]|\\?/)\w+)*|``|''|\.{2,}|-{2,}|[^\w\s]", re.IGNORECASE
)
"""What it then takes for words."""


@dataclass(frozen=True)
class Vocabulary:
    """Words by number; 0 is padding, 1 any unknown word, 2 the begin and 3 the end of a sequence.

    Attributes:
        words: the known words from number 4 on, each once. It is all that the vocabulary is: store this tuple (or the
            list that JSON makes of it) to store the vocabulary.

    Raises:
        ValueError: a word appears twice or is one of the four specials.
    """

    words: Sequence[str]

    def __post_init__(self):
        object.__setattr__(self, "words", tuple(self.words))
        twice = [word for word, count in Counter((*SPECIALS, *self.words)).items() if count > 1]
        if twice:
            raise ValueError(f"words has {twice[:5]} more than once: expected each word once, none of {SPECIALS}")

    @classmethod
    def fit(cls, texts: Iterable[Sequence[str]], *, min_count: int = 1, max_size: int | None = None) -> "Vocabulary":
        """The vocabulary of tokenized texts: most frequent words first, of equals the one that sorts first.

        Args:
            texts: the words of each text; fit on training texts only.
            min_count: words that appear less often are unknown.
            max_size: keep so many words at most; all by default.

        Raises:
            ValueError: `min_count` or `max_size` is less than 1.
        """
        for name, value in (("min_count", min_count), ("max_size", max_size)):
            if value is not None and value < 1:
                raise ValueError(f"{name}={value}: expected at least 1")
        counts = Counter(word for text in texts for word in text if word not in SPECIALS)
        ranked = sorted((word for word in counts if counts[word] >= min_count), key=lambda word: (-counts[word], word))
        return cls(tuple(ranked[:max_size]))

    def __len__(self) -> int:
        return len(SPECIALS) + len(self.words)

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {word: i for i, word in enumerate(self.words, len(SPECIALS))}

    def encode(self, words: Sequence[str]) -> np.ndarray:
        """The ids of words, int32 `[N]`; 1 for an unknown one."""
        return np.array([self._ids.get(word, UNKNOWN) for word in words], np.int32)

    def decode(self, ids: Any) -> list[str]:
        """The words of ids `[N]`, up to the first end, without padding and begin; `<unknown>` for 1.

        Raises:
            ValueError: an id is out of range.
        """
        known = (*SPECIALS, *self.words)
        return [known[i] for i in until_end(ids, len(self)) if i != BEGIN]


@dataclass(frozen=True)
class Words:
    """Text to the ids of its words: `split_words` before a `Vocabulary`. Used as `Subwords` is.

    Attributes:
        vocabulary: the known words.
        lower: whether texts are folded to lower case.
    """

    vocabulary: Vocabulary
    lower: bool = False

    @classmethod
    def fit(
        cls, texts: Iterable[str], *, lower: bool = False, min_count: int = 1, max_size: int | None = None
    ) -> "Words":
        """The words of training texts; arguments as in `Vocabulary.fit`."""
        split = (split_words(text, lower=lower) for text in texts)
        return cls(Vocabulary.fit(split, min_count=min_count, max_size=max_size), lower)

    def __len__(self) -> int:
        return len(self.vocabulary)

    def encode(self, text: str) -> np.ndarray:
        """The ids of a text, int32 `[N]`, without begin and end; an empty text has none."""
        return self.vocabulary.encode(split_words(text, lower=self.lower))

    def decode(self, ids: Any) -> str:
        """The words of ids `[N]` with blanks between them, as in `Vocabulary.decode`."""
        return " ".join(self.vocabulary.decode(ids))

    def spans(self, text: str) -> list[tuple[str, int, int]]:
        """Each word with the places of its first id and of the one after its last."""
        return [(word, i, i + 1) for i, word in enumerate(split_words(text, lower=self.lower))]

    def to_json(self) -> str:
        """All of it as JSON text."""
        return json.dumps({"lower": self.lower, "words": self.vocabulary.words})

    @classmethod
    def from_json(cls, state: str) -> "Words":
        """The words that `to_json` was called on."""
        stored = json.loads(state)
        return cls(Vocabulary(stored["words"]), stored["lower"])


def until_end(ids: Any, size: int) -> list[int]:
    """The ids before the first end, without padding.

    Raises:
        ValueError: they are not a vector of integers from 0 to size - 1.
    """
    array = np.asarray(ids)
    if array.ndim != 1 or (array.size and not np.issubdtype(array.dtype, np.integer)):
        raise ValueError(f"ids has shape {array.shape} and type {array.dtype}: expected a vector of integers [N]")
    if array.size and not 0 <= array.min() <= array.max() < size:
        raise ValueError(f"ids range from {array.min()} to {array.max()}: expected 0 to {size - 1}")
    kept = array.tolist()
    return [i for i in kept[: kept.index(END) if END in kept else None] if i != PAD]
