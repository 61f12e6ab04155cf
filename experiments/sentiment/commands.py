"""The commands: train and others."""

import dataclasses
import sys
import time
from pathlib import Path

import tyro

from experiments.cli import Flags, open_run, resume_command
from experiments.common.naive_bayes import naive_bayes_accuracy
from experiments.sentiment.config import TextSettings
from experiments.sentiment.data import SST2, load_labelled
from experiments.sentiment.explanations import Judge, examples
from rnn_jax.analysis import classification_table, draw_reliability
from rnn_jax.data import Tokenizer, digests, read_labelled, read_lines
from rnn_jax.losses import token_cross_entropy
from rnn_jax.metrics import calibration, classification_scores
from rnn_jax.models.text_classifier import BATCH_AXES, TextBatches, TextClassifier, encode_texts, make_probabilities
from rnn_jax.nnx import functional
from rnn_jax.train import FitConfig, Outcome, Prepared, Run, RunOptions, Task, best_params, key_for, train_experiment
from rnn_jax.train.figures import draw_curves

NAME = "sentiment"
PUBLISHED = {"LSTM, GloVe and phrases": 84.9, "BiLSTM, GloVe and phrases": 87.5}
SOURCE = "Tai et al. 2015, arXiv:1503.00075"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(TextSettings, FitConfig):
    """A classifier of texts: bags of n-grams, words or subwords, layers over them, one vector for the text."""

    data: str = "sst2"
    """sst2, or the path of your own labelled texts: .csv, or a label, a tab and a text in each line."""
    batch_size: int = 64
    """Texts in an update."""
    buckets: int = 3
    """Lengths to pad to, at most."""
    hidden_size: int = 32
    steps: int = 650
    evaluate_every: int = 50
    learning_rate: float = 4e-3


def prepare(config: Config) -> Prepared:
    """Data, model and losses of a run."""
    parts, classes = load_labelled(config.data)
    tokenizer = config.fit_tokenizer(parts["train"][0])
    tokens = {name: encode_texts(tokenizer, texts, config.longest) for name, (texts, _) in parts.items()}
    labels = {name: labels for name, (_, labels) in parts.items()}
    shape = {"group": config.steps_per_dispatch, "buckets": config.buckets}
    batches = TextBatches(tokens["train"], labels["train"], config.batch_size, config.seed, **shape)
    print(f"{len(tokens['train']):,} texts, {len(tokenizer):,} {config.tokens}s; {batches.padding}", file=sys.stderr)
    params, rebuild = functional(config.classifier(len(tokenizer), len(classes), key_for(config.seed, "init")))
    validate = make_probabilities(rebuild, tokens["validation"])

    def loss(params, carry, batch, key):
        nats, count = token_cross_entropy(rebuild(params)(batch["tokens"], batch["lengths"], key=key), batch["labels"])
        return nats / count, (carry, {})

    def evaluate(params) -> dict[str, float]:
        scores = classification_scores(validate(params), labels["validation"])
        return {"validation_loss": scores["nats"], "validation_accuracy": scores["accuracy"]}

    def finish(outcome: Outcome, run: Run) -> dict:
        began = time.perf_counter()
        found = make_probabilities(rebuild, tokens["test"])(outcome.params)
        scores = classification_scores(found, labels["test"]) | {"test seconds": time.perf_counter() - began}
        baseline = {"naive Bayes": 100 * naive_bayes_accuracy(*parts["train"], *parts["test"])}
        known = PUBLISHED if config.data == "sst2" else {}
        title = f"{Path(config.data).name}: {config.described}"
        print(f"\ntest, {title}\n{classification_table(scores, classes, baseline | known)}\n")
        draw_reliability(calibration(found, labels["test"]), run.figures / "reliability.png", title)
        draw_curves(run.records(), run.figures / "curves.png", title=title, unit="nats", lines={})
        judge = Judge(rebuild(outcome.params), tokenizer, config.longest)
        run.write_text("sample.txt", text := examples(judge, parts["test"][0], labels["test"], found, classes))
        print(f"{text}\nmore: python -m experiments.{NAME} classify {run.path} 'a sentence'")
        published = [{"value": value, "who": who, "source": SOURCE} for who, value in known.items()]
        return {"model": config.described, "metric": "accuracy %", "value": scores["accuracy"],
                "higher_is_better": True, "baseline": baseline, "published": published, "scores": scores}  # fmt: skip

    return Prepared(
        Task(params, loss, batches.batch, BATCH_AXES, evaluate, monitor="validation_accuracy", higher_is_better=True),
        finish, data=digests(SST2 if config.data == "sst2" else config.data), files={"classes.json": classes, "tokenizer.json": tokenizer.to_json()},
    )  # fmt: skip


def train(config: Flags[Config] = Config(), options: Flags[RunOptions] = RunOptions()) -> int:  # noqa: B008
    """Train a classifier, compare it with naive Bayes, and show what it gets right and wrong."""
    return train_experiment(NAME, config, options, prepare)


resume = resume_command(train, Config)


def trained(run: Path) -> tuple[Config, TextClassifier, Tokenizer, list[str]]:
    """The best model of a run, and what its tokens and classes mean."""
    opened, config = open_run(run, Config)
    tokenizer = config.read_tokenizer(opened.read_json("tokenizer.json"))
    classes = opened.read_json("classes.json")
    params, rebuild = functional(config.classifier(len(tokenizer), len(classes), key_for(config.seed, "init")))
    return config, rebuild(best_params(params, (), config, opened)), tokenizer, classes


def evaluate(run: tyro.conf.Positional[Path], data: str = "") -> None:
    """Print the scores of a trained model on its test texts, or on all of another file of labelled texts."""
    config, model, tokenizer, classes = trained(run)
    texts, labels = read_labelled(data, classes)[:2] if data else load_labelled(config.data)[0]["test"]
    params, rebuild = functional(model)
    found = make_probabilities(rebuild, encode_texts(tokenizer, texts, config.longest))(params)
    print(classification_table(classification_scores(found, labels), classes))


def classify(run: tyro.conf.Positional[Path], texts: tyro.conf.Positional[tuple[str, ...]] = ()) -> None:
    """Print class, probability and driving words of texts, or of the lines of standard input."""
    config, model, tokenizer, classes = trained(run)
    judge = Judge(model, tokenizer, config.longest)
    for text in texts or read_lines(sys.stdin.buffer):
        print(judge.line(text, classes), flush=True)
