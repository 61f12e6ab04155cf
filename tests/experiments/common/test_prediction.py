"""What the commands of all predictors keep, whatever the model: files stay, ids are unique, numbers are finite."""

import json
import os
import sys
import types
import warnings
from collections.abc import Iterator, Sequence
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.answering import say_unfinished
from experiments.common.file_items import read_files
from experiments.common.prediction import STANDARD_INPUT, Input, Item, Predictor, Record, evaluate_files, predict
from experiments.common.record_files import plain_value
from experiments.common.text_items import read_texts
from rnn_jax.data import DataError
from rnn_jax.train import FitConfig, Run


class Doubled(Predictor):
    """Twice a number, in float32; the inputs are lines, or the names of files that standard input has."""

    inputs = types.MappingProxyType({"numbers": Input("batch", "float32")})

    def __init__(self, run: Path = Path("run")):
        super().__init__(types.SimpleNamespace(run=types.SimpleNamespace(path=run)))  # pyrefly: ignore

    def read(self, file: str, *, labelled: bool = False) -> Iterator[Item]:
        if file == STANDARD_INPUT:
            yield from (Item(line.strip(), 1.0) for line in sys.stdin)
            return
        for number, line in enumerate(Path(file).read_text().split(), 1):
            if line == "ctrl-c":
                raise KeyboardInterrupt
            yield Item(number, DataError(f"{line!r} is none") if line.startswith("x") else float(line), float(1))

    def encode(self, values: Sequence[float]) -> dict[str, np.ndarray]:
        return {"numbers": np.array(values, np.float64).astype(np.float32)}

    def program(self, numbers: Any) -> Any:
        return 2 * numbers

    def decode(self, values: Sequence[float], outputs: np.ndarray) -> list[Record]:
        return [{"twice": float(one), "of": {"all": [one, None]}} for one in outputs]

    def measures(self, labels: Sequence[float], records: Sequence[Record]) -> dict[str, Any]:
        warnings.warn("few inputs", UserWarning, stacklevel=1)
        return {"mean": float(np.mean([r["twice"] for r in records])), "nothing": float("nan"), "by": {"a": np.inf}}


def spellings(folder: Path) -> Iterator[Path]:
    """Other names of the file in.txt."""
    yield folder / "in.txt"
    yield folder / "sub" / ".." / "in.txt"
    (link := folder / "link.txt").symlink_to(folder / "in.txt")
    yield link
    os.link(folder / "in.txt", hard := folder / "hard.txt")
    yield hard


def test_an_input_is_never_written_to(tmp_path, monkeypatch):
    (tmp_path / "sub").mkdir()
    (file := tmp_path / "in.txt").write_text("1\n2\n")
    (inside := tmp_path / "sub" / "a.txt").write_text("3\n")
    (outside := tmp_path / "other").mkdir()
    os.link(inside, outside / "linked.txt")
    monkeypatch.chdir(tmp_path)
    for output in spellings(tmp_path):
        for named in ("in.txt", str(file)):
            with pytest.raises(ValueError, match=r"output=.* is one of the files to read"):
                predict(Doubled(), [named], output=output)
        with pytest.raises(ValueError, match="is one of the files to read"):  # by an option
            predict(Doubled(), [str(inside)], output=output, also_read=["", "in.txt", "word\0" * 999])
    for output, error in ((inside, "lies in the folder"), (inside.with_name("new"), "lies in the folder"),
                          (outside / "linked.txt", "is one of the files to read")):  # fmt: skip
        with pytest.raises(ValueError, match=error):
            predict(Doubled(), ["sub"], output=output)
    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(b"a\nin.txt\n")))
    with pytest.raises(ValueError, match="that standard input names"):
        predict(Doubled(), [STANDARD_INPUT], output=file)
    assert (file.read_text(), inside.read_text()) == ("1\n2\n", "3\n")
    assert not list(tmp_path.rglob("*.part"))


def test_files_of_a_run_are_no_output(tmp_path):
    (folder := tmp_path / "run").mkdir()
    (folder / "manifest.json").write_text('{"files": ["config.json"]}')
    (folder / "config.json").write_text("{}")
    (tmp_path / "in").write_text("1")
    for name in ("config.json", "manifest.json", "metrics.jsonl", "checkpoints/a"):
        with pytest.raises(ValueError, match="is a file of the run"):
            predict(Doubled(folder), [str(tmp_path / "in")], output=folder / name)
    assert predict(Doubled(folder), [str(tmp_path / "in")], output=folder / "answers.txt") == 0


def test_what_was_answered_before_an_interruption_is_the_output(tmp_path):
    (file := tmp_path / "in.txt").write_text("1\nctrl-c\n2\n")
    (real := tmp_path / "old.txt").write_text("old")
    real.chmod(0o640)
    (output := tmp_path / "out.txt").symlink_to(real)
    predictor = Doubled()
    predictor.batch_size = 1
    with pytest.raises(KeyboardInterrupt):
        predict(predictor, [str(file)], output=output)
    assert real.read_text().startswith("1: 2") and output.is_symlink() and real.stat().st_mode & 0o777 == 0o640
    assert not list(tmp_path.glob("*.part"))
    assert predict(predictor, [str(file.with_name("none"))], output=Path(os.devnull)) == 1


