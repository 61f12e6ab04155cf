"""Tables of numbers and of symbols: what is read, and what is refused, with its place."""

import numpy as np
import pytest

from experiments.common.keel import load_keel, parse_keel
from rnn_jax.data import DataError


def test_numbers_symbols_headers_and_empty_lines():
    table = parse_keel("@relation t\n@data\n1, -2.5e1,a\n\n3,4 , b \n", "t.dat")
    np.testing.assert_array_equal(table.values, np.array([[1, -25], [3, 4]], np.float32), strict=True)
    assert table.labels == ["a", "b"]
    table = parse_keel("A, C, EI\nG, T, N", "t.dat", symbols=True)
    assert table.values.tolist() == [["A", "C"], ["G", "T"]] and table.labels == ["EI", "N"]


@pytest.mark.parametrize(
    ("text", "symbols", "message"),
    [
        ("", False, "t.dat has no rows"),
        ("1,a\n\n2,3,a", False, "t.dat, line 3: 3 columns, expected 2, the last one the label"),
        ("only", True, "line 1: 1 columns, expected at least 2"),
        ("1,2,a\n1,N/A,a", False, "line 2, column 2: 'N/A', expected a finite number; missing values"),
        ("1,nan,a", False, "line 1, column 2: 'nan', expected a finite number"),
        ("1,1e39,a", False, "line 1, column 2: '1e39', expected a finite number"),
        ("1,,a", False, "line 1, column 2: '', expected a finite number"),
        ("A,,a", True, "line 1, column 2: '', expected a symbol"),
        ("1,2,", False, "line 1, column 3: '', expected a label"),
    ],
)
def test_what_is_refused_has_its_line(text, symbols, message):
    with pytest.raises(DataError, match=message.replace("(", r"\(")):
        parse_keel(text, "t.dat", symbols=symbols)


@pytest.mark.parametrize(
    ("name", "shape", "classes"),
    [("penbased", (10_992, 16), 10), ("splice", (3_190, 60), 3), ("movement_libras", (360, 90), 15),
     ("optdigits", (5_620, 64), 10)],
)  # fmt: skip
def test_the_real_tables(real_data, name, shape, classes):
    table = load_keel(name, symbols=name == "splice")
    assert table.values.shape == shape and len(table.labels) == shape[0]
    assert len(set(table.labels)) == classes
