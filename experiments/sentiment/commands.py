"""Train a classifier of texts, score it beside naive Bayes and NBSVM, and show which words its answers rest on."""

import sys
import time
from pathlib import Path
from typing import NamedTuple

from tyro.conf import Positional

from experiments.common.reading import say
from experiments.published import published, values_of
from experiments.sentiment.baselines import naive_bayes_accuracy, nbsvm_accuracy
from experiments.sentiment.config import Config
from experiments.sentiment.data import DATASETS, encode_texts, load_labelled
from experiments.sentiment.explanation import Explainer, explain_examples
from experiments.sentiment.linear_start import start_ratios
from rnn_jax.analysis import classification_table, draw_reliability
from rnn_jax.data import LABELLED_AXES, LabelledBatches, Tokenizer, digests, read_lines
from rnn_jax.losses import token_cross_entropy
from rnn_jax.metrics import calibration, classification_scores
from rnn_jax.models import make_probabilities
from rnn_jax.nnx import functional
from rnn_jax.train import Outcome, Prepared, Run, Task, Trained, command_on, draw_curves, key_for


class Preprocessor(NamedTuple):
    """What turns texts into tokens, and numbers of classes into their names."""

    tokenizer: Tokenizer
    classes: list[str]


def prepare(config: Config) -> Prepared:
    """Data, model and losses of a run."""
    texts, labels, classes, said = load_labelled(config.data, config.text_column, config.label_column)
    say(said)
    tokenizer = config.text.fit_tokenizer(texts["train"])
    tokens = {name: encode_texts(tokenizer, part, config.text.longest) for name, part in texts.items()}
    fit, shape = config.fit, {"group": config.fit.steps_per_dispatch, "buckets": config.buckets}
    batches = LabelledBatches(tokens["train"], labels["train"], config.batch_size, fit.seed, **shape)
    print(
        f"{len(tokens['train']):,} texts, {len(tokenizer):,} {config.text.tokens}s; {batches.padding}", file=sys.stderr
    )
    model = config.model.build(len(tokenizer), len(classes), key_for(fit.seed, "init"))
    if config.model.start:
        start_ratios(model, tokens["train"], labels["train"], config.model.start)
    params, rebuild = functional(model)
    validate = make_probabilities(rebuild, tokens["validation"])

    def loss(params, carry, batch, key):
        nats, count = token_cross_entropy(rebuild(params)(batch["inputs"], batch["lengths"], key=key), batch["labels"])
        return nats / count, (carry, {})

    def evaluate(params) -> dict[str, float]:
        scores = classification_scores(validate(params), labels["validation"])
        return {"validation_loss": scores["nats"], "validation_accuracy": scores["accuracy"]}

    def finish(outcome: Outcome, run: Run) -> dict:
        began = time.perf_counter()
        probabilities = make_probabilities(rebuild, tokens["test"])(outcome.params)
        scores = classification_scores(probabilities, labels["test"]) | {"test seconds": time.perf_counter() - began}
        bayes = naive_bayes_accuracy(texts["train"], labels["train"], texts["test"], labels["test"])
        nbsvm, cost = nbsvm_accuracy(texts, labels, len(classes))
        baseline = {"naive Bayes": 100 * bayes, "NBSVM": 100 * nbsvm}
        scores |= {"validation accuracy": outcome.progress.best, "C of NBSVM": cost}
        known = published(f"sentiment/{config.data}")
        title = f"{Path(config.data).name}: {config.summary}"
        print(f"\ntest, {title}\n{classification_table(scores, classes, baseline | values_of(known))}\n")
        draw_reliability(calibration(probabilities, labels["test"]), run.figures / "reliability.png", title)
        draw_curves(run.records(), run.figures / "curves.png", title=title, unit="nats", lines={})
        explainer = Explainer(rebuild(outcome.params), tokenizer, config.text.longest)
        examples = explain_examples(explainer, texts["test"], labels["test"], probabilities, classes)
        run.write_text("sample.txt", examples)
        why = command_on("experiments.sentiment", run, "classify RUN 'a sentence'")
        print(f"{examples}\nwhy: {why}")
        return {"model": config.summary, "metric": "accuracy %", "value": scores["accuracy"],
                "higher_is_better": True, "baseline": baseline, "published": known, "scores": scores}  # fmt: skip

    return Prepared(
        Task(params, loss, batches.batch, LABELLED_AXES, evaluate, monitor="validation_accuracy",
             higher_is_better=True),
        finish, data=digests(DATASETS.get(config.data, config.data)),
        files={"classes.json": classes, "tokenizer.json": tokenizer.to_json()},
    )  # fmt: skip


def restore(run: Run, config: Config) -> Trained:
    """The best model of a run, and what its tokens and classes mean."""
    known = Preprocessor(config.text.read_tokenizer(run.read_json("tokenizer.json")), run.read_json("classes.json"))
    model = config.model.build(len(known.tokenizer), len(known.classes), key_for(config.fit.seed, "init"))
    return Trained.best(run, config, *functional(model), preprocessor=known)


def evaluate(trained: Trained) -> None:
    """Print the scores of a trained model on its test texts."""
    config, (tokenizer, classes) = trained.config, trained.preprocessor
    loaded = load_labelled(config.data, config.text_column, config.label_column)
    tokens = encode_texts(tokenizer, loaded.texts["test"], config.text.longest)
    probabilities = make_probabilities(trained.rebuild, tokens)(trained.params)
    print(classification_table(classification_scores(probabilities, loaded.labels["test"]), classes))


def classify(trained: Trained, texts: Positional[tuple[str, ...]] = ()) -> None:
    """Print class, probability and driving words of texts, or of the lines of standard input."""
    tokenizer, classes = trained.preprocessor
    explainer = Explainer(trained.model, tokenizer, trained.config.text.longest)
    for text in texts or read_lines(sys.stdin.buffer):
        print(explainer.line(text, classes), flush=True)
