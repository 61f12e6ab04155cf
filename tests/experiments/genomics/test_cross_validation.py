"""The models of all folds: their probabilities on either strand, and their batches."""

import dataclasses

import jax
import numpy as np
import pytest

from experiments.genomics.cross_validation import FoldModels, NucleotideBatches
from experiments.genomics.data import encode_sequences
from tests.experiments.genomics.small_sequences import CONFIG, LABELS, TEXTS


@pytest.mark.exhaustive
def test_probabilities_of_all_models_and_of_both_strands(stacked):
    params, rebuild = stacked
    alone = jax.jit(lambda params, codes, lengths: jax.nn.softmax(rebuild(params)(codes, lengths)))
    sequences, rows = encode_sequences(TEXTS), np.array([[0, 5, -1], [7, 2, 1], [3, 3, 3]])
    means = []
    for both in (False, True):
        probabilities = FoldModels(rebuild, sequences, both).probabilities(params, rows)
        for k in range(3):
            own_params = jax.tree.map(lambda leaf, k=k: leaf[k], params)
            codes, lengths = sequences.codes[: 1 + both][:, :, rows[k]], sequences.lengths[rows[k]]
            expected = np.mean([alone(own_params, c, lengths) for c in codes], axis=0)
            np.testing.assert_allclose(probabilities[k], expected, rtol=1e-5)
        means.append(probabilities)
    assert np.abs(means[0] - means[1]).max() > 1e-3
    # Read on the other strand, all sequences have the same probabilities as before.
    turned = sequences._replace(codes=sequences.codes[::-1])
    np.testing.assert_allclose(FoldModels(rebuild, turned, True).probabilities(params, rows), means[1], rtol=1e-5)


def test_batches_of_both_strands():
    sequences, folds = encode_sequences(TEXTS), CONFIG.cross_validation.split(TEXTS, LABELS, CONFIG.fit)
    for both in (False, True):
        batch = NucleotideBatches(sequences, LABELS, folds, both).batch(3)
        examples = folds.examples(3)
        assert batch["codes"].shape == (3, 8, 32)
        np.testing.assert_array_equal(batch["labels"], LABELS[examples])
        same = [(batch["codes"] == np.moveaxis(strand[:, examples], 0, 1)).all(axis=1) for strand in sequences.codes]
        assert (same[0] | same[1]).all() and same[0].all() != both


def test_which_strand_is_read_follows_from_the_seed():
    sequences, folds = encode_sequences(TEXTS), CONFIG.cross_validation.split(TEXTS, LABELS, CONFIG.fit)
    first = []
    for seed in (folds.seed, folds.seed, folds.seed + 1):
        drawn = dataclasses.replace(folds, seed=seed)
        codes = NucleotideBatches(sequences, LABELS, drawn, True).batch(3)["codes"]
        first.append((codes == np.moveaxis(sequences.codes[0][:, drawn.examples(3)], 0, 1)).all(axis=1))
    np.testing.assert_array_equal(first[0], first[1])
    assert (first[0] != first[2]).any()
