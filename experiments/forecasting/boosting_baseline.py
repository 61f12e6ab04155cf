"""What forecasts of a level are measured against where it is asked for: gradient boosting of regression trees.

Friedman 2001, doi:10.1214/aos/1013203451, over histograms of the features (Ke et al. 2017, LightGBM), by scikit-learn.
One model is of all steps ahead, whose number is a feature.
"""

import numpy as np

from experiments.forecasting.windows import Windows

LEAVES = 63
MOST_ROWS = 1_000_000
"""Rows that it is fitted to, windows times steps ahead; of more it takes every second window, every third, ..."""
LAGS = 24
"""Steps of the target before the end of a window that it sees."""
PATIENCE = 10
"""Rounds without a lower error on the windows to choose by, after which it ends."""


def boosting_forecasts(
    windows: Windows, fitted: np.ndarray, chosen: np.ndarray, test: np.ndarray, rounds: int, season: int = 0
) -> np.ndarray:
    """Forecasts by how much a step differs from the last value, with the least absolute error.

    Args:
        windows: of a panel.
        fitted: int `[M, 2]`, the windows to fit; those that reach into `chosen` are left out.
        chosen: those to choose the number of trees by.
        test: int `[N, 2]`, the windows to forecast after.
        rounds: trees, at most.
        season: steps after which the series is much as it was, one more feature; 0 or 1 for none.

    Returns:
        Forecasts in the unit of the panel, float64 `[N, H]`.
    """
    from sklearn.ensemble import HistGradientBoostingRegressor  # takes a second, which nobody else needs

    before = fitted[fitted[:, 1] + windows.horizon <= chosen[:, 1].min()]
    model = HistGradientBoostingRegressor(
        loss="absolute_error", max_iter=rounds, max_leaf_nodes=LEAVES, early_stopping=True,
        n_iter_no_change=PATIENCE, random_state=0,
    )  # fmt: skip
    rows, changes = _known(windows, before, season)
    held_out, expected = _known(windows, chosen, season)
    model.fit(rows, changes, X_val=held_out, y_val=expected)  # pyrefly: ignore[unexpected-keyword]: from 1.7 on
    design, last = _design(windows, test, season)
    scaled = last[:, None] + model.predict(design).reshape(len(test), windows.horizon)
    shift, factor = windows.scaling.target_shift[test[:, :1]], windows.scaling.target_factor[test[:, :1]]
    return shift + factor * scaled


def _known(windows: Windows, examples: np.ndarray, season: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows and what is to be said of them, where it is known, of no more windows than `MOST_ROWS` allow."""
    examples = examples[:: -(-len(examples) * windows.horizon // MOST_ROWS)]
    design, last = _design(windows, examples, season)
    changes = (windows.targets(examples) - last[:, None]).ravel()
    known = np.isfinite(changes)
    return design[known], changes[known]


def _design(windows: Windows, examples: np.ndarray, season: int) -> tuple[np.ndarray, np.ndarray]:
    """A row for each step ahead of each window, float32 `[N · H, P]`, and the last values of the target, `[N]`.

    A row has the features of the last step, how much the target differed from it before, how much it did one season
    before the step ahead, and the number of that step.
    """
    inputs = np.swapaxes(windows.inputs(examples)[: windows.window], 0, 1)  # [N, L, F], the target first
    target, horizon = inputs[:, :, 0], windows.horizon
    last = target[:, -1]
    shared = np.concatenate([inputs[:, -1], target[:, -LAGS:-1] - last[:, None]], axis=1)
    steps = np.arange(horizon)
    own = [np.broadcast_to(steps + 1, (len(examples), horizon))]
    if 1 < season <= windows.window:
        own.append(target[:, windows.window - season + steps % season] - last[:, None])
    rows = np.concatenate([np.repeat(shared, horizon, axis=0), *(one.reshape(-1, 1) for one in own)], axis=1)
    return rows.astype(np.float32), last
