"""Video on tracks of one's own and on digits that are quickly drawn: train, stop, resume, evaluate, predict, watch."""

import io
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.video import EXPERIMENT, captions, frames
from experiments.video.commands import TASKS
from experiments.video.data import VIDEOS, Digits, bouncing_video
from experiments.video.figures import write_gif
from experiments.video.frames import FrameTask
from experiments.video.signs import SignTask
from rnn_jax.train.multi_seed import check_same_program
from tests.experiments.answers import check_answers
from tests.experiments.as_user import Commands

command = Commands(EXPERIMENT)
SMALL = (
    "--hidden-size 8 --batch-size 8 --steps 40 --steps-per-dispatch 10 --evaluate-every 20 --warmup-steps 5 "
    "--learning-rate 0.02 --dropout 0 --pooled-dropout 0"
).split()
PARTS = {
    part: Digits(images.astype(np.float32), np.arange(10))
    for part, images in zip(
        ("training", "validation", "test"), np.random.default_rng(1).random((3, 10, 8, 8)), strict=True
    )
}
"""Each part has digits of its own."""
DIGITS = PARTS["test"]


def make_tracks(path, labelled: bool = True, lengths: int = 3) -> None:
    """Circles that turn one way or the other."""
    rng, lines = np.random.default_rng(0), ["track,x,y" + ",label" * labelled]
    for i in range(48):
        sign, radius, start = (-1) ** i, rng.uniform(0.5, 2), rng.uniform(0, 6)
        for t in np.linspace(0, 5, 12 + i % lengths):
            x, y = (radius * f(start + sign * t) + rng.normal() * 0.02 for f in (np.cos, np.sin))
            lines.append(f"{i},{x:.4f},{y:.4f}" + f",{'left' if i % 2 else 'right'}" * labelled)
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def signs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("video")
    make_tracks(folder / "own.csv")
    assert command("--data", folder / "own.csv", "--runs", folder, "--name", "run", *SMALL) == 0
    return folder / "video" / "run"


