"""The commands: train and others."""

import dataclasses
from pathlib import Path

from tyro.conf import Positional

from experiments.cli import Flags, open_run, resume_command
from experiments.common.ink import InkBatches, as_features
from experiments.common.keel import KEEL
from experiments.common.nearest import nearest_drawings
from experiments.common.recogniser import Recogniser, score_speech
from experiments.common.speech import SpeechModel, make_speech_score, speech_facts
from experiments.common.utterances import BATCH_AXES
from experiments.handwriting.data import read_drawings
from experiments.handwriting.figures import draw_reading, telling
from experiments.handwriting.model import TERMS, InkSettings
from rnn_jax.data import digests
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

NAME = "handwriting"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(InkSettings, HoldOutConfig):
    """Which task, on which strokes, by which model."""

    variation: float = 1.0
    """How much turn, slant, scale and points of a drawing vary in training; 0 for not at all."""
    batch_size: int = 128
    """Drawings in an update."""
    hidden_size: int = 128
    layers: int = 2
    dropout: float = 0.3
    steps: int = 3000
    evaluate_every: int = 300
    learning_rate: float = 2e-3
    weight_decay: float = 0.01
    averaging: float = 0.99


def prepare(config: Config) -> Prepared:
    """Data, model and losses of a run."""
    parts = config.parts()
    training = parts["training"] + ([] if config.hold_out else parts["validation"])
    validation, test = (as_features(parts[part], config.several) for part in ("validation", "test"))
    facts = speech_facts(as_features(training, config.several), None)
    params, rebuild = functional(config.build_speech(facts, key_for(config.seed, "init")))
    score = make_speech_score(rebuild, validation, facts["words"])
    batches = InkBatches(
        training, facts["words"], config.batch_size, config.seed, config.steps_per_dispatch,
        variation=config.variation, several=config.several,
    )  # fmt: skip

    def loss(params, carry, batch, key):
        nats, count = rebuild(params).loss(batch, key)
        return nats / count, (carry, {})

    def finish(outcome: Outcome, run: Run) -> dict:
        model = rebuild(outcome.params)
        recogniser = Recogniser(model, facts["words"])
        result, examples = score_speech(recogniser, test, terms=TERMS)
        if config.hold_out:
            result["scores"]["validation"] = score_speech(recogniser, validation)[0]["value"]
        nearest = {} if config.several else nearest_drawings(training, parts["validation"], parts["test"])
        rows = {"here": result["value"], **nearest}
        print(f"\n{config.task}, {result['metric']}\n" + "\n".join(f"  {v:6.2f}  {name}" for name, v in rows.items()))
        read = config.reader(model, facts["words"])
        title = f"{config.summary}, test part"
        draw_reading(telling(parts["test"][:500], read), read, run.figures / "reading.png", title)
        run.write_text("sample.txt", examples)
        draw_curves(run.records(), run.figures / "curves.png", title=config.summary, unit="nats/sign", lines={})
        return {"model": config.summary, "baseline": nearest, "published": [], **result}

    return Prepared(
        Task(params, loss, batches.batch, BATCH_AXES, lambda params: {"validation_loss": score(params)}),
        finish, data=digests(config.data or KEEL), files={"signs.json": facts},
    )  # fmt: skip


def train(config: Flags[Config] = Config(), options: Flags[RunOptions] = RunOptions()) -> int:  # noqa: B008
    """Train a network that reads handwriting, and score it on the test part."""
    return train_experiment(NAME, config, options, prepare)


resume = resume_command(train, Config)


def trained(run: Path) -> tuple[Config, SpeechModel, list[str]]:
    """The best model of a run, and the signs it knows."""
    opened, config = open_run(run, Config)
    facts = opened.read_json("signs.json")
    params, rebuild = functional(config.build_speech(facts, key_for(config.seed, "init")))
    return config, rebuild(best_params(params, (), config, opened)), facts["words"]


def evaluate(run: Positional[Path], beam: int = 8) -> None:
    """Score a trained model on the test part of its data, with examples."""
    config, model, signs = trained(run)
    test = as_features(config.parts()["test"], config.several)
    result, examples = score_speech(Recogniser(model, signs), test, beam, TERMS)
    print(f"{examples}{result['metric']}: {result['value']:.2f}  {result['scores']}")


def recognise(
    run: Positional[Path], file: Positional[Path], downwards: bool = False, picture: Path | None = None
) -> None:
    """Print what is written in the drawings of a file, .json or .csv; with --picture draw it as it grows, too."""
    config, model, signs = trained(run)
    read = config.reader(model, signs)
    drawings = config.prepared(read_drawings(file, downwards=downwards))
    for drawing, words in zip(drawings, read(drawings), strict=True):
        print(f"{drawing.name}: {' '.join(words)}")
    if picture:
        draw_reading(drawings[:12], read, picture, str(file))
