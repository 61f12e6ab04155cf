"""What a classifier makes of single texts, and the words that it rests on."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import numpy as np

from experiments.sentiment.data import unknown_like
from rnn_jax.analysis import occlusion
from rnn_jax.data import PAD, UNKNOWN, Tokenizer


class Explanation(NamedTuple):
    """What a classifier makes of one text, and why."""

    probabilities: np.ndarray
    """float32 `[C]`."""
    attributions: list[tuple[str, float]]
    """Each word, and by how much the log-odds of the most probable class fall when it is made unknown; the largest
    change first."""
    note: str
    """What to know about the answer: words that were left out, no known word. Mostly empty."""


class Explainer:
    """Classifies single texts, with reasons; compiled for few shapes.

    Args:
        model: a `TextClassifier`.
        tokenizer: of its texts.
        longest: tokens of a text that are read, so that the cost of any text is bounded.
    """

    def __init__(self, model: Callable[..., jax.Array], tokenizer: Tokenizer, longest: int):
        self.tokenizer, self.longest = tokenizer, longest
        self._logits = jax.jit(lambda tokens, lengths: model(tokens, lengths))

    def __call__(self, text: str) -> Explanation | None:
        """Classify and explain a text; None where it has no words."""
        tokens = self.tokenizer.encode(text)
        if not len(tokens):
            return None
        note = "no known word" if (tokens <= UNKNOWN).all() else ""
        if len(tokens) > self.longest:
            note = f"only the first {self.longest} of {len(tokens):,} tokens were read"
            tokens = tokens[: self.longest]
        logits = self.logits(tokens[:, None], np.array([len(tokens)], np.int32))[0]
        predicted = int(logits.argmax())
        spans = [span for span in self.tokenizer.spans(text) if span[2] <= len(tokens)]

        def log_odds(variants: np.ndarray, lengths: np.ndarray) -> np.ndarray:
            scores = self.logits(variants, lengths)
            return scores[:, predicted] - np.logaddexp.reduce(np.delete(scores, predicted, 1), 1)

        changes = occlusion(log_odds, tokens, [span[1:] for span in spans], unknown_like(tokens)[0])
        attributions = sorted(
            zip((word for word, *_ in spans), changes.tolist(), strict=True), key=lambda a: -abs(a[1])
        )
        return Explanation(np.exp(logits - np.logaddexp.reduce(logits)), attributions, note)

    def logits(self, tokens: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Logits `[B, C]` of tokens `[T, B]` or bags `[T, B, K]`, which are padded to one of few lengths."""
        padding = -len(tokens) % 32
        return np.asarray(
            self._logits(np.pad(tokens, ((0, padding), *[(0, 0)] * (tokens.ndim - 1)), constant_values=PAD), lengths)
        )

    def line(self, text: str, classes: Sequence[str], words: int = 6) -> str:
        """An explanation in one line: class, probability, the text's beginning, the words that it rests on."""
        shown = " ".join(text.split())
        shown = shown if len(shown) <= 120 else shown[:117] + "..."
        explained = self(text)
        if explained is None:
            return f"none (no words): {shown}"
        predicted = int(explained.probabilities.argmax())
        attributions = ", ".join(f"{word} {change:+.1f}" for word, change in explained.attributions[:words])
        note = f" ({explained.note})" if explained.note else ""
        return f"{classes[predicted]} {explained.probabilities[predicted]:.3f}{note}: {shown} [{attributions}]"


def explain_examples(
    explainer: Explainer, texts: Sequence[str], labels: np.ndarray, probabilities: np.ndarray, classes: Sequence[str]
) -> str:
    """Ten texts from the worst classified to the best, each after its label, a line each."""
    order = np.argsort(probabilities[np.arange(len(labels)), labels], kind="stable")
    chosen = order[np.unique(np.linspace(0, len(order) - 1, 10).astype(int))]
    return "".join(f"[{classes[labels[i]]}] {explainer.line(texts[i], classes)}\n" for i in chosen)
