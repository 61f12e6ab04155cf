"""Train a model of video, score it on the test part, and let it go on where a film ends."""

from pathlib import Path

from tyro.conf import Positional

from experiments.common.prediction import scores_line
from experiments.common.reading import say
from experiments.published import values_of
from experiments.video.captions import CaptionTask
from experiments.video.config import VideoConfig
from experiments.video.frames import FrameTask, go_on
from experiments.video.signs import SignTask
from experiments.video.task import VideoTask
from rnn_jax.nnx import functional
from rnn_jax.train import Outcome, Prepared, Run, Task, Trained, key_for
from rnn_jax.train.figures import draw_curves

TASKS: dict[str, type[VideoTask]] = {"libras": SignTask, "frames": FrameTask, "captions": CaptionTask}


def prepare(config: VideoConfig) -> Prepared:
    """Data, model and losses of a run."""
    task, title = TASKS[config.task](config), config.model.summary
    say(task.summary)
    params, rebuild = functional(task.build(config, task.facts, key_for(config.fit.seed, "init")))

    def loss(params, carry, batch, key):
        nats, count = task.loss(rebuild(params), batch, key)
        return nats / count, (carry, {})

    def finish(outcome: Outcome, run: Run) -> dict:
        result, examples = task.test(rebuild(outcome.params), run.figures)
        rows = {"here": result["value"], **result["baseline"], **values_of(task.published)}
        print(f"\n{config.task}, {result['metric']}\n" + "\n".join(f"  {v:7.3f}  {name}" for name, v in rows.items()))
        print(f"\nexamples: {run.path / 'sample.txt'}, {run.figures}")
        run.write_text("sample.txt", examples)
        draw_curves(run.records(), run.figures / "curves.png", title=title, unit=task.unit, lines={})
        return {"model": title, "published": list(task.published), **result}

    validate = task.make_validate(rebuild)
    return Prepared(
        Task(params, loss, task.batch, task.axes, validate, (), task.monitor, task.higher_is_better),
        finish, data=task.digests, files={"video.json": task.facts},
    )  # fmt: skip


def restore(run: Run, config: VideoConfig) -> Trained:
    """The best model of a run, and what it knows of its training part."""
    facts = run.read_json("video.json")
    model = TASKS[config.task].build(config, facts, key_for(config.fit.seed, "init"))
    return Trained.best(run, config, *functional(model), preprocessor=facts)


def evaluate(trained: Trained) -> None:
    """Score a trained model on the test part of its data, with examples; draws the figures of the run again."""
    task = TASKS[trained.config.task](trained.config)
    result, examples = task.test(trained.model, trained.run.figures)
    print(f"{examples}{result['metric']}: {result['value']:.3f}  ({scores_line(result['scores'])})")


def watch(trained: Trained, file: Positional[Path]) -> None:
    """Write a film beside that of a file, which goes on with eight frames as a model of frames expects them."""
    if trained.config.task != "frames":
        run = str(trained.run.path)
        raise ValueError(f"run={run!r} is of task {trained.config.task}: --task frames goes on; predict answers films")
    out, given = go_on(trained.model, file)
    print(f"{out}: {given} frames given, 8 imagined")
