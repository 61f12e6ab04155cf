"""An n-gram model, the baseline that a recurrent language model has to beat.

Interpolated Kneser-Ney smoothing with one discount per order, D = n₁ / (n₁ + 2 n₂) from the numbers of n-grams seen
once and twice (Ney, Essen & Kneser 1994); lower orders count in how many contexts a token appears instead of how often:

    P(w | h) = max(c(h w) − D, 0) / c(h) + D · N(h) / c(h) · P(w | h'),      P at order 0 = 1 / V

c: counts, N(h): how many different tokens follow h, h': h without its first token. As in Chen & Goodman 1998, section
2.7. Everything is a sorted array of n-grams, each packed into one integer, so that 5 million tokens take seconds.
"""

from typing import NamedTuple

import numpy as np


class Order(NamedTuple):
    """What was counted of the n-grams of one order."""

    grams: np.ndarray
    """Sorted codes of the n-grams seen, the last token least significant."""
    counts: np.ndarray
    contexts: np.ndarray
    """Sorted codes of their first n - 1 tokens."""
    totals: np.ndarray
    """c(h) of each context."""
    followers: np.ndarray
    """N(h) of each context."""
    discount: float


def ngram_nats(
    train: np.ndarray, test: np.ndarray, vocabulary_size: int, order: int, scored: np.ndarray | None = None
) -> float:
    """The mean negative log likelihood of a test text under an n-gram model of a training text.

    Args:
        train: tokens `[N]`.
        test: tokens `[M]`; the first one is not scored, as in a recurrent model that has read nothing before it.
        vocabulary_size: V.
        order: n; 1 is the unigram model, which knows only how frequent each token is.
        scored: bool `[M]`, the tokens that the mean is over; all but the first by default. Tokens that are not scored
            are context all the same.

    Returns:
        Nats per token.

    Raises:
        ValueError: nothing is scored, order is below 1, a text is too short or has tokens outside 0..V-1, or V to the
            power n does not fit 63 bits.
    """
    if order < 1 or vocabulary_size**order >= 2**63:
        raise ValueError(f"order={order} with {vocabulary_size} tokens: expected at least 1 and V**order below 2**63")
    if len(train) < order or len(test) < 2:
        raise ValueError(f"train has {len(train)} tokens and test {len(test)}: expected at least {order} and 2")
    for name, tokens in (("train", train), ("test", test)):
        if tokens.min() < 0 or tokens.max() >= vocabulary_size:
            raise ValueError(
                f"{name} has tokens from {tokens.min()} to {tokens.max()}: expected 0 to {vocabulary_size - 1}"
            )
    kept = np.ones(len(test), bool) if scored is None else np.asarray(scored, bool)
    if kept.shape != np.shape(test) or not kept[1:].any():
        raise ValueError(f"scored is {list(kept.shape)}: expected bool [{len(test)}], not only the first one true")
    probabilities = np.full(len(test), 1 / vocabulary_size)
    for n, table in enumerate(count_orders(gram_codes(train, vocabulary_size, order), vocabulary_size, order), 1):
        codes = gram_codes(test, vocabulary_size, n)
        context_at, known = _find(table.contexts, codes // vocabulary_size)
        gram_at, seen = _find(table.grams, codes)
        counts = np.where(seen, table.counts[gram_at], 0)
        lower = probabilities[n - 1 :]
        higher = np.maximum(counts - table.discount, 0) + table.discount * table.followers[context_at] * lower
        probabilities[n - 1 :] = np.where(known, higher / table.totals[context_at], lower)
    return float(-np.log(probabilities[1:][kept[1:]]).mean())


def count_orders(codes: np.ndarray, size: int, order: int) -> list[Order]:
    """The counts of each order from 1 on, out of the codes `[N]` of all n-grams of the highest; size is V."""
    tables = []
    grams, counts = np.unique(codes, return_counts=True)
    for n in range(order, 0, -1):
        contexts, first, followers = np.unique(grams // size, return_index=True, return_counts=True)
        once, twice = np.count_nonzero(counts == 1), np.count_nonzero(counts == 2)
        # Small or very regular texts have no n-gram seen once or twice to estimate the discount from.
        discount = once / (once + 2 * twice) if once else 0.5
        tables.append(Order(grams, counts, contexts, np.add.reduceat(counts, first), followers, discount))
        if n > 1:
            grams, counts = np.unique(grams % size ** (n - 1), return_counts=True)
    return tables[::-1]


def gram_codes(tokens: np.ndarray, size: int, n: int) -> np.ndarray:
    """Each n-gram as one integer in base `size`, `[N - n + 1]`; none in a text shorter than n."""
    count = max(len(tokens) - n + 1, 0)
    codes = np.zeros(count, np.int64)
    for i in range(n):
        codes = codes * size + tokens[i : i + count]
    return codes


def _find(ordered: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    at = np.minimum(np.searchsorted(ordered, codes), len(ordered) - 1)
    return at, ordered[at] == codes
