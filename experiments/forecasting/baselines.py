"""What a forecast is measured against: the last value, the last season's, and ridge regression on the same windows."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from experiments.forecasting.panel import carried_forward, season_before
from experiments.forecasting.windows import Windows

Design = Callable[[Windows, np.ndarray], np.ndarray]
"""From windows to the rows of a regression, float64 `[N, P]`, the last column ones."""
PENALTIES = (1.0, 10.0, 100.0, 1e3, 1e4)
USUAL = 100.0
"""The penalty where no window is left to choose one by."""


def persistence(windows: Windows, examples: np.ndarray, season: int = 1) -> np.ndarray:
    """What the series had the last time, `season` steps or several seasons before: float64 `[N, H]`.

    A missing value is replaced by the last one before it, and one before the first step by the first.
    """
    steps = season_before(examples[:, 1], windows.horizon, season)
    return carried_forward(windows.panel.target)[examples[:, :1], steps]


def ended_before(fitted: np.ndarray, chosen: np.ndarray, horizon: int) -> np.ndarray:
    """Those windows to fit whose H steps after them end before the first one to choose by does: int `[M, 2]`."""
    return fitted[fitted[:, 1] + horizon <= chosen[:, 1].min()]


def ridge_forecasts(
    windows: Windows, fitted: np.ndarray, chosen: np.ndarray, test: np.ndarray, season: int = 0
) -> tuple[np.ndarray, float]:
    """Ridge regression (Hoerl & Kennard 1970) of each step ahead on the numbers of a window and those known ahead.

    It reads no words, and predicts by how much a step differs from the last season's, if there is one. The penalty is
    the one of `PENALTIES` with the least absolute error on `chosen`, fitted on what is before them in `fitted`; the
    weights are then those for all of `fitted`.

    Args:
        windows: of a panel.
        fitted: int `[M, 2]`, the windows to fit.
        chosen: those to choose the penalty by.
        test: int `[N, 2]`, the windows to forecast after.
        season: as of `persistence`; 0 for none.

    Returns:
        Forecasts in the unit of the panel, float64 `[N, H]`, and the penalty.
    """
    factor = windows.scaling.target_factor[:, None]

    def base(examples: np.ndarray) -> np.ndarray:
        if not season:
            return np.broadcast_to(windows.scaling.target_shift[examples[:, :1]], (len(examples), windows.horizon))
        return persistence(windows, examples, season)

    def left(examples: np.ndarray) -> np.ndarray:
        return (windows.targets(examples, scaled=False) - base(examples)) / factor[examples[:, 0]]

    before = ended_before(fitted, chosen, windows.horizon)
    weights, best = {}, USUAL
    if len(before):
        equations = NormalEquations.of(_design, windows, before, left(before))
        design, targets = _design(windows, chosen), left(chosen)
        weights = {penalty: equations.solve(penalty) for penalty in PENALTIES}
        errors = {penalty: np.nanmean(np.abs(design @ weights[penalty] - targets)) for penalty in PENALTIES}
        best = min(PENALTIES, key=errors.__getitem__)
    if len(before) < len(fitted):
        weights[best] = NormalEquations.of(_design, windows, fitted, left(fitted)).solve(best)
    return base(test) + factor[test[:, 0]] * (_design(windows, test) @ weights[best]), best


def _design(windows: Windows, examples: np.ndarray) -> np.ndarray:
    """The features of windows, what is known of the steps after them, and a one: float64 `[N, P]`."""
    inputs, layout = windows.inputs(examples), windows.layout
    end = layout.features - layout.places
    known = inputs[windows.window :, :, end - layout.ahead : end]  # the last step of a window has that of the first one
    rows = [np.swapaxes(part, 0, 1).reshape(len(examples), -1) for part in (inputs[: windows.window], known)]
    return np.concatenate([*rows, np.ones((len(examples), 1))], axis=1)


class NormalEquations(NamedTuple):
    """Least squares for H targets at once, of which single ones may be missing."""

    gram: np.ndarray
    """XᵀX of all rows, `[P, P]`."""
    products: np.ndarray
    """XᵀY of what is there, `[P, H]`."""
    rows: np.ndarray
    """Those of X where a target is missing, `[M, P]`."""
    missing: np.ndarray
    """Which one it is, bool `[M, H]`."""

    @classmethod
    def of(cls, design: Design, windows: Windows, examples: np.ndarray, targets: np.ndarray) -> "NormalEquations":
        """The equations of the windows `examples` for targets `[N, H]`, NaN where one is missing."""
        gram, products, rows = 0.0, 0.0, []
        for part in np.array_split(np.arange(len(examples)), -(-len(examples) // 4096)):
            xs, ys = design(windows, examples[part]), targets[part]
            gram = gram + xs.T @ xs
            products = products + xs.T @ np.nan_to_num(ys)
            rows.append(xs[np.isnan(ys).any(axis=1)])
        missing = np.isnan(targets)
        return cls(np.asarray(gram), np.asarray(products), np.concatenate(rows), missing[missing.any(axis=1)])

    def solve(self, penalty: float) -> np.ndarray:
        """Weights `[P, H]`; the last one, of the ones, is free.

        The matrix is factored once for all targets: rows R that one of them lacks are taken out of its solution by the
        Woodbury identity, (G − RᵀR)⁻¹ y = G⁻¹y + G⁻¹Rᵀ (1 − R G⁻¹Rᵀ)⁻¹ R G⁻¹y.
        """
        gram = self.gram + penalty * np.diag(np.append(np.ones(len(self.gram) - 1), 1e-9))
        solved = np.linalg.solve(gram, np.concatenate([self.products, self.rows.T], axis=1))
        weights, spread = np.split(solved, [self.products.shape[1]], axis=1)
        for h in np.flatnonzero(self.missing.any(axis=0)):
            gone, solved = self.rows[self.missing[:, h]], spread[:, self.missing[:, h]]
            weights[:, h] += solved @ np.linalg.solve(np.eye(len(gone)) - gone @ solved, gone @ weights[:, h])
        return weights
