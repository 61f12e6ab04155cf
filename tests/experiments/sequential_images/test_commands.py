"""Pictures pixel by pixel from a folder of one's own: train, stop, resume, evaluate, classify, and every mistake."""

import json

import numpy as np
import pytest
from PIL import Image

from experiments.sequential_images import EXPERIMENT
from experiments.sequential_images.data import FILES
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


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    for names, count in zip(FILES.values(), (120, 40), strict=True):
        for name, array in zip(names, bars(count, rng), strict=True):
            head = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">i4").tobytes()
            (folder / name).write_bytes(head + array.tobytes())
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


def test_ones_own_pictures_are_classified(trained, tmp_path, capsys):
    for i, picture in enumerate(bars(8, np.random.default_rng(3))[0]):
        Image.fromarray(picture).resize((30, 30)).save(tmp_path / f"{i}.png")
    capsys.readouterr()
    assert command("classify", trained, *(tmp_path / f"{i}.png" for i in range(8))) == 0
    labels = [int(line.split()[0]) for line in capsys.readouterr().out.splitlines()]
    assert np.mean(labels == bars(8, np.random.default_rng(3))[1]) > 0.8


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "nowhere"], "nowhere/train-images-idx3-ubyte.gz is not there"),
        (["--data", "FOLDER", "--pixels", "5"], "size=5: expected a divisor of 36"),
        (["--data", "FOLDER", "--side", "8"], "side=8: data="),
        (["--data", "FOLDER", "--skip-unreadable"], "skip_unreadable=True: data="),
        (["classify", "RUN", "nowhere.png"], "nowhere.png cannot be read as a picture"),
    ],
)
def test_mistakes_end_in_one_clear_line(trained, capsys, arguments, message):
    places = {"RUN": trained, "FOLDER": trained.parents[1]}
    said = command.refused(capsys, *(places.get(a, a) for a in arguments))
    assert message in said, said
