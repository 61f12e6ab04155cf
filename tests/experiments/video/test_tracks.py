"""Tracks: files as users have them, and a split that is fair to every label and keeps copies together."""

import numpy as np
import pytest

from experiments.common.series import Series
from experiments.video.tracks import SIGNS, load_tracks, read_tracks, stratified_split
from rnn_jax.data import DataError

GOOD = "\ufefftrack,x,label,y\na,0,up,1\nb,5,down,2.5\na,1,up,-1e1\nb,6,down,3\na,2,up,0\n"


def test_a_table_has_its_tracks_in_the_order_of_their_rows(tmp_path):
    (tmp_path / "t.csv").write_text(GOOD)
    values, labels, names, columns, notes = read_tracks(tmp_path / "t.csv")
    assert (
        (names, columns, notes) == (["a", "b"], ["x", "y"], [])
        and labels == ["up", "down"]
        and values[0].dtype == np.float32
    )
    np.testing.assert_array_equal(values[0], [[0, 1], [1, -10], [2, 0]])
    np.testing.assert_array_equal(values[1], [[5, 2.5], [6, 3]])
    (tmp_path / "t.csv").write_text("track,x\na,1\n")
    assert read_tracks(tmp_path / "t.csv", labelled=False).labels == [""]


def test_a_ts_file_is_read_as_one(tmp_path):
    (tmp_path / "t.ts").write_text("@classLabel true a b\n@data\n1,2,3:4,5,6:a\n1,2:3,4:b\n")
    values, labels, *_ = load_tracks(str(tmp_path / "t.ts"))
    assert labels == ["a", "b"] and [v.shape for v in values] == [(3, 2), (2, 2)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"track,label\na,up\n", "expected track, label, and one for each coordinate"),
        (b"track,label,frame\na,up,1\n", "expected track, label, and one for each coordinate"),
        (b"track,x,y\na,1,2\n", "has no column 'label': its first line is 'track,x,y'; expected track, label"),
        (b"", "is empty"),
        (
            b"track,label,frame,x\na,up,1,5\nb,up,1,5\na,up,1,6\n",
            "line 4, column 'frame': 1 is there twice in track 'a'",
        ),
        (b"track,label,t,x\na,up,now,5\n", "line 2, column 't': 'now', expected a finite number"),
        (b"track,label,x\na,up,1\na,up,1,5\n", "line 3: 4 cells, expected 3"),
        (b"track,label,x\n", "has no rows after its first line 'track,label,x'"),
        (b"track,label,x\na,up,1\na,up,N/A\n", "line 3, column 'x': 'N/A', expected a finite number"),
        (b"track,label,x\na,up,1\na,up,\n", "line 3, column 'x': ''"),
        (b"track,label,x\na,up,nan\n", "line 2, column 'x': 'nan'"),
        (b"track,label,x\na,up,1\na,up,-1e39\n", "line 3, column 'x': '-1e39', expected a finite number below 1e38"),
        (b"track,label,x,y\na,up,1\n", "line 2: 3 cells, expected 4"),
        (b"track,label,x\na,up,1\na,down,1\n", "line 3, column 'label': 'down'; track 'a' needs one label"),
        (b"track,label,x\na,,1\n", "line 2, column 'label': ''"),
        (b"track,label,x\na,up,\xe4\n", "not UTF-8: byte 0xe4 at offset 19"),
    ],
)
def test_mistakes_are_named_with_line_and_column(tmp_path, content, message):
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_tracks(tmp_path / "t.csv")
    assert message in str(caught.value) and "t.csv" in str(caught.value)
    with pytest.raises(DataError, match=r"nowhere\.csv' cannot be read: No such file"):
        load_tracks("nowhere.csv")


