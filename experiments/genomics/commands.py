"""Train one classifier for each fold, compare them with naive Bayes, and classify sequences of one's own."""

from collections.abc import Sequence
from pathlib import Path

import jax
from tyro.conf import Positional

from experiments.common.reading import say
from experiments.genomics.baselines import bayes_accuracy
from experiments.genomics.config import Config, CrossValidationConfig
from experiments.genomics.cross_validation import BATCH_AXES, FoldModels, NucleotideBatches
from experiments.genomics.data import (
    BASES,
    SOURCES,
    SPLICE_SITES,
    NucleotideEncoder,
    encode_sequences,
    said_of_folds,
)
from experiments.genomics.folds import by_example
from experiments.genomics.records import read_records
from experiments.genomics.scores import class_contributions, classification_lines, cross_validated, examples_text
from experiments.published import published, values_of
from rnn_jax.analysis import classification_table
from rnn_jax.analysis.saliency import draw_contributions
from rnn_jax.data import digests
from rnn_jax.losses import token_cross_entropy
from rnn_jax.metrics import accuracy, negative_log_likelihood
from rnn_jax.train import Outcome, Prepared, Run, Task, Trained
from rnn_jax.train.figures import draw_curves


def prepare(config: Config) -> Prepared:
    """Data, models and losses of a run."""
    cross_validation, data = config.cross_validation, config.cross_validation.data
    labelled = cross_validation.load()
    texts, labels, classes, _ = labelled
    sequences, folds = encode_sequences(texts), cross_validation.split(texts, labels, config.fit, classes)
    if labelled.said:
        say([*labelled.said, *said_of_folds(labelled, cross_validation.keys(texts), folds.fold)])
    encoder = NucleotideEncoder(classes, sequences.codes.shape[1])
    params, rebuild = config.models(len(classes), encoder.length)
    models = FoldModels(rebuild, sequences, cross_validation.both_strands)
    batches = NucleotideBatches(sequences, labels, folds, cross_validation.both_strands)

    def loss_of_one(params, batch, key):
        logits = rebuild(params)(batch["codes"], batch["lengths"], key=key)
        nats, count = token_cross_entropy(logits, batch["labels"])
        return nats / count

    def loss(params, carry, batch, key):
        return jax.vmap(loss_of_one)(params, batch, jax.random.split(key, folds.count)).mean(), (carry, {})

    def alone(params, batch, row):
        params, batch = (jax.tree.map(lambda a: a[0], tree) for tree in (params, batch))
        return loss_of_one(params, batch, None)

    def evaluate(params) -> dict[str, float]:
        probabilities = by_example(models.probabilities(params, folds.validation), folds.validation)
        right = 100 * accuracy(probabilities.argmax(axis=1), labels)
        return {"validation_loss": negative_log_likelihood(probabilities, labels), "validation_accuracy": right}

    def finish(outcome: Outcome, run: Run) -> dict:
        scores, probabilities = cross_validated(models, outcome.params, folds, labels)
        means = class_contributions(models, outcome.params, folds, labels, classes)
        scores["places"] = {c: sorted((values.sum(axis=1).argsort()[-2:] + 1).tolist()) for c, values in means.items()}
        baseline = {"naive Bayes": bayes_accuracy(sequences, labels, folds)}
        splice = data in SOURCES
        known = published("genomics/splice") if splice else []
        title = f"{Path(data).name}: {config.model.summary}, {folds.count} folds"
        others = baseline | values_of(known)
        print(f"\n{title}\n{classification_table(scores, classes, others)}\nstrongest places: {scores['places']}")
        framed = title + "; framed: introns are GT ... AG" * splice
        draw_contributions(means, BASES, SPLICE_SITES if splice else {}, run.figures / "places.png", framed)
        draw_curves(run.records(), run.figures / "curves.png", title=title, unit="nats", lines={})
        run.write_text("sample.txt", examples_text(texts, labels, probabilities, classes))
        return {"model": config.model.summary, "metric": "accuracy %", "value": scores["accuracy"],
                "higher_is_better": True, "baseline": baseline, "published": known, "scores": scores}  # fmt: skip

    return Prepared(
        Task(params, loss, batches.batch, BATCH_AXES, evaluate), finish,
        data=data_digests(cross_validation), files={"genomics.json": encoder._asdict()}, alone=alone,
    )  # fmt: skip


def data_digests(config: CrossValidationConfig) -> dict[str, str]:
    """The SHA-256 of the data, and of the table with the labels."""
    labels = digests(config.labels_file) if config.labels_file else {}
    return digests(SOURCES.get(config.data, config.data)) | labels


def restore(run: Run, config: Config) -> Trained:
    """The best models of a run, their parameters stacked `[K, ...]`."""
    encoder = NucleotideEncoder(**run.read_json("genomics.json"))
    return Trained.best(run, config, *config.models(len(encoder.classes), encoder.length), preprocessor=encoder)


def fold_models(trained: Trained, texts: Sequence[str], names: Sequence[str] = ()) -> FoldModels:
    """The models of a run with sequences to classify."""
    encoder = trained.preprocessor
    return FoldModels(trained.rebuild, encoder.encode(texts, names), trained.config.cross_validation.both_strands)


def evaluate(trained: Trained) -> None:
    """Print the scores of the models of a run, each on the fold that it has not seen."""
    config = trained.config
    texts, labels, *_ = config.cross_validation.load()
    folds = config.cross_validation.split(texts, labels, config.fit)
    scores, _ = cross_validated(fold_models(trained, texts), trained.params, folds, labels)
    print(classification_table(scores, trained.preprocessor.classes))


def classify(trained: Trained, sequences: Positional[tuple[str, ...]] = (), fasta: Path | None = None) -> None:
    """Print class, probability and strongest places of sequences, by the mean of all models.

    Args:
        trained: the models.
        sequences: as letters.
        fasta: a file of sequences: FASTA, FASTQ, GenBank or EMBL.
    """
    records = read_records(fasta).records if fasta else []
    named = [(text, text) for text in sequences] + [(record.header, record.sequence) for record in records]
    if not named:
        raise ValueError("sequences=(): expected at least one, or --fasta FILE")
    texts, folds = [text for _, text in named], trained.config.cross_validation.folds
    names = [name for name, _ in named]
    models, classes = fold_models(trained, texts, names), trained.preprocessor.classes
    lines = classification_lines(models, trained.params, folds, classes, texts)
    for (name, _), line in zip(named, lines, strict=True):
        print(f"{line}  {name}")
