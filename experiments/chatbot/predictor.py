"""What a trained model of dialogue replies to lines, and how well it knows the replies of others."""

import abc
import functools
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from experiments.chatbot.conversation import ALPHA, BEAMS, STEPS, nearest_replies, write_replies
from experiments.chatbot.data import Pair, conversation_items, conversation_pairs, known_words
from experiments.chatbot.model import make_vectors
from experiments.chatbot.ranking import HeldOut
from experiments.common.prediction import STANDARD_INPUT, Input, Item, Predictor, Record, padded
from experiments.common.reading import say
from experiments.common.text import read_file_text
from experiments.common.text_items import header_of, is_json, numbered_lines, read_texts, tokenizer_in_words
from experiments.common.written import WRITER_ARRAYS, WRITER_INPUTS, before_writing, make_target_nats, search_in_words
from rnn_jax.data import DataError
from rnn_jax.data.text import split_lines
from rnn_jax.train import Trained


def read_turns(file: str) -> Iterator[Item]:
    """What is said after what: lines of turns with tabs between them, the rows of a table of texts, or lines of JSON.

    A table is what begins with a header in which a column of texts is; all else is lines, for tabs part the turns.
    """
    texts = read_texts(file)
    if file != STANDARD_INPUT:
        first = next(filter(str.strip, read_file_text(file).text.splitlines()), "")
        if not is_json(first) and not header_of(first):
            texts = itertools.starmap(Item, numbered_lines(file))
    for item in texts:
        if isinstance(item.value, Exception):
            yield item
            continue
        turns = [" ".join(turn.split()) for turn in item.value.split("\t")]
        if all(turns):
            yield item._replace(value=tuple(turns))
        else:
            what = f"turn {turns.index('') + 1} of {len(turns)} is empty" if len(turns) > 1 else "the line is empty"
            yield item._replace(value=DataError(f"{what}: expected what is said"))


class ChatbotPredictor(Predictor):
    """Replies to lines: what is said, after the turns before it where there are such, with tabs between them."""

    def __init__(self, trained: Trained):
        super().__init__(trained)
        self.tokenizer, self.turns = trained.preprocessor, trained.config.text.turns
        self.threshold = trained.run.read_json("sure.json")

    def read(self, file: str, *, labelled: bool = False) -> Iterator[Item]:
        """Lines; to be scored, whole conversations, each turn with those before it."""
        if labelled:
            if file == STANDARD_INPUT:
                raise DataError("standard input: conversations to be scored come from a file")
            items, said = conversation_items(file)
            say(said)
            yield from (item for item in items if isinstance(item.value, Exception))
            good = [item.value for item in items if not isinstance(item.value, Exception)]
            for number, pair in enumerate(conversation_pairs(good, self.turns), 1):
                yield Item(f"pair {number}", pair, pair)
            return
        for item in read_turns(file):
            if isinstance(item.value, Exception):
                yield item
            elif not known_words(self.tokenizer.tokenizer, item.value[-1]):
                yield item._replace(value=DataError(f"{item.value[-1][:60]!r}: none of these words is known"))
            else:
                yield item._replace(value=item.value[-self.turns :])

    def answer(self, values: Sequence[Any]) -> list[Record]:
        """Replies to contexts; of pairs, how likely the reply is."""
        if isinstance(values[0], Pair):
            return self.likelihoods(values)
        return self.decode(values, self.replies(values))

    @abc.abstractmethod
    def likelihoods(self, pairs: Sequence[Pair]) -> list[Record]:
        """What the model says of pairs."""

    @abc.abstractmethod
    def replies(self, contexts: Sequence[Sequence[str]]) -> Any:
        """What `decode` makes records of."""

    def sure(self, score: float) -> bool:
        """Whether at least a third of the replies to validation pairs that score as high were the true ones."""
        return self.threshold is not None and score >= self.threshold

    @property
    def preprocessing(self) -> dict[str, Any]:
        """The tokens of turns."""
        return {
            "tokenizer": tokenizer_in_words(self.tokenizer.tokenizer),
            "context": f"the tokens of the last {self.turns} turns, an end (3) after each; "
            f"the last {self.tokenizer.longest} of them",
            "reply": f"its tokens and an end; the first {self.tokenizer.longest} of them",
            "sure from this score on": self.threshold,
        }


