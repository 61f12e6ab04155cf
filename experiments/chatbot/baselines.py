"""What a model of dialogue is measured against: words that texts share, and n-grams of the replies' tokens."""

import math
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from scipy import sparse

from experiments.chatbot.data import Pair, normal_form
from experiments.common.ngram import ngram_nats
from rnn_jax.data import END


class TfIdf:
    """Texts as vectors of their words, the rarer the more (Salton & Buckley 1988).

    The vectors have unit length, so that their product is the cosine of the angle between them.

    The entry of a word is how often the text has it, times ln((1 + N) / (1 + n)) + 1, where n of the N texts that the
    weights are fitted on have it. Words that none of these has do not count; a text without known words is zero.

    Args:
        texts: the words of each text.
    """

    def __init__(self, texts: Sequence[Sequence[str]]):
        having = Counter(word for words in texts for word in set(words))
        self.places = {word: place for place, word in enumerate(sorted(having))}
        counts = np.array([having[word] for word in self.places])
        self.weights = np.log((1 + len(texts)) / (1 + counts)) + 1

    def __call__(self, texts: Sequence[Sequence[str]]) -> sparse.csr_array:
        """The vectors of texts, float64 `[N, V]`."""
        counts = [Counter(self.places[word] for word in words if word in self.places) for words in texts]
        places = np.array([place for count in counts for place in count], int)
        values = np.array([times for count in counts for times in count.values()]) * self.weights[places]
        starts = np.cumsum([0, *map(len, counts)])
        lengths = np.sqrt([np.sum(values[start:end] ** 2) for start, end in pairwise(starts)])
        values = values / np.repeat(lengths, np.diff(starts))
        return sparse.csr_array((values, places, starts), shape=(len(texts), len(self.weights)))


def neighbour_scores(
    vectors: TfIdf,
    contexts: Sequence[Sequence[str]],
    replies: Sequence[Sequence[str]],
    known: Sequence[tuple[Sequence[str], Sequence[str]]],
) -> np.ndarray:
    """How well each reply suits each context, by known pairs: the best product of two cosines, `[N, R]`.

    The score is the maximum over known pairs of (context with its context) times (reply with its reply).

    Args:
        vectors: fitted.
        contexts: the words of each context.
        replies: the words of each reply.
        known: the words of contexts and their replies.
    """
    known_contexts, known_replies = (vectors([pair[side] for pair in known]) for side in (0, 1))
    by_context = (vectors(contexts) @ known_contexts.T).toarray()
    by_reply = (vectors(replies) @ known_replies.T).toarray()
    return np.stack([(row * by_reply).max(axis=1) for row in by_context])


def tfidf_scores(train: Sequence[Pair], test: Sequence[Pair]) -> dict[str, np.ndarray]:
    """Scores `[N, N]` of contexts with replies by TF-IDF: of a context with a reply, by known pairs, and the sum.

    The words are those of `normal_form`; weights are fitted on the training pairs. See `neighbour_scores`.
    """

    def words(pairs: Sequence[Pair]) -> list[tuple[list[str], list[str]]]:
        return [(normal_form(" ".join(pair.context)).split(), normal_form(pair.reply).split()) for pair in pairs]

    known, held_out = words(train), words(test)
    vectors = TfIdf([text for pair in known for text in pair])
    contexts, replies = ([pair[side] for pair in held_out] for side in (0, 1))
    direct = (vectors(contexts) @ vectors(replies).T).toarray()
    neighbours = neighbour_scores(vectors, contexts, replies, known)
    return {"TF-IDF": direct, "TF-IDF, nearest pair": neighbours, "TF-IDF, both": direct + neighbours}


def ngram_perplexity(
    train: Sequence[tuple[np.ndarray, np.ndarray]],
    test: Sequence[tuple[np.ndarray, np.ndarray]],
    vocabulary_size: int,
    order: int,
    *,
    contexts: bool,
) -> float:
    """The perplexity of replies under an n-gram model, of the same tokens as in `make_perplexity`.

    The model is one of a text of all replies one after the other, an end between them, or with `contexts` of each
    context before its reply, so that the last words of a question count for the first of the answer.

    Args:
        train: tokens of contexts and their replies.
        test: tokens of contexts and their replies; only these replies are scored.
        vocabulary_size: V.
        order: n.
        contexts: whether contexts are part of the text.
    """
    texts = []
    for pairs in (train, test):
        parts, scored = [np.array([END], np.int32)], [np.zeros(1, bool)]
        for context, reply in pairs:
            before = context if contexts else context[:0]
            after = np.array([END][: int(reply[-1] != END)], np.int32)  # a reply that was cut has no end of its own
            parts += [before, reply, after]
            scored += [np.full(len(before), False), np.full(len(reply), True), np.full(len(after), False)]
        texts.append((np.concatenate(parts), np.concatenate(scored)))
    return math.exp(ngram_nats(texts[0][0], texts[1][0], vocabulary_size, order, scored=texts[1][1]))
