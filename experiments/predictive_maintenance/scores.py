"""How wrong predictions of the RUL are, and what they say in words."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from experiments.predictive_maintenance.data import Engine
from experiments.predictive_maintenance.model import RULPrediction, final_predictions
from rnn_jax.metrics import nasa_score, root_mean_square_error
from rnn_jax.models.gaussian import WIDTH

SHORTEST = 31
"""Cycles that an engine has made at least before it is cut off."""
UNCAPPED = "rmse, lives not capped"


class TruncationErrors(NamedTuple):
    """How wrong a model is about engines that are truncated at random."""

    rmse: float
    """In cycles."""
    stretch: float
    """By what its standard deviations have to be multiplied for 90 % of the errors to lie in intervals of 90 %."""


def truncation_errors(
    engines: Sequence[Engine], predictions: Sequence[RULPrediction], cap: int, shortest: int = SHORTEST
) -> TruncationErrors:
    """The errors at engines run to failure if they are truncated at random, as test engines are.

    Each cycle from the `shortest` history on whose RUL is at most 1.2 × cap counts as much as any other; the RUL counts
    as the cap at most.

    Raises:
        ValueError: no engine has such a cycle.
    """
    counted = [(np.arange(1, len(e) + 1) >= shortest) & (e.rul <= 1.2 * cap) for e in engines]
    mean, std = (
        np.concatenate([x[rows] for x, rows in zip(values, counted, strict=True)])
        for values in zip(*predictions, strict=True)
    )
    target = np.concatenate([np.minimum(e.rul[rows], cap) for e, rows in zip(engines, counted, strict=True)])
    if not len(target):
        raise ValueError(f"no engine has {shortest} cycles: expected longer histories")
    stretch = float(np.quantile(np.abs(mean - target) / std, 0.9, method="higher")) / WIDTH
    return TruncationErrors(root_mean_square_error(mean, target), stretch)


def rul_scores(engines: Sequence[Engine], predictions: Sequence[RULPrediction], cap: int) -> dict[str, Any]:
    """Errors at the last cycle of test engines, see `final_scores`."""
    return final_scores(np.array([e.rul[-1] for e in engines]), *final_predictions(predictions, cap), cap)


def final_scores(target: np.ndarray, mean: np.ndarray, low: np.ndarray, high: np.ndarray, cap: int) -> dict[str, Any]:
    """Errors in cycles and NASA scores, with the RUL capped and as it is.

    `coverage` is the share of engines, in %, whose capped RUL is in the interval of 90 %, ends included.

    Args:
        target: the RUL of each engine, `[N]`.
        mean: the predicted one, `[N]`.
        low: end of its interval of 90 %, `[N]`.
        high: the other end.
        cap: the highest RUL, in cycles.
    """
    capped = np.minimum(target, cap)
    return {
        "rmse": root_mean_square_error(mean, capped),
        "nasa score": nasa_score(mean, capped),
        UNCAPPED: root_mean_square_error(mean, target),
        "nasa score, lives not capped": nasa_score(mean, target),
        "coverage of 90 % intervals": 100 * float(np.mean((low <= capped) & (capped <= high))),
        "width of 90 % intervals": float(np.mean(high - low)),
        "longer than the cap": int(np.sum(target > cap)),
    }


def uncapped_line(scores: dict[str, Any], cap: int) -> str:
    """What the cap of the true RUL does to the error at test engines, as a line of text; of `rul_scores`."""
    return (
        f"RMSE of {scores['rmse']:.2f} cycles, the true RUL capped at {cap}, as that of training is; "
        f"{scores[UNCAPPED]:.2f} with it as it is, for {scores['longer than the cap']} engines that live longer\n"
    )


def prediction_line(engine: Engine, prediction: RULPrediction, cap: int) -> str:
    """The prediction after the last known cycle of an engine, as a line of text."""
    mean, low, high = (float(x[0]) for x in final_predictions([prediction], cap))
    last = f"{high:.0f} or more" if high >= cap else f"{high:.0f}"
    return f"engine {engine.number}: after {len(engine)} cycles {mean:.0f} left, 90 % interval {low:.0f} to {last}"


def spread_by_error(
    engines: Sequence[Engine], predictions: Sequence[RULPrediction], cap: int, count: int = 12
) -> list[int]:
    """So many test engines, or all if there are fewer: from the best predicted one to the worst, evenly spread."""
    errors = [abs(float(p.mean[-1]) - min(float(e.rul[-1]), cap)) for e, p in zip(engines, predictions, strict=True)]
    places = np.unique(np.linspace(0, len(errors) - 1, count).astype(int))
    return np.argsort(errors, kind="stable")[places].tolist()
