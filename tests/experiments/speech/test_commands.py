"""Speech on a folder of one's own: train, stop, resume, evaluate, predict whole and streamed, and every mistake."""

import io
import json

import numpy as np
import pytest
from scipy.io import wavfile

from experiments.common.sound import read_sound
from experiments.speech import EXPERIMENT
from experiments.speech.streaming import stream_words
from tests.experiments.answers import check_answers
from tests.experiments.as_user import Commands

command = Commands(EXPERIMENT)
TONES = {"low": 300, "high": 2000}
SMALL = (
    "--layers 1 --hidden-size 16 --batch-size 8 --steps 40 --steps-per-dispatch 10 --evaluate-every 20 "
    "--warmup-steps 5 --learning-rate 0.02 --dropout 0 --no-bidirectional"
).split()


def spoken(words: list[str], rng: np.random.Generator, rate: int = 8000) -> bytes:
    """A tone for each word, with noise between them."""
    parts = []
    for word in words:
        time = np.arange(int(rate * 0.2)) / rate
        parts += [0.3 * np.sin(2 * np.pi * TONES[word] * rng.uniform(0.9, 1.1) * time), np.zeros(int(rate * 0.1))]
    wave = np.concatenate(parts)
    file = io.BytesIO()
    wavfile.write(file, rate, (wave + 0.003 * rng.standard_normal(len(wave))).astype(np.float32))
    return file.getvalue()


def make_folder(path, strings: bool) -> None:
    rng, lines = np.random.default_rng(0), ["file,words"]
    for i in range(40):
        words = [list(TONES)[k] for k in rng.integers(2, size=3 if strings else 1)]
        (path / f"{i}.wav").write_bytes(spoken(words, rng))
        lines.append(f"{i}.wav,{' '.join(words)}")
    (path / "labels.csv").write_text("\n".join(lines))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("strings")
    make_folder(folder, strings=True)
    flags = ["--task", "strings", "--data", folder, "--runs", folder, "--name", "run"]
    assert command(*flags, *SMALL) == 0
    return folder / "speech" / "run"


@pytest.mark.exhaustive
def test_what_was_read_is_said(trained, capsys):
    folder = trained.parents[1]
    EXPERIMENT.prepare(EXPERIMENT.configure({"task": "strings", "data": str(folder), "hidden_size": 4}))
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "40 recordings: 32 training, 4 validation, 4 test"
    assert said[1].startswith("2 different labels: ") and said[2] == "at most 3 labels in one"
    assert said[3].startswith("the longest, 0.wav, has 0.9 seconds")


def test_a_run_says_everything_about_itself(trained):
    result = json.loads((trained / "result.json").read_text())
    assert result["metric"] == "word error rate %" and not result["higher_is_better"]
    assert result["value"] < 30, "two tones have not been learned"
    assert set(result["scores"]) == {"seconds", "recordings", "greedy", "validation"}
    assert (trained / "figures" / "curves.png").stat().st_size > 5_000
    assert "of 4 wrong" in (trained / "sample.txt").read_text()
    assert json.loads((trained / "speech.json").read_text())["words"] == ["high", "low"]


def test_evaluate_gives_the_value_of_the_result(trained, capsys):
    assert command("evaluate", trained) == 0
    value = json.loads((trained / "result.json").read_text())["value"]
    assert f"\nword error rate %: {value:.2f}  (" in capsys.readouterr().out


def heard(capsys, *arguments) -> list[str]:
    """What is heard in one file."""
    capsys.readouterr()
    assert command("predict", *arguments, "--format", "json") == 0
    return json.loads(capsys.readouterr().out)["words"].split()


@pytest.mark.exhaustive
def test_a_file_is_heard_whole_and_streamed_alike(trained, tmp_path, capsys):
    rng = np.random.default_rng(5)
    loaded = EXPERIMENT.load(trained)
    model, words = loaded.model, loaded.preprocessor.words
    for rate, target in ((8000, ["low", "high", "high"]), (16000, ["high", "low"])):
        (tmp_path / "said.wav").write_bytes(spoken(target, rng, rate))
        greedy = heard(capsys, trained, tmp_path / "said.wav", "--beam", 0)
        assert command("stream", trained, tmp_path / "said.wav") == 0
        assert heard(capsys, trained, tmp_path / "said.wav") and capsys.readouterr().out.split() == []
        assert command("stream", trained, tmp_path / "said.wav") == 0
        assert capsys.readouterr().out.split() == greedy
        wave = read_sound(tmp_path / "said.wav", 8000)
        for size in (37, 1000):  # how the wave is cut does not matter
            chunks = (wave[i : i + size] for i in range(0, len(wave), size))
            assert list(stream_words(model, chunks, words)) == greedy


