"""A conversation: the turns before are part of what is answered, and a doubtful reply is marked."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from experiments.chatbot.batches import TurnTokenizer
from experiments.chatbot.data import Pair, known_words, normal_form
from experiments.chatbot.model import DualEncoder, make_vectors
from experiments.common.prediction import power_of_two
from rnn_jax.data import BEGIN, END, PAD, UNKNOWN, pad
from rnn_jax.decoding import beam_search, repeat_rows
from rnn_jax.metrics import confident_from
from rnn_jax.nnx import functional

STEPS, BEAMS, ALPHA = 40, 4, 1.0
"""Of the search for a written answer: its tokens at most, open sequences, and the length penalty."""
Responder = Callable[[Sequence[str]], tuple[str, float]]
"""From the last turns to a reply and its score."""


def make_responder(model: nnx.Module, tokenizer: TurnTokenizer, replies: Sequence[str]) -> Responder:
    """Answers of a model: a `DualEncoder` finds them among these replies, an encoder-decoder writes them."""
    if isinstance(model, DualEncoder):
        return retrieve_replies(model, tokenizer, replies)
    return generate_replies(model, tokenizer)


def retrieve_replies(model: DualEncoder, tokenizer: TurnTokenizer, replies: Sequence[str]) -> Responder:
    """Answers with the best of some replies, scored as in `nearest_replies`."""
    nearest = nearest_replies(model, tokenizer, replies)

    def respond(turns: Sequence[str]) -> tuple[str, float]:
        (cosines,) = nearest([turns])
        return replies[int(cosines.argmax())], float(cosines.max())

    return respond


def nearest_replies(
    model: DualEncoder, tokenizer: TurnTokenizer, replies: Sequence[str]
) -> Callable[[Sequence[Sequence[str]]], list[np.ndarray]]:
    """A function of contexts to the cosines of each with some replies, float32 `[R]`, of a `DualEncoder`'s vectors.

    A reply that only repeats one of the turns has −1, and is not given.
    """
    params, rebuild = functional(model)
    known = make_vectors(rebuild, tokenizer.longest)(params, [tokenizer.reply(reply) for reply in replies])
    forms = np.array([normal_form(reply) for reply in replies])
    read = jax.jit(lambda values, lengths: model(values, lengths))

    def nearest(contexts: Sequence[Sequence[str]]) -> list[np.ndarray]:
        found = []
        for turns, vector in zip(contexts, np.asarray(read(*_rows(tokenizer, contexts))), strict=False):
            cosines = known @ vector
            cosines[np.isin(forms, [normal_form(turn) for turn in turns])] = -1.0
            found.append(cosines)
        return found

    return nearest


def generate_replies(model: Any, tokenizer: TurnTokenizer) -> Responder:
    """Writes answers, see `write_replies`."""
    write = write_replies(model, tokenizer)
    return lambda turns: write([turns])[0]


def write_replies(model: Any, tokenizer: TurnTokenizer) -> Callable[[Sequence[Sequence[str]]], list[tuple[str, float]]]:
    """A function of contexts to answers, written by beam search, and the mean log probability of their tokens.

    An answer has a token before its end, as all in training have; one without anything to be seen is written as "…".
    """

    @jax.jit
    def search(values: jax.Array, lengths: jax.Array) -> Any:
        memory = model.encode(values, lengths)
        repeated = repeat_rows(memory, BEAMS)

        def step(carry: Any, token: jax.Array) -> tuple[Any, jax.Array]:
            carry, logits = model.step(repeated, carry, token)
            ends_at_once = (token == BEGIN)[:, None] & (jnp.arange(logits.shape[-1]) == END)
            return carry, jnp.where(ends_at_once, -jnp.inf, logits)

        return beam_search(
            step, model.start(memory, STEPS),
            begin=BEGIN, end=END, steps=STEPS, beams=BEAMS, alpha=ALPHA, forbidden=(PAD, UNKNOWN, BEGIN),
        )  # fmt: skip

    def write(contexts: Sequence[Sequence[str]]) -> list[tuple[str, float]]:
        best = jax.tree.map(lambda leaf: np.asarray(leaf[:, 0]), search(*_rows(tokenizer, contexts)))
        answers = []
        for tokens, length, score in list(zip(*best, strict=True))[: len(contexts)]:
            written, count = tokenizer.tokenizer.decode(tokens), max(1, int(length))
            answers.append((" ".join(written.split()) or "…", float(score) * (5 + count) / 6 / count))
        return answers

    return write


def confidence_threshold(respond: Responder, pairs: Sequence[Pair]) -> float | None:
    """The score from which on a third of the answers to validation pairs are the true ones, word for word.

    None where there is no such score. Fitting answers that differ from the true one count as wrong.
    """
    answers = [respond(pair.context) for pair in pairs]
    right = [normal_form(text) == normal_form(pair.reply) for (text, _), pair in zip(answers, pairs, strict=True)]
    return confident_from([score for _, score in answers], right, wanted=1 / 3)


class Conversation:
    """Answers line by line; the last turns of both sides are read each time.

    A line without text or without a known word is answered, but is no turn of the conversation.

    Args:
        respond: from turns to a reply and its score.
        tokenizer: of the turns.
        turns: that are read, at most.
        threshold: the score from which on an answer is sure; None: never.
    """

    def __init__(self, respond: Responder, tokenizer: TurnTokenizer, turns: int, threshold: float | None):
        self.respond, self.tokenizer, self.turns, self.threshold = respond, tokenizer, turns, threshold
        self.history: list[str] = []

    @property
    def about(self) -> str:
        """What "unsure" means, in words."""
        if self.threshold is None:
            return "every reply is marked (unsure): at no score were a third of those to validation pairs the true ones"
        return (
            f"a reply is marked (unsure) where its score is below {self.threshold:.3f}: from there on, at least a "
            "third of those to validation pairs were the true ones, word for word"
        )

    def answer(self, line: str) -> str:
        """The reply to a line, in one line."""
        turn = " ".join(line.split())
        if not turn:
            return "(unsure) I have read nothing: please say something."
        ids = self.tokenizer.tokenizer.encode(turn)
        if not known_words(self.tokenizer.tokenizer, turn):
            return "(unsure) I know none of these words."
        longest = self.tokenizer.longest
        cut = f"(I read only the last {longest} of {len(ids):,} tokens) " if len(ids) > longest else ""
        reply, score = self.respond([*self.history, turn][-self.turns :])
        # A long turn is kept no longer than it can be read.
        self.history = [*self.history, turn[-20 * longest :], reply][-self.turns :]
        return f"{cut}{'' if self.threshold is not None and score >= self.threshold else '(unsure) '}{reply}"


def _rows(tokenizer: TurnTokenizer, contexts: Sequence[Sequence[str]]) -> tuple[jax.Array, jax.Array]:
    """Contexts as padded rows, of few shapes for all; the last ones are filled up with the first."""
    rows = [tokenizer.context(turns) for turns in contexts]
    rows += rows[:1] * (power_of_two(len(rows)) - len(rows))
    padded = pad(rows, tokenizer.longest)
    return jnp.asarray(padded.values), jnp.asarray(padded.lengths)
