"""In words what `experiments.forecasting.windows` makes of a table, for those who run a model without this code."""

from collections.abc import Mapping
from typing import Any

from experiments.common.table_cells import split_names
from rnn_jax.models.distributions import LEAST_DISPERSION
from rnn_jax.models.gaussian import LEAST

FEATURE_RULES = {
    "steps": "The first `window` end with the step before the first that is forecast, and are one `step` apart; before "
             "the first step of the table that one is repeated. A moment that the table leaves out is a step without "
             "values. Any steps after the window have the features of its last one, but for those of the kinds ahead, "
             "cos and sin, and words ahead, which are their own.",
    "past": "x = (value - shift[series][k]) / factor[series][k], in `scaling`, k the place of the column in `names`; "
            "where the value is missing, x of the last step that has one, however long before; 0 where there is none",
    "mean": "the mean over all series of that feature",
    "missing": "1 where the value of the column is missing, else 0",
    "static": "(value - static_shift[0][k]) / static_factor[0][k], k its place in `known`; 0 where it is missing",
    "ahead": "as past, by future_shift and future_factor, of the step after each",
    "cos": "cos(2 pi days / period): days since 2001-01-01 00:00 of the moment itself, with fractions; the period of "
           "day is 1, of week 7, of year 365.2425. Moments are in UTC where the table says how far from it they are, "
           "but those of days or longer steps, and of the hours of a working week, by its own clock",
    "sin": "sin of the same",
    "codes": "the place of a word in scaling.vocabulary of its column, from 1 on; 0 for others; the last known where "
             "one is missing, 0 where there is none. The columns are known.categories, in this order; the last "
             "known.words_ahead of them are ahead: of the step after each",
    "series": "place in `series`. A series that is not there has the mean and the standard deviation (1 where that is "
              "0) of its own steps before the forecast as shift and factor, and those of the target as target_shift "
              "and target_factor; what has no value, or a target that is constant, the median of the others",
    "scale": "target_factor of the series",
    "arithmetic": "64 bits, then float32",
}  # fmt: skip
"""How each kind of feature comes about."""

OUTPUT_RULES = {
    "point": "number 1 is the forecast",
    "quantile": "the numbers in ascending order are the quantiles at `levels`, and the middle one is the forecast",
    "gaussian": "mean m, which is the forecast, and s of a normal distribution with the deviation exp(s)",
    "student_t": f"of Student's t-distribution: place m, which is the forecast, scale exp(n2) + {LEAST:g}, degrees of "
                 "freedom 2 + softplus(n3)",
    "negative_binomial": "mean m = softplus(n1) + 1e-6, the forecast. Counts have the mean m * scale and dispersion "
                         f"a = softplus(n2) / sqrt(scale) + {LEAST_DISPERSION:g}, so that their variance is mean + "
                         "a * mean^2; quantiles are those of counts, over scale",
    "mixture": f"of three normal distributions: deviations s = exp(n4..n6) + {LEAST:g}, means n1..n3 + (-0.5, 0, 0.5) "
               "* s, weights softmax(n7..n9); the forecast is the mean of all",
    "variance": "exp(number 1) is the forecast",
}  # fmt: skip
"""What the numbers n1, n2, ... of a step mean; softplus(x) = ln(1 + exp(x))."""


def feature_list(known: Mapping[str, Any], across: bool, gaps: bool, calendar: str) -> list[dict[str, str]]:
    """The features of a step in their order: of which kind each is, and of which column or cycle.

    Args:
        known: panel.json of a run.
        across: whether a series reads the mean of all.
        gaps: whether a step says that its target is missing.
        calendar: the cycles, with commas between them.
    """
    names, others, cycles = known["names"], known.get("known", {}), split_names(calendar)
    found = [("past", name) for name in names]
    found += [("mean", name) for name in names if across and len(known["series"]) > 1]
    found += [("missing", names[0])] if gaps else []
    found += [("static", name) for name in others.get("static", [])]
    found += [("ahead", name) for name in others.get("future", [])]
    found += [(kind, cycle) for kind in ("cos", "sin") for cycle in cycles]
    return [{"kind": kind, "of": of} for kind, of in found]
