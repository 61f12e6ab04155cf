"""Train a recogniser of speech, score it beside one that learns nothing, and hear a stream with it."""

from pathlib import Path

from tyro.conf import Positional

from experiments.common.own_recordings import describe_recordings
from experiments.common.prediction import scores_line
from experiments.common.reading import say
from experiments.common.recogniser import TrainingStatistics, make_validation_loss
from experiments.common.recordings import BATCH_AXES, Recording
from experiments.common.sound import read_sound
from experiments.common.transcription import Transcriber, beam_of, score_transcripts
from experiments.published import published, values_of
from experiments.speech.baselines import nearest_recording
from experiments.speech.config import SpeechConfig
from experiments.speech.data import speech_digests
from experiments.speech.streaming import stream_words
from rnn_jax.nnx import functional
from rnn_jax.train import Outcome, Prepared, Run, Task, Trained, key_for
from rnn_jax.train.figures import draw_curves


def prepare(config: SpeechConfig) -> Prepared:
    """Data, model and losses of a run."""
    parts = config.parts()
    front = config.frontend
    length, unit = (lambda r: round(len(r.signal) / front.rate, 2), "seconds") if front else (_steps, "steps")
    say(describe_recordings(parts, "recordings", length, unit, config.data or config.task))
    training = parts["training"] + ([] if config.fit.hold_out else parts["validation"])
    statistics = TrainingStatistics.of(training, config.frontend)
    params, rebuild = functional(config.model.build(statistics, config.frontend, key_for(config.fit.seed, "init")))
    validate = make_validation_loss(rebuild, parts["validation"], statistics.words)
    batches = config.batches(training, statistics.words)

    def loss(params, carry, batch, key):
        nats, count = rebuild(params).loss(batch, key)
        return nats / count, (carry, {})

    def finish(outcome: Outcome, run: Run) -> dict:
        transcriber = Transcriber(rebuild(outcome.params), statistics.words)
        result, examples = score_transcripts(transcriber, parts["test"])
        if config.fit.hold_out:
            result["scores"]["validation"] = score_transcripts(transcriber, parts["validation"])[0]["value"]
        nearest = {} if config.task == "strings" else nearest_recording(training, parts["test"], config.frontend)
        known = published("speech/japanese-vowels") if config.task == "vowels" and not config.data else []
        rows = {"here": result["value"], **nearest, **values_of(known)}
        print(f"\n{config.task}, {result['metric']}\n" + "\n".join(f"  {v:6.2f}  {name}" for name, v in rows.items()))
        print(f"\nexamples: {run.path / 'sample.txt'}")
        run.write_text("sample.txt", examples)
        model = config.model.summary
        draw_curves(run.records(), run.figures / "curves.png", title=model, unit="nats/word", lines={})
        return {"model": model, "baseline": nearest, "published": known, **result}

    return Prepared(
        Task(params, loss, batches.batch, BATCH_AXES, validate),
        finish, data=speech_digests(config.task, config.data), files={"speech.json": statistics._asdict()},
    )  # fmt: skip


def _steps(recording: Recording) -> int:
    return len(recording.signal)


def restore(run: Run, config: SpeechConfig) -> Trained:
    """The best model of a run, and what it knows of its training part."""
    statistics = TrainingStatistics(**run.read_json("speech.json"))
    model = config.model.build(statistics, config.frontend, key_for(config.fit.seed, "init"))
    return Trained.best(run, config, *functional(model), preprocessor=statistics)


def evaluate(trained: Trained, beam: int | None = None) -> None:
    """Score a trained model on the test part of its data, with examples; --beam of the search in one of strings, 8."""
    transcriber = Transcriber(trained.model, trained.preprocessor.words)
    result, examples = score_transcripts(
        transcriber, trained.config.parts()["test"], beam_of(transcriber.one_word, beam)
    )
    print(f"{examples}{result['metric']}: {result['value']:.2f}  ({scores_line(result['scores'])})")


def stream(trained: Trained, file: Positional[Path], channel: int | None = None) -> None:
    """Read a file of sound in chunks, and print each word as soon as it is sure: greedily, by a model of strings.

    Args:
        trained: the model.
        file: wav, flac, ogg or mp3.
        channel: which of several is read; as in training if not given.
    """
    model, words, config = trained.model, trained.preprocessor.words, trained.config
    if (front := config.frontend) is None:
        run = str(trained.run.path)
        raise ValueError(f"run={run!r} knows series, not sound: train with --task strings")
    channel = config.channel if channel is None else channel
    wave = read_sound(
        file, front.rate, shortest=front.step_samples, channel=channel, note=lambda words, _: say(f"note: {words}")
    )
    for word in stream_words(model, (wave[i : i + front.hop] for i in range(0, len(wave), front.hop)), words):
        print(word, end=" ", flush=True)
    print()