@pytest.fixture(autouse=True, scope="module")
def drawn_digits():
    """Noise in place of handwriting, so that no data set is needed; and few videos."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (frames, captions):
            patch.setattr(module, "load_digits", lambda: PARTS)
        for part, count in (("validation", 8), ("test", 12)):
            patch.setitem(VIDEOS, part, count)
        yield


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    """A run of frames and one of captions."""
    folder = tmp_path_factory.mktemp("films")
    few = "--batch-size 8 --steps 4 --steps-per-dispatch 2 --evaluate-every 4".split()
    sizes = {
        "frames": "--channels 4 --frames 6 --patch 4",
        "captions": "--hidden-size 8 --embedding-size 8 --no-bidirectional",
    }
    for task, size in sizes.items():
        assert command("--task", task, "--runs", folder, "--name", task, *size.split(), *few) == 0
    return folder / "video"


def test_a_run_of_signs_says_everything_about_itself(signs, capsys):
    result = json.loads((signs / "result.json").read_text())
    assert result["metric"] == "accuracy %" and result["higher_is_better"] and result["published"] == []
    assert result["value"] > 70 and set(result["baseline"]) == {"nearest track"}
    assert "of 24 wrong" in (signs / "sample.txt").read_text()
    assert all((signs / "figures" / f"{name}.png").stat().st_size > 5_000 for name in ("curves", "signs"))
    capsys.readouterr()
    assert command("evaluate", signs) == 0
    assert f"accuracy %: {result['value']:.3f}" in capsys.readouterr().out


def test_seeds_share_a_program_whatever_their_halves_measure(tmp_path):
    make_tracks(tmp_path / "own.csv", lengths=1)
    fields = {"data": str(tmp_path / "own.csv"), "hidden_size": 4}
    prepared = [EXPERIMENT.prepare(EXPERIMENT.configure(fields | {"seed": seed})) for seed in (0, 1)]
    scales = [one.task.batch(0)["scale"] for one in prepared]
    assert not np.array_equal(*scales)
    check_same_program([one.task for one in prepared])


def answered(capsys, *arguments) -> list[dict]:
    """The records of answers."""
    capsys.readouterr()
    assert command("predict", *arguments, "--format", "json") == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_tracks_without_labels_are_answered_whatever_the_order_of_columns(signs, tmp_path, capsys, monkeypatch):
    make_tracks(tmp_path / "new.csv", labelled=False)
    records = answered(capsys, signs, tmp_path / "new.csv")
    exchanged = [row.split(",") for row in (tmp_path / "new.csv").read_text().splitlines()]
    (tmp_path / "new.csv").write_text("\n".join(f"{y},{track},{x}" for track, x, y in exchanged))
    assert answered(capsys, signs, tmp_path / "new.csv") == records
    assert len(records) == 48 and sum((r["class"] == "left") == bool(i % 2) for i, r in enumerate(records)) > 36
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO((tmp_path / "new.csv").read_bytes())))
    assert [record["id"] for record in answered(capsys, signs)] == [record["id"] for record in records]


@pytest.mark.exhaustive
def test_new_tracks_are_answered_the_same_everywhere(signs, tmp_path, capsys):
    head, *rows = (signs.parents[1] / "own.csv").read_text().splitlines()
    some = [row for row in rows if int(row.split(",")[0]) < 4]
    (good := tmp_path / "good.csv").write_text("\n".join([head, *some]))
    (bad := tmp_path / "bad.csv").write_text("\n".join([head, *some, "2,far,0,right"]))
    check_answers(EXPERIMENT, signs, capsys, good=good, bad=bad, refused="2", labelled=good, tolerance=1e-4)
    bad.write_text("\n".join([head, *some, "9,1,1,round"]))
    assert command("evaluate", signs, "--data", bad) == 1
    assert "9: label 'round' is none of the model's classes, left, right" in capsys.readouterr().err


def test_scores_of_the_test_part_are_those_of_the_same_tracks_in_a_file(signs, tmp_path, capsys):
    test = SignTask(EXPERIMENT.load(signs).config).held_out
    rows = [f"{i},{x},{y},{label}" for i, (v, label) in enumerate(zip(*test, strict=True)) for x, y in v.tolist()]
    (file := tmp_path / "test.csv").write_text("\n".join(["track,x,y,label", *rows]))
    capsys.readouterr()
    assert command("evaluate", signs, "--data", file, "--format", "json") == 0
    scores, result = json.loads(capsys.readouterr().out), json.loads((signs / "result.json").read_text())["scores"]
    assert scores["inputs"] == 24 and scores["accuracy %"] == result["accuracy"]
    assert scores["nats"] == pytest.approx(result["nats"], rel=1e-4)


@pytest.mark.exhaustive
def test_interrupted_it_resumes_to_the_same_result(signs, tmp_path, capsys):
    command.interrupted(capsys, run := tmp_path / "video" / "run", "--data", signs.parents[1] / "own.csv", *SMALL)
    result, wanted = (json.loads((path / "result.json").read_text()) for path in (run, signs))
    assert result["value"] == wanted["value"] and result["scores"] == wanted["scores"]


@pytest.mark.exhaustive
def test_without_a_validation_part_all_tracks_are_trained_on(signs, tmp_path):
    flags = ["--data", signs.parents[1] / "own.csv", "--runs", tmp_path, "--name", "all", "--no-hold-out"]
    assert command(*flags, *SMALL, "--evaluate-every", 40) == 0
    facts, fewer = (json.loads((run / "video.json").read_text()) for run in (tmp_path / "video" / "all", signs))
    assert facts["classes"] == fewer["classes"] and facts["scale"] != fewer["scale"]


@pytest.mark.parametrize("task", ["frames", "captions"])
def test_each_part_has_videos_of_its_own_digits(task):
    made: Any = TASKS[task](EXPERIMENT.configure({"task": task, "batch_size": 4}))
    batch = made.batch(0)
    videos = {"training": batch["frames" if task == "frames" else "source"]}
    for part, of_part in (("validation", made.validation), ("test", made.held_out)):
        videos[part] = of_part if task == "frames" else np.concatenate([video for video, _ in of_part])
    for part, frames_of_part in videos.items():
        assert set(np.unique(frames_of_part)) <= {0.0, *PARTS[part].images.ravel()} and frames_of_part.any()


@pytest.mark.exhaustive
def test_frames_go_on_in_a_file(films, tmp_path, capsys):
    result = json.loads((films / "frames" / "result.json").read_text())
    assert result["metric"] == "squared error/frame" and set(result["baseline"]) == {"last frame copied"}
    assert result["model"] == "conv_lstm 1 x 4" and not result["higher_is_better"]
    assert {path.name for path in (films / "frames" / "figures").iterdir()} == {
        "best.png", "worst.png", "curves.png", "imagined.gif",
    }  # fmt: skip
    write_gif(bouncing_video(DIGITS, np.random.default_rng(0), 5), tmp_path / "film.gif")
    capsys.readouterr()
    assert command("watch", films / "frames", tmp_path / "film.gif") == 0
    assert "film-continued.gif: 5 frames given, 8 imagined" in capsys.readouterr().out
    assert (tmp_path / "film-continued.gif").stat().st_size > 1000


@pytest.mark.exhaustive
def test_captions_are_written(films, capsys):
    result = json.loads((films / "captions" / "result.json").read_text())
    assert result["metric"] == "exact captions %" and set(result["scores"]) == {"1 digits", "2 digits", "3 digits"}
    assert "of 12 wrong" in (films / "captions" / "sample.txt").read_text()
    assert command("evaluate", films / "captions") == 0
    assert "exact captions %" in capsys.readouterr().out


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A folder of films, the same with one that is none, and the same with labels."""
    top, rng = tmp_path_factory.mktemp("folders"), np.random.default_rng(0)
    for name in ("good", "bad", "labelled/a", "labelled/b"):
        (top / name).mkdir(parents=True)
    for i, length in enumerate((5, 8, 6)):
        for name in ("good", "bad", f"labelled/{'ab'[i % 2]}"):
            write_gif(bouncing_video(DIGITS, rng, length), top / name / f"{i}.gif")
    (top / "bad" / "1.gif").write_text("a film in words")
    (top / "labelled" / "captions.csv").write_text("file,caption\na/0.gif,a zero moves up\nb/1.gif,a one moves down\n")
    return top


