"""Scores are written to the digit that is certain, and what is compared is put in order."""

from statistics import stdev

import numpy as np
import pytest
from scipy import stats

from experiments.standing import further_scores, half_width, number_text, rounded, standings, value_text


@pytest.mark.parametrize(
    ("mean", "spread", "text"),
    [
        (98.74213, 0.0495, "98.74 ± 0.05"),
        (98.74213, 0.1495, "98.74 ± 0.15"),
        (36.44697, 1.82078, "36.4 ± 1.8"),
        (0.171878, 0.00021, "0.1719 ± 0.0002"),
        (0.0204, 4.06e-6, "0.020400 ± 0.000004"),
        (3.883e-5, 1.307e-5, "3.9e-05 ± 1.3e-05"),
        (0.0, 0.25, "0.0 ± 0.2"),
        (512.3, 48.7, "512 ± 49"),
        (512.3, 148.7, "512 ± 149"),
        (100.0, 0.0, "100.00 ± 0"),
        (1.2989447, None, "1.299"),
        (38.1365, None, "38.14"),
    ],
)
def test_a_score_ends_with_the_digit_that_is_certain(mean, spread, text):
    assert rounded(mean, spread) == text


def test_the_spread_is_half_of_students_interval():
    values = [1.0, 2.0, 4.0]
    low, high = stats.t.interval(0.95, 2, np.mean(values), stats.sem(values))
    assert half_width(stdev(values), 3) == pytest.approx((high - low) / 2) and half_width(None, 1) is None
    assert (
        value_text({"mean": 2.0, "std": stdev(values), "n": 3})
        == f"{rounded(2.0, (high - low) / 2)} (3)"
        == "2 ± 4 (3)"
    )


def test_a_number_without_a_deviation_has_three_digits_at_least():
    shown = [number_text(value) for value in (89.214, 3.3473, 0.0, 0.16667, 0.0204, 4.9e-10, -12.345)]
    assert shown == ["89.21", "3.347", "0.000", "0.167", "0.0204", "4.9e-10", "-12.35"]


@pytest.mark.parametrize("higher", [False, True])
def test_models_and_what_they_are_compared_with_stand_best_first(higher):
    rows = [
        {"task": task, "metric": "score", "higher_is_better": higher, "model": model, "mean": mean,
         "baselines": {"rule": 3.0, model: mean + 1},
         "published": [{"who": "A", "value": 2.0, "source": "s"}, {"who": model, "value": mean, "source": "s"}]}
        for task, model, mean in (("b", "gru", 1.0), ("b", "lstm", 4.0), ("a", "gru", 0.0))
    ]  # fmt: skip
    other, task = standings("some", rows)
    assert (other.name, task.name, len(other.rows)) == ("some/a", "some/b", 1)
    turn = list if higher else lambda one: one[::-1]
    assert [row["model"] for row in task.ranked] == turn(["lstm", "gru"])
    assert [one["who"] for one in task.published] == turn(["lstm", "A", "gru"])
    assert list(task.baselines) == turn(["lstm", "rule", "gru"])
    assert task.best(task.others) == (5.0 if higher else 1.0) and task.best([]) is None


def test_further_scores_are_means_over_the_seeds_that_have_them():
    row = {"scores": [{"a": 1.0, "b": 2.0, "which": "x"}, {"a": 3.0}, {"a": 2}]}
    assert further_scores(row) == {"a": "2 ± 2", "b": "2.000"}
    assert further_scores({}) == {}
    assert further_scores({"scores": [{"c": [-1.0, 2.0]}, {"c": [-2.0, 4.0]}, {"d": [[1, 2], [3, 4]]}]}) == {
        "c": "[-1.500, 3.000]"
    }