def test_silence_has_an_answer(trained, tmp_path, capsys):
    wavfile.write(tmp_path / "silence.wav", 8000, np.zeros(4000, np.int16))
    assert set(heard(capsys, trained, tmp_path / "silence.wav")) <= set(TONES)
    assert command("stream", trained, tmp_path / "silence.wav") == 0
    assert set(capsys.readouterr().out.split()) <= set(TONES)


def test_new_recordings_are_answered_the_same_everywhere(trained, tmp_path, capsys):
    rng = np.random.default_rng(3)
    (good := tmp_path / "good").mkdir()
    (bad := tmp_path / "bad").mkdir()
    for k, (rate, words) in enumerate(((8000, ["low"]), (16000, ["high", "low", "high"]), (8000, ["low", "low"]))):
        (good / f"{k}.wav").write_bytes(spoken(words, rng, rate))
        (bad / f"{k}.wav").write_bytes((good / f"{k}.wav").read_bytes())
    (bad / "1.wav").write_bytes(b"no sound")
    (good / "labels.csv").write_text("file,words\n0.wav,low\n1.wav,high low high\n2.wav,low low\n")
    check_answers(EXPERIMENT, trained, capsys, good=good, bad=bad, refused="1.wav", labelled=good, tolerance=1e-4)
    (good / "labels.csv").write_text("file,words\n0.wav,low\n1.wav,middle\n3.wav,low\n")
    assert command("evaluate", trained, "--data", good, "--format", "json") == 1
    said = capsys.readouterr()
    assert json.loads(said.out)["refused"] == 2 and json.loads(said.out)["words"] == 1
    assert "1.wav: labels.csv, line 3: 'middle': none of the model's words, high, low" in said.err
    assert "3.wav: labels.csv, line 4: path=" in said.err


@pytest.mark.exhaustive
def test_scores_of_the_test_part_are_those_of_the_same_recordings_in_a_table(trained, capsys):
    recordings = EXPERIMENT.load(trained).config.parts()["test"]
    rows = [f"{recording.name},{' '.join(recording.words)}" for recording in recordings]
    (table := trained.parents[1] / "test.csv").write_text("\n".join(["file,words", *rows]))
    result = json.loads((trained / "result.json").read_text())
    capsys.readouterr()
    for flags, value in (([], result["value"]), (["--beam", 0], result["scores"]["greedy"])):
        assert command("evaluate", trained, "--data", table, "--format", "json", *flags) == 0
        scores = json.loads(capsys.readouterr().out)
        assert scores["inputs"] == len(recordings) and scores["word error rate %"] == pytest.approx(value)


@pytest.mark.exhaustive
def test_interrupted_it_resumes_to_the_same_result(trained, tmp_path, capsys):
    run = tmp_path / "speech" / "run"
    command.interrupted(capsys, run, "--task", "strings", "--data", trained.parents[1], *SMALL)
    result, wanted = (json.loads((path / "result.json").read_text()) for path in (run, trained))
    assert result["value"] == wanted["value"] and result["scores"]["greedy"] == wanted["scores"]["greedy"]


