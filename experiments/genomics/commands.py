"""The commands: train and others."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import jax
import numpy as np
from tyro.conf import Positional

from experiments.cli import Flags, open_run, resume_command
from experiments.common.keel import KEEL
from experiments.genomics import cross_validation as cross
from experiments.genomics.data import BASES, load_nucleotides, read_fasta
from experiments.genomics.folds import in_order
from rnn_jax.analysis import classification_table
from rnn_jax.analysis.saliency import draw_contributions
from rnn_jax.data import digests
from rnn_jax.losses import token_cross_entropy
from rnn_jax.metrics import accuracy, negative_log_likelihood
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
from rnn_jax.typing import Params

NAME = "genomics"
RULE = {"EI": [31, 32], "IE": [29, 30]}  # introns begin with GT and end with AG
KBANN = {"N": 4.62, "EI": 7.56, "IE": 8.47}  # % wrong


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(cross.FoldSettings, HoldOutConfig):
    """A classifier of nucleotides, and its cross-validation."""

    hidden_size: int = 32
    dropout: float = 0.3
    steps: int = 600
    evaluate_every: int = 100
    learning_rate: float = 1e-2
    averaging: float = 0.98
    weight_decay: float = 0.01
    clip_norm: float = 1e6
    """Never reached: by the norm of all gradients together, one model would depend on the others."""


def prepare(config: Config) -> Prepared:
    """Data, models and losses of a run."""
    texts, labels, classes = load_nucleotides(config.data)
    sequences, folds = cross.encode_sequences(texts), config.split(texts, labels, config.seed, config.hold_out)
    length, known = sequences.codes.shape[1], config.data == "splice"
    params, rebuild = config.models(len(classes), length, key_for(config.seed, "init"))
    models = cross.FoldModels(rebuild, sequences, config.both_strands)
    batches = cross.NucleotideBatches(sequences, labels, folds, config.both_strands)

    def of_one(params, batch, key):
        logits = rebuild(params)(batch["codes"], batch["lengths"], key=key)
        nats, count = token_cross_entropy(logits, batch["labels"])
        return nats / count

    def loss(params, carry, batch, key):
        return jax.vmap(of_one)(params, batch, jax.random.split(key, config.folds)).mean(), (carry, {})

    def evaluate(params) -> dict[str, float]:
        found = in_order(models.answers(params, folds.validation), folds.validation)
        right = 100 * accuracy(found.argmax(axis=1), labels)
        return {"validation_loss": negative_log_likelihood(found, labels), "validation_accuracy": right}

    def finish(outcome: Outcome, run: Run) -> dict:
        scores, found = cross.cross_validated(models, outcome.params, folds, labels)
        means = cross.class_contributions(models, outcome.params, folds, labels, classes)
        scores["places"] = {c: sorted((values.sum(axis=1).argsort()[-2:] + 1).tolist()) for c, values in means.items()}
        baseline = {"naive Bayes": cross.bayes_accuracy(sequences, labels, folds)}
        kbann = round(float(np.mean([100 - KBANN[classes[k]] for k in labels])), 2) if known else 0.0
        published = [{"value": kbann, "who": "KBANN", "source": "Noordewier et al. 1991, NIPS 3"}] if known else []
        title = f"{Path(config.data).name}: {config.summary}, {config.folds} folds"
        others = baseline | {p["who"]: p["value"] for p in published}
        print(f"\n{title}\n{classification_table(scores, classes, others)}\nstrongest places: {scores['places']}")
        framed = title + "; framed: introns are GT ... AG" * known
        draw_contributions(means, BASES, RULE if known else {}, run.figures / "places.png", framed)
        draw_curves(run.records(), run.figures / "curves.png", title=title, unit="nats", lines={})
        run.write_text("sample.txt", cross.examples(texts, labels, found, classes))
        return {"model": config.summary, "metric": "accuracy %", "value": scores["accuracy"],
                "higher_is_better": True, "baseline": baseline, "published": published, "scores": scores}  # fmt: skip

    return Prepared(
        Task(params, loss, batches.batch, cross.BATCH_AXES, evaluate), finish,
        data=digests(KEEL if known else config.data), files={"genomics.json": {"classes": classes, "length": length}},
    )  # fmt: skip


def train(config: Flags[Config] = Config(), options: Flags[RunOptions] = RunOptions()) -> int:  # noqa: B008
    """Train one model for each fold, compare them with naive Bayes, and show what they rest on."""
    return train_experiment(NAME, config, options, prepare)


resume = resume_command(train, Config)


def trained(run: Path, texts: Sequence[str] = ()) -> tuple[Config, cross.FoldModels, Params, list[str]]:
    """The best models of a run with some sequences, or all of its data, their parameters, and the classes."""
    opened, config = open_run(run, Config)
    facts = opened.read_json("genomics.json")
    params, rebuild = config.models(len(facts["classes"]), facts["length"], key_for(config.seed, "init"))
    sequences = cross.encode_sequences(texts or load_nucleotides(config.data).texts, facts["length"])
    models = cross.FoldModels(rebuild, sequences, config.both_strands)
    return config, models, best_params(params, (), config, opened), facts["classes"]


def evaluate(run: Positional[Path]) -> None:
    """Print the scores of the models of a run, each on the fold that it has not seen."""
    config, models, params, classes = trained(run)
    texts, labels, _ = load_nucleotides(config.data)
    scores, _ = cross.cross_validated(models, params, config.split(texts, labels, config.seed, config.hold_out), labels)
    print(classification_table(scores, classes))


def classify(run: Positional[Path], sequences: Positional[tuple[str, ...]] = (), fasta: Path | None = None) -> None:
    """Print class, probability and strongest places of sequences, by the mean of all models."""
    named = [(text, text) for text in sequences] + (read_fasta(fasta) if fasta else [])
    if not named:
        raise ValueError("sequences=(): expected at least one, or --fasta FILE")
    config, models, params, classes = trained(run, [text for _, text in named])
    lines = cross.verdicts(models, params, config.folds, classes, [text for _, text in named])
    for (name, _), line in zip(named, lines, strict=True):
        print(f"{line}  {name}")
