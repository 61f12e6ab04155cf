"""Pictures pixel by pixel from a folder of one's own: train, stop, resume, evaluate, predict, and every mistake."""

import io
import json
import sys

import numpy as np
import pytest
from PIL import Image

from experiments.sequential_images import EXPERIMENT
from experiments.sequential_images.data import FILES
from tests.experiments.answers import check_answers
from tests.experiments.as_user import Commands

command = Commands(EXPERIMENT)
SMALL = (
    "--pixels 6 --hidden-size 8 --batch-size 16 --steps 60 --steps-per-dispatch 10 --evaluate-every 30 "
    "--warmup-steps 5 --learning-rate 0.03 --permuted"
).split()


def bars(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Noisy pictures with a bar that lies (0) or stands (1)."""
    labels = rng.integers(2, size=count)
    pixels = rng.integers(60, size=(count, 6, 6))
    pixels[labels == 0, 2:4] += 150
    pixels[labels == 1, :, 2:4] += 150
    return pixels.astype(np.uint8), labels.astype(np.uint8)


def write_images(folder) -> None:
    """Files as those of MNIST, with 120 and 40 pictures."""
    rng = np.random.default_rng(0)
    for names, count in zip(FILES.values(), (120, 40), strict=True):
        for name, array in zip(names, bars(count, rng), strict=True):
            head = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">i4").tobytes()
            (folder / name).write_bytes(head + array.tobytes())


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    write_images(folder)
    assert command("--data", folder, "--runs", folder, "--name", "run", *SMALL) == 0
    return folder / "sequential_images" / "run"


def test_a_run_says_everything_about_itself(trained, capsys):
    result = json.loads((trained / "result.json").read_text())
    assert result["metric"] == "accuracy %" and result["value"] > 90 and result["published"] == []
    assert result["baseline"] == {"nearest mean picture": 100.0}
    for figure in ("curves", "pictures"):
        assert (trained / "figures" / f"{figure}.png").stat().st_size > 5_000
    capsys.readouterr()
    assert command("evaluate", trained) == 0
    assert f"{result['value']:7.2f}  accuracy" in capsys.readouterr().out


@pytest.mark.exhaustive
def test_interrupted_it_resumes_to_the_same_result(trained, tmp_path, capsys):
    run = tmp_path / "sequential_images" / "run"
    command.interrupted(capsys, run, "--data", trained.parents[1], *SMALL)
    result, wanted = (json.loads((path / "result.json").read_text()) for path in (run, trained))
    assert result["scores"]["nats"] == wanted["scores"]["nats"]


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """Eight pictures of another size, in folders named after their classes."""
    folder = tmp_path_factory.mktemp("own")
    for i, (picture, label) in enumerate(zip(*bars(8, np.random.default_rng(3)), strict=True)):
        (folder / str(label)).mkdir(exist_ok=True)
        Image.fromarray(picture).resize((30, 30)).save(folder / str(label) / f"{i}.png")
    return folder


def test_new_pictures_are_answered_the_same_everywhere(trained, own, tmp_path, capsys):
    for name in ("a.png", "c.png"):
        (tmp_path / name).write_bytes(next((own / "1").iterdir()).read_bytes())
    (tmp_path / "b.png").write_bytes(b"no picture")
    check_answers(EXPERIMENT, trained, capsys, good=own, bad=tmp_path, refused="b.png", labelled=own)
    assert command("evaluate", trained, "--data", own, "--format", "json") == 0
    assert json.loads(capsys.readouterr().out)["accuracy %"] > 80


def test_scores_of_the_test_part_are_those_of_the_same_pictures_in_a_file(trained, capsys):
    images = trained.parents[1] / FILES["test"][0]
    capsys.readouterr()
    assert command("evaluate", trained, "--data", images, "--format", "json") == 0
    scores, result = json.loads(capsys.readouterr().out), json.loads((trained / "result.json").read_text())["scores"]
    assert scores["inputs"] == 40 and scores["accuracy %"] == result["accuracy"]
    assert scores["nats"] == pytest.approx(result["nats"], rel=1e-5)


def test_standard_input_names_pictures(trained, own, capsys, monkeypatch):
    names = sorted(map(str, own.rglob("*.png")))[:2]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("\n".join(names).encode())))
    capsys.readouterr()
    assert command("predict", trained, "--format", "json") == 0
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [record["id"] for record in records] == names


def test_labels_that_the_model_does_not_know_are_named(trained, own, tmp_path, capsys):
    (tmp_path / "cat").mkdir()
    picture = next((own / "0").iterdir())
    (tmp_path / "cat" / "a.png").write_bytes(picture.read_bytes())
    said = command.refused(capsys, "evaluate", trained, "--data", tmp_path)
    assert "cat/a.png: it lies in the folder 'cat', which is none of the model's classes, 0, 1" in said
    (lone := tmp_path / "lone-ubyte").write_bytes(
        bytes([0, 0, 8, 3]) + np.array([1, 5, 6], ">i4").tobytes() + b" " * 30
    )
    said = command.refused(capsys, "evaluate", trained, "--data", lone)
    assert "labelled pictures come from a folder FOLDER/CLASS/FILE, or from train-images-idx3-ubyte with" in said
    said = command.refused(capsys, "predict", trained, lone)
    assert "has the shape [1, 5, 6]: expected [pictures, 6, 6]" in said
    (tmp_path / "empty").mkdir()
    assert "empty has no pictures" in command.refused(capsys, "predict", trained, tmp_path / "empty")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "nowhere"], "nowhere/train-images-idx3-ubyte.gz is not there"),
        (["--data", "FOLDER", "--pixels", "5"], "size=5: expected a divisor of 36"),
        (["--data", "FOLDER", "--side", "8"], "side=8: data="),
        (["--data", "FOLDER", "--skip-unreadable"], "skip_unreadable=True: data="),
        (["predict", "RUN", "nowhere.png"], "nowhere.png cannot be read as a picture"),
    ],
)
def test_mistakes_end_in_one_clear_line(trained, capsys, arguments, message):
    places = {"RUN": trained, "FOLDER": trained.parents[1]}
    said = command.refused(capsys, *(places.get(a, a) for a in arguments))
    assert message in said, said
