"""Direct scores begin as log-count ratios: sums over the tokens of a text, of a given spread."""

import jax
import numpy as np
import pytest
from flax import nnx

import rnn_jax
from experiments.sentiment.linear_start import start_ratios
from experiments.sentiment.model import TextClassifier
from rnn_jax.data import pad
from rnn_jax.nnx import Recurrent

RNG = np.random.default_rng(0)
LABELS = np.arange(60) % 2
# Tokens 4 to 11 are of the first class, 12 to 19 of the second, most of the time.
TEXTS = [RNG.integers(4, 12, (int(n), 3)) + 8 * ((RNG.random((int(n), 3)) < 0.7) == y) for n, y in
         zip(RNG.integers(1, 7, 60), LABELS, strict=True)]  # fmt: skip


def make_model(direct: bool = True, features: int = 6) -> TextClassifier:
    rngs = nnx.Rngs(params=jax.random.key(0))
    return TextClassifier(Recurrent(rnn_jax.GRU(features, 8), rngs=rngs), 2, 20, direct=direct, rngs=rngs)


def direct_scores(model: TextClassifier) -> np.ndarray:
    tokens, lengths = pad([text.astype(np.int32) for text in TEXTS])
    logits = model(tokens, lengths)
    direct, model.direct = model.direct, None
    others = model(tokens, lengths)
    model.direct = direct
    return np.asarray(logits - others)


@pytest.mark.exhaustive
def test_scores_are_sums_of_log_count_ratios():
    model = make_model()
    before = np.asarray(model.embed.embedding[...])
    start_ratios(model, TEXTS, LABELS, 1.5)
    scores = direct_scores(model)
    np.testing.assert_allclose((scores - scores.mean(axis=1, keepdims=True)).std(), 1.5, rtol=1e-4)
    np.testing.assert_allclose(scores.mean(axis=0), 0, atol=1e-5)

    having = np.array([[np.isin(token, text) for token in range(20)] for text in TEXTS], float)
    p, q = 1 + having[LABELS == 1].sum(axis=0), 1 + having[LABELS == 0].sum(axis=0)
    ratios = np.log(p / p.sum()) - np.log(q / q.sum())
    sums = np.array([ratios[text].sum() / np.sqrt(3 * len(text)) for text in TEXTS])
    difference = scores[:, 1] - scores[:, 0]
    np.testing.assert_allclose(difference, 2 * 1.5 * (sums - sums.mean()) / sums.std(), atol=1e-4)
    assert np.mean((difference > 0) == LABELS) > 0.8
    # What is changed of the embedding lies along two directions.
    changed = np.asarray(model.embed.embedding[...]) - before
    assert np.linalg.matrix_rank(changed, tol=1e-4) == 2


@pytest.mark.exhaustive
def test_a_model_that_cannot_begin_so_is_refused():
    with pytest.raises(ValueError, match="direct=False"):
        start_ratios(make_model(direct=False), TEXTS, LABELS, 1.0)
    with pytest.raises(ValueError, match="embedding_size=1"):
        start_ratios(make_model(features=1), TEXTS, LABELS, 1.0)
