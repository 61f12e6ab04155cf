"""Models of DNA: padding, unknown letters, other strands, contributions that add up, and naive Bayes by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.genomics.cross_validation import (
    FoldModels,
    FoldSettings,
    NucleotideBatches,
    bayes_accuracy,
    cross_validated,
    encode_sequences,
    verdicts,
)  # fmt: skip
from experiments.genomics.data import stratified_folds
from experiments.genomics.folds import Folds

SETTINGS = FoldSettings(folds=3, hidden_size=6, embedding_size=5, masked=0.5, dropout=0.0)
RNG = np.random.default_rng(0)
TEXTS = ["".join(RNG.choice(list("ACGTN"), RNG.integers(4, 9))) for _ in range(24)]
LABELS = np.arange(24, dtype=np.int32) % 2


@pytest.fixture(scope="module", autouse=True)
def usual_promotion():
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


@pytest.fixture(scope="module")
def built():
    return SETTINGS.models(2, 8, jax.random.key(0))


def first(tree):
    return jax.tree.map(lambda leaf: leaf[0], tree)


def test_padding_does_not_matter_and_masks_only_in_training(built):
    model = built[1](first(built[0]))
    codes, lengths = encode_sequences(TEXTS).codes[0], encode_sequences(TEXTS).lengths
    logits = model(codes, lengths)
    changed = np.where(np.arange(8)[:, None] < lengths, codes, 3)
    np.testing.assert_allclose(model(changed, lengths), logits, rtol=1e-6)
    noisy = [model(codes, lengths, key=jax.random.key(seed)) for seed in (0, 1)]
    assert (np.abs(noisy[0] - noisy[1]).max(axis=1) > 1e-4).all()


def test_an_unknown_letter_has_the_mean_of_the_vectors(built):
    model = built[1](first(built[0]))
    shares = jnp.asarray(RNG.dirichlet(np.ones(4), (8, 2)), jnp.float32)
    assert model.of_shares(shares, jnp.array([8, 8])).shape == (2, 2)
    unknown = model(np.full((8, 1), 15), np.array([8]))
    np.testing.assert_allclose(unknown, model.of_shares(jnp.full((8, 1, 4), 0.25), np.array([8])), rtol=1e-6)


def test_contributions_add_up_to_the_log_odds(built):
    params = jax.tree.map(lambda leaf: 3 * leaf, first(built[0]))
    model, sequences = built[1](params), encode_sequences(TEXTS)
    codes, lengths, labels = sequences.codes[0], sequences.lengths, LABELS
    parts = np.asarray(model.contributions(codes, lengths, labels))
    scores = [model(c, lengths) for c in (codes, np.where(np.arange(8)[:, None] < lengths, 15, codes))]
    odds = [np.asarray(s[:, 1] - s[:, 0]) * (2 * labels - 1) for s in scores]
    np.testing.assert_allclose(parts.sum(axis=(0, 2)), odds[0] - odds[1], rtol=1e-2, atol=1e-2)
    assert np.abs(odds[0] - odds[1]).max() > 0.1 and not parts[np.arange(8)[:, None] >= lengths].any()


def test_answers_of_all_models_and_of_both_strands(built):
    params, rebuild = built
    sequences, rows = encode_sequences(TEXTS), np.array([[0, 5, -1], [7, 2, 1], [3, 3, 3]])
    means = []
    for both in (False, True):
        answers = FoldModels(rebuild, sequences, both).answers(params, rows)
        for k in range(3):
            model = rebuild(jax.tree.map(lambda leaf, k=k: leaf[k], params))
            codes, lengths = sequences.codes[: 1 + both][:, :, rows[k]], sequences.lengths[rows[k]]
            wanted = np.mean([jax.nn.softmax(model(c, lengths)) for c in codes], axis=0)
            np.testing.assert_allclose(answers[k], wanted, rtol=1e-5)
        means.append(answers)
    assert np.abs(means[0] - means[1]).max() > 1e-3
    # Read on the other strand, all sequences get the same answers as before.
    turned = sequences._replace(codes=sequences.codes[::-1])
    np.testing.assert_allclose(FoldModels(rebuild, turned, True).answers(params, rows), means[1], rtol=1e-5)


def test_batches_of_both_strands():
    sequences, folds = encode_sequences(TEXTS), SETTINGS.split(TEXTS, LABELS, 1)
    for both in (False, True):
        batch = NucleotideBatches(sequences, LABELS, folds, both).batch(3)
        examples = folds.examples(3)
        assert batch["codes"].shape == (3, 8, 32)
        np.testing.assert_array_equal(batch["labels"], LABELS[examples])
        same = [(batch["codes"] == np.moveaxis(strand[:, examples], 0, 1)).all(axis=1) for strand in sequences.codes]
        assert (same[0] | same[1]).all() and same[0].all() != both


def test_scores_are_means_over_folds(built):
    params, rebuild = built
    sequences, fold = encode_sequences(TEXTS), stratified_folds(TEXTS, LABELS, 3)
    scores, found = cross_validated(FoldModels(rebuild, sequences), params, Folds(fold, 4, 0), LABELS)
    by_fold = [100 * np.mean(found[fold == k].argmax(axis=1) == LABELS[fold == k]) for k in range(3)]
    np.testing.assert_allclose(scores["folds"], by_fold)
    assert scores["accuracy"] == pytest.approx(np.mean(by_fold))
    lines = verdicts(FoldModels(rebuild, sequences), params, 3, ["a", "b"], TEXTS)
    assert [line[0] in "ab" for line in lines] == [True] * 24 and all(float(line.split()[1]) >= 0.5 for line in lines)


def test_naive_bayes_by_hand():
    texts, labels = ["A", "A", "C", "C", "A", "C"], np.array([0, 0, 1, 1, 1, 0])
    folds = Folds(np.array([0, 1, 0, 1, 2, 2]), 1, 0)
    # Without fold 2 A is of class 0 and C of class 1; without the others either is more often so than not, or a draw.
    assert bayes_accuracy(encode_sequences(texts), labels, folds) == pytest.approx((50 + 50 + 0) / 3)