@pytest.mark.filterwarnings("default")
def test_what_is_not_finite_is_refused_alone(tmp_path, capsys):
    (file := tmp_path / "in.txt").write_text("1\n1e300\n2\nnan\n3e38\n4\n")
    assert predict(Doubled(), [str(file)], format="json") == 1
    out, err = capsys.readouterr()
    records = [json.loads(line) for line in out.splitlines()]
    assert [r["id"] for r in records if "error" in r] == [2, 4, 5]
    assert "a number in it is far too large" in records[1]["error"] and "no finite answer" in records[4]["error"]
    assert records[0]["of"] == {"all": [2.0, None]}
    assert "Warning" not in err and ".py" not in err
    assert evaluate_files(Doubled(), [str(file)], format="json") == 1
    out, err = capsys.readouterr()
    assert json.loads(out) == {"inputs": 3, "mean": 14 / 3, "nothing": None, "by": {"a": None}, "refused": 3}
    assert "note: few inputs\n" in err and ".py" not in err
    assert evaluate_files(Doubled(), [str(file)]) == 1
    assert "unknown  nothing" in capsys.readouterr().out


def test_a_folder_stands_for_the_files_in_it(tmp_path, capsys):
    (folder := tmp_path / "f" / "sub").mkdir(parents=True)
    for name, content in (("../b.txt", b"1\n2\n"), ("../.hidden", b"3"), ("c.txt", b"4"), ("a.bin", b"\xff\xfe\x00")):
        (folder / name).write_bytes(content)
    assert predict(Doubled(), [str(tmp_path / "f")], format="json") == 1
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [r["id"] for r in records] == ["b.txt: 1", "b.txt: 2", "sub/a.bin", "sub/c.txt: 1"]
    assert [r["id"] for r in records if "error" in r] == ["sub/a.bin"]
    (folder / "p.wav").write_text("")
    items = list(read_files(str(tmp_path / "f"), (".wav",), lambda path: path, what="sounds"))
    assert [item.id for item in items] == ["sub/p.wav"]
    assert "no sounds by their names, and left out: b.txt, sub/a.bin, sub/c.txt\n" in capsys.readouterr().err
    (tmp_path / "none").mkdir()
    assert predict(Doubled(), [str(tmp_path / "none")]) == 1


def test_many_equal_errors_are_summed_up(tmp_path, capsys):
    (file := tmp_path / "in.txt").write_text("\n".join(["1", *[f"x{k}" for k in range(50)], "1e99"]))
    assert predict(Doubled(), [str(file)], format="json") == 1
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 52 and sum(line.endswith("is none") for line in err.split("\n")) == 21
    assert "error: and 30 more like: 'x0' is none\n" in err and "far too large" in err


def test_digits_do_not_depend_on_what_else_is_computed():
    company = np.array([0.123456712, 3.99999987e-7], np.float32)
    alone = company * np.float32(1 + 1e-7)
    assert plain_value({"probabilities": {"a": company}}) == plain_value({"probabilities": {"a": alone}})
    assert plain_value(1234567.8) == 1234568.0 and plain_value(0.0012345678) == 0.00123457
    assert plain_value({"probability": 0.9999999}) == {"probability": 1.0}


def texts(folder: Path, name: str, content: str, **options: Any) -> list[tuple]:
    """Ids and values of the items in a file of that content, the errors as words."""
    (file := folder / name).write_text(content)
    return [(i.id, str(i.value), i.label) for i in read_texts(str(file), classes=("good", "bad"), **options)]


def streamed(monkeypatch: pytest.MonkeyPatch, content: str, **options: Any) -> list[tuple]:
    """The same of standard input."""
    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(content.encode())))
    return [(item.id, str(item.value), item.label) for item in read_texts(STANDARD_INPUT, **options)]


TABLE = 'text,label\nfine film,good\n"dull, ""long""\nfilm",bad\n'
ROWS = [(2, "fine film", None), (3, 'dull, "long"\nfilm', None)]
JSONL = '{"text": "fine film", "label": "good"}\n\n{"text": "dull", "label": "bad"}\n[1]\n'


