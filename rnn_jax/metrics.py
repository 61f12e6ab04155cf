"""Scores of whole tasks."""

import lzma
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from rnn_jax.extras import optional_imports
from rnn_jax.losses import pinball_loss
from rnn_jax.typing import Array, Checked, Float, Int, Shaped


def accuracy(predicted: Checked[Any, "N"], labels: Checked[Any, "N"]) -> float:
    """The share of predictions int `[N]` that are the label int `[N]`.

    Raises:
        ValueError: there are none, or the shapes differ.
    """
    predicted, labels = _matching(predicted, labels)
    return float(np.mean(predicted == labels))


def confusion_matrix(predicted: Checked[Any, "N"], labels: Checked[Any, "N"], classes: int) -> Int[np.ndarray, "C C"]:
    """How often each class was taken for each: int `[C, C]`, rows the labels, columns the predictions.

    Args:
        predicted: int `[N]`, from 0 to C - 1.
        labels: int `[N]`, from 0 to C - 1.
        classes: C.

    Raises:
        ValueError: there are none, the shapes differ, or a class is out of range.
    """
    predicted, labels = _matching(predicted, labels)
    for name, values in (("predicted", predicted), ("labels", labels)):
        if values.min() < 0 or values.max() >= classes:
            raise ValueError(f"{name} ranges from {values.min()} to {values.max()}: expected 0 to {classes - 1}")
    matrix = np.zeros((classes, classes), int)
    np.add.at(matrix, (labels, predicted), 1)
    return matrix


def negative_log_likelihood(probabilities: Checked[Any, "N C"], labels: Checked[Any, "N"]) -> float:
    """The mean of −log p(label) in nats; probabilities `[N, C]`, labels int `[N]`. Infinite where a p is 0."""
    probabilities, labels = np.asarray(probabilities, np.float64), np.asarray(labels)
    _matching(probabilities.argmax(-1), labels)
    with np.errstate(divide="ignore"):
        return float(-np.mean(np.log(probabilities[np.arange(len(labels)), labels])))


class Calibration(NamedTuple):
    """What a classifier claims and what it keeps, by K bins of its confidence; bins without examples are left out."""

    confidence: Float[np.ndarray, "K"]
    """The mean probability of the predicted class."""
    accuracy: Float[np.ndarray, "K"]
    """The share of right predictions."""
    counts: Int[np.ndarray, "K"]
    """How many examples."""

    @property
    def error(self) -> float:
        """The expected calibration error: the mean gap between the two, weighted by the counts."""
        return float(np.sum(self.counts * np.abs(self.accuracy - self.confidence)) / np.sum(self.counts))


def calibration(probabilities: Checked[Any, "N C"], labels: Checked[Any, "N"], bins: int = 15) -> Calibration:
    """Compare confidence and accuracy. Guo et al. 2017, arXiv:1706.04599, equations 2 and 3.

    Args:
        probabilities: `[N, C]`.
        labels: int `[N]`.
        bins: of equal width; bin m is ((m − 1) / M, m / M].

    Raises:
        ValueError: there are none, or the shapes do not fit.
    """
    probabilities = np.asarray(probabilities, np.float64)
    predicted, labels = _matching(probabilities.argmax(-1), labels)
    claimed = probabilities.max(-1)
    bin_of = np.clip(np.ceil(claimed * bins).astype(int) - 1, 0, bins - 1)
    counts = np.bincount(bin_of, minlength=bins)
    used = counts > 0
    confidence = np.bincount(bin_of, claimed, bins)[used] / counts[used]
    right = np.bincount(bin_of, predicted == labels, bins)[used] / counts[used]
    return Calibration(confidence, right, counts[used])


def classification_scores(probabilities: Checked[Any, "N C"], labels: Checked[Any, "N"]) -> dict[str, Any]:
    """Accuracy in %, nats, calibration error and confusion matrix (rows the labels), for a result file."""
    probabilities, labels = np.asarray(probabilities), np.asarray(labels)
    predicted = probabilities.argmax(-1)
    return {
        "accuracy": 100 * accuracy(predicted, labels),
        "nats": negative_log_likelihood(probabilities, labels),
        "calibration error": calibration(probabilities, labels).error,
        "confusion": confusion_matrix(predicted, labels, probabilities.shape[1]).tolist(),
    }


def balanced_accuracy(confusion: Checked[Any, "C C"]) -> float:
    """The mean over classes of the share of their examples that are found, of a matrix whose rows are the labels.

    Classes without examples do not count; nan if there are none at all.
    """
    confusion = np.asarray(confusion, float)
    counts = confusion.sum(axis=1)
    there = counts > 0
    return float((confusion.diagonal()[there] / counts[there]).mean()) if there.any() else float("nan")


