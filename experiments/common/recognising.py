"""What a trained recogniser of speech or handwriting says of new inputs."""

import abc
import math
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from experiments.common.measures import classification_measures, transcription_measures
from experiments.common.prediction import Input, Predictor, Record, class_record
from experiments.common.transcription import beam_of
from rnn_jax.data import DataError
from rnn_jax.decoding import ctc_beam, ctc_greedy
from rnn_jax.train import Trained


class RecogniserPredictor(Predictor):
    """The word, with probabilities of all, or the words, with the probability of these, in each input.

    Attributes:
        term: what a word is called in scores.
    """

    term = "word"

    def __init__(self, trained: Trained, beam: int | None = None):
        """See above.

        Args:
            trained: the model.
            beam: of the search in a model of several words, 8 if not given; 0 is greedy.
        """
        super().__init__(trained)
        self.words = list(trained.preprocessor.words)
        self.one_word = trained.model.one_word
        self.beam = beam_of(self.one_word, beam)

    @property
    def inputs(self) -> Mapping[str, Input]:
        """Features, as they come from `encode`, and how many steps of them are valid."""
        size = len(self.trained.preprocessor.mean)
        return {"features": Input(f"time, batch, {size}", "float32"), "lengths": Input("batch", "int32")}

    @abc.abstractmethod
    def encode(self, values: Sequence[Any]) -> dict[str, np.ndarray]:
        """Inputs to `features` and `lengths`."""

    def program(self, features: jax.Array, lengths: jax.Array) -> dict[str, jax.Array]:
        """Features `[T, B, D]` to probabilities `[B, C]`, or to logarithms of them `[T, B, C + 1]`, 0 the blank."""
        model = self.trained.model
        logits = model.head(model.standardised(features), lengths)
        if self.one_word:
            return {"probabilities": jax.nn.softmax(logits)}
        return {"log_probabilities": jax.nn.log_softmax(logits), "lengths": lengths}

    def decode(self, values: Sequence[Any], outputs: Mapping[str, np.ndarray]) -> list[Record]:
        """The likeliest word, or words."""
        if self.one_word:
            return [class_record(self.words, row) for row in outputs["probabilities"][: len(values)]]
        scores, lengths = outputs["log_probabilities"], outputs["lengths"]
        return [self._transcribed(scores[: lengths[i], i]) for i in range(len(values))]

    def _transcribed(self, scores: np.ndarray) -> Record:
        """The words of one input; their probability is that of the alignments that the search has kept."""
        if self.beam:
            labels, nats = ctc_beam(scores, self.beam)[0]
        else:
            found, counts = ctc_greedy(scores[:, None], np.array([len(scores)]))
            labels, nats = np.asarray(found)[0, : int(counts[0])], float(scores.max(axis=-1).sum())
        return {"words": " ".join(self.words[int(k) - 1] for k in labels), "probability": math.exp(min(nats, 0.0))}

    def known(self, words: Sequence[str]) -> tuple[str, ...]:
        """What somebody says is in an input, if the model can say it.

        Raises:
            DataError: it has no words, several for a model of one, or some that the model does not know.
        """
        if not words:
            raise DataError("it has no words: what does it show?")
        if self.one_word and len(words) > 1:
            raise DataError(f"it has {len(words)} words, and the model knows one in each: {' '.join(words)}")
        if unknown := sorted(set(words) - set(self.words)):
            known = ", ".join(self.words[:20]) + ", ..." * (len(self.words) > 20)
            raise DataError(f"{', '.join(map(repr, unknown))}: none of the model's words, {known}")
        return tuple(words)

    def measures(self, labels: Sequence[tuple[str, ...]], records: Sequence[Record]) -> dict[str, Any]:
        """Accuracy and F1 of a model of one word, the error rates of one of several."""
        if self.one_word:
            return classification_measures(self.words, [word for (word,) in labels], records)
        return transcription_measures(labels, [record["words"].split() for record in records], self.term)

    @property
    def preprocessing(self) -> dict[str, Any]:
        """What comes out, and the words."""
        if self.one_word:
            return {"outputs": {"probabilities": "float32 [batch, word]"}, "words": self.words}
        return {
            "outputs": {
                "log_probabilities": "float32 [time, batch, 1 + word], 0 the blank of CTC: join equal labels that "
                                     "follow each other, then leave blanks out (Graves et al. 2006); valid up to "
                                     "lengths",
                "lengths": "int32 [batch], as given",
            },
            "words": self.words,
            "search": f"prefix beam search of width {self.beam}" if self.beam else "greedy",
        }  # fmt: skip
