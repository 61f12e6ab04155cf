"""What goes on inside of a trained model? Figures and words about any run, written into its directory.

    python -m experiments.inspect RUN                  RUN is a run directory of any experiment
    python -m experiments.inspect RUN --row 3          another sequence of the batch (or text of the test part)
    python -m experiments.inspect RUN --steps 50       fewer steps in the figures

Of every run, by its loss on one training batch, without dropout: gates over time, hidden states in two dimensions, the
gradient's way back, saliency and integrated gradients. Beyond that, where the experiment is the one: units that follow
patterns of the text, words whose removal changes a judgement, the finite automaton that a network has become. What
does not apply is said, with the reason.
"""

import dataclasses
import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from tyro.conf import Positional

from experiments.cli import open_run, run_command
from experiments.sentiment.explanations import Judge
from rnn_jax.analysis import inspection, occlusion
from rnn_jax.analysis.following import NotApplicable, follow_layers
from rnn_jax.checks import check_size
from rnn_jax.data import load_corpus, load_labelled, split
from rnn_jax.models.text_classifier import unknown_like
from rnn_jax.train import Run, best_params, key_for

Pages = dict[str, Callable[[], str]]


def text_pages(module: ModuleType, run: Run, row: int, steps: int) -> Pages:
    """Units that follow the text."""
    del row, steps
    config, model, tokenizer = module.trained(run.path)
    text = split(load_corpus(config.corpus))[1][:4000]
    tokens = tokenizer.encode(text)[:, None]
    file = run.figures / "inspect-units.png"
    _, parts = follow_layers(lambda: model(tokens))
    return {"units that follow the text": lambda: inspection.followers_page(text, parts, file)}


def sentiment_pages(module: ModuleType, run: Run, row: int, steps: int) -> Pages:
    """Words that drive a judgement."""
    config, model, tokenizer, classes = module.trained(run.path)
    text = (texts := load_labelled(config.data)[0]["test"][0])[row % len(texts)]
    tokens = tokenizer.encode(text)[: min(steps, config.longest)]
    spans = [span for span in tokenizer.spans(text) if span[2] <= len(tokens)]
    judge = Judge(model, tokenizer, config.longest)

    def words() -> str:
        if not spans:
            raise NotApplicable(f"the text {text[:40]!r} has no words")
        lengths = np.array([len(tokens)], np.int32)
        chosen = int(judge.logits(tokens[:, None], lengths)[0].argmax())

        def log_odds(logits: Any) -> Any:
            return logits[:, chosen] - jax.nn.logsumexp(jnp.delete(jnp.asarray(logits), chosen, axis=1), axis=1)

        falls = occlusion(lambda *sequences: log_odds(judge.logits(*sequences)), tokens, [s[1:] for s in spans],
                          unknown_like(tokens)[0])  # fmt: skip
        by_step, names = np.zeros(len(tokens)), [""] * len(tokens)
        for (word, start, end), fall in zip(spans, falls, strict=True):
            by_step[start:end] = fall / (end - start)
            names[start] = word
        said = inspection.saliency_page(
            lambda: log_odds(model(tokens[:, None], lengths))[0], run.figures / "inspect-words.png", steps=names,
            extra={"occlusion": by_step},
        )  # fmt: skip
        return f"{judge.line(text, classes)}\n{said} (past the layers, words are scored directly, too)"

    return {"words that drive a judgement": words}


def automaton_pages(module: ModuleType, run: Run, row: int, steps: int) -> Pages:
    """The automaton that a network has become."""
    del row
    config, rebuild, params = module.trained(run.path)
    key = key_for(0, "inspect")
    return {
        f"automaton of {name}": lambda name=name, task=task: inspection.automaton_page(
            rebuild[name](params[name]), task, key, min(steps, config.longest)
        )
        for name, task in config.tasks.items()
    }


SPECIAL = {"text_generation": text_pages, "sentiment": sentiment_pages, "state_tracking": automaton_pages}


def general_pages(module: ModuleType, run: Run, row: int, steps: int) -> Pages:
    """What every model with recurrent layers can show of a training batch."""
    _, config = open_run(run.path, module.Config)
    quiet = {f.name: 0.0 for f in dataclasses.fields(config) if f.name.endswith(("dropout", "noise"))}
    task = module.prepare(dataclasses.replace(config, **quiet)).task
    params = best_params(task.params, task.carry, config, run)
    batch = task.batch(config.steps - 1)  # of the last update: a curriculum has ended by then
    letters, tokens = [], batch.get("inputs")
    if (run.path / "vocabulary.json").exists() and tokens is not None and np.ndim(tokens) == 2:
        vocabulary = run.read_json("vocabulary.json")
        letters = [vocabulary[token].replace("\n", "↵") for token in tokens[:, row % tokens.shape[1]]]

    def score() -> jax.Array:
        return task.loss(params, task.carry, batch, key_for(config.seed, "inspect"))[0]

    parts, options = follow_layers(score)[1], {"row": row, "steps": letters, "shown": steps}
    return {
        "gates": lambda: inspection.gates_page(parts, run.figures / "inspect-gates.png", **options),
        "hidden states": lambda: inspection.states_page(parts, run.figures / "inspect-states.png"),
        "gradient flow": lambda: inspection.flow_page(score, run.figures / "inspect-flow.png", config.steps),
        "saliency": lambda: inspection.saliency_page(score, run.figures / "inspect-saliency.png", **options),
    }


def inspect(run: Positional[Path], row: int = 0, steps: int = 100) -> None:
    """Draw what goes on inside of the best model of a run."""
    check_size("steps", steps)
    opened = Run.open(run)
    name = opened.read_json("manifest.json")["experiment"]
    if importlib.util.find_spec(f"experiments.{name}") is None:
        raise ValueError(f"run={str(run)!r} is of the experiment {name!r}, which is not in experiments/")
    module, said = importlib.import_module(f"experiments.{name}.commands"), {}
    before = {file: file.stat().st_mtime_ns for file in opened.figures.glob("inspect-*.png")}
    for pages in (general_pages, SPECIAL.get(name)):
        for page, write in (pages(module, opened, row, steps) if pages else {}).items():
            try:
                said[page] = write()
            except NotApplicable as reason:
                said[page] = f"does not apply: {reason}"
    for other, pages in SPECIAL.items():
        if other != name:
            said[(pages.__doc__ or other).rstrip(".").lower()] = f"does not apply: for runs of {other}"
    text = "\n\n".join(f"{page}\n  " + words.replace("\n", "\n  ") for page, words in said.items())
    opened.write_text("inspection.txt", text + "\n")
    print(text)
    for file in sorted(opened.figures.glob("inspect-*.png")):
        if before.get(file) != file.stat().st_mtime_ns:
            print(f"figure: {file}")


if __name__ == "__main__":
    run_command(inspect)
