"""The commands: train and others."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from tyro.conf import Positional

from experiments.cli import Flags, open_run, resume_command
from experiments.common.nearest import nearest_mean
from experiments.sequential_images.data import image_digests, load_images, pixel_sequences, read_picture
from experiments.sequential_images.figures import draw_pictures
from rnn_jax.analysis import classification_table
from rnn_jax.losses import token_cross_entropy
from rnn_jax.metrics import accuracy, classification_scores
from rnn_jax.models import Classifier, SequenceConfig, build_matched
from rnn_jax.models.text_classifier import BATCH_AXES, TextBatches, make_probabilities
from rnn_jax.nnx import functional
from rnn_jax.train import FitConfig, Outcome, Prepared, Run, RunOptions, Task, best_params, key_for, train_experiment
from rnn_jax.train.figures import draw_curves
from rnn_jax.typing import Params

NAME = "sequential_images"
KNOWN = {"LSTM": (98.8, 92.9), "GRU": (99.1, 94.1), "IRNN": (98.5, 92.5)}  # MNIST, in order and permuted
SOURCE = "as in Keller et al. 2024, arXiv:2309.08045"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(SequenceConfig, FitConfig):
    """Which pictures, in which order, read by which model."""

    data: str = "mnist"
    """mnist, fashion_mnist, or a folder with your own files in the IDX format, named as theirs."""
    permuted: bool = False
    """Pixels in one random order instead of row by row."""
    pixels: int = 1
    """Read in a step."""
    pooling: str = "last"
    """What a picture is told by: last, max, mean or attention over the steps."""
    batch_size: int = 100
    """Pictures in an update."""
    cell: str = "lstm"
    hidden_size: int = 128
    bidirectional: bool = False
    dropout: float = 0.0
    steps: int = 11_000
    evaluate_every: int = 550
    learning_rate: float = 1e-3

    def network(self, classes: int) -> tuple[Params, Callable[[Params], Callable[..., jax.Array]]]:
        """The initial parameters, and from parameters to a function of pixels uint8 `[T, B, D]` and lengths."""

        def build(settings: Config) -> Classifier:
            rngs = nnx.Rngs(params=key_for(self.seed, "init"))
            layer = settings.layer(settings.pixels, rngs)
            options: Any = {"dropout_rate": settings.dropout, "dtype": jnp.dtype(settings.dtype)}
            return Classifier(layer, classes, pooling=settings.pooling, rngs=rngs, **options)

        params, rebuild = functional(build_matched(self, build))
        return params, lambda p: lambda xs, lengths, key=None: rebuild(p)(xs / jnp.float32(255), lengths, key=key)


def prepare(config: Config) -> Prepared:
    """Data, model and losses of a run."""
    parts = load_images(config.data)
    sequences = {part: pixel_sequences(images.pixels, config.pixels, config.permuted) for part, images in parts.items()}
    training, test = parts["training"], parts["test"]
    facts = {"classes": int(training.labels.max()) + 1, "shape": list(training.pixels.shape[1:])}
    batches = TextBatches(sequences["training"], training.labels, config.batch_size, config.seed, buckets=1)
    params, rebuild = config.network(facts["classes"])
    validate = make_probabilities(rebuild, sequences["validation"])

    def loss(params, carry, batch, key):
        nats, count = token_cross_entropy(rebuild(params)(batch["tokens"], batch["lengths"], key=key), batch["labels"])
        return nats / count, (carry, {})

    def evaluate(params) -> dict[str, float]:
        scores = classification_scores(validate(params), parts["validation"].labels)
        return {"validation_loss": scores["nats"], "validation_accuracy": scores["accuracy"]}

    def finish(outcome: Outcome, run: Run) -> dict:
        found = make_probabilities(rebuild, sequences["test"])(outcome.params)
        scores = classification_scores(found, test.labels)
        nearest = nearest_mean(training.pixels, training.labels, test.pixels)
        baseline = {"nearest mean picture": 100 * accuracy(nearest, test.labels)}
        known = KNOWN if config.data == "mnist" and config.pixels == 1 else {}
        published = [{"value": v[config.permuted], "who": who, "source": SOURCE} for who, v in known.items()]
        title = f"{Path(config.data).name}{', permuted' * config.permuted}: {config.summary}"
        others = baseline | {p["who"]: p["value"] for p in published}
        print(f"\n{title}\n{classification_table(scores, [str(c) for c in range(facts['classes'])], others)}")
        draw_pictures(test.pixels, test.labels, found, run.figures / "pictures.png", title)
        draw_curves(run.records(), run.figures / "curves.png", title=title, unit="nats", lines={})
        return {"model": config.summary, "metric": "accuracy %", "value": scores["accuracy"],
                "higher_is_better": True, "baseline": baseline, "published": published, "scores": scores}  # fmt: skip

    return Prepared(
        Task(params, loss, batches.batch, BATCH_AXES, evaluate, monitor="validation_accuracy", higher_is_better=True),
        finish, data=image_digests(config.data), files={"images.json": facts},
    )  # fmt: skip


def train(config: Flags[Config] = Config(), options: Flags[RunOptions] = RunOptions()) -> int:  # noqa: B008
    """Train a network that reads pictures pixel by pixel, and score it on the test part."""
    return train_experiment(NAME, config, options, prepare)


resume = resume_command(train, Config)


def answers(run: Path, pixels: Callable[[Config, list[int]], np.ndarray]) -> np.ndarray:
    """p(class) of pictures by the best model of a run; `pixels` gets its config and the size of its pictures."""
    opened, config = open_run(run, Config)
    facts = opened.read_json("images.json")
    params, rebuild = config.network(facts["classes"])
    sequences = pixel_sequences(pixels(config, facts["shape"]), config.pixels, config.permuted)
    return make_probabilities(rebuild, sequences)(best_params(params, (), config, opened))


def evaluate(run: Positional[Path]) -> None:
    """Print the scores of a trained model on the test part of its data."""
    test = load_images(open_run(run, Config)[1].data)["test"]
    found = answers(run, lambda *_: test.pixels)
    print(classification_table(classification_scores(found, test.labels), [str(c) for c in range(found.shape[1])]))


def classify(run: Positional[Path], files: Positional[tuple[Path, ...]]) -> None:
    """Print class and probability of pictures, .png or .jpg, of any size; bright on dark, or dark on bright."""
    found = answers(run, lambda _, shape: np.stack([read_picture(file, *shape) for file in files]))
    for file, row in zip(files, found, strict=True):
        print(f"{row.argmax()}  {row.max():.3f}  {file}")