def macro_f1(confusion: Checked[Any, "C C"]) -> float:
    """The mean over classes of F1 = 2 TP / (2 TP + FP + FN), of a matrix whose rows are the labels.

    Classes that neither are there nor were predicted do not count; nan if there are none at all.
    """
    confusion = np.asarray(confusion, float)
    counts = confusion.sum(axis=0) + confusion.sum(axis=1)
    there = counts > 0
    return float((2 * confusion.diagonal()[there] / counts[there]).mean()) if there.any() else float("nan")


def recall_at(k: int, scores: Checked[Any, "N C"]) -> float:
    """The share of rows whose first candidate is among the k best; scores `[N, C]`, the first column the right ones.

    Candidates with equal scores share their places: a row counts with the probability that the first one is among the
    k best in a random order of the equal ones. A scorer that cannot tell has k / C.

    Raises:
        ValueError: there are no rows, or k is not from 1 to C.
    """
    scores = np.asarray(scores)
    if scores.ndim != 2 or not len(scores) or not 1 <= k <= scores.shape[1]:
        raise ValueError(f"k={k}, scores {list(scores.shape)}: expected [N, C] with N at least 1, and k from 1 to C")
    better = (scores > scores[:, :1]).sum(axis=1)
    equal = (scores == scores[:, :1]).sum(axis=1)
    return float(np.clip((k - better) / np.maximum(equal, 1), 0, 1).mean())


def root_mean_square_error(prediction: Checked[Any, "N"], target: Checked[Any, "N"]) -> float:
    """The root of the mean square of prediction − target.

    Raises:
        ValueError: there are none, or the shapes differ.
    """
    prediction, target = _matching(prediction, target)
    return float(np.sqrt(np.mean((prediction - target) ** 2)))


def nasa_score(prediction: Checked[Any, "N"], target: Checked[Any, "N"]) -> float:
    """What wrong remaining lives `[N]`, in cycles, cost together: too long ones more than too short ones.

    Σ exp(d / 10) − 1 where d = prediction − target is not negative, exp(−d / 13) − 1 where it is: Saxena et al. 2008,
    "Damage propagation modeling for aircraft engine run-to-failure simulation", section IV.

    Raises:
        ValueError: there are none, or the shapes differ.
    """
    prediction, target = _matching(prediction, target)
    late = np.asarray(prediction - target, np.float64)
    return float(np.expm1(np.where(late < 0, -late / 13, late / 10)).sum())


def confident_from(scores: Checked[Any, "N"], right: Checked[Any, "N"], wanted: float = 0.5) -> float | None:
    """The lowest score from which on at least the `wanted` share of answers is right; None if there is none.

    Args:
        scores: `[N]`, of validation answers.
        right: bool `[N]`.
        wanted: a share.
    """
    scores, right = _matching(scores, right)
    levels = np.unique(scores)
    good = [level for level in levels if right[scores >= level].mean() >= wanted]
    return float(good[0]) if good else None


def compression_nats(train: str, test: str) -> float:
    """What xz, having read a training text, spends on a test text: nats per character.

    The growth of the compressed size (xz -9e) when the test text is appended to the training text.

    Raises:
        ValueError: the test text is empty.
    """
    if not test:
        raise ValueError("test is empty: expected a text of at least one character")
    both, alone = (len(lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME)) for text in (train + test, train))
    return (both - alone) * 8 * math.log(2) / len(test)


def word_error_rate(references: Sequence[Sequence[str]], hypotheses: Sequence[Sequence[str]]) -> float:
    """Words that would have to be changed, added or removed, over the words of the references; by jiwer.

    Raises:
        ValueError: there are no references, one has no words, or the numbers of both differ.
    """
    with optional_imports():
        import jiwer

    if not references or len(references) != len(hypotheses) or not all(references):
        raise ValueError(
            f"{len(references)} references, {len(hypotheses)} hypotheses: expected as many, and words in each reference"
        )
    return float(jiwer.wer([" ".join(words) for words in references], [" ".join(words) for words in hypotheses]))


def _matching(
    predicted: Checked[Any, "N"], labels: Checked[Any, "N"]
) -> tuple[Shaped[np.ndarray, "N"], Shaped[np.ndarray, "N"]]:
    predicted, labels = np.asarray(predicted), np.asarray(labels)
    if predicted.ndim != 1 or predicted.shape != labels.shape or not len(labels):
        raise ValueError(
            f"{list(predicted.shape)} predictions for labels {list(labels.shape)}: expected as many, [N] with N ≥ 1"
        )
    return predicted, labels


def translation_scores(written: Sequence[str], references: Sequence[str], *, cased: bool = False) -> dict[str, float]:
    """BLEU (Papineni et al. 2002) and chrF (Popović 2015) of translations, lower-cased if not `cased`, from 0 to 100.

    sacrebleu's, with its own tokenisation (Post 2018, arXiv:1804.08771): `nrefs:1|case:lc|eff:no|tok:13a|smooth:exp`,
    with `case:mixed` if `cased`.

    Raises:
        ValueError: there are none, or not equally many of both.
    """
    with optional_imports():
        from sacrebleu.metrics import BLEU, CHRF

    if not written or len(written) != len(references):
        raise ValueError(f"{len(written)} translations, {len(references)} references: expected one reference for each")
    metrics = {"BLEU": BLEU(lowercase=not cased), "chrF": CHRF(lowercase=not cased)}
    return {name: metric.corpus_score(list(written), [list(references)]).score for name, metric in metrics.items()}


