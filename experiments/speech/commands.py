"""The commands: train and others."""

import dataclasses
from pathlib import Path

from tyro.conf import Positional

from experiments.cli import Flags, open_run, resume_command
from experiments.common.recogniser import Recogniser, listen, nearest_recording, score_speech
from experiments.common.speech import SpeechModel, SpeechSettings, make_speech_score, speech_facts
from experiments.common.speech_data import Recording
from experiments.common.speech_tasks import speech_data, speech_digests
from experiments.common.utterances import BATCH_AXES, Utterances
from rnn_jax.data.audio import read_wav
from rnn_jax.nnx import functional
from rnn_jax.train import (
    HoldOutConfig,
    Outcome,
    Prepared,
    Run,
    RunOptions,
    Task,
    best_params,
    key_for,
    train_experiment,
)
from rnn_jax.train.figures import draw_curves

NAME = "speech"
KNOWN = {"TWIESN": 96.5, "MLP": 97.6, "FCN": 99.3, "ResNet": 99.2}  # JapaneseVowels
PUBLISHED = [{"value": v, "who": who, "source": "Fawaz et al. 2019, arXiv:1809.04356"} for who, v in KNOWN.items()]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(SpeechSettings, HoldOutConfig):
    """Which task, on which data, by which model."""

    data: str = ""
    """A folder of your own: wav files and labels.csv with the columns file and words; for vowels, two .ts files."""
    variation: float = 1.0
    """How much speed, loudness, noise and ends of recordings vary in training; 0 for not at all."""
    batch_size: int = 32
    """Recordings in an update."""
    buckets: int = 3
    """Lengths to pad to, at most."""
    hidden_size: int = 128
    layers: int = 2
    dropout: float = 0.3
    steps: int = 400
    evaluate_every: int = 100
    learning_rate: float = 2e-3
    weight_decay: float = 0.01


def prepare(config: Config) -> Prepared:
    """Data, model and losses of a run."""
    parts = speech_data(config.task, config.data, config.frontend)
    training = parts["training"] + ([] if config.hold_out else parts["validation"])
    facts = speech_facts(training, config.frontend)
    params, rebuild = functional(config.build_speech(facts, key_for(config.seed, "init")))
    score = make_speech_score(rebuild, parts["validation"], facts["words"])
    batches = Utterances(
        training, facts["words"], config.batch_size, config.seed, config.steps_per_dispatch,
        config.buckets, config.variation if config.frontend else 0.0,
    )  # fmt: skip

    def loss(params, carry, batch, key):
        nats, count = rebuild(params).loss(batch, key)
        return nats / count, (carry, {})

    def finish(outcome: Outcome, run: Run) -> dict:
        recogniser = Recogniser(rebuild(outcome.params), facts["words"])
        result, examples = score_speech(recogniser, parts["test"])
        if config.hold_out:
            result["scores"]["validation"] = score_speech(recogniser, parts["validation"])[0]["value"]
        nearest = {} if config.task == "strings" else nearest_recording(training, parts["test"], config.frontend)
        published = PUBLISHED if config.task == "vowels" and not config.data else []
        rows = {"here": result["value"], **nearest, **{p["who"]: p["value"] for p in published}}
        print(f"\n{config.task}, {result['metric']}\n" + "\n".join(f"  {v:6.2f}  {name}" for name, v in rows.items()))
        print(f"\nexamples: {run.path / 'sample.txt'}")
        run.write_text("sample.txt", examples)
        draw_curves(run.records(), run.figures / "curves.png", title=config.summary, unit="nats/word", lines={})
        return {"model": config.summary, "baseline": nearest, "published": published, **result}

    return Prepared(
        Task(params, loss, batches.batch, BATCH_AXES, lambda params: {"validation_loss": score(params)}),
        finish, data=speech_digests(config.task, config.data), files={"speech.json": facts},
    )  # fmt: skip


def train(config: Flags[Config] = Config(), options: Flags[RunOptions] = RunOptions()) -> int:  # noqa: B008
    """Train a network that hears, and score it on the test part."""
    return train_experiment(NAME, config, options, prepare)


resume = resume_command(train, Config)


def trained(run: Path) -> tuple[Config, SpeechModel, list[str]]:
    """The best model of a run, and the words it knows."""
    opened, config = open_run(run, Config)
    facts = opened.read_json("speech.json")
    params, rebuild = functional(config.build_speech(facts, key_for(config.seed, "init")))
    return config, rebuild(best_params(params, (), config, opened)), facts["words"]


def evaluate(run: Positional[Path], beam: int = 8) -> None:
    """Score a trained model on the test part of its data, with examples."""
    config, model, words = trained(run)
    test = speech_data(config.task, config.data, config.frontend)["test"]
    result, examples = score_speech(Recogniser(model, words), test, beam)
    print(f"{examples}{result['metric']}: {result['value']:.2f}  {result['scores']}")


def transcribe(run: Positional[Path], file: Positional[Path], stream: bool = False, beam: int = 8) -> None:
    """Print what is said in a wav file; with --stream read it in pieces and print each word as soon as it is heard."""
    config, model, words = trained(run)
    if (front := config.frontend) is None:
        raise ValueError(f"run={str(run)!r} knows series, not wav files: train with --task digits or strings")
    wave = read_wav(file, front.rate, shortest=front.step_samples)
    if not stream:
        print(*Recogniser(model, words)([Recording((wave,), ())], beam)[0])
        return
    for word in listen(model, (wave[i : i + front.hop] for i in range(0, len(wave), front.hop)), words):
        print(word, end=" ", flush=True)
    print()
