"""Configs of a cross-validation: values out of range."""

import pytest

from experiments.genomics import EXPERIMENT


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"folds": 2}, "folds=2: expected at least 3"),
        ({"pooling": "sum"}, "pooling='sum'"),
        ({"masked": 1.5}, "masked=1.5"),
        ({"pooled_dropout": 1.0}, "pooled_dropout=1.0"),
        ({"embedding_size": 0}, "embedding_size=0"),
    ],
)
def test_values_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        EXPERIMENT.configure(options)
