"""What one does with a recogniser of speech or handwriting: transcribe recordings, and score the transcripts."""

import time
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from experiments.common.recogniser import Recogniser
from experiments.common.recordings import Recording, in_order
from rnn_jax.decoding import ctc_beam, ctc_greedy
from rnn_jax.metrics import word_error_rate
from rnn_jax.nnx import functional
from rnn_jax.typing import Array, Params


class Transcriber:
    """The words that a model recognises in recordings; compiled once for each shape.

    Args:
        model: a recogniser.
        words: the vocabulary; the label of words[k] is k + 1.
    """

    def __init__(self, model: Recogniser, words: Sequence[str]):
        self.words, self.one_word = words, model.one_word
        self.params, rebuild = functional(model)

        def score(params: Params, inputs: Array, lengths: Array) -> tuple[jax.Array, jax.Array]:
            logits, steps = rebuild(params)(inputs, lengths)
            return jax.nn.log_softmax(logits), steps

        self._score, self._greedy = jax.jit(score), jax.jit(ctc_greedy)

    def __call__(self, recordings: Sequence[Recording], beam: int = 0) -> list[tuple[str, ...]]:
        """The words of each recording: the likeliest one, or those of greedy or (with a beam above 0) beam search."""
        transcripts = []
        for batch in in_order(recordings):
            scores, steps = self._score(self.params, batch["inputs"], batch["lengths"])
            transcripts += [tuple(self.words[label - 1] for label in row) for row in self._labels(scores, steps, beam)]
        return transcripts

    def _labels(self, scores: jax.Array, steps: jax.Array, beam: int) -> list[tuple[int, ...]]:
        if self.one_word:
            return [(int(best) + 1,) for best in np.argmax(scores, axis=-1)]
        if beam:
            rows = np.swapaxes(np.asarray(scores), 0, 1)
            return [ctc_beam(row[:count], beam)[0][0] for row, count in zip(rows, np.asarray(steps), strict=True)]
        labels, counts = (np.asarray(x) for x in self._greedy(scores, steps))
        return [tuple(row[:count].tolist()) for row, count in zip(labels, counts, strict=True)]


def beam_of(one_word: bool, beam: int | None) -> int:
    """The width of the beam that a user asks for, 8 if for none.

    Args:
        one_word: whether the model recognises one word in each recording.
        beam: None where the user does not say it.

    Raises:
        ValueError: it is negative, or the model recognises one word, without a search.
    """
    if beam is not None and (beam < 0 or one_word):
        raise ValueError(f"beam={beam}: expected at least 0, and a model of --task strings, which searches")
    return 8 if beam is None else beam


def score_transcripts(
    transcriber: Transcriber,
    recordings: Sequence[Recording],
    beam: int = 8,
    terms: tuple[str, str, str] = ("said", "heard", "word"),
) -> tuple[dict[str, Any], str]:
    """How well recordings are transcribed, and examples of it, the wrong ones first.

    Args:
        transcriber: of the model.
        recordings: with their words.
        beam: of the search in a model of several words.
        terms: what the examples and the metric call the target, the prediction and a word.

    Returns:
        `metric`, `value` and `higher_is_better`: the accuracy of a model of one word, or the word error rate by beam
        search of a model of several; and `scores`: `seconds` that transcribing so many `recordings` took (greedily, and
        compiled before), and `greedy`, the word error rate without a beam.
    """
    targets = [r.words for r in recordings]
    transcriber(recordings)
    start = time.monotonic()
    predictions = transcriber(recordings)
    scores = {"seconds": round(time.monotonic() - start, 3), "recordings": len(recordings)}
    if transcriber.one_word:
        value = 100 * float(np.mean([a == b for a, b in zip(targets, predictions, strict=True)]))
    else:
        scores["greedy"] = 100 * word_error_rate(targets, predictions)
        predictions = transcriber(recordings, beam)
        value = 100 * word_error_rate(targets, predictions)
    metric = "accuracy %" if transcriber.one_word else f"{terms[2]} error rate %"
    lines = [
        f"{'right' if a == b else 'WRONG'}  {terms[0]} {' '.join(a)}  {terms[1]} {' '.join(b)}  {r.name}"
        for r, a, b in zip(recordings, targets, predictions, strict=True)
    ]
    wrong = [line for line in lines if line.startswith("WRONG")]
    right = [line for line in lines if line.startswith("right")]
    examples = "\n".join([f"{len(wrong)} of {len(lines)} wrong", *wrong[:20], *right[:10]]) + "\n"
    return {"metric": metric, "value": value, "higher_is_better": transcriber.one_word, "scores": scores}, examples