@pytest.mark.exhaustive
def test_one_word_a_recording(tmp_path, capsys):
    make_folder(tmp_path, strings=False)
    assert command("--task", "digits", "--data", tmp_path, "--runs", tmp_path, "--name", "run", *SMALL) == 0
    run = tmp_path / "speech" / "run"
    result = json.loads((run / "result.json").read_text())
    assert (
        result["metric"] == "accuracy %" and result["value"] > 70 and set(result["baseline"]) == {"nearest recording"}
    )
    capsys.readouterr()
    assert command("predict", run, tmp_path / "0.wav", tmp_path / "1.wav", "--format", "json") == 0
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert all(sum(record["probabilities"].values()) == pytest.approx(1) for record in records)
    assert {record["class"] for record in records} <= set(TONES)
    recordings = EXPERIMENT.load(run).config.parts()["test"]
    rows = [f"{recording.name},{recording.words[0]}" for recording in recordings]
    (tmp_path / "test.csv").write_text("\n".join(["file,words", *rows]))
    assert command("evaluate", run, "--data", tmp_path / "test.csv", "--format", "json") == 0
    assert json.loads(capsys.readouterr().out)["accuracy %"] == result["value"]
    assert command("stream", run, tmp_path / "0.wav") == 1
    assert "only a model of strings of words can be streamed" in capsys.readouterr().err
    assert command("predict", run, tmp_path / "0.wav", "--beam", 3) == 1
    assert "beam=3: expected at least 0, and a model of --task strings" in capsys.readouterr().err


@pytest.mark.exhaustive
def test_series_in_place_of_sound_and_transformers_of_equal_size(tmp_path, capsys):
    rng = np.random.default_rng(0)
    for part in ("TRAIN", "TEST"):
        lines = ["@classLabel true a b", "@data"]
        for i in range(20):
            values = rng.normal(size=(2, 5)) + 2 * (i % 2)
            lines.append(":".join([*(",".join(f"{v:.3f}" for v in row) for row in values), "ab"[i % 2]]))
        (tmp_path / f"toy_{part}.ts").write_text("\n".join(lines))
    flags = ["--task", "vowels", "--data", tmp_path, "--runs", tmp_path, "--name", "run", "--model", "transformer"]
    settled = ["--no-hold-out", "--evaluate-every", 40]
    matched = ["--heads", "1", "--transformer-layers", "1", "--learning-rate", "0.005", "--masked-bands", 1]
    assert command(*flags, "--members", 2, *SMALL, *matched, *settled) == 0
    result = json.loads((tmp_path / "speech/run/result.json").read_text())
    assert result["value"] > 70 and "validation" not in result["scores"]
    assert result["model"] == "2 of transformer, 1 layers"
    run, good = tmp_path / "speech" / "run", tmp_path / "toy_TEST.ts"
    assert command("stream", run, "x.wav") == 1
    assert "knows series, not sound" in capsys.readouterr().err
    (bad := tmp_path / "bad.ts").write_text("@classLabel false\n@data\n1,2:3,4\n1,?:3,4\n1:3\n")
    check_answers(EXPERIMENT, run, capsys, good=good, bad=bad, refused=4, labelled=good, tolerance=1e-4)
    assert command("evaluate", run, "--data", good, "--format", "json") == 0
    assert json.loads(capsys.readouterr().out)["accuracy %"] == result["value"]
    assert "channel=1: the run knows series" in command.refused(capsys, "predict", run, good, "--channel", 1)


@pytest.mark.exhaustive(but=4)
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--task", "letters"], "task='letters'"),
        (["--pooling", "sum"], "pooling='sum'"),
        (["--noise", "-1"], "noise=-1"),
        (["--no-hold-out"], "hold_out=False leaves nothing to choose an update by: use evaluate_every=400"),
        (["--data", "nowhere"], "labels.csv' cannot be read"),
        (["--channel", "1"], "channel=1: expected a number from 1 on, and --data FOLDER"),
        (["--skip-unreadable"], "it is for --data FOLDER"),
        (["--task", "vowels", "--skip-unreadable"], "skip-unreadable"),
        (["predict", "RUN", "opposite.wav"], "say --channel 1"),
        (["predict", "RUN", "nowhere.wav"], "cannot be read: No such file"),
        (["predict", "RUN", "text.wav"], "no sound that can be read"),
        (["predict", "RUN", "short.wav"], "too short: 100 samples"),
    ],
)
def test_mistakes_end_in_one_clear_line(trained, tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.wav").write_text("words")
    wavfile.write(tmp_path / "short.wav", 8000, np.zeros(100, np.int16))
    wavfile.write(tmp_path / "opposite.wav", 8000, np.full((4000, 2), (9, -9), np.int16))
    said = command.refused(capsys, *(trained if a == "RUN" else a for a in arguments))
    assert message in said, said
