"""Interpolated absolute discounting from Counters, one order at a time, as in the docstring of the n-gram model."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence


def grams(texts: Iterable[Sequence[int]], order: int) -> Counter:
    """How often each n-gram is in some texts."""
    return Counter(tuple(text[i : i + order]) for text in texts for i in range(len(text) - order + 1))


def slow_probability(counts: Mapping[tuple, int], size: int, history: Sequence[int], token: int, order: int) -> float:
    """P(token | history) by n-grams up to an order; all lower ones follow from those of the highest.

    Args:
        counts: of the highest order.
        size: V.
        history: the tokens before.
        token: the one after them.
        order: n, at most one more than the tokens before.
    """
    levels = {}
    for n in range(len(next(iter(counts), ())), 0, -1):
        levels[n] = counts
        counts = Counter(gram[1:] for gram in counts)

    def probability(n: int) -> float:
        if n == 0:
            return 1 / size
        counts, context = levels[n], tuple(history[len(history) - n + 1 :])
        followers = {gram[-1]: count for gram, count in counts.items() if gram[:-1] == context}
        if not followers:
            return probability(n - 1)
        once, twice = (sum(count == times for count in counts.values()) for times in (1, 2))
        discount = once / (once + 2 * twice) if once else 0.5
        seen = max(followers.get(token, 0) - discount, 0)
        return (seen + discount * len(followers) * probability(n - 1)) / sum(followers.values())

    return probability(order)
