"""Speech on a folder of one's own: train, stop, resume, evaluate, transcribe whole and streamed, and every mistake."""

import io
import json

import numpy as np
import pytest
from scipy.io import wavfile

from experiments.common.sound import read_sound
from experiments.speech import EXPERIMENT
from experiments.speech.streaming import stream_words
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
    assert f"\nword error rate %: {value:.2f}  {{" in capsys.readouterr().out


def test_a_file_is_transcribed_whole_and_streamed_alike(trained, tmp_path, capsys):
    rng = np.random.default_rng(5)
    loaded = EXPERIMENT.load(trained)
    model, words = loaded.model, loaded.preprocessor.words
    for rate, target in ((8000, ["low", "high", "high"]), (16000, ["high", "low"])):
        (tmp_path / "said.wav").write_bytes(spoken(target, rng, rate))
        outputs = []
        for flags in ((), ("--beam", 0), ("--stream",)):
            capsys.readouterr()
            assert command("transcribe", trained, tmp_path / "said.wav", *flags) == 0
            outputs.append(capsys.readouterr().out.split())
        assert outputs[0] and outputs[1] == outputs[2]
        wave = read_sound(tmp_path / "said.wav", 8000)
        for size in (37, 1000):  # how the wave is cut does not matter
            chunks = (wave[i : i + size] for i in range(0, len(wave), size))
            assert list(stream_words(model, chunks, words)) == outputs[2]


def test_silence_has_an_answer(trained, tmp_path, capsys):
    wavfile.write(tmp_path / "silence.wav", 8000, np.zeros(4000, np.int16))
    for flags in ((), ("--stream",)):
        capsys.readouterr()
        assert command("transcribe", trained, tmp_path / "silence.wav", *flags) == 0
        assert set(capsys.readouterr().out.split()) <= set(TONES)


@pytest.mark.exhaustive
def test_interrupted_it_resumes_to_the_same_result(trained, tmp_path, capsys):
    run = tmp_path / "speech" / "run"
    command.interrupted(capsys, run, "--task", "strings", "--data", trained.parents[1], *SMALL)
    result, wanted = (json.loads((path / "result.json").read_text()) for path in (run, trained))
    assert result["value"] == wanted["value"] and result["scores"]["greedy"] == wanted["scores"]["greedy"]


def test_one_word_a_recording(tmp_path, capsys):
    make_folder(tmp_path, strings=False)
    assert command("--task", "digits", "--data", tmp_path, "--runs", tmp_path, "--name", "run", *SMALL) == 0
    run = tmp_path / "speech" / "run"
    result = json.loads((run / "result.json").read_text())
    assert (
        result["metric"] == "accuracy %" and result["value"] > 70 and set(result["baseline"]) == {"nearest recording"}
    )
    capsys.readouterr()
    assert command("transcribe", run, tmp_path / "0.wav") == 0
    assert capsys.readouterr().out.strip() in TONES
    assert command("transcribe", run, tmp_path / "0.wav", "--stream") == 1
    assert "only a model of strings of words can be streamed" in capsys.readouterr().err
    assert command("transcribe", run, tmp_path / "0.wav", "--beam", 3) == 1
    assert "beam=3: expected at least 0, and a model of --task strings" in capsys.readouterr().err


def test_series_in_place_of_sound_and_a_transformer_of_equal_size(tmp_path, capsys):
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
    assert command(*flags, *SMALL, *matched, *settled) == 0
    result = json.loads((tmp_path / "speech/run/result.json").read_text())
    assert result["value"] > 70 and "validation" not in result["scores"]
    assert command("transcribe", tmp_path / "speech" / "run", "x.wav") == 1
    assert "knows series, not sound" in capsys.readouterr().err


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
        (["transcribe", "RUN", "opposite.wav"], "say --channel 1"),
        (["transcribe", "RUN", "short.wav", "--stream", "--beam", "4"], "leave out --beam or --stream"),
        (["transcribe", "RUN", "nowhere.wav"], "cannot be read: No such file"),
        (["transcribe", "RUN", "text.wav"], "no sound that can be read"),
        (["transcribe", "RUN", "short.wav"], "too short: 100 samples"),
    ],
)
def test_mistakes_end_in_one_clear_line(trained, tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.wav").write_text("words")
    wavfile.write(tmp_path / "short.wav", 8000, np.zeros(100, np.int16))
    wavfile.write(tmp_path / "opposite.wav", 8000, np.full((4000, 2), (9, -9), np.int16))
    said = command.refused(capsys, *(trained if a == "RUN" else a for a in arguments))
    assert message in said, said
