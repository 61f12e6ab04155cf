"""What forecasts of a level are measured against where it is asked for: gradient boosting of regression trees.

Friedman 2001, doi:10.1214/aos/1013203451, over histograms of the features (Ke et al. 2017, LightGBM), by scikit-learn.
One model is of all steps ahead, whose number is a feature.
"""

from typing import Literal

import numpy as np

from experiments.forecasting.baselines import ended_before
from experiments.forecasting.outputs import Forecast
from experiments.forecasting.panel import carried_forward, season_before
from experiments.forecasting.windows import Windows

LEAVES = 63
LAGS = 24
"""Steps of the target up to the end of a window that it sees."""
MOST_ROWS = 1_000_000
"""Rows that it is fitted to, windows times steps ahead; of more it takes every second window, every third, ..."""
AT_ONCE = 200_000
"""Rows that it forecasts at once."""
PATIENCE = 10
"""Trees without a lower error on the windows to choose by, after which it ends."""


def boosting_forecasts(
    windows: Windows, fitted: np.ndarray, chosen: np.ndarray, test: np.ndarray, trees: int, season: int = 0,
    loss: Literal["absolute_error", "squared_error"] = "absolute_error",
) -> tuple[np.ndarray, int]:  # fmt: skip
    """Forecasts by how much a step differs from the last value.

    The number of trees is the one with the least loss on `chosen`, fitted on what is before them in `fitted`; where
    `fitted` has more, so many trees are then fitted to all of it.

    Args:
        windows: of a panel.
        fitted: int `[M, 2]`, the windows to fit.
        chosen: those to choose the number of trees by.
        test: int `[N, 2]`, the windows to forecast after.
        trees: at most.
        season: steps after which the series is much as it was, one more feature; 0 or 1 for none.
        loss: absolute_error or squared_error.

    Returns:
        Forecasts in the unit of the panel, float64 `[N, H]`, and the number of trees.
    """
    from sklearn.ensemble import HistGradientBoostingRegressor  # takes a second, which nobody else needs

    def booster(trees: int, early_stopping: bool) -> HistGradientBoostingRegressor:
        return HistGradientBoostingRegressor(
            loss=loss, max_iter=trees, max_leaf_nodes=LEAVES, early_stopping=early_stopping,
            n_iter_no_change=PATIENCE, random_state=0,
        )  # fmt: skip

    features, horizon = _Features(windows, season), windows.horizon
    before = ended_before(fitted, chosen, horizon)
    model = booster(trees, len(before) > 0)
    if len(before):
        (rows, changes), (held_out, expected) = features.known(before), features.known(chosen)
        model.fit(rows, changes, X_val=held_out, y_val=expected)  # pyrefly: ignore[unexpected-keyword]: from 1.7 on
        trees = model.n_iter_
    if len(before) < len(fitted):
        model = booster(trees, False).fit(*features.known(fitted))
    changes = [
        model.predict(features.rows(part)).reshape(-1, horizon)
        for part in np.array_split(test, -(-len(test) * horizon // AT_ONCE))
    ]
    scaled = features.last(test)[:, None] + np.concatenate(changes)
    series, scaling = test[:, 0], windows.scaling
    return Forecast(scaled, None).unscaled(scaling.target_shift[series], scaling.target_factor[series]).point, trees


class _Features:
    """What a row of each step ahead of windows holds, all scaled; a tree may do with NaN what it likes."""

    def __init__(self, windows: Windows, season: int):
        self.windows, self.season = windows, season
        self.values = carried_forward(windows.target)

    def last(self, examples: np.ndarray) -> np.ndarray:
        """The last known values of the target, `[N]`."""
        return self.values[examples[:, 0], examples[:, 1]]

    def rows(self, examples: np.ndarray) -> np.ndarray:
        """float32 `[N · H, P]`: what is known at the last step, of the steps before it, and of the step ahead.

        The features and words of the last step; how much the target differed from it in the steps before, and one
        season before the step ahead; what is known ahead of that step, and its number.
        """
        windows, horizon, (series, last) = self.windows, self.windows.horizon, examples.T
        known, now = windows.ahead_features.shape[2], windows.codes.shape[2] - windows.layout.words_ahead
        values = self.last(examples)[:, None]
        shared = [
            windows.features[series, last, : windows.features.shape[2] - known],
            self.values[series[:, None], np.maximum(last[:, None] - np.arange(1, LAGS), 0)] - values,
            windows.codes[series, last, :now],
        ]
        steps = np.arange(horizon)
        place = series[:, None], last[:, None] + steps  # which holds what is known of the next step
        own = [
            windows.ahead_features[place], windows.codes[place][..., now:],
            np.broadcast_to(steps[:, None], (len(examples), horizon, 1)),
        ]  # fmt: skip
        if self.season > 1:
            before = season_before(last, horizon, self.season)
            own.append((self.values[series[:, None], before] - values)[..., None])
        repeated = [np.broadcast_to(part[:, None], (len(part), horizon, part.shape[1])) for part in shared]
        found = np.concatenate([*repeated, *own], axis=2, dtype=np.float32, casting="same_kind")
        return found.reshape(len(examples) * horizon, -1)

    def known(self, examples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rows and by how much their steps differ from the last values, where that is known, of `MOST_ROWS` at most."""
        examples = examples[:: -(-len(examples) * self.windows.horizon // MOST_ROWS)]
        changes = (self.windows.targets(examples) - self.last(examples)[:, None]).ravel()
        there = np.isfinite(changes)
        return self.rows(examples)[there], changes[there]
