"""Handwriting on strokes of one's own: train, stop, resume, evaluate, predict, draw, and every mistake."""

import dataclasses
import io
import json
import sys

import numpy as np
import pytest

from experiments.handwriting import EXPERIMENT
from experiments.handwriting.predictor import HandwritingPredictor
from tests.experiments.answers import check_answers
from tests.experiments.as_user import Commands

command = Commands(EXPERIMENT)
SHAPES = {"l": [[0, 0], [0, 1], [0.6, 1]], "v": [[0, 1], [0.3, 0], [0.6, 1]]}
SMALL = (
    "--layers 1 --hidden-size 16 --batch-size 8 --steps 60 --steps-per-dispatch 10 --evaluate-every 30 "
    "--warmup-steps 5 --learning-rate 0.03 --dropout 0 --points 6"
).split()


def drawn(signs: list[str], rng: np.random.Generator) -> dict:
    strokes = [rng.normal(scale=0.05, size=(3, 2)) + SHAPES[sign] + [k, 0] for k, sign in enumerate(signs)]
    return {"words": " ".join(signs), "strokes": [stroke.round(3).tolist() for stroke in strokes]}


def make_file(path, strings: bool) -> None:
    rng = np.random.default_rng(0)
    items = [drawn([list(SHAPES)[k] for k in rng.integers(2, size=3 if strings else 1)], rng) for _ in range(60)]
    path.write_text(json.dumps(items))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("strings")
    make_file(folder / "my.json", strings=True)
    assert command("--task", "strings", "--data", folder / "my.json", "--runs", folder, "--name", "run", *SMALL) == 0
    return folder / "handwriting" / "run"


def test_a_run_says_everything_about_itself(trained, capsys):
    result = json.loads((trained / "result.json").read_text())
    assert result["metric"] == "label error rate %" and not result["higher_is_better"] and result["baseline"] == {}
    assert result["value"] < 30, "two signs have not been learned"
    for figure in ("curves", "reading"):
        assert (trained / "figures" / f"{figure}.png").stat().st_size > 5_000
    text = (trained / "sample.txt").read_text()
    assert "of 6 wrong" in text and "written" in text and "read" in text
    capsys.readouterr()
    assert command("evaluate", trained) == 0
    assert f"\nlabel error rate %: {result['value']:.2f}  (" in capsys.readouterr().out


@pytest.mark.exhaustive
def test_interrupted_it_resumes_to_the_same_result(trained, tmp_path, capsys):
    run = tmp_path / "handwriting" / "run"
    command.interrupted(capsys, run, "--task", "strings", "--data", trained.parents[1] / "my.json", *SMALL)
    result, wanted = (json.loads((path / "result.json").read_text()) for path in (run, trained))
    assert result["value"] == wanted["value"] and result["scores"]["greedy"] == wanted["scores"]["greedy"]


@pytest.mark.exhaustive
def test_ones_own_strokes_are_read_up_and_down(trained, tmp_path, capsys):
    item = drawn(["v", "l", "l", "v"], np.random.default_rng(7))
    for sign, flags in ((1, []), (-1, ["--downwards"])):
        strokes = [[[x, sign * y] for x, y in stroke] for stroke in item["strokes"]]
        (tmp_path / "mine.json").write_text(json.dumps({"name": "mine", "strokes": strokes}))
        capsys.readouterr()
        assert command("predict", trained, tmp_path / "mine.json", *flags) == 0
        assert capsys.readouterr().out.startswith("mine: v l l v  (probability ")
        assert command("draw", trained, tmp_path / "mine.json", "--picture", tmp_path / "p.png", *flags) == 0
    assert (tmp_path / "p.png").stat().st_size > 5_000


