"""What a trained encoder-decoder makes of new sentences."""

import functools
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import numpy as np

from experiments.common.prediction import STANDARD_INPUT, Item, Predictor, Record, power_of_two
from experiments.common.reading import say
from experiments.common.text_items import read_texts, tokenizer_in_words
from experiments.common.written import WRITER_ARRAYS, WRITER_INPUTS, before_writing, make_target_nats, search_in_words
from experiments.translation.data import line_items, pair_items
from experiments.translation.model import encode_sources
from rnn_jax.data import END, DataError
from rnn_jax.metrics import translation_scores
from rnn_jax.models import make_generate
from rnn_jax.train import Trained

ROWS, UNIT = 64, 8
"""Sentences that are searched at once, and steps that a source is padded to a multiple of; as in training."""


class TranslationPredictor(Predictor):
    """Translations of sentences, by beam search as in the test of the run, and how unlikely they are."""

    inputs = WRITER_INPUTS

    def __init__(
        self, trained: Trained, beams: int | None = None, target_corpus: str = "", text_column: str = ""
    ):  # fmt: skip
        """The search is that of training.

        Args:
            trained: the model.
            beams: open sequences of the search, 1 for greedy search; as many as in training by default.
            target_corpus: with --data FILE, the file with the translations, where they are not in the same one.
            text_column: the column of a table that has the sentences: its name, or its number from 1.

        Raises:
            ValueError: there are no beams.
        """
        super().__init__(trained)
        if beams is not None and beams < 1:
            raise ValueError(f"beams={beams}: expected at least 1")
        self.subwords, self.beams = trained.preprocessor, beams or trained.config.beams
        self.target_corpus, self.text_column = target_corpus, text_column
        self._nats = make_target_nats(self.program)

    def read(self, file: str, *, labelled: bool = False) -> Iterator[Item]:
        """Lines or the rows of a table; with their translations pairs, in one file or line by line in two."""
        if not labelled:
            items = read_texts(file, text_column=self.text_column, table=bool(self.text_column))
        elif file == STANDARD_INPUT:
            raise DataError("standard input: sentences with their translations come from a file, or from two")
        else:
            items, said = line_items(file, self.target_corpus) if self.target_corpus else pair_items(file)
            say(said)
        for item in items:
            yield item if isinstance(item.value, Exception) else item._replace(value=self._checked(item.value))

    def _checked(self, text: str) -> str | ValueError:
        """A sentence, or why it is of no use."""
        try:
            (source,) = encode_sources(self.subwords, [text])
        except ValueError as error:
            return error
        return text if len(source) else DataError(f"{text!r} has no letters: expected a sentence")

    def encode(self, values: Sequence[str]) -> dict[str, np.ndarray]:
        """Sentences as subwords, before anything is written."""
        return before_writing(encode_sources(self.subwords, values))

    def program(self, source: jax.Array, source_lengths: jax.Array, inputs: jax.Array) -> jax.Array:
        """Sources `[S, B]` and what is written so far `[T, B]` to logits `[T, B, V]` of what follows each."""
        return self.trained.model(source, source_lengths, inputs)

    def answer(self, values: Sequence[str]) -> list[Record]:
        """Translations; sentences of one padded length at a time, so that their company makes no difference."""
        sources, groups = encode_sources(self.subwords, values), defaultdict(list)
        for k, source in enumerate(sources):
            groups[-(-len(source) // UNIT)].append(k)
        written: list[np.ndarray] = [sources[0]] * len(values)
        for group in groups.values():
            generate = self._generate(min(ROWS, power_of_two(len(group))))
            for k, tokens in zip(group, generate(self.trained.params, [sources[k] for k in group]), strict=True):
                written[k] = tokens
        ended = [np.append(tokens, END).astype(np.int32) for tokens in written]
        return self.decode(values, (written, self._nats(sources, ended)))

    @functools.cached_property
    def _generate(self) -> Callable[[int], Callable[..., list[np.ndarray]]]:
        options = {"beams": self.beams, "alpha": self.trained.config.alpha, "unit": UNIT}
        return functools.cache(lambda rows: make_generate(self.trained.rebuild, rows=rows, **options))

    def decode(self, values: Sequence[str], outputs: Any) -> list[Record]:
        """Subwords and nats to translations."""
        written, nats = outputs
        texts = [self.subwords.decode(tokens) for tokens in written]
        return [{"translation": text, "nats": float(n)} for text, n in zip(texts, nats, strict=True)]

    def measures(self, labels: Sequence[str], records: Sequence[Record]) -> dict[str, Any]:
        """BLEU and chrF; of a model that knows upper case, with and without it."""
        cased, written = self.trained.config.cased, [record["translation"] for record in records]
        scores = dict(translation_scores(written, labels, cased=cased))
        if cased:
            lower = translation_scores(written, labels)
            scores |= {f"{name}, lower case": value for name, value in lower.items()}
        return scores | {"nats a sentence": float(np.mean([record["nats"] for record in records]))}

    @property
    def preprocessing(self) -> dict[str, Any]:
        """The subwords, and how a translation is searched for."""
        steps = f"1.5 times those of the source, padded to a multiple of {UNIT}, and 10 more"
        return {
            "tokenizer": tokenizer_in_words(self.subwords),
            **WRITER_ARRAYS,
            "search": search_in_words(self.beams, self.trained.config.alpha, steps),
        }
