"""Handwriting on strokes of one's own: train, stop, resume, evaluate, recognise, and every mistake."""

import dataclasses
import json

import numpy as np
import pytest

from experiments.handwriting import EXPERIMENT
from experiments.handwriting.commands import recognise
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
    assert f"\nlabel error rate %: {result['value']:.2f}  {{" in capsys.readouterr().out


@pytest.mark.exhaustive
def test_interrupted_it_resumes_to_the_same_result(trained, tmp_path, capsys):
    run = tmp_path / "handwriting" / "run"
    command.interrupted(capsys, run, "--task", "strings", "--data", trained.parents[1] / "my.json", *SMALL)
    result, wanted = (json.loads((path / "result.json").read_text()) for path in (run, trained))
    assert result["value"] == wanted["value"] and result["scores"]["greedy"] == wanted["scores"]["greedy"]


def test_ones_own_strokes_are_recognised_up_and_down(trained, tmp_path, capsys):
    item = drawn(["v", "l", "l", "v"], np.random.default_rng(7))
    for sign, flags in ((1, []), (-1, ["--downwards", "--picture", tmp_path / "p.png"])):
        strokes = [[[x, sign * y] for x, y in stroke] for stroke in item["strokes"]]
        (tmp_path / "mine.json").write_text(json.dumps({"name": "mine", "strokes": strokes}))
        capsys.readouterr()
        assert command("recognise", trained, tmp_path / "mine.json", *flags) == 0
        assert capsys.readouterr().out == "mine: v l l v\n"
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
        capsys.readouterr()
        recognise(on_screen, file, **flags)
        said = capsys.readouterr()
        assert said.out == "mine: v l l v\n" and ("the other way" in said.err) == (sign == 1)


def test_one_sign_in_each_drawing_and_a_transformer_of_equal_size(tmp_path, capsys):
    make_file(tmp_path / "my.json", strings=False)
    flags = ["--data", tmp_path / "my.json", "--runs", tmp_path, "--name", "run", "--model", "transformer"]
    settled = "--no-hold-out --evaluate-every 60 --hidden-size 20 --heads 1 --transformer-layers 1 --learning-rate 0.01"
    assert command(*flags, *SMALL, *settled.split()) == 0
    result = json.loads((tmp_path / "handwriting/run/result.json").read_text())
    assert result["metric"] == "accuracy %" and result["value"] > 80 and "validation" not in result["scores"]
    assert result["baseline"]["1 nearest drawings"] > 80
    capsys.readouterr()
    assert (
        command("recognise", tmp_path / "handwriting" / "run", tmp_path / "my.json", "--picture", tmp_path / "p.png")
        == 0
    )
    assert set(capsys.readouterr().out.split()[1::2]) == set(SHAPES)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--task", "vowels"], "task='vowels': expected one of 'digits', 'strings'"),
        (["--points", "1"], "points=1: expected at least 2"),
        (["--downwards"], "downwards=True: PenDigits has y upwards"),
        (["recognise", "RUN", "few.json", "--upwards", "--downwards"], "y grows one way in a file"),
        (["--points", "9"], "points=9: PenDigits has 8"),
        (["--no-hold-out"], "hold_out=False leaves nothing to choose an update by: use evaluate_every=3000"),
        (["--data", "nowhere.json"], "nowhere.json' cannot be read"),
        (["--data", "few.json"], "few.json has 1 entries: expected at least 10"),
        (["recognise", "RUN", "bad.csv"], "bad.csv, line 2, column y: 'N/A', expected a finite number"),
        (["recognise", "nowhere", "few.json"], "nowhere"),
    ],
)
def test_mistakes_end_in_one_clear_line(trained, tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "few.json").write_text('{"words": "v", "strokes": [[[0, 0], [1, 1]]]}')
    (tmp_path / "bad.csv").write_text("drawing,stroke,x,y\n1,1,0,N/A\n")
    said = command.refused(capsys, *(trained if a == "RUN" else a for a in arguments))
    assert message in said, said
