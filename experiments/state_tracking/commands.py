"""Train a model for each automaton, score them beyond the lengths of training, and show what they answer."""

import dataclasses

import numpy as np

from experiments.common.synthetic import BATCH_AXES, index_batch
from experiments.common.synthetic_training import describe_examples, make_loss, make_scores
from experiments.state_tracking.config import Config
from experiments.state_tracking.figures import draw_lengths
from experiments.state_tracking.scores import length_table, majority_accuracy, mean_accuracy, published_results
from rnn_jax.train import Outcome, Prepared, Run, Task, Trained, key_for
from rnn_jax.train.figures import draw_curves


def prepare(config: Config) -> Prepared:
    """Data, models and losses of a run."""
    longest, length = config.longest, config.test_length
    params, rebuild = config.model.labelers(config.tasks, key_for(config.fit.seed, "init"))
    loss = make_loss(rebuild, config.training_streams, config.label_smoothing)
    key = key_for(config.fit.seed, "training data")
    held_out = config.streams(key_for(0, "validation data"), longest + 1, 2 * longest)
    validate = make_scores(rebuild, held_out, config.held_out)

    def evaluate(params) -> dict[str, float]:
        losses, accuracies = zip(*(s.mean(longest) for s in validate(params).values()), strict=True)
        return {"validation_loss": float(np.mean(losses)), "validation_accuracy": float(np.mean(accuracies))}

    def finish(outcome: Outcome, run: Run) -> dict:
        test = config.streams(key_for(0, "test data"), longest + 1, length)
        scores = make_scores(rebuild, test, config.held_out)(outcome.params)
        accuracies = {name: s.mean(longest)[1] for name, s in scores.items()}
        majority = {name: majority_accuracy(stream, config.held_out, longest) for name, stream in test.items()}
        print(f"\n{config.title}\n{length_table(scores, longest, majority)}\n")
        curves = {name: s.accuracies() for name, s in scores.items()}
        draw_lengths(curves, run.figures / "lengths.png", title=config.title, trained=longest, majority=majority)
        draw_curves(run.records(), run.figures / "curves.png", title=config.title, unit="nats", lines={})
        streams = config.streams(key_for(0, "test data"), longest, longest)
        run.write_text("sample.txt", text := describe_examples(rebuild(outcome.params), streams, which=(0,)))
        print(text)
        return {"model": config.model.summary, "metric": "scaled accuracy" if config.scaled else "accuracy %",
                "value": mean_accuracy(config, accuracies), "higher_is_better": True,
                "published": published_results(config),
                "baseline": {"commonest answer": mean_accuracy(config, majority)}, "scores": accuracies}  # fmt: skip

    task = Task(params, loss, lambda i: index_batch(i, config.batch_size, key), BATCH_AXES, evaluate)
    return Prepared(task, finish, data={})


def restore(run: Run, config: Config) -> Trained:
    """The best models of a run, in a dict by the names of their tasks."""
    return Trained.best(run, config, *config.model.labelers(config.tasks, key_for(config.fit.seed, "init")))


def evaluate(trained: Trained, test_length: int | None = None) -> None:
    """Print the accuracies of trained models in the test of their run, or up to another length."""
    config = trained.config
    if test_length is not None:
        config = dataclasses.replace(config, test_length=test_length)
    streams = config.streams(key_for(0, "test data"), config.longest + 1, config.test_length)
    scores = make_scores(trained.rebuild, streams, config.held_out)(trained.params)
    print(length_table(scores, config.longest))


def examples(trained: Trained, length: int = 20, count: int = 3) -> None:
    """Print test sequences of one length with what is right and what the models answer."""
    streams = trained.config.streams(key_for(0, "test data"), length, length)
    print(describe_examples(trained.model, streams, which=range(count)), end="")
