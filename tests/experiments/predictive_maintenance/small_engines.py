"""A few engines whose sensors rise as they wear."""

import numpy as np

from experiments.predictive_maintenance.data import Engine

CAP = 20


def make_engines(count: int = 6, seed: int = 0, final_rul: int = 0) -> list[Engine]:
    """Engines that live 25 to 45 cycles; sensors rise towards the end."""
    rng, made = np.random.default_rng(seed), []
    for number in range(1, count + 1):
        length = int(rng.integers(25, 46))
        wear = np.exp(-np.arange(length - 1, -1, -1) / 10)[:, None]
        sensors = wear * np.arange(21) + 0.1 * rng.normal(size=(length, 21))
        known = length - final_rul
        made.append(Engine(number, np.tile([0.0, 0.25, 100.0], (known, 1)), sensors[:known], final_rul))
    return made
