"""What a trained classifier says of new texts."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from experiments.common.class_predictor import ClassPredictor
from experiments.common.prediction import Input, Item, padded
from experiments.common.reading import say
from experiments.common.refusals import MOST
from experiments.common.text_items import read_texts, tokenizer_in_words
from experiments.sentiment.data import cut_tokens, encode_texts
from experiments.sentiment.grams import CharGrams
from rnn_jax.train import Trained


class SentimentPredictor(ClassPredictor):
    """Class and probabilities of texts."""

    def __init__(self, trained: Trained, text_column: str = "", label_column: str = ""):
        """See `read_texts`.

        Args:
            trained: the model.
            text_column: the column of a table that has the texts: its name, or its number from 1.
            label_column: that of the labels.
        """
        super().__init__(trained)
        self.tokenizer, self.classes = trained.preprocessor
        config, self.table = trained.config, bool(text_column)
        self.columns = {
            "text_column": text_column or config.text_column, "label_column": label_column or config.label_column
        }  # fmt: skip

    @property
    def inputs(self) -> Mapping[str, Input]:
        """Tokens, or bags of them."""
        (tokens,) = encode_texts(self.tokenizer, ["a"], self.trained.config.text.longest)
        shape = ", ".join(["time, batch", *map(str, tokens.shape[1:])])
        return {"inputs": Input(shape, "int32"), "lengths": Input("batch", "int32")}

    def read(self, file: str, *, labelled: bool = False) -> Iterator[Item]:
        """Lines, or the rows of a table."""
        cut, longest = 0, self.trained.config.text.longest
        for item in read_texts(file, **self.columns, classes=self.classes, labelled=labelled, table=self.table):
            if isinstance(item.value, Exception):
                yield item
                continue
            # No text has more tokens than letters.
            tokens = len(self.tokenizer.encode(item.value)) if len(item.value) > longest else 0
            cut += tokens > longest
            if tokens > longest and cut <= MOST:
                say(f"note: {item.id}: {tokens:,} tokens, the first longest={longest} of which are read")
            yield item
        if cut > MOST:
            say(f"note: and {cut - MOST:,} more have over longest={longest} tokens, the first of which are read")

    def encode(self, values: Sequence[str]) -> dict[str, np.ndarray]:
        """Texts to tokens."""
        tokens, lengths = padded(
            cut_tokens([self.tokenizer.encode(text) for text in values], self.trained.config.text.longest)
        )
        return {"inputs": tokens, "lengths": lengths}

    def program(self, inputs: jax.Array, lengths: jax.Array) -> jax.Array:
        """Tokens `[T, B, ...]` to probabilities `[B, C]`."""
        return jax.nn.softmax(self.trained.model(inputs, lengths))

    @property
    def preprocessing(self) -> dict[str, Any]:
        """The vocabulary and the classes."""
        tokenizer = self.tokenizer
        in_words = tokenizer.in_words() if isinstance(tokenizer, CharGrams) else tokenizer_in_words(tokenizer)
        return {
            "tokenizer": in_words,
            "longest": f"the first {self.trained.config.text.longest} tokens of a text; one without any is one unknown",
            "outputs": "float32 [batch, class], probabilities",
            "classes": list(self.classes),
        }