def mean_absolute_error(forecast: Checked[Any, "*B"], target: Checked[Any, "*B"]) -> float:
    """The mean of |forecast − target|; targets that are NaN are left out.

    Raises:
        ValueError: the shapes differ.
    """
    forecast, target = _alike(forecast=forecast, target=target)
    return float(np.nanmean(np.abs(forecast - target)))


def pinball(quantiles: Float[Array, "*B Q"], target: Float[Array, "*B"], levels: Sequence[float]) -> float:
    """The mean of `rnn_jax.losses.pinball_loss` of quantiles `[..., Q]`; targets `[...]` that are NaN are left out.

    Twice its mean over many levels is the continuous ranked probability score.
    """
    total, count = pinball_loss(jnp.asarray(quantiles, jnp.float32), jnp.asarray(target, jnp.float32), levels)
    return float(total / count)


def coverage(low: Checked[Any, "*B"], high: Checked[Any, "*B"], target: Checked[Any, "*B"]) -> float:
    """The share of targets from low to high; targets that are NaN are left out.

    Raises:
        ValueError: the shapes differ.
    """
    low, high, target = _alike(low=low, high=high, target=target)
    return float(np.mean(((target >= low) & (target <= high))[~np.isnan(target)]))


def interval_score(
    low: Checked[Any, "*B"], high: Checked[Any, "*B"], target: Checked[Any, "*B"], level: float
) -> float:
    """The mean width of bands, and what targets cost that are not in them: 2 / (1 − level) for each unit away.

    Least for the true quantiles (Gneiting & Raftery 2007, equation 43). Targets that are NaN are left out.

    Args:
        low: the lower ends.
        high: the upper ends.
        target: what was observed.
        level: the share of targets that the bands are for.

    Raises:
        ValueError: the shapes differ.
    """
    low, high, target = _alike(low=low, high=high, target=target)
    outside = np.maximum(low - target, 0) + np.maximum(target - high, 0)
    return float(np.nanmean(high - low + 2 / (1 - level) * outside))


def quantile_crps(quantiles: Checked[Any, "*B Q"], target: Checked[Any, "*B"], levels: Sequence[float]) -> float:
    """The continuous ranked probability score of forecasts that are known by some quantiles: 2 ∫ pinball loss dτ.

    A quantile stands for the levels nearer to it than to any other (Laio & Tamea 2007), so that levels need not be
    evenly apart; with the median alone it is the absolute error. Targets that are NaN are left out.

    Args:
        quantiles: `[..., Q]`.
        target: `[...]`.
        levels: Q ascending numbers between 0 and 1.

    Raises:
        ValueError: the shapes do not fit.
    """
    quantiles, target, at = np.asarray(quantiles, np.float64), np.asarray(target, np.float64), np.asarray(levels)
    if quantiles.shape != (*target.shape, len(at)) or (np.diff(at) <= 0).any():
        raise ValueError(
            f"quantiles {list(quantiles.shape)}, target {list(target.shape)}, levels {list(levels)}: expected a "
            "quantile for each target and each level, levels ascending"
        )
    share = np.diff(np.concatenate([[0.0], (at[1:] + at[:-1]) / 2, [1.0]]))
    above = target[..., None] - quantiles
    return float(2 * np.nanmean(np.maximum(at * above, (at - 1) * above) @ share))


def qlike(variance: Checked[Any, "*B"], squares: Checked[Any, "*B"]) -> float:
    """The mean QLIKE of forecasts of a variance, x − log x − 1 with x = squares / variance; 0 where all are equal.

    Patton 2011, "Volatility forecast comparison using imperfect volatility proxies".

    Args:
        variance: positive.
        squares: what was seen of it, positive; NaN is left out.

    Raises:
        ValueError: the shapes differ.
    """
    variance, squares = _alike(variance=variance, squares=squares)
    ratio = np.asarray(squares, np.float64) / np.asarray(variance, np.float64)
    return float(np.nanmean(ratio - np.log(ratio) - 1))


def _alike(**arrays: Any) -> tuple[np.ndarray, ...]:
    """Arrays of one shape: where they are not, NumPy would compare each number with many others."""
    alike = {name: np.asarray(array) for name, array in arrays.items()}
    if len({array.shape for array in alike.values()}) > 1:
        shapes = ", ".join(f"{name} {list(array.shape)}" for name, array in alike.items())
        raise ValueError(f"{shapes}: expected one shape")
    return tuple(alike.values())
