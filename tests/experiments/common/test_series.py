"""Series in the .ts format: what is read, and what is refused with its line."""

import numpy as np
import pytest

from experiments.common.series import parse_series, read_series
from rnn_jax.data import DataError

TS = "@problemName p\n@classLabel true a b\n@data\n1,2,3:4,5,6:a\n7:8:b\n"


def test_series_of_different_lengths():
    series = parse_series(TS, "p.ts")
    assert series.labels == ["a", "b"]
    np.testing.assert_array_equal(series.values[0], np.array([[1, 4], [2, 5], [3, 6]], np.float32))
    assert series.values[1].shape == (1, 2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2:a\n", "no line @data"),
        ("@classLabel false\n@data\n1,2:a\n", "no line `@classLabel true"),
        ("@classLabel true a\n@data\n", "no series after @data"),
        (TS + "1,2:3,4:c\n", "line 6: label 'c' is none of @classLabel a b"),
        (TS + "1,2:3,?:a\n", "line 6: could not convert.*missing values"),
        (TS + "1,2:3,nan:a\n", "line 6: a value is not finite"),
        (TS + "1,2:3:a\n", r"line 6: channels of lengths \[2, 1\]"),
        (TS + "1,2:a\n", r"line 6: channels of lengths \[2\], expected 2"),
    ],
)
def test_a_wrong_file_says_what_is_wrong(text, message):
    with pytest.raises(DataError, match=message):
        parse_series(text, "p.ts")


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(DataError, match="cannot be read: No such file"):
        read_series(tmp_path / "p.ts")
    (tmp_path / "p.ts").write_bytes(b"\xff@data")
    with pytest.raises(DataError, match=r"not UTF-8: byte 0x.* at offset 0"):
        read_series(tmp_path / "p.ts")
