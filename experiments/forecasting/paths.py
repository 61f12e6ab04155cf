"""Paths of what may come: whole futures drawn step by step, whose quantiles, sums and maxima can be asked for."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from experiments.forecasting.outputs import LEVELS, Forecast
from experiments.forecasting.windows import Windows
from rnn_jax.typing import Params

PATHS = 100
"""Drawn where nobody says how many."""


class Paths(NamedTuple):
    """What may come after N windows: P paths of H steps each, all as likely."""

    values: np.ndarray
    """float64 `[N, P, H]`, in the unit of the panel."""

    def quantiles(self, levels: Sequence[float] = LEVELS) -> np.ndarray:
        """Of each step: `[N, H, Q]`."""
        return np.moveaxis(np.quantile(self.values, levels, axis=1), 0, -1)

    def of(self, function: Callable[..., Any]) -> np.ndarray:
        """A function of each path, `[N, P]`: `np.sum` or `np.max` say, called with the paths and `axis=-1`.

        Its quantiles are those of a total or of a peak, which those of the single steps do not tell.
        """
        return np.asarray(function(self.values, axis=-1))

    @property
    def forecast(self) -> Forecast:
        """The median and the quantiles of each step."""
        return Forecast(np.median(self.values, axis=1), self.quantiles())


def make_paths(
    rebuild: Callable[[Params], Any],
    windows: Windows,
    examples: np.ndarray,
    paths: int = PATHS,
    *,
    seed: int = 0,
    at_once: int = 16384,
) -> Callable[[Params], Paths]:
    """A function from parameters to paths after some windows, in the unit of the panel, compiled once.

    Args:
        rebuild: from `rnn_jax.nnx.functional` of an `AncestralForecaster`.
        windows: of a panel.
        examples: int `[N, 2]`, which of them.
        paths: P.
        seed: of the draws.
        at_once: paths that are drawn at the same time.
    """
    size = max(1, min(at_once // paths, len(examples)))
    draw = jax.jit(lambda params, read, scale, key: rebuild(params).sample(**read, scale=scale, paths=paths, key=key))
    scaling, series = windows.scaling, examples[:, 0]

    def drawn(params: Params) -> Paths:
        key, parts = jax.random.key(seed), []
        for i, first in enumerate(range(0, len(examples), size)):
            rows = np.resize(examples[first : first + size], (size, 2))  # one shape for all
            part = draw(params, windows.read(rows), windows.scale(rows), jax.random.fold_in(key, i))
            parts.append(np.asarray(part, np.float64))
        scaled = np.concatenate(parts)[: len(examples)]
        shift, factor = (one[series][:, None, None] for one in (scaling.target_shift, scaling.target_factor))
        return Paths(scaled * factor + shift)

    return drawn
