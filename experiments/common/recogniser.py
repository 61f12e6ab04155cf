"""What one does with a model of speech: hear recordings and streams, score what is heard, compare with no learning."""

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.common.speech import SpeechModel, recording_features
from experiments.common.speech_data import Recording
from experiments.common.utterances import in_parts
from rnn_jax.data.features import LogMel
from rnn_jax.decoding import ctc_beam, ctc_greedy
from rnn_jax.metrics import word_error_rate
from rnn_jax.models.classifier import Classifier
from rnn_jax.models.ctc import CTCModel
from rnn_jax.nnx import functional
from rnn_jax.typing import Array, Carry, Params


class Recogniser:
    """The words that a model hears in recordings; compiled once for each shape, whatever the parameters.

    Args:
        model: any parameters.
        words: the vocabulary; the label of words[k] is k + 1.
    """

    def __init__(self, model: SpeechModel, words: Sequence[str]):
        self.words, self.one_word = words, isinstance(model.head, Classifier)
        self.params, rebuild = functional(model)

        def read(params: Params, inputs: Array, lengths: Array) -> tuple[jax.Array, jax.Array]:
            logits, steps = rebuild(params)(inputs, lengths)
            return jax.nn.log_softmax(logits), steps

        self._read, self._greedy = jax.jit(read), jax.jit(ctc_greedy)

    def __call__(self, recordings: Sequence[Recording], beam: int = 0) -> list[tuple[str, ...]]:
        """The words of each recording: the likeliest one, or those of greedy or (with a beam above 0) beam search."""
        heard = []
        for batch in in_parts([Recording(r.waves, ()) for r in recordings], self.words):
            scores, steps = self._read(self.params, batch["inputs"], batch["lengths"])
            heard += [tuple(self.words[label - 1] for label in row) for row in self._labels(scores, steps, beam)]
        return heard

    def _labels(self, scores: jax.Array, steps: jax.Array, beam: int) -> list[tuple[int, ...]]:
        if self.one_word:
            return [(int(best) + 1,) for best in np.argmax(scores, axis=-1)]
        if beam:
            rows = np.swapaxes(np.asarray(scores), 0, 1)
            return [ctc_beam(row[:count], beam)[0][0] for row, count in zip(rows, np.asarray(steps), strict=True)]
        labels, counts = (np.asarray(x) for x in self._greedy(scores, steps))
        return [tuple(row[:count].tolist()) for row, count in zip(labels, counts, strict=True)]


def score_speech(
    recogniser: Recogniser,
    recordings: Sequence[Recording],
    beam: int = 8,
    terms: tuple[str, str, str] = ("said", "heard", "word"),
) -> tuple[dict[str, Any], str]:
    """How well recordings are heard, and examples of it, those gone wrong first.

    Args:
        recogniser: of the model.
        recordings: with their words.
        beam: of the search in a model of several words.
        terms: what the examples and the metric call the truth, the answer and a word.

    Returns:
        `metric`, `value` and `higher_is_better`: the accuracy of a model of one word, or the word error rate by beam
        search of a model of several; and `scores`: `seconds` that hearing so many `recordings` took (greedily, and
        compiled before), and `greedy`, the word error rate without a beam.
    """
    said = [r.words for r in recordings]
    recogniser(recordings)
    began = time.monotonic()
    heard = recogniser(recordings)
    scores = {"seconds": round(time.monotonic() - began, 3), "recordings": len(recordings)}
    if recogniser.one_word:
        value = 100 * float(np.mean([a == b for a, b in zip(said, heard, strict=True)]))
    else:
        scores["greedy"] = 100 * word_error_rate(said, heard)
        heard = recogniser(recordings, beam)
        value = 100 * word_error_rate(said, heard)
    metric = "accuracy %" if recogniser.one_word else f"{terms[2]} error rate %"
    lines = [
        f"{'right' if a == b else 'WRONG'}  {terms[0]} {' '.join(a)}  {terms[1]} {' '.join(b)}  {r.name}"
        for r, a, b in zip(recordings, said, heard, strict=True)
    ]
    wrong = [line for line in lines if line.startswith("WRONG")]
    right = [line for line in lines if line.startswith("right")]
    examples = "\n".join([f"{len(wrong)} of {len(lines)} wrong", *wrong[:20], *right[:10]]) + "\n"
    return {"metric": metric, "value": value, "higher_is_better": recogniser.one_word, "scores": scores}, examples


def nearest_recording(
    training: Sequence[Recording], test: Sequence[Recording], frontend: LogMel | None
) -> dict[str, float]:
    """What no learning reaches: the % of test recordings whose nearest one in the training part says the same.

    Near: by the Euclidean distance between mean and deviation of the features over time, each standardised.
    """
    described = [_descriptions(recordings, frontend) for recordings in (training, test)]
    scale = described[0].std(axis=0) + 1e-8
    near, far = (x / scale for x in described)
    squares = (far**2).sum(axis=1)[:, None] - 2 * far @ near.T + (near**2).sum(axis=1)
    said = [training[int(k)].words == r.words for k, r in zip(squares.argmin(axis=1), test, strict=True)]
    return {"nearest recording": 100 * float(np.mean(said))}


def _descriptions(recordings: Sequence[Recording], frontend: LogMel | None) -> np.ndarray:
    """Mean and deviation over time of each recording's features, `[N, 2 D]`."""
    rows = []
    for xs, valid in recording_features(recordings, frontend):
        count = valid.sum(axis=0)[:, None]
        mean = (xs * valid[..., None]).sum(axis=0) / count
        rows.append(np.hstack([mean, np.sqrt(((xs - mean) ** 2 * valid[..., None]).sum(axis=0) / count)]))
    return np.concatenate(rows)


def listen(model: SpeechModel, pieces: Iterable[np.ndarray], words: Sequence[str]) -> Iterator[str]:
    """The words of a stream of samples, each as soon as greedy decoding is sure of it; equal to those of the whole.

    Args:
        model: a CTC model that reads in one direction.
        pieces: float32 `[n]` one after the other, of any length.
        words: its vocabulary.

    Raises:
        ValueError: the model has no frontend, or cannot be streamed.
    """
    if not isinstance(model.head, CTCModel) or model.frontend is None:
        raise ValueError("only a model of strings of words can be streamed")
    params, rebuild = functional(model)
    frontend, carry, before = model.frontend, model.head.initial_carry((1,)), 0

    @jax.jit
    def advance(params: Params, carry: Carry, samples: Array) -> tuple[Carry, jax.Array]:
        model = rebuild(params)
        assert isinstance(model.head, CTCModel)
        carry, logits = model.head.step(carry, model.standardised(frontend(samples[:, None]))[0])
        return carry, jnp.argmax(logits[0])

    waiting = np.zeros(0, np.float32)
    for piece in pieces:
        waiting = np.append(waiting, piece.astype(np.float32))
        while len(waiting) >= frontend.step_samples:
            carry, label = advance(params, carry, waiting[: frontend.step_samples])
            waiting = waiting[frontend.step_hop :]
            if int(label) not in (0, before):
                yield words[int(label) - 1]
            before = int(label)
