"""Explanations: with a model whose scores are known, words get what they are worth."""

import jax.numpy as jnp
import numpy as np

from experiments.sentiment.explanation import Explainer


class Numbers:
    """A tokenizer of numbers."""

    def encode(self, text: str) -> np.ndarray:
        return np.array([int(token) for token in text.split()], np.int32)

    def spans(self, text: str) -> list[tuple[str, int, int]]:
        return [(word, i, i + 1) for i, word in enumerate(text.split())]


def count_fours_and_fives(tokens, lengths):
    return jnp.stack([(tokens == 4).sum(0), 2 * (tokens == 5).sum(0)], 1).astype("float32")


def test_words_have_the_attributions_that_they_earn():
    explanation = Explainer(count_fours_and_fives, Numbers(), 10)("4 5 6 5")
    assert explanation.probabilities.argmax() == 1 and explanation.note == ""
    assert explanation.attributions == [("5", 2.0), ("5", 2.0), ("4", -1.0), ("6", 0.0)]


def test_what_is_left_out_is_noted():
    explainer = Explainer(count_fours_and_fives, Numbers(), 3)
    assert explainer("") is None and explainer.line(" ", ["a", "b"]) == "none (no words): "
    assert explainer("1 1").note == "no known word"
    explanation = explainer("4 6 5 5 5")
    assert explanation.note == "only the first 3 of 5 tokens were read"
    assert explanation.attributions == [("5", 2.0), ("4", -1.0), ("6", 0.0)]
    line = explainer.line("4 6 5 5 5", ["four", "five"])
    assert line.startswith("five 0.731 (only the first 3 of 5 tokens were read): 4 6 5 5 5 [5 +2.0, 4 -1.0, 6 +0.0]")
