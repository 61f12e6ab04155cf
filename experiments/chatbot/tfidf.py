"""What a ranking of replies has to beat: the words that two texts share, the rarer the more (Salton & Buckley 1988)."""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from scipy import sparse


class TfIdf:
    """Texts as vectors of unit length, so that their product is the cosine of the angle between them.

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
    said, answered = (vectors([pair[side] for pair in known]) for side in (0, 1))
    by_context = (vectors(contexts) @ said.T).toarray()
    by_reply = (vectors(replies) @ answered.T).toarray()
    return np.stack([(row * by_reply).max(axis=1) for row in by_context])