class RankingPredictor(ChatbotPredictor):
    """The replies among some that fit best."""

    inputs: Mapping[str, Input] = {"tokens": Input("time, batch", "int32"), "lengths": Input("batch", "int32")}

    def __init__(self, trained: Trained, replies: str = "", best: int = 1):
        """See `chatbot_predictor`."""
        super().__init__(trained)
        self.known = file_replies(replies) if replies else list(dict.fromkeys(trained.run.read_json("replies.json")))
        if not 1 <= best <= len(self.known):
            raise ValueError(f"best={best}: expected 1 to {len(self.known):,}, for there are so many different replies")
        self.best = best

    def encode(self, values: Sequence[Sequence[str]]) -> dict[str, np.ndarray]:
        """Contexts as tokens."""
        tokens, lengths = padded([self.tokenizer.context(turns) for turns in values])
        return {"tokens": tokens, "lengths": lengths}

    def program(self, tokens: jax.Array, lengths: jax.Array) -> jax.Array:
        """Tokens `[T, B]` of contexts or replies to vectors `[B, E]`."""
        return self.trained.model(tokens, lengths)

    @functools.cached_property
    def _nearest(self) -> Any:
        return nearest_replies(self.trained.model, self.tokenizer, self.known)

    def replies(self, contexts: Sequence[Sequence[str]]) -> list[np.ndarray]:
        """The cosine of each context with each of the replies."""
        return self._nearest(contexts)

    def decode(self, values: Sequence[Any], outputs: Any) -> list[Record]:
        """Cosines to replies, the best first."""
        records = []
        for cosines in outputs:
            order = np.argsort(-cosines, kind="stable")[: self.best].tolist()
            first, *others = [{"reply": self.known[k], "cosine": float(cosines[k])} for k in order]
            more = {"others": others} if others else {}
            records.append({**first, "sure": self.sure(first["cosine"]), **more})
        return records

    def likelihoods(self, pairs: Sequence[Pair]) -> list[Record]:
        """The cosine of each context with its reply."""
        contexts, replies = self._vectors(pairs)
        return [{"cosine": float(value)} for value in (contexts * replies).sum(1)]

    @functools.cached_property
    def _read(self) -> Any:
        return functools.partial(make_vectors(self.trained.rebuild, self.tokenizer.longest), self.trained.params)

    def _vectors(self, pairs: Sequence[Pair]) -> tuple[np.ndarray, np.ndarray]:
        contexts = self._read([self.tokenizer.context(pair.context) for pair in pairs])
        return contexts, self._read([self.tokenizer.reply(pair.reply) for pair in pairs])

    def measures(self, labels: Sequence[Pair], records: Sequence[Record]) -> dict[str, Any]:
        """recall@1 and recall@5 of the true replies among ten; see `HeldOut`."""
        contexts, replies = self._vectors(labels)
        recalls = HeldOut(labels).recalls(contexts @ replies.T)
        return {f"{name} % of ten replies": value for name, value in recalls.items()}

    @property
    def preprocessing(self) -> dict[str, Any]:
        """The tokens of turns, and the replies."""
        return super().preprocessing | {
            "outputs": "float32 [batch, feature], vectors of length 1, of contexts and of replies alike",
            "answer": "the reply whose vector has the greatest product with that of the context, and which is not as "
            "one of its turns but for case and punctuation",
            "replies": self.known,
        }


class WritingPredictor(ChatbotPredictor):
    """Replies that are written."""

    inputs = WRITER_INPUTS

    def encode(self, values: Sequence[Sequence[str]]) -> dict[str, np.ndarray]:
        """Contexts as tokens, before anything is written."""
        return before_writing([self.tokenizer.context(turns) for turns in values])

    def program(self, source: jax.Array, source_lengths: jax.Array, inputs: jax.Array) -> jax.Array:
        """Contexts `[S, B]` and what is written so far `[T, B]` to logits `[T, B, V]` of what follows each."""
        return self.trained.model(source, source_lengths, inputs)

    @functools.cached_property
    def _write(self) -> Any:
        return write_replies(self.trained.model, self.tokenizer)

    @functools.cached_property
    def _nats(self) -> Any:
        return make_target_nats(self.program)

    def replies(self, contexts: Sequence[Sequence[str]]) -> list[tuple[str, float]]:
        """Replies, and the mean log probability of their tokens."""
        return self._write(contexts)

    def decode(self, values: Sequence[Any], outputs: Any) -> list[Record]:
        """Replies to records."""
        return [{"reply": text, "nats/token": -score, "sure": self.sure(score)} for text, score in outputs]

    def likelihoods(self, pairs: Sequence[Pair]) -> list[Record]:
        """The nats of each reply, its end included."""
        replies = [self.tokenizer.reply(pair.reply) for pair in pairs]
        nats = self._nats([self.tokenizer.context(pair.context) for pair in pairs], replies)
        return [{"nats": float(n), "tokens": len(reply)} for n, reply in zip(nats, replies, strict=True)]

    def measures(self, labels: Sequence[Pair], records: Sequence[Record]) -> dict[str, Any]:
        """Perplexity of the replies."""
        tokens = sum(record["tokens"] for record in records)
        nats = math.fsum(record["nats"] for record in records) / tokens
        return {"perplexity": math.exp(nats), "nats/token": nats, "tokens": tokens}

    @property
    def preprocessing(self) -> dict[str, Any]:
        """The tokens of turns, and how a reply is searched for."""
        search = search_in_words(BEAMS, ALPHA, STEPS) | {"never written first": ["end"]}
        return {**super().preprocessing, **WRITER_ARRAYS, "search": search}


def chatbot_predictor(trained: Trained, replies: str = "", best: int = 1) -> ChatbotPredictor:
    """The predictor of a run's task.

    Args:
        trained: the model.
        replies: of ranking, a file of the replies to choose from, one a line; those of training by default.
        best: of ranking, how many replies each line gets.

    Raises:
        ValueError: the task has no use for an option, or it is out of range.
        DataError: the file cannot be read.
    """
    if trained.config.task == "ranking":
        return RankingPredictor(trained, replies, best)
    if replies or best != 1:
        raise ValueError(f"replies={replies!r}, best={best}: replies of this run are written, not chosen; leave it out")
    return WritingPredictor(trained)


def file_replies(path: str | Path) -> list[str]:
    """The different lines of a file.

    Raises:
        DataError: it cannot be read, or has none.
    """
    file = read_file_text(path)
    say(file.notes)
    replies = list(dict.fromkeys(" ".join(line.split()) for line in split_lines(file.text) if line.strip()))
    if not replies:
        raise DataError(f"{path} has no replies: expected one a line")
    return replies
