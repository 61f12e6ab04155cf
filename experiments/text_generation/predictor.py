"""What a trained language model writes after new texts, and how well it predicts them."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.common.prediction import STANDARD_INPUT, Input, Item, Predictor, Record, padded
from experiments.common.reading import say
from experiments.common.text_items import read_texts
from experiments.text_generation.data import load_corpus
from experiments.text_generation.model import make_text_score
from rnn_jax.checks import check_size
from rnn_jax.data import DataError
from rnn_jax.decoding import sample_token
from rnn_jax.decoding.sampling import check_sampling
from rnn_jax.train import Trained, key_for


class Passage(NamedTuple):
    """A text that is to be scored, and not gone on with."""

    text: str


class TextPredictor(Predictor):
    """How each of some lines goes on, in the same words for the same line and seed."""

    inputs: Mapping[str, Input] = {"tokens": Input("time, batch", "int32")}

    def __init__(
        self, trained: Trained, characters: int = 200, temperature: float = 0.8, top_k: int = 0, top_p: float = 1.0,
        seed: int = 0, text_column: str = "",
    ):  # fmt: skip
        """See `sample_token`.

        Args:
            trained: the model.
            characters: to write after each line.
            temperature: divides the logits; 0 takes the likeliest character each time.
            top_k: keep only the k likeliest characters; 0 keeps all.
            top_p: keep the likeliest characters that together reach this probability.
            seed: of what is drawn; equal lines go on alike.
            text_column: the column of a table that has the texts: its name, or its number from 1.

        Raises:
            ValueError: an argument is out of range.
        """
        super().__init__(trained)
        check_size("characters", characters)
        check_sampling(temperature, top_k, top_p)
        self.tokenizer, self.characters, self.text_column = trained.preprocessor, characters, text_column
        if top_k > len(self.tokenizer):
            raise ValueError(f"top_k={top_k}: expected 0 (all) to {len(self.tokenizer)}, as many as it knows")
        self.sampling = {"temperature": temperature, "top_k": top_k, "top_p": top_p}
        self.key = key_for(seed, "sample")
        self._write = jax.jit(self._written)

    def read(self, file: str, *, labelled: bool = False) -> Iterator[Item]:
        """Lines, or the rows of a table; to be scored, a whole text."""
        if not labelled:
            for item in read_texts(file, text_column=self.text_column, table=bool(self.text_column)):
                yield item if isinstance(item.value, Exception) else item._replace(value=self._checked(item.value))
            return
        if file == STANDARD_INPUT:
            raise DataError("standard input: a text to be scored comes from a file")
        text, said = load_corpus(file)
        say(said)
        if len(text) < 2:
            raise DataError(f"{file} has 1 character: expected two at least, one to read and one to predict")
        yield Item(file, Passage(text))

    def _checked(self, text: str) -> str | ValueError:
        """A line, or why it is of no use."""
        try:
            self.tokenizer.encode(text)
        except ValueError as error:
            return error
        return text

    def encode(self, values: Sequence[str]) -> dict[str, np.ndarray]:
        """Characters as their numbers; what lies after a line has no influence on it."""
        return {"tokens": padded([self.tokenizer.encode(text) for text in values])[0]}

    def program(self, tokens: jax.Array) -> jax.Array:
        """Tokens `[T, B]` to logits `[T, B, V]` of what follows each."""
        return self.trained.model(tokens)[1]

    def answer(self, values: Sequence[Any]) -> list[Record]:
        """How lines go on; of a passage, its score."""
        if isinstance(values[0], Passage):
            return [self._score(value.text) for value in values]
        tokens, lengths = padded([self.tokenizer.encode(text) for text in values])
        return self.decode(values, [np.asarray(array) for array in self._write(tokens, lengths)])

    def _score(self, text: str) -> Record:
        score = make_text_score(self.trained.rebuild, self.tokenizer.encode(text))
        return {"nats/char": score(self.trained.params), "characters": len(text)}

    def _written(self, tokens: Any, lengths: Any) -> tuple[jax.Array, jax.Array]:
        """Tokens `[T + N, B]`, those given and those drawn, and the nats of each; character i is drawn by key i."""
        model, count = self.trained.model, tokens.shape[1]
        given = jnp.concatenate([tokens, jnp.zeros((self.characters, count), jnp.int32)])

        def draw(place: jax.Array, logits: jax.Array) -> jax.Array:
            return sample_token(jax.random.fold_in(self.key, jnp.maximum(place, 0)), logits, **self.sampling)

        def advance(state: Any, inputs: Any) -> tuple[Any, Any]:
            carry, logits = state
            t, known = inputs
            token = jnp.where(t < lengths, known, jax.vmap(draw)(t - lengths, logits))
            nats = -jnp.take_along_axis(jax.nn.log_softmax(logits), token[:, None], axis=1)[:, 0]
            return model.step(carry, token), (token, nats)

        start = model.initial_carry((count,)), jnp.zeros((count, len(self.tokenizer)))
        return jax.lax.scan(advance, start, (jnp.arange(given.shape[0]), given))[1]

    def decode(self, values: Sequence[str], outputs: Any) -> list[Record]:
        """Tokens and nats to texts."""
        tokens, nats = outputs
        records = []
        for k, text in enumerate(values):
            begin, end = len(text), len(text) + self.characters
            given = nats[1:begin, k].astype(float)
            records.append({
                "text": self.tokenizer.decode(tokens[begin:end, k]),
                "nats/char": float(nats[begin:end, k].astype(float).mean()),
                "nats/char of the line": float(given.mean()) if len(given) else None,
            })  # fmt: skip
        return records

    def measures(self, labels: Sequence[Any], records: Sequence[Record]) -> dict[str, Any]:
        """Nats and bits per character, and perplexity, of all passages together."""
        weights = [record["characters"] - 1 for record in records]
        nats = float(np.average([record["nats/char"] for record in records], weights=weights))
        return {
            "characters": sum(record["characters"] for record in records),
            "nats/char": nats, "bits/char": nats / math.log(2), "perplexity of a character": math.exp(nats),
        }  # fmt: skip

    @property
    def preprocessing(self) -> dict[str, Any]:
        """The characters, and how they are drawn."""
        return {
            "vocabulary": self.tokenizer.vocabulary,
            "tokens": "the place of each character in the vocabulary, from 0; what follows a text may be anything",
            "outputs": "float32 [time, batch, character], logits of what follows each token",
            "sampling": {"characters": self.characters, **self.sampling},
        }