def test_y_grows_as_in_the_file_of_training(trained, tmp_path, capsys):
    """A run on screen coordinates needs no flag for new ones; one that says otherwise is heeded."""
    loaded = EXPERIMENT.load(trained)
    on_screen = dataclasses.replace(loaded, config=dataclasses.replace(loaded.config, downwards=True))
    item = drawn(["v", "l", "l", "v"], np.random.default_rng(7))
    file = tmp_path / "mine.json"
    for sign, flags in ((-1, {}), (-1, {"downwards": True}), (1, {"upwards": True})):
        strokes = [[[x, sign * y] for x, y in stroke] for stroke in item["strokes"]]
        file.write_text(json.dumps({"name": "mine", "strokes": strokes}))
        predictor = HandwritingPredictor(on_screen, **flags)
        (found,) = predictor.read(str(file))
        assert predictor.answer([found.value])[0]["words"] == "v l l v"
        assert ("the other way" in capsys.readouterr().err) == (sign == 1)


def inkml(item: dict) -> str:
    """A drawing as InkML has it: y downwards, and here before x, with the time between them."""
    traces = [
        ", ".join(f"{-100 * y:.1f} {i} {100 * x:.1f}" for i, (x, y) in enumerate(stroke)) for stroke in item["strokes"]
    ]
    channels = "".join(f"<channel name='{name}' type='decimal'/>" for name in ("Y", "T", "X"))
    said = f"<annotation type='truth'>{item['words']}</annotation>" if item["words"] else ""
    return (
        f"<ink xmlns='http://www.w3.org/2003/InkML'><traceFormat>{channels}</traceFormat>{said}"
        + "".join(f"<trace>{trace}</trace>" for trace in traces)
        + "</ink>"
    )


def quickdraw(item: dict) -> str:
    """A drawing as a line of QuickDraw has it."""
    strokes = [[[100 * x for x, _ in s], [-100 * y for _, y in s], list(range(len(s)))] for s in item["strokes"]]
    return json.dumps({"word": item["words"], "key_id": str(len(strokes)), "drawing": strokes})


def test_new_drawings_are_answered_the_same_everywhere(trained, tmp_path, capsys):
    rng = np.random.default_rng(5)
    items = [drawn(signs, rng) for signs in (["v"], ["l", "v"], ["v", "l", "v"])]
    (good := tmp_path / "good").mkdir()
    for k, item in enumerate(items):
        (good / f"{k}.inkml").write_text(inkml(item))
    (bad := tmp_path / "bad.ndjson").write_text("\n".join([quickdraw(items[0]), "{", quickdraw(items[2])]))
    check_answers(EXPERIMENT, trained, capsys, good=good, bad=bad, refused="2", labelled=good, tolerance=1e-4)


def test_the_same_drawings_in_every_format(trained, tmp_path, capsys, monkeypatch):
    item = drawn(["v", "l", "l"], np.random.default_rng(2))
    rows = [f"1,{k},{x},{y},v l l" for k, stroke in enumerate(item["strokes"]) for x, y in stroke]
    contents = {
        "a.json": json.dumps(item), "a.csv": "\n".join(["drawing,stroke,x,y,words", *rows]), "a.inkml": inkml(item),
        "a.ndjson": quickdraw(item | {"words": "v"}),
    }  # fmt: skip
    records = []
    for name, content in contents.items():
        (tmp_path / name).write_text(content)
        capsys.readouterr()
        assert command("predict", trained, tmp_path / name, "--format", "json") == 0
        records.append(json.loads(capsys.readouterr().out))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(quickdraw(item).encode())))
    assert command("predict", trained, "--format", "json") == 0
    records.append(json.loads(capsys.readouterr().out))
    assert [record["words"] for record in records] == ["v l l"] * 5
    assert [record["probability"] for record in records] == pytest.approx([records[0]["probability"]] * 5, rel=0.02)


