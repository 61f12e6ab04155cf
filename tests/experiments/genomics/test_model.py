"""A classifier of DNA: padding, unknown letters, and contributions that add up."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.genomics.data import encode_sequences
from tests.experiments.genomics.small_sequences import LABELS, TEXTS


def test_padding_does_not_matter_and_masks_only_in_training(model):
    codes, lengths = encode_sequences(TEXTS).codes[0], encode_sequences(TEXTS).lengths
    predict = jax.jit(lambda codes: model(codes, lengths))
    changed = np.where(np.arange(8)[:, None] < lengths, codes, 3)
    np.testing.assert_allclose(predict(changed), predict(codes), rtol=1e-6)
    train = jax.jit(lambda key: model(codes, lengths, key=key))
    noisy = [train(jax.random.key(seed)) for seed in (0, 1)]
    assert (np.abs(noisy[0] - noisy[1]).max(axis=1) > 1e-4).all()


def test_an_unknown_letter_has_the_mean_of_the_vectors(model):
    shares = jnp.asarray(np.random.default_rng(0).dirichlet(np.ones(4), (8, 2)), jnp.float32)
    lengths = np.array([8, 8])
    of_shares = jax.jit(lambda shares: model.of_shares(shares, lengths))
    assert of_shares(shares).shape == (2, 2)
    unknown = jax.jit(lambda codes: model(codes, lengths))(np.full((8, 2), 15))
    np.testing.assert_allclose(unknown, of_shares(jnp.full((8, 2, 4), 0.25)), rtol=1e-6)


@pytest.mark.exhaustive
def test_contributions_add_up_to_the_log_odds(stacked):
    params, rebuild = stacked
    model, sequences = rebuild(jax.tree.map(lambda leaf: 3 * leaf[0], params)), encode_sequences(TEXTS)
    codes, lengths, labels = sequences.codes[0], sequences.lengths, LABELS
    parts = np.asarray(jax.jit(lambda codes: model.contributions(codes, lengths, labels))(codes))
    predict = jax.jit(lambda codes: model(codes, lengths))
    scores = [predict(c) for c in (codes, np.where(np.arange(8)[:, None] < lengths, 15, codes))]
    odds = [np.asarray(s[:, 1] - s[:, 0]) * (2 * labels - 1) for s in scores]
    np.testing.assert_allclose(parts.sum(axis=(0, 2)), odds[0] - odds[1], rtol=1e-2, atol=1e-2)
    assert np.abs(odds[0] - odds[1]).max() > 0.1 and not parts[np.arange(8)[:, None] >= lengths].any()
