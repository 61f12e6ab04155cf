"""What a trained encoder-decoder makes of new sentences."""

import functools
import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.common.prediction import STANDARD_INPUT, Input, Item, Predictor, Record, padded, power_of_two
from experiments.common.reading import say
from experiments.common.text_items import read_texts
from experiments.translation.data import line_items, pair_items
from experiments.translation.model import encode_sources
from rnn_jax.data import BEGIN, END, PAD, UNKNOWN, DataError, teacher_forcing
from rnn_jax.losses import token_cross_entropy
from rnn_jax.metrics import translation_scores
from rnn_jax.models import make_generate
from rnn_jax.train import Trained

ROWS, UNIT = 64, 8
"""Sentences that are searched at once, and steps that a source is padded to a multiple of; as in training."""


class TranslationPredictor(Predictor):
    """Translations of sentences, by beam search as in the test of the run, and how unlikely they are."""

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
        self._nats = jax.jit(self._nats_of)

    @property
    def inputs(self) -> Mapping[str, Input]:
        """Subwords of sentences, and those of their translations so far."""
        return {
            "source": Input("source_time, batch", "int32"), "source_lengths": Input("batch", "int32"),
            "inputs": Input("time, batch", "int32"),
        }  # fmt: skip

    def read(self, file: str, *, labelled: bool = False) -> Iterator[Item]:
        """Lines or the rows of a table; with their translations pairs, in one file or line by line in two."""
        if not labelled:
            items = read_texts(file, text_column=self.text_column)
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
        source, lengths = padded(encode_sources(self.subwords, values))
        return {"source": source, "source_lengths": lengths, "inputs": np.full_like(source[:1], BEGIN)}

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
        return self.decode(values, (written, self._unlikely(sources, written)))

    @functools.cached_property
    def _generate(self) -> Callable[[int], Callable[..., list[np.ndarray]]]:
        options = {"beams": self.beams, "alpha": self.trained.config.alpha, "unit": UNIT}
        return functools.cache(lambda rows: make_generate(self.trained.rebuild, rows=rows, **options))

    def _unlikely(self, sources: Sequence[np.ndarray], written: Sequence[np.ndarray]) -> np.ndarray:
        """The nats of what was written, its end included."""
        source, source_lengths = padded(sources)
        forced = teacher_forcing(sources, written)
        inputs, _ = padded(list(forced["inputs"].T))
        targets, _ = padded(list(forced["targets"].T))
        lengths = np.resize(forced["target_lengths"], inputs.shape[1])
        return np.asarray(self._nats(source, source_lengths, inputs, targets, lengths))

    def _nats_of(self, source: Any, source_lengths: Any, inputs: Any, targets: Any, lengths: Any) -> jax.Array:
        logits = self.program(source, source_lengths, inputs)
        counts = jnp.arange(logits.shape[0])[:, None] < lengths
        one = lambda logits, targets, counts: token_cross_entropy(logits, targets, counts)[0]  # noqa: E731
        return jax.vmap(one, in_axes=1)(logits, targets, counts)

    def decode(self, values: Sequence[str], outputs: Any) -> list[Record]:
        """Subwords and nats to translations."""
        written, nats = outputs
        texts = [self.subwords.decode(tokens) for tokens in written]
        return [{"translation": text, "nats": float(n)} for text, n in zip(texts, nats, strict=False)]

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
        return {
            "tokenizer": {
                "format": "tokenizer.json of the package tokenizers, without special tokens around a text",
                **json.loads(self.subwords.to_json()),
            },
            "arrays": {
                "source": "subwords of a sentence, 0 after them",
                "source_lengths": "how many they are, 1 or more",
                "inputs": "begin, then the subwords written so far",
            },
            "tokens": {"padding": PAD, "unknown": UNKNOWN, "begin": BEGIN, "end": END},
            "outputs": "float32 [time, batch, subword], logits of what follows each of `inputs`",
            "search": {
                "beams": self.beams,
                "score": "log p / ((5 + length) / 6) ** alpha, the end counted; the best of all that have ended",
                "alpha": self.trained.config.alpha,
                "steps": f"1.5 times those of the source, padded to a multiple of {UNIT}, and 10 more",
                "never_written": ["padding", "unknown", "begin"],
            },
        }