def test_scores_of_the_test_part_are_those_of_the_same_drawings_in_a_file(trained, tmp_path, capsys):
    names = {drawing.name for drawing in EXPERIMENT.load(trained).config.parts()["test"]}
    items = json.loads((trained.parents[1] / "my.json").read_text())
    test = [item for number, item in enumerate(items, 1) if str(number) in names]
    (file := tmp_path / "test.json").write_text(json.dumps(test))
    capsys.readouterr()
    assert command("evaluate", trained, "--data", file, "--format", "json") == 0
    scores, result = json.loads(capsys.readouterr().out), json.loads((trained / "result.json").read_text())
    assert scores["inputs"] == len(test) == len(names)
    assert scores["label error rate %"] == pytest.approx(result["value"])
    file.write_text(json.dumps([test[0], {"strokes": test[1]["strokes"]}, {**test[2], "words": "v x"}]))
    assert command("evaluate", trained, "--data", file) == 1
    said = capsys.readouterr().err
    assert "2: it has no words: what does it show?" in said and "3: 'x': none of the model's words, l, v" in said


def test_a_run_learns_from_a_folder_of_inkml(tmp_path, capsys):
    rng = np.random.default_rng(0)
    for k in range(30):
        (tmp_path / f"{k}.inkml").write_text(inkml(drawn([list(SHAPES)[k % 2]], rng)))
    EXPERIMENT.prepare(EXPERIMENT.configure({"data": str(tmp_path), "hidden_size": 4}))
    assert "30 drawings: " in capsys.readouterr().err


@pytest.mark.exhaustive
def test_one_sign_in_each_drawing_and_a_transformer_of_equal_size(tmp_path, capsys):
    make_file(tmp_path / "my.json", strings=False)
    flags = ["--data", tmp_path / "my.json", "--runs", tmp_path, "--name", "run", "--model", "transformer"]
    settled = "--no-hold-out --evaluate-every 60 --hidden-size 20 --heads 1 --transformer-layers 1 --learning-rate 0.01"
    assert command(*flags, *SMALL, *settled.split()) == 0
    result = json.loads((tmp_path / "handwriting/run/result.json").read_text())
    assert result["metric"] == "accuracy %" and result["value"] > 80 and "validation" not in result["scores"]
    assert result["baseline"]["nearest drawing"] > 80
    capsys.readouterr()
    run = tmp_path / "handwriting" / "run"
    assert command("predict", run, tmp_path / "my.json", "--format", "json") == 0
    assert {json.loads(line)["class"] for line in capsys.readouterr().out.splitlines()} == set(SHAPES)


@pytest.mark.exhaustive(but=4)
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--task", "vowels"], "task='vowels': expected one of 'digits', 'strings'"),
        (["--points", "1"], "points=1: expected at least 2"),
        (["--downwards"], "downwards=True: PenDigits has y upwards"),
        (["predict", "RUN", "few.json", "--upwards", "--downwards"], "y grows one way in a file"),
        (["--points", "9"], "points=9: PenDigits has 8"),
        (["--no-hold-out"], "hold_out=False leaves nothing to choose an update by: use evaluate_every=3000"),
        (["--data", "nowhere.json"], "nowhere.json' cannot be read"),
        (["--data", "few.json"], "few.json has 1 entries: expected at least 10"),
        (["predict", "RUN", "bad.csv"], "bad.csv, line 2, column y: 'N/A', expected a finite number"),
        (["predict", "nowhere", "few.json"], "nowhere"),
        (["predict", "RUN", "few.txt"], "few.txt: expected a file of drawings, .json, .csv"),
        (["predict", "RUN", "empty.json"], "there is no input in them"),
        (["predict", "RUN", "no.inkml"], "no.inkml has no traces: expected InkML"),
        (["predict", "RUN", "steps.inkml"], "steps.inkml, trace 1, point 2: \"'1 '2\", expected numbers"),
    ],
)
def test_mistakes_end_in_one_clear_line(trained, tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "few.json").write_text('{"words": "v", "strokes": [[[0, 0], [1, 1]]]}')
    (tmp_path / "empty.json").write_text("[]")
    (tmp_path / "no.inkml").write_text("<ink/>")
    (tmp_path / "steps.inkml").write_text("<ink><trace>10 20, '1 '2</trace></ink>")
    (tmp_path / "bad.csv").write_text("drawing,stroke,x,y\n1,1,0,N/A\n")
    said = command.refused(capsys, *(trained if a == "RUN" else a for a in arguments))
    assert message in said, said
