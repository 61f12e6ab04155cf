"""PenDigits and its split, strings of digits, and the user's own strokes with all that can be wrong."""

import json
from pathlib import Path

import numpy as np
import pytest

import experiments
from experiments.handwriting.data import handwriting_parts, pendigits, read_drawings
from rnn_jax.data import DataError

TWO = [
    {"words": "3 1", "strokes": [[[0, 0], [1, 2]], [[5, 5.5]]]},
    {"words": "4", "strokes": [[[7, 8], [9, 9], [9, 0]]]},
]
TABLE = "words,drawing,stroke,x,y\n3 1,1,a,0,0\n3 1,1,a,1,2\n4,2,a,7,8\n3 1,1,b,5,5.5\n4,2,a,9,9\n4,2,a,9,0\n"


def test_pendigits_by_its_writers(real_data):
    parts = pendigits()
    assert {part: len(ds) for part, ds in parts.items()} == {"training": 6745, "validation": 749, "test": 3498}
    lines = {part: {int(d.name.split()[1]) for d in ds} for part, ds in parts.items()}
    assert lines["test"] == {*range(6729, 9893), *range(10659, 10993)}
    assert lines["training"] | lines["validation"] == set(range(1, 10993)) - lines["test"]
    first = parts["training"][0]
    assert first.words == ("8",) and first.signal[:2].tolist() == [[47, 100], [27, 81]]
    assert {d.words[0] for d in parts["validation"]} == set("0123456789")
    strings = handwriting_parts("strings")
    for part, drawings in strings.items():
        assert len(drawings) == (10_000 if part == "training" else 500)
        assert {int(name.split()[1]) for d in drawings for name in d.name.split("+")} <= lines[part]
        assert {len(d.words) for d in drawings} == {3, 4, 5, 6, 7}
        assert all(len(d.segments) == len(d.words) for d in drawings)
    with pytest.raises(DataError, match="points=9: PenDigits has 8"):
        handwriting_parts("digits", points=9)


@pytest.mark.parametrize(("name", "text"), [("d.json", json.dumps(TWO)), ("d.csv", TABLE), ("d.CSV", "\ufeff" + TABLE)])
def test_the_same_drawings_in_either_format(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    up, down = read_drawings(tmp_path / name, labelled=True), read_drawings(tmp_path / name, downwards=True)
    assert [d.words for d in up] == [("3", "1"), ("4",)] and [d.name for d in up] == ["1", "2"]
    for drawing, turned, item in zip(up, down, TWO, strict=True):
        for wave, other, stroke in zip(drawing.segments, turned.segments, item["strokes"], strict=True):
            np.testing.assert_array_equal(wave, np.array(stroke, np.float32), strict=True)
            np.testing.assert_array_equal(other, np.array(stroke, np.float32) * np.float32([1, -1]))


def test_one_drawing_without_a_list_and_without_words(tmp_path):
    (tmp_path / "d.json").write_text('{"name": "mine", "strokes": [[[0, 0], [1, 1]]]}')
    (drawing,) = read_drawings(tmp_path / "d.json")
    assert drawing.name == "mine" and drawing.words == ()
    with pytest.raises(DataError, match="drawing mine has no words"):
        read_drawings(tmp_path / "d.json", labelled=True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[", r"line 1, column 2: no JSON"),
        ("[]", "has no drawings"),
        ("[3]", r"drawing 1: expected \{"),
        ('[{"strokes": []}]', r"drawing 1: expected \{"),
        ('{"strokes": [[[0, 0]]], "words": 3}', "drawing 1: words=3, expected a text"),
        ('[{"strokes": [[[0, 0]]]}, {"strokes": [[[0, 0]], []]}]', r"drawing 2, stroke 2: \[\], expected a list"),
        ('{"strokes": [[[0, 0], [1, NaN]]]}', r"stroke 1, point 2: \[1, nan\], expected two finite numbers"),
        ('{"strokes": [[[0, null]]]}', r"point 1: \[0, None\]"),
        ('{"strokes": [[[0, "N/A"]]]}', r"point 1: \[0, 'N/A'\]"),
        ('{"strokes": [[[0, 1, 2]]]}', r"point 1: \[0, 1, 2\]"),
        ('{"strokes": [[0, 1]]}', r"point 1: 0, expected two finite numbers"),
    ],
)
def test_wrong_json_says_where(tmp_path, text, message):
    (tmp_path / "d.json").write_text(text)
    with pytest.raises(DataError, match=r"d\.json.*" + message):
        read_drawings(tmp_path / "d.json")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("drawing,x,y\n1,0,0\n", "no column 'stroke': its first line is 'drawing,x,y'"),
        ("drawing,stroke,x,y\n", "has no drawings"),
        ("drawing,stroke,x,y\n1,1,0,0\n1,1,N/A,0\n", "line 3, column x: 'N/A', expected a finite number"),
        ("drawing,stroke,x,y\n1,1,0,\n", "line 2, column y: '', expected a finite number"),
        ("drawing,stroke,x,y\n1,1,0\n", "line 2: 3 cells, expected 4"),
        ("drawing,stroke,x,y\n1,1,0,1,2\n", "line 2: 5 cells, expected 4"),
        ("drawing,stroke,x,y\n1,1,0,inf\n", "line 2, column y: 'inf'"),
        ("drawing,stroke,x,y,words\n1,1,0,0,a\n1,1,0,1,b\n", "line 3, column words: 'b', but drawing 1 began with 'a'"),
    ],
)
def test_wrong_tables_say_where(tmp_path, text, message):
    (tmp_path / "d.csv").write_text(text)
    with pytest.raises(DataError, match=r"d\.csv.*" + message):
        read_drawings(tmp_path / "d.csv")


