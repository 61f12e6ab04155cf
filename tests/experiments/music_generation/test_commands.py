"""Music on MIDI files of one's own: train, stop, resume, evaluate, compose from a primer, and every mistake."""

import io
import json
import sys

import numpy as np
import pytest

from experiments.music_generation import EXPERIMENT
from experiments.music_generation.data import load_music
from experiments.music_generation.midi import PITCHES, read_midi, read_piece, write_midi
from experiments.music_generation.predictor import MusicPredictor
from tests.experiments.answers import check_answers
from tests.experiments.as_user import Commands

command = Commands(EXPERIMENT)
SMALL = [
    "--hidden-size", "24", "--batch-size", "4", "--steps", "60", "--steps-per-dispatch", "10", "--evaluate-every", "20",
    "--warmup-steps", "5", "--learning-rate", "0.02", "--dropout", "0.1", "--longest", "12", "--buckets", "1",
]  # fmt: skip


def make_folder(path, count: int = 12) -> None:
    """Pieces of two chords that take turns, in time with the beat."""
    for i in range(count):
        roll = np.zeros((10 + i, PITCHES), np.uint8)
        roll[0::2, [30, 34, 37]] = 1
        roll[1::2, [32, 36, 39]] = 1
        write_midi(path / f"{i:02d}.mid", roll[i % 2 :], 2)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("music")
    make_folder(folder)
    flags = ["--data", folder, "--weight-noise", "0.01", "--runs", folder / "runs", "--name", "run"]
    assert command(*flags, *SMALL) == 0
    return folder / "runs" / "music_generation" / "run"


def test_a_run_says_everything_about_itself(trained):
    result = json.loads((trained / "result.json").read_text())
    assert result["metric"] == "nats/step" and not result["higher_is_better"] and result["published"] == []
    assert result["value"] < 0.2 * result["baseline"]["frequency of each key"], "two chords have not been learned"
    assert result["scores"]["first steps too"] > result["value"]
    assert "best of 1: piece 1" in (trained / "sample.txt").read_text()
    for figure in ("curves", "expected", "composed"):
        assert (trained / "figures" / f"{figure}.png").stat().st_size > 5_000


def test_evaluate_gives_the_value_of_the_result(trained, capsys):
    assert command("evaluate", trained) == 0
    value = json.loads((trained / "result.json").read_text())["value"]
    assert capsys.readouterr().out.startswith(f"{value:.4f} nats/step")


@pytest.mark.exhaustive
def test_what_is_composed_goes_on_from_the_primer(trained, tmp_path, capsys):
    primer = trained.parents[2] / "03.mid"
    for name, flags in (("a", ("--primer", primer, "--temperature", 0)), ("b", ("--primer", "none", "--seed", 3))):
        assert command("generate", trained, *flags, "--steps", 8, "--out", tmp_path / f"{name}.mid") == 0
        assert (tmp_path / f"{name}.png").stat().st_size > 5_000
    assert "12 steps given, 8 composed" in capsys.readouterr().out
    given, whole = read_midi(primer, 2), read_midi(tmp_path / "a.mid", 2)
    np.testing.assert_array_equal(whole[: len(given)], given)
    slow = tmp_path / "slow.mid"
    write_midi(slow, given, 2, 63)
    assert command("generate", trained, "--primer", slow, "--steps", 2, "--out", tmp_path / "c.mid") == 0
    assert read_piece(tmp_path / "c.mid").tempos == {0: pytest.approx(63, rel=1e-4)}
    np.testing.assert_array_equal(whole[len(given) :], np.resize(given[-2:], (8, PITCHES)))


@pytest.mark.exhaustive
def test_interrupted_it_resumes_to_the_same_result(trained, tmp_path, capsys):
    run = tmp_path / "music_generation" / "run"
    command.interrupted(capsys, run, "--data", trained.parents[2], "--weight-noise", "0.01", *SMALL)
    result, expected = (json.loads((path / "result.json").read_text()) for path in (run, trained))
    assert result["value"] == expected["value"] and result["scores"] == expected["scores"]