def test_a_table_is_read_as_one_whatever_it_is_called(tmp_path, monkeypatch, capsys):
    assert texts(tmp_path, "a.csv", TABLE) == texts(tmp_path, "a.txt", TABLE) == streamed(monkeypatch, TABLE) == ROWS
    own = TABLE.replace("text,", "what,")
    assert texts(tmp_path, "b.txt", own, text_column="what") == streamed(monkeypatch, own, text_column="what") == ROWS
    assert "the first line is the header of a table; its column 'what'" in capsys.readouterr().err
    bare = TABLE.partition("\n")[2]
    assert [r[:2] for r in streamed(monkeypatch, bare, text_column="1", table=True)] == [
        (1, ROWS[0][1]),
        (2, ROWS[1][1]),
    ]
    for column in ("nosuch", "3"):
        with pytest.raises(DataError, match=f"no column .?{column}"):
            streamed(monkeypatch, bare, text_column=column, table=True)
    assert streamed(monkeypatch, "a, b\n", text_column="what") == [(1, "a, b", None)]  # a column of training
    prose = "text, body, and soul\nreview\n"
    assert texts(tmp_path, "c.txt", prose) == streamed(monkeypatch, prose)
    assert [text for _, text, _ in texts(tmp_path, "c.txt", prose)] == prose.split("\n")[:2]


def test_rows_come_from_a_stream_before_it_ends(monkeypatch):
    given = []

    def lines() -> Iterator[bytes]:
        for line in ("text,label", "one,good", "two,bad"):
            given.append(line)
            yield f"{line}\n".encode()

    buffer = type("Buffer", (), {"peek": lambda *_: b"te", "__iter__": lambda _: lines()})()
    monkeypatch.setattr(sys, "stdin", types.SimpleNamespace(buffer=buffer))
    items = read_texts(STANDARD_INPUT)
    assert (next(items).value, len(given)) == ("one", 2)


def test_lines_of_json_are_read_and_other_json_is_refused(tmp_path, monkeypatch, capsys):
    for name in ("a.jsonl", "a.txt", "a.json"):
        found = texts(tmp_path, name, JSONL)
        assert found[:2] == [(1, "fine film", None), (3, "dull", None)] and "object of JSON" in found[2][1]
    assert streamed(monkeypatch, JSONL) == found
    assert "1 empty lines are passed over" in capsys.readouterr().err
    assert [label for *_, label in texts(tmp_path, "a.jsonl", JSONL, labelled=True)][:2] == ["good", "bad"]
    for name, content in (("b.json", f"[{JSONL.splitlines()[0]}]"), ("b.txt", "[\n{}\n]"), ("c.jsonl", "plain words")):
        with pytest.raises(DataError, match=r"no object of JSON a line: .*to_json"):
            texts(tmp_path, name, content)
    with pytest.raises(DataError, match="no object of JSON a line"):
        streamed(monkeypatch, '[{"text": "fine"}]')
    assert texts(tmp_path, "e.txt", "[1] a film\n[1]") == [(1, "[1] a film", None), (2, "[1]", None)]
    assert texts(tmp_path, "e.txt", "[1]") == [(1, "[1]", None)]
    assert "--text-column NAME" in texts(tmp_path, "d.jsonl", '{"words": "fine"}')[0][1]
    assert texts(tmp_path, "d.jsonl", '{"words": "fine"}', text_column="words") == [(1, "fine", None)]


def test_ids_are_unique_and_no_line_is_taken_for_one(tmp_path):
    for name, content in (
        ("a.csv", "id,text\n3,fine\n,empty\n4,too,many\n2,\n5,dull\n"),
        ("a.jsonl", '{"id": 3, "text": "fine"}\n{"id": "", "text": "e"}\n[]\n{"id": 2}\n{"text": "dull"}\n'),
    ):
        ids = [name for name, *_ in texts(tmp_path, name, content)]
        assert len(set(ids)) == 5 and sum(str(one).startswith("line ") for one in ids) >= 2, ids
        assert len(set(map(str, ids))) == 5


def test_two_columns_without_a_header_are_predicted_as_they_are_scored(tmp_path, capsys):
    for content in ("fine film,good\n\nso,bad\n\n", "good,fine film\n\nbad,so\n\n"):
        scored = texts(tmp_path, "a.csv", content, labelled=True)
        assert [row[:2] for row in texts(tmp_path, "a.csv", content)] == [row[:2] for row in scored]
        assert [row[1] for row in scored] == ["fine film", "so"]
        assert capsys.readouterr().err.count("1 empty lines are passed over") == 2
    with pytest.raises(DataError, match="--text-column NAME"):
        texts(tmp_path, "a.csv", "fine,film\nso,so\n")


def test_a_run_that_is_not_finished_is_said_to_be_so(tmp_path, capsys):
    config = FitConfig(steps=90, evaluate_every=30)
    trained = types.SimpleNamespace(run=Run(tmp_path), config=config)
    (tmp_path / "checkpoints" / "60").mkdir(parents=True)
    say_unfinished(trained)  # pyrefly: ignore
    assert f"note: {tmp_path} is not finished (stopped at step 60 of 90)" in capsys.readouterr().err
    (tmp_path / "result.json").write_text("{}")
    say_unfinished(trained)  # pyrefly: ignore
    assert not capsys.readouterr().err