def test_ones_own_file_in_parts(tmp_path):
    items = [{"words": "ab"[i % 2], "strokes": [[[0, i], [1, 0], [2, 2]]]} for i in range(20)]
    (tmp_path / "d.json").write_text(json.dumps(items))
    parts = handwriting_parts("digits", str(tmp_path / "d.json"), 5)
    assert {part: len(ds) for part, ds in parts.items()} == {"training": 16, "validation": 2, "test": 2}
    assert {d.signal.shape for d in parts["training"]} == {(5, 2)}
    (tmp_path / "d.json").write_text(json.dumps(items[:9]))
    with pytest.raises(DataError, match="9 entries: expected at least 10"):
        handwriting_parts("digits", str(tmp_path / "d.json"))
    (tmp_path / "d.json").write_text(json.dumps(TWO * 5))
    with pytest.raises(DataError, match="drawing 1 has 2 words: several need --task strings"):
        handwriting_parts("digits", str(tmp_path / "d.json"))
    with pytest.raises(DataError, match="cannot be read: No such file"):
        handwriting_parts("digits", str(tmp_path / "e.json"))


def test_prompts_in_rounds_of_five_are_in_every_part(tmp_path):
    items = [{"words": "LGVA1"[i % 5], "strokes": [[[0, i], [1, 0], [2, 2]]]} for i in range(100)]
    (tmp_path / "d.json").write_text(json.dumps(items))
    parts = handwriting_parts("digits", str(tmp_path / "d.json"))
    for part, count in (("training", 16), ("validation", 2), ("test", 2)):
        assert sorted(d.words[0] for d in parts[part]) == sorted("LGVA1" * count)


def test_more_letters_than_points_are_refused(tmp_path):
    line = [[k, k % 3] for k in range(30)]  # joined writing: one stroke
    items = [{"words": "y e s", "strokes": [line]}] * 11 + [{"words": "h e l l o", "strokes": [line]}]
    (tmp_path / "d.json").write_text(json.dumps(items))
    with pytest.raises(DataError, match=r"d\.json: 1 of 12 .* more --points than 5.*\n  drawing 12: 5 labels"):
        handwriting_parts("strings", str(tmp_path / "d.json"), 5)


def test_the_examples_of_the_page(tmp_path):
    page = (Path(experiments.__file__).parent / "README.md").read_text()
    for name, start in (("d.json", "```json\n"), ("d.csv", "```\ndrawing,")):
        text = page.split(start)[1].split("```")[0]
        (tmp_path / name).write_text(text if name == "d.json" else "drawing," + text)
        drawing = read_drawings(tmp_path / name, labelled=True)[0]
        assert drawing.words == ("3", "1") and drawing.signal[:2].tolist() == [[0, 9], [4, 7]]