@pytest.mark.parametrize("column", ["frame", "T", "time"])
def test_a_column_of_frames_orders_rows_and_is_no_coordinate(tmp_path, column):
    rng, lines = np.random.default_rng(0), []
    for track in range(12):
        steps = rng.normal(size=(5, 2)).round(3)
        lines += [(f"t{track},up,{5 * k}", f"{x},{y}") for k, (x, y) in enumerate(steps)]
    plain = [f"{a.rpartition(',')[0]},{b}" for a, b in lines]
    (tmp_path / "plain.csv").write_text("\n".join(["track,label,x,y", *plain]))
    shuffled = [",".join(lines[k]) for k in rng.permutation(len(lines))]
    (tmp_path / "shuffled.csv").write_text("\n".join([f"track,label,{column},x,y", *shuffled]))
    wanted, found = (load_tracks(str(tmp_path / f"{name}.csv")) for name in ("plain", "shuffled"))
    assert found.names == wanted.names == [f"t{i}" for i in range(12)] and found.columns == ["x", "y"]
    np.testing.assert_array_equal(found.values, wanted.values)
    assert wanted.notes == [] and "tracks are sorted by the column" in found.notes[0]


def test_numbers_of_rows_are_no_coordinate(tmp_path):
    (tmp_path / "t.csv").write_text(",track,label,x\n0,a,up,1\n1,a,up,2\n")
    tracks = read_tracks(tmp_path / "t.csv")
    assert tracks.columns == ["x"] and tracks.notes == ["note: a column without a name is not read"]


def test_columns_are_read_by_name(tmp_path):
    (tmp_path / "t.csv").write_text("y,track,speed,X\n1,a,7,2\n3,a,7,4\n")
    tracks = read_tracks(tmp_path / "t.csv", labelled=False, columns=["x", "y"])
    np.testing.assert_array_equal(tracks.values[0], [[2, 1], [4, 3]])
    assert tracks.notes == ["note: the model knows x, y; not read: speed"]
    with pytest.raises(DataError, match="has no column 'z'"):
        read_tracks(tmp_path / "t.csv", labelled=False, columns=["x", "z"])


def series(counts: dict[str, list[int]]) -> Series:
    """Tracks of labels; how often each one occurs."""
    values, labels = [], []
    for label, copies in counts.items():
        for k, count in enumerate(copies):
            values += [np.full((2, 1), 100 * len(label) + k, np.float32)] * count
            labels += [label] * count
    return Series(values, labels)


def content(part: Series) -> set[tuple[str, bytes]]:
    return {(label, value.tobytes()) for value, label in zip(*part, strict=True)}


@pytest.mark.parametrize("share", [0.5, 1 / 6, 0.9])
def test_parts_share_no_track_and_lose_none(share):
    whole = series({"a": [1] * 24, "bb": [2] * 12, "ccc": [2, 1, 2, 1, 1, 1, 2, 2], "dddd": [2, 2]})
    for seed in range(8):
        kept, held = stratified_split(whole, share, seed)
        assert not content(kept) & content(held) and content(kept) | content(held) == content(whole)
        assert len(kept.values) + len(held.values) == len(whole.values)
        for label, total in (("a", 24), ("bb", 24), ("ccc", 12)):
            assert abs(held.labels.count(label) - share * total) <= 1
        assert set(kept.labels) == set(held.labels) == set(whole.labels)
    again, other = stratified_split(whole, share, 7), stratified_split(whole, share, 8)
    assert content(again[1]) == content(held) != content(other[1])


def test_a_label_of_one_track_cannot_be_divided():
    with pytest.raises(DataError, match="label 'b' has 1 different tracks"):
        stratified_split(series({"a": [1, 1], "b": [3]}), 0.5, 0)


def test_libras_is_divided_into_halves_without_copies_on_both_sides(real_data):
    libras = Series(*load_tracks("libras")[:2])
    assert len(libras.values) == 360 and set(libras.labels) == set(SIGNS) and libras.values[0].shape == (45, 2)
    assert len(content(libras)) == 330
    for seed in range(3):
        parts = stratified_split(libras, 0.5, seed)
        assert [len(part.values) for part in parts] == [180, 180] and not content(parts[0]) & content(parts[1])
        assert all(part.labels.count(sign) == 12 for part in parts for sign in SIGNS)
