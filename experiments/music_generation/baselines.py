"""What a model of music is measured against: two ways of counting."""

from collections.abc import Sequence

import numpy as np


def frequency_baselines(training: Sequence[np.ndarray], test: Sequence[np.ndarray]) -> dict[str, float]:
    """Nats per step, but for first steps, that two counts reach on test pieces.

    "frequency of each key", and "each key after itself": how often a key of the piano sounds after a step in which it
    did, and after one in which it did not. Half a count is added to each.
    """
    before, after = (np.concatenate([roll[part] for roll in training]) for part in (np.s_[:-1], np.s_[1:]))
    test_before, test_after = (np.concatenate([roll[part] for roll in test]) for part in (np.s_[:-1], np.s_[1:]))
    count_after, count_before, count_both = after.sum(axis=0), before.sum(axis=0), (before & after).sum(axis=0)
    frequency = (count_after + 0.5) / (len(after) + 1)
    stays = (count_both + 0.5) / (count_before + 1)
    begins = (count_after - count_both + 0.5) / (len(after) - count_before + 1)

    def nats(p: np.ndarray) -> float:
        return float(-np.where(test_after > 0, np.log(p), np.log1p(-p)).sum(axis=1).mean())

    return {
        "frequency of each key": nats(frequency[None]),
        "each key after itself": nats(np.where(test_before > 0, stays[None], begins[None])),
    }
