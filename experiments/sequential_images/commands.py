"""Train a network that reads pictures pixel by pixel, and score it."""

from typing import NamedTuple

from experiments.common.reading import describe_parts, say
from experiments.published import published, values_of
from experiments.sequential_images.baselines import nearest_mean
from experiments.sequential_images.config import Config
from experiments.sequential_images.data import image_digests, pixel_sequences
from experiments.sequential_images.figures import draw_pictures
from rnn_jax.analysis import classification_table
from rnn_jax.data import LABELLED_AXES, LabelledBatches
from rnn_jax.losses import token_cross_entropy
from rnn_jax.metrics import accuracy, classification_scores
from rnn_jax.models import make_probabilities
from rnn_jax.nnx import functional
from rnn_jax.train import Outcome, Prepared, Run, Task, Trained, key_for
from rnn_jax.train.figures import draw_curves


class ImageFacts(NamedTuple):
    """What a model knows of the pictures that it was trained with."""

    classes: int
    shape: tuple[int, int]
    """Height and width."""
    names: tuple[str, ...] = ()
    """Of the classes; their numbers where there are none."""

    @property
    def all_names(self) -> list[str]:
        """Of all classes."""
        return list(self.names) or [str(label) for label in range(self.classes)]


TASKS = {
    ("mnist", False, 1): "smnist", ("mnist", True, 1): "psmnist", ("fashion_mnist", False, 28): "fashion-rows",
}  # fmt: skip
"""What pictures, permuted or not, by so many pixels in a step, are called where results are published."""


def prepare(config: Config) -> Prepared:
    """Data, model and losses of a run."""
    parts, names = config.images()
    sequences = {part: pixel_sequences(images.pixels, config.pixels, config.permuted) for part, images in parts.items()}
    training, test = parts["training"], parts["test"]
    height, width = training.pixels.shape[1:]
    facts = ImageFacts(int(training.labels.max()) + 1, (height, width), names)
    every = facts.all_names
    say(describe_parts("pictures", {part: [every[k] for k in images.labels] for part, images in parts.items()}))
    say(f"each picture has {height} x {width} pixels")
    batches = LabelledBatches(sequences["training"], training.labels, config.batch_size, config.fit.seed, buckets=1)
    model = config.model.classifier(config.pixels, facts.classes, key_for(config.fit.seed, "init"))
    params, rebuild = functional(model)
    validate = make_probabilities(rebuild, sequences["validation"])

    def loss(params, carry, batch, key):
        nats, count = token_cross_entropy(rebuild(params)(batch["inputs"], batch["lengths"], key=key), batch["labels"])
        return nats / count, (carry, {})

    def evaluate(params) -> dict[str, float]:
        scores = classification_scores(validate(params), parts["validation"].labels)
        return {"validation_loss": scores["nats"], "validation_accuracy": scores["accuracy"]}

    def finish(outcome: Outcome, run: Run) -> dict:
        probabilities = make_probabilities(rebuild, sequences["test"])(outcome.params)
        scores = classification_scores(probabilities, test.labels)
        nearest = nearest_mean(training.pixels, training.labels, test.pixels)
        baseline = {"nearest mean picture": 100 * accuracy(nearest, test.labels)}
        known = published(f"sequential_images/{TASKS.get((config.data, config.permuted, config.pixels))}")
        others = baseline | values_of(known)
        print(f"\n{config.title}\n{classification_table(scores, facts.all_names, others)}")
        draw_pictures(test.pixels, test.labels, probabilities, run.figures / "pictures.png", config.title)
        draw_curves(run.records(), run.figures / "curves.png", title=config.title, unit="nats", lines={})
        return {"model": config.model.summary, "metric": "accuracy %", "value": scores["accuracy"],
                "higher_is_better": True, "baseline": baseline, "published": known, "scores": scores}  # fmt: skip

    task = Task(
        params, loss, batches.batch, LABELLED_AXES, evaluate, monitor="validation_accuracy", higher_is_better=True
    )
    return Prepared(task, finish, data=image_digests(config.data), files={"images.json": facts._asdict()})


def restore(run: Run, config: Config) -> Trained:
    """The best model of a run, with what it knows of its pictures."""
    facts = ImageFacts(**run.read_json("images.json"))
    model = config.model.classifier(config.pixels, facts.classes, key_for(config.fit.seed, "init"))
    return Trained.best(run, config, *functional(model), preprocessor=facts)


def evaluate(trained: Trained) -> None:
    """Print the scores of a trained model on the test part of its data."""
    config, test = trained.config, trained.config.images().parts["test"]
    sequences = pixel_sequences(test.pixels, config.pixels, config.permuted)
    scores = classification_scores(make_probabilities(trained.rebuild, sequences)(trained.params), test.labels)
    print(classification_table(scores, trained.preprocessor.all_names))
