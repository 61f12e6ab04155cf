"""Train a recogniser of handwriting, score it beside the nearest drawings, and draw what it reads as drawings grow."""

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path

from tyro.conf import Positional

from experiments.common.keel import KEEL
from experiments.common.own_recordings import describe_recordings
from experiments.common.prediction import scores_line
from experiments.common.reading import say
from experiments.common.recogniser import Recogniser, TrainingStatistics, make_validation_loss
from experiments.common.recordings import BATCH_AXES, Recording
from experiments.common.transcription import Transcriber, beam_of, score_transcripts
from experiments.handwriting.baselines import nearest_drawings
from experiments.handwriting.config import HandwritingConfig
from experiments.handwriting.data import drawing_digests
from experiments.handwriting.figures import draw_growing, wrong_and_right
from experiments.handwriting.predictor import HandwritingPredictor
from experiments.handwriting.strokes import as_features
from rnn_jax.data import digests
from rnn_jax.nnx import functional
from rnn_jax.train import Outcome, Prepared, Run, Task, Trained, key_for
from rnn_jax.train.figures import draw_curves

TERMS = ("written", "read", "label")
"""What `score_transcripts` is to call the target, the prediction and a word."""


def prepare(config: HandwritingConfig) -> Prepared:
    """Data, model and losses of a run."""
    parts = config.parts()
    source = config.data or config.task
    say(describe_recordings(parts, "drawings", lambda drawing: len(drawing.signal), "points", source))
    training = parts["training"] + ([] if config.fit.hold_out else parts["validation"])
    validation, test = (as_features(parts[part], config.several) for part in ("validation", "test"))
    statistics = TrainingStatistics.of(as_features(training, config.several), None)
    params, rebuild = functional(config.model.build(statistics, None, key_for(config.fit.seed, "init")))
    validate = make_validation_loss(rebuild, validation, statistics.words)
    batches = config.batches(training, statistics.words)

    def loss(params, carry, batch, key):
        nats, count = rebuild(params).loss(batch, key)
        return nats / count, (carry, {})

    def finish(outcome: Outcome, run: Run) -> dict:
        model = rebuild(outcome.params)
        transcriber = Transcriber(model, statistics.words)
        result, examples = score_transcripts(transcriber, test, terms=TERMS)
        if config.fit.hold_out:
            result["scores"]["validation"] = score_transcripts(transcriber, validation)[0]["value"]
        nearest = {} if config.several else nearest_drawings(**parts, hold_out=config.fit.hold_out)
        rows = {"here": result["value"], **nearest}
        print(f"\n{config.task}, {result['metric']}\n" + "\n".join(f"  {v:6.2f}  {name}" for name, v in rows.items()))
        transcribe, summary = make_transcribe(config, model, statistics.words), config.model.summary
        shown = wrong_and_right(parts["test"][:500], transcribe)
        draw_growing(shown, transcribe, run.figures / "reading.png", f"{summary}, test part")
        run.write_text("sample.txt", examples)
        draw_curves(run.records(), run.figures / "curves.png", title=summary, unit="nats/sign", lines={})
        return {"model": summary, "baseline": nearest, "published": [], **result}

    return Prepared(
        Task(params, loss, batches.batch, BATCH_AXES, validate),
        finish, data=drawing_digests(config.data) if config.data else digests(KEEL),
        files={"signs.json": statistics._asdict()},
    )  # fmt: skip


def restore(run: Run, config: HandwritingConfig) -> Trained:
    """The best model of a run, and what it knows of its training part."""
    statistics = TrainingStatistics(**run.read_json("signs.json"))
    model = config.model.build(statistics, None, key_for(config.fit.seed, "init"))
    return Trained.best(run, config, *functional(model), preprocessor=statistics)


def make_transcribe(
    config: HandwritingConfig, model: Recogniser, words: Sequence[str]
) -> Callable[[Sequence[Recording]], list[tuple[str, ...]]]:
    """A function from prepared drawings to the words that a model recognises in each, by beam search."""
    transcriber = Transcriber(model, words)
    return lambda drawings: transcriber(as_features(drawings, config.several), beam=8)


def evaluate(trained: Trained, beam: int | None = None) -> None:
    """Score a trained model on the test part of its data, with examples; --beam of the search in one of strings, 8."""
    config, transcriber = trained.config, Transcriber(trained.model, trained.preprocessor.words)
    test = as_features(config.parts()["test"], config.several)
    result, examples = score_transcripts(transcriber, test, beam_of(transcriber.one_word, beam), TERMS)
    print(f"{examples}{result['metric']}: {result['value']:.2f}  ({scores_line(result['scores'])})")


def draw(
    trained: Trained,
    file: Positional[Path],
    picture: Path = Path("drawings.png"),
    downwards: bool = False,
    upwards: bool = False,
) -> None:
    """Draw what is read of the first drawings of a file as they grow, point by point.

    Args:
        trained: the model.
        file: of drawings.
        picture: a .png to write.
        downwards: y grows downwards in the file, see `predict`.
        upwards: y grows upwards in the file.
    """
    predictor = HandwritingPredictor(trained, downwards=downwards, upwards=upwards)
    items = list(itertools.islice(predictor.read(str(file)), 12))
    if wrong := next((item.value for item in items if isinstance(item.value, Exception)), None):
        raise wrong
    transcribe = make_transcribe(trained.config, trained.model, trained.preprocessor.words)
    draw_growing([item.value for item in items], transcribe, picture, str(file))
    print(f"figure: {picture}")
