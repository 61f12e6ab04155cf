"""Tokenizers: text to integers and back."""

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int32
from numpy.typing import ArrayLike


@runtime_checkable
class Tokenizer(Protocol):
    """What turns a text into tokens of words or of their parts; its class has a `from_json` for what `to_json` gave."""

    def __len__(self) -> int: ...

    def encode(self, text: str) -> np.ndarray:
        """The ids of a text, int32 `[N]`, or `[N, K]` of bags; an empty text has none."""
        ...

    def spans(self, text: str) -> list[tuple[str, int, int]]:
        """Each word with the places of its first id and of the one after its last."""
        ...

    def to_json(self) -> Any:
        """All of it."""
        ...


@dataclass(frozen=True)
class CharTokenizer:
    """One token per character; the id of a character is its place in `vocabulary`.

    Attributes:
        vocabulary: the known characters, each once, sorted by code point. It is all that the tokenizer is: store this
            string to store the tokenizer.

    Raises:
        ValueError: the vocabulary is empty, unsorted or has repeated characters.
    """

    vocabulary: str

    def __post_init__(self):
        if not self.vocabulary or self.vocabulary != "".join(sorted(set(self.vocabulary))):
            raise ValueError(
                f"vocabulary={self.vocabulary!r} must hold at least one character, each once, sorted; "
                "CharTokenizer.fit(text) builds it from a text"
            )

    def __len__(self) -> int:
        return len(self.vocabulary)

    @classmethod
    def fit(cls, text: str) -> "CharTokenizer":
        """Return the tokenizer that knows exactly the characters of `text`; ValueError where there are none."""
        return cls("".join(sorted(set(text))))

    def encode(self, text: str) -> Int32[np.ndarray, " N"]:
        """Return the ids of the characters of `text`.

        Raises:
            ValueError: some characters are not in the vocabulary; the message names five of them and where they stand.
        """
        known, characters = _code_points(self.vocabulary), _code_points(text)
        ids = np.minimum(np.searchsorted(known, characters), len(known) - 1)
        unknown = np.flatnonzero(known[ids] != characters)
        if unknown.size:
            strangers, first = np.unique(characters[unknown], return_index=True)
            named = ", ".join(f"{chr(strangers[k])!r} at position {unknown[first[k]]}" for k in np.argsort(first)[:5])
            raise ValueError(
                f"text has {len(strangers)} characters that are not among the {len(self)} of the vocabulary: {named}. "
                "Remove or replace them, or use a tokenizer that was fitted on a text that has them"
            )
        return ids.astype(np.int32)

    def decode(self, ids: ArrayLike) -> str:
        """Return the text of the ids [N].

        Raises:
            ValueError: the ids are not a vector of integers from 0 to len(self) - 1.
        """
        ids = np.asarray(ids)
        if ids.ndim != 1 or (ids.size and not np.issubdtype(ids.dtype, np.integer)):
            raise ValueError(f"ids has shape {ids.shape} and type {ids.dtype}; a vector of integers [N] is expected")
        if ids.size and not 0 <= ids.min() <= ids.max() < len(self):
            raise ValueError(f"ids range from {ids.min()} to {ids.max()}; 0 to {len(self) - 1} are expected")
        return _code_points(self.vocabulary)[ids.astype(np.intp)].tobytes().decode("utf-32-le", "surrogatepass")


def _code_points(text: str) -> np.ndarray:
    # A prompt typed in a wrong encoding holds lone surrogates: they are characters, unknown ones, not a codec's error.
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