@pytest.mark.exhaustive
def test_a_joint_output_does_all_that_independent_pitches_do(trained, tmp_path, capsys):
    folder, run = trained.parents[2], tmp_path / "music_generation" / "run"
    flags = ["--data", folder, "--weight-noise", "0.01", "--output", "nade", "--nade-size", "16", *SMALL]
    assert command(*flags, "--runs", tmp_path / "whole", "--name", "run") == 0
    whole = tmp_path / "whole" / "music_generation" / "run"
    command.interrupted(capsys, run, *flags)
    result, expected = (json.loads((path / "result.json").read_text()) for path in (run, whole))
    assert result["value"] == expected["value"] and result["scores"] == expected["scores"]
    assert result["model"] == "gru 1 x 24, NADE 16"
    assert result["value"] < 0.2 * result["baseline"]["frequency of each key"], "two chords have not been learned"
    assert command("evaluate", run) == 0
    assert f"{result['value']:.4f} nats/step" in capsys.readouterr().out
    primer, out = folder / "03.mid", tmp_path / "a.mid"
    assert command("generate", run, "--primer", primer, "--temperature", 0, "--steps", 8, "--out", out) == 0
    given, composed = read_midi(primer, 2), read_midi(out, 2)
    np.testing.assert_array_equal(composed[len(given) :], np.resize(given[-2:], (8, PITCHES)))
    good, bad = (tmp_path / name for name in ("good", "bad"))
    for pieces in (good, bad):
        pieces.mkdir()
        make_folder(pieces, 3)
    (bad / "01.mid").write_text("a song in words")
    capsys.readouterr()
    check_answers(EXPERIMENT, run, capsys, good=good, bad=bad, refused="01.mid", labelled=good, steps=4)
    described = MusicPredictor(EXPERIMENT.load(run)).preprocessing["outputs"]
    assert "each given the lower ones" in described


@pytest.mark.exhaustive
def test_a_transformer_of_equal_size(trained, tmp_path):
    flags = ["--data", trained.parents[2], "--runs", tmp_path, "--name", "run", "--transposition", "1"]
    matched = ["--model", "transformer", "--heads", "1", "--transformer-layers", "1"]
    assert command(*flags, *SMALL, *matched, "--steps", 10, "--evaluate-every", 10) == 0
    result = json.loads((tmp_path / "music_generation/run/result.json").read_text())
    assert abs(result["params"] / json.loads((trained / "result.json").read_text())["params"] - 1) < 0.05


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "nowhere"], "none of jsb, nottingham, musedata, pianomidi, and no folder of MIDI files"),
        (["--data", "."], "has 1 files *.mid or *.midi: expected ten at least"),
        (["--steps-per-beat", "4"], "steps_per_beat=4, skip_unreadable=False: jsb has steps of its own"),
        (["--bidirectional"], "reads forwards only"),
        (["--weight-noise", "-1"], "weight_noise=-1"),
        (["--transposition", "100"], "transposition=100"),
        (["generate", "RUN", "--primer", "nowhere.mid"], "nowhere.mid cannot be read as a MIDI file"),
        (["generate", "RUN", "--primer", "text.mid"], "MThd not found"),
        (["generate", "RUN", "--steps", "0"], "steps=0"),
        (["evaluate", "RUN", "--part", "encore"], "part='encore'"),
        (["generate", "nowhere"], "is not a run"),
    ],
)
def test_mistakes_end_in_one_clear_line(trained, tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.mid").write_text("a song in words")
    error = command.refused(capsys, *(trained if a == "RUN" else a for a in arguments))
    assert message in error, error


def test_new_pieces_are_answered_the_same_everywhere(trained, tmp_path, capsys):
    for name in ("good", "bad"):
        (tmp_path / name).mkdir()
        make_folder(tmp_path / name, 3)
    (tmp_path / "bad" / "01.mid").write_text("a song in words")
    good, bad = tmp_path / "good", tmp_path / "bad"
    check_answers(EXPERIMENT, trained, capsys, good=good, bad=bad, refused="01.mid", labelled=good, steps=4)


def test_chords_go_on_from_a_file_and_from_standard_input(trained, tmp_path, capsys, monkeypatch):
    primer = trained.parents[2] / "03.mid"
    assert command("predict", trained, primer, "--format", "json", "--steps", 3, "--temperature", 0) == 0
    record = json.loads(capsys.readouterr().out)
    one, two = "D#3 G3 A#3", "F3 A3 C4"
    assert record["id"] == str(primer) and set(record["chords"].split(" | ")) == {one, two}
    assert record["steps of the piece"] == 12 and record["nats/step of the piece"] < 5
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(primer.read_bytes())))
    assert command("predict", trained, "--format", "json", "--steps", 3, "--temperature", 0) == 0
    assert json.loads(capsys.readouterr().out) == record | {"id": "standard input"}
    assert "temperature=-1" in command.refused(capsys, "predict", trained, primer, "--temperature", -1)


def test_scores_of_the_test_pieces_are_those_of_the_same_pieces_as_files(trained, tmp_path, capsys):
    music = EXPERIMENT.load(trained).config.music
    for i, roll in enumerate(load_music(music.data, music.steps_per_beat)["test"]):
        write_midi(tmp_path / f"{i}.mid", roll, music.beat)
    assert command("evaluate", trained, "--data", tmp_path, "--format", "json") == 0
    scores, result = json.loads(capsys.readouterr().out), json.loads((trained / "result.json").read_text())
    assert scores["nats/step"] == pytest.approx(result["value"], rel=1e-5)
    assert scores["nats/step, first steps too"] == pytest.approx(result["scores"]["first steps too"], rel=1e-5)
    (tmp_path / "empty").mkdir()
    said = command.refused(capsys, "evaluate", trained, "--data", tmp_path / "empty")
    assert "there is no labelled input in them that could be read" in said
