"""A conversation: what was said before is part of what is answered, and doubt is said aloud."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from experiments.chatbot.data import Pair, normal_form
from experiments.chatbot.dual_encoder import DualEncoder
from experiments.chatbot.model import TurnTokens, make_vectors
from rnn_jax.data import BEGIN, END, PAD, UNKNOWN
from rnn_jax.data.labelled import print_lines
from rnn_jax.data.vocabulary import SPECIALS
from rnn_jax.decoding import beam_search, repeat_rows
from rnn_jax.metrics import confident_from
from rnn_jax.nnx import functional

Respond = Callable[[Sequence[str]], tuple[str, float]]
"""From the last turns to a reply and its score."""


def make_respond(model: nnx.Module, tokens: TurnTokens, replies: Sequence[str]) -> Respond:
    """Answers of a model: a `DualEncoder` finds them among these replies, an encoder-decoder writes them."""
    return choose_reply(model, tokens, replies) if isinstance(model, DualEncoder) else write_reply(model, tokens)


def choose_reply(model: DualEncoder, tokens: TurnTokens, replies: Sequence[str]) -> Respond:
    """Answers with the best of some replies, scored by the cosine of a `DualEncoder`'s vectors.

    A reply that only repeats one of the turns is not given.
    """
    params, rebuild = functional(model)
    known = make_vectors(rebuild, tokens.longest)(params, [tokens.reply(reply) for reply in replies])
    forms = np.array([normal_form(reply) for reply in replies])
    read = jax.jit(lambda values, length: model(values, length)[0])

    def respond(turns: Sequence[str]) -> tuple[str, float]:
        cosines = known @ np.asarray(read(*_row(tokens, turns)))
        cosines[np.isin(forms, [normal_form(turn) for turn in turns])] = -1.0
        return replies[int(cosines.argmax())], float(cosines.max())

    return respond


def write_reply(model: Any, tokens: TurnTokens, *, steps: int = 40, beams: int = 4) -> Respond:
    """Writes answers by beam search with an encoder-decoder, scored by the mean log probability of their tokens.

    An answer that ends before its first word is written as "…".
    """

    @jax.jit
    def write(values: jax.Array, length: jax.Array) -> Any:
        memory = model.encode(values, length)
        looked_at = repeat_rows(memory, beams)
        return beam_search(
            lambda carry, token: model.step(looked_at, carry, token), model.start(memory, steps),
            begin=BEGIN, end=END, steps=steps, beams=beams, alpha=1.0, forbidden=(PAD, UNKNOWN, BEGIN),
        )  # fmt: skip

    def respond(turns: Sequence[str]) -> tuple[str, float]:
        found = write(*_row(tokens, turns))
        written = tokens.tokenizer.decode(np.asarray(found.tokens[0, 0]))
        length = max(1, int(found.lengths[0, 0]))
        return " ".join(written.split()) or "…", float(found.scores[0, 0]) * (5 + length) / 6 / length

    return respond


def sure_from(respond: Respond, pairs: Sequence[Pair]) -> float | None:
    """The score from which on a third of the answers to validation pairs are the true ones, word for word.

    None where there is no such score. Fitting answers that differ from the true one count as wrong.
    """
    answers = [respond(pair.context) for pair in pairs]
    right = [normal_form(text) == normal_form(pair.reply) for (text, _), pair in zip(answers, pairs, strict=True)]
    return confident_from([score for _, score in answers], right, wanted=1 / 3)


class Chat:
    """Answers line by line; the last turns of both sides are read each time.

    A line without text or without a known word is answered, but is no turn of the conversation.

    Args:
        respond: from turns to a reply and its score.
        tokens: of the turns.
        turns: that are read, at most.
        sure: the score from which on an answer is sure; None: never.
    """

    def __init__(self, respond: Respond, tokens: TurnTokens, turns: int, sure: float | None):
        self.respond, self.tokens, self.turns, self.sure = respond, tokens, turns, sure
        self.history: list[str] = []

    @property
    def about(self) -> str:
        """What "unsure" means, in words."""
        if self.sure is None:
            return "every reply is marked (unsure): at no score were a third of those to validation pairs the true ones"
        return (
            f"a reply is marked (unsure) where its score is below {self.sure:.3f}: from there on, at least a third of "
            "those to validation pairs were the true ones, word for word"
        )

    def answer(self, line: str) -> str:
        """The reply to a line, in one line."""
        said = " ".join(line.split())
        if not said:
            return "(unsure) I have read nothing: please say something."
        ids = self.tokens.tokenizer.encode(said)
        if not self.tokens.tokenizer.decode(ids).replace(SPECIALS[UNKNOWN], "").strip():
            return "(unsure) I know none of these words."
        longest = self.tokens.longest
        cut = f"(I read only the last {longest} of {len(ids):,} tokens) " if len(ids) > longest else ""
        reply, score = self.respond([*self.history, said][-self.turns :])
        # A long turn is kept no longer than it can be read.
        self.history = [*self.history, said[-20 * longest :], reply][-self.turns :]
        return f"{cut}{'' if self.sure is not None and score >= self.sure else '(unsure) '}{reply}"


def talk(chat: Chat, lines: Iterable[str]) -> None:
    """Print the reply to each line as soon as it is read, until the last one, Ctrl-C, or nobody reads the replies."""
    print_lines(chat.answer(line) for line in lines)


def _row(tokens: TurnTokens, turns: Sequence[str]) -> tuple[jax.Array, jax.Array]:
    """Turns as one padded row, of one shape for all."""
    context = tokens.context(turns)
    values = np.full((tokens.longest, 1), PAD, np.int32)
    values[: len(context), 0] = context
    return jnp.asarray(values), jnp.array([len(context)], jnp.int32)