@pytest.mark.exhaustive
@pytest.mark.parametrize("task", ["frames", "captions"])
def test_new_films_are_answered_the_same_everywhere(films, folders, task, capsys):
    good, bad, labelled = (folders / name for name in ("good", "bad", "labelled"))
    check_answers(
        EXPERIMENT, films / task, capsys, good=good, bad=bad, refused="1.gif", labelled=labelled, tolerance=1e-3
    )


@pytest.mark.exhaustive
def test_frames_of_films_are_scored_as_in_the_result(films, tmp_path, capsys):
    """But for the steps of grey of a GIF."""
    test = FrameTask(EXPERIMENT.load(films / "frames").config).held_out
    for i in range(test.shape[1]):
        write_gif(test[:, i], tmp_path / f"{i}.gif")
    capsys.readouterr()
    assert command("evaluate", films / "frames", "--data", tmp_path, "--format", "json") == 0
    scores, result = json.loads(capsys.readouterr().out), json.loads((films / "frames" / "result.json").read_text())
    assert scores["inputs"] == 12 and scores["squared error/frame"] == pytest.approx(result["value"], rel=0.02)


@pytest.mark.exhaustive
def test_films_of_ones_own_with_labels_are_learned(tmp_path, capsys):
    rng, flags = np.random.default_rng(0), "--hidden-size 8 --embedding-size 8 --no-bidirectional --longest 4"
    for i in range(24):
        (tmp_path / f"half {i % 2}").mkdir(exist_ok=True)
        film = np.zeros((4 + i % 3, 24, 24), np.float32)
        film[:, 12 * (i % 2) : 12 * (i % 2) + 10] = rng.uniform(0.5, 1, (len(film), 1, 24))
        write_gif(film, tmp_path / f"half {i % 2}" / f"{i}.gif")
    few = "--batch-size 8 --steps 60 --steps-per-dispatch 10 --evaluate-every 20 --learning-rate 0.01 --warmup-steps 2"
    words = ["--task", "captions", "--films", tmp_path, "--runs", tmp_path / "runs", "--name", "run"]
    assert command(*words, *flags.split(), *few.split()) == 0
    said = capsys.readouterr().err
    assert "24 films: " in said and "half 0 12" in said and "the longest has 4 frames" in said
    run = tmp_path / "runs" / "video" / "run"
    assert json.loads((run / "result.json").read_text())["scores"] == {}
    records = answered(capsys, run, tmp_path / "half 0", tmp_path / "half 1")
    right = [Path(record["id"].partition(": ")[0]).name == record["caption"] for record in records]
    assert command("evaluate", run, "--data", tmp_path, "--format", "json") == 0
    scores = json.loads(capsys.readouterr().out)
    assert scores["inputs"] == len(right) == 24 and scores["exact captions %"] == pytest.approx(100 * np.mean(right))
    result = json.loads((run / "result.json").read_text())
    assert np.mean(right) > 0.9 and result["value"] > 60, "always to say the same is right in half of all cases"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--task", "films"], "task='films'"),
        (["--data", "nowhere.csv"], "nowhere.csv' cannot be read"),
        (["--task", "frames", "--data", "missing.npy"], "--data"),
        (["--task", "captions", "--data", "missing.npy"], "--data"),
        (["--data", "alike.csv"], "alike.csv has 1 class, up"),
        (["--data", "one.csv"], "label 'up' has 1 different tracks"),
        (["--no-hold-out"], "use evaluate_every=1000"),
        (["--task", "frames", "--patch", "5"], "patch=5: expected a divisor of 24"),
        (["--task", "frames", "--frame-cell", "convlstm"], "cell='convlstm' is unknown: did you mean 'conv_lstm'?"),
        (["predict", "RUN", "one.csv"], "one.csv has no column 'y'"),
        (["predict", "RUN", "nowhere.ts"], "nowhere.ts"),
        (["predict", "RUN", "three.ts"], "the track has 3 coordinates: the model was trained on 2"),
        (["watch", "RUN", "one.csv"], "is of task libras: --task frames goes on"),
        (["--task", "captions", "--films", "nowhere"], "nowhere"),
        (["--task", "captions", "--longest", "0"], "longest=0"),
    ],
)
def test_mistakes_end_in_one_clear_line(signs, tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "one.csv").write_text("track,label,x\na,up,1\na,up,2\n")
    (tmp_path / "three.ts").write_text("@classLabel false\n@data\n1,2:1,2:1,2\n")
    (tmp_path / "alike.csv").write_text("track,label,x\n" + "".join(f"{i},up,{i}\n{i},up,3\n" for i in range(9)))
    said = command.refused(capsys, *(signs if a == "RUN" else a for a in arguments))
    assert message in said, said
