"""What goes on inside of a trained classifier of texts: the words that drive a judgement, measured in three ways."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.sentiment.data import load_labelled, unknown_like
from experiments.sentiment.explanation import Explainer
from rnn_jax.analysis import NotApplicable, inspection, occlusion
from rnn_jax.train import Trained


def pages(trained: Trained, row: int, steps: int) -> dict[str, Callable[[], str]]:
    """Words that drive a judgement on text `row` of the test part, its first `steps` tokens at most."""
    return {"words that drive a judgement": lambda: words_page(trained, row, steps)}


def words_page(trained: Trained, row: int, steps: int) -> str:
    """Draw what each word of a test text adds to the log-odds of its predicted class."""
    config, model, (tokenizer, classes) = trained.config, trained.model, trained.preprocessor
    texts = load_labelled(config.data, config.text_column, config.label_column).texts["test"]
    text = texts[row % len(texts)]
    tokens = tokenizer.encode(text)[: min(steps, config.text.longest)]
    spans = [span for span in tokenizer.spans(text) if span[2] <= len(tokens)]
    if not spans:
        raise NotApplicable(f"the text {text[:40]!r} has no words")
    explainer, lengths = Explainer(model, tokenizer, config.text.longest), np.array([len(tokens)], np.int32)
    predicted = int(explainer.logits(tokens[:, None], lengths)[0].argmax())

    def log_odds(logits: Any) -> Any:
        others = jnp.delete(jnp.asarray(logits), predicted, axis=1)
        return logits[:, predicted] - jax.nn.logsumexp(others, axis=1)

    changes = occlusion(
        lambda *sequences: log_odds(explainer.logits(*sequences)),
        tokens,
        [span[1:] for span in spans],
        unknown_like(tokens)[0],
    )
    by_step, names = np.zeros(len(tokens)), [""] * len(tokens)
    for (word, start, end), change in zip(spans, changes, strict=True):
        by_step[start:end] = change / (end - start)
        names[start] = word
    saliency = inspection.saliency_page(
        lambda: log_odds(model(tokens[:, None], lengths))[0],
        trained.run.figures / "inspect-words.png",
        steps=names,
        extra={"occlusion": by_step},
    )
    return f"{explainer.line(text, classes)}\n{saliency} (past the layers, words are scored directly, too)"
