"""Subwords: words cut into frequent pieces, learned on training texts, by Hugging Face tokenizers.

Sennrich et al. 2016, arXiv:1508.07909 (byte pair encoding).
"""

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import numpy as np

from rnn_jax.data.vocabulary import BEGIN, SPECIALS, UNKNOWN, until_end
from rnn_jax.extras import optional_imports


class Subwords:
    """A learned cutting of text into subwords: 0 is padding, 1 unknown, 2 the begin and 3 the end of a sequence.

    Texts are brought to Unicode's form NFC, and runs of blanks count as one. A character that the training texts do
    not have is unknown. Needs the package tokenizers, which comes with the extra `experiments`.

    Args:
        state: what `to_json` returned; `Subwords.fit` makes new ones.

    Raises:
        ValueError: `state` is something else.
    """

    def __init__(self, state: str):
        with optional_imports():
            from tokenizers import Tokenizer

        try:
            self._tokenizer = Tokenizer.from_str(state)
        except Exception as error:  # the package has no error class of its own
            raise ValueError(f"state is not what Subwords.to_json returns: {error}") from error
        first = tuple(self._tokenizer.id_to_token(i) for i in range(len(SPECIALS)))
        if first != SPECIALS:
            raise ValueError(f"state begins with the subwords {first}: expected {SPECIALS}")
        self._tokenizer.encode_special_tokens = True  # `<end>` in a text is five characters, not the end

    @classmethod
    def fit(cls, texts: Iterable[str], vocabulary_size: int, *, lower: bool = False, min_count: int = 2) -> "Subwords":
        """Learn byte pair encoding on training texts.

        Args:
            texts: the texts; those of two languages together give subwords that they share.
            vocabulary_size: how many subwords at most, the four specials and all single characters among them.
            lower: whether texts are folded to lower case, here and in `encode`.
            min_count: how often a pair must appear to be joined.

        Raises:
            ValueError: `vocabulary_size` has no room for the characters of the texts.
        """
        with optional_imports():
            from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

        tokenizer = Tokenizer(models.BPE(unk_token=SPECIALS[UNKNOWN]))
        folded = [normalizers.Lowercase()] if lower else []
        tidied = [normalizers.Replace(Regex(rf"[\s{_BLANK}]+"), " "), normalizers.Strip()]
        tokenizer.normalizer = normalizers.Sequence([*folded, normalizers.NFC(), *tidied])
        # A word or a run of marks, with the blank before it where there is one; no subword reaches beyond.
        units = Regex(rf"{_BLANK}?\w+(?:['’]\w+)*|{_BLANK}?[^\w{_BLANK}]+|{_BLANK}")
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Metaspace(_BLANK, prepend_scheme="always"), pre_tokenizers.Split(units, "isolated")]
        )
        tokenizer.decoder = decoders.Metaspace(_BLANK, prepend_scheme="always")
        trainer = trainers.BpeTrainer(
            vocab_size=vocabulary_size, min_frequency=min_count, special_tokens=list(SPECIALS), show_progress=False
        )
        tokenizer.train_from_iterator(texts, trainer)
        if (least := tokenizer.get_vocab_size()) > vocabulary_size:
            raise ValueError(
                f"vocabulary_size={vocabulary_size}: expected at least {least}, the single characters of the texts and "
                f"{len(SPECIALS)} specials"
            )
        return cls(tokenizer.to_str())

    def __len__(self) -> int:
        return self._tokenizer.get_vocab_size()

    def pieces(self, text: str) -> list[str]:
        """The subwords of a text as strings; `▁` stands for the blank before a word."""
        return self._tokenizer.encode(text, add_special_tokens=False).tokens

    def encode(self, text: str) -> np.ndarray:
        """The ids of a text, int32 `[N]`, without begin and end; an empty text has none."""
        return np.array(self._tokenizer.encode(text, add_special_tokens=False).ids, np.int32)

    def decode(self, ids: Any) -> str:
        """The text of ids `[N]`, up to the first end, without padding and begin; `<unknown>` for 1.

        It is the text that was encoded, in form NFC, with single blanks, where all its characters are known.

        Raises:
            ValueError: an id is out of range.
        """
        kept = [i for i in until_end(ids, len(self)) if i != BEGIN]
        return self._tokenizer.decode(kept, skip_special_tokens=False)

    def spans(self, text: str) -> list[tuple[str, int, int]]:
        """Each part of the text between blanks with the places of its first id and of the one after its last."""
        pieces = self.pieces(text)
        starts = [i for i, piece in enumerate(pieces) if i == 0 or piece.startswith(_BLANK)]
        bounds = pairwise([*starts, len(pieces)])
        return [("".join(pieces[start:end]).removeprefix(_BLANK), start, end) for start, end in bounds]

    def to_json(self) -> str:
        """All of it as JSON text."""
        return self._tokenizer.to_str()

    @classmethod
    def from_json(cls, state: str) -> "Subwords":
        """The subwords that `to_json` was called on."""
        return cls(state)


_BLANK = "▁"
