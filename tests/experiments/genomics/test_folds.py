"""Folds: who learns from what, and models side by side that are the same as alone."""

import jax
import numpy as np
import pytest
from flax import nnx

from experiments.genomics.folds import Folds, in_order, stack_params
from rnn_jax.nnx import functional

FOLD = np.random.default_rng(0).permutation(np.arange(33) % 4)


@pytest.mark.parametrize("hold_out", [True, False])
def test_no_model_has_learned_what_it_is_scored_on(hold_out):
    folds = Folds(FOLD, batch_size=5, seed=0, hold_out=hold_out)
    for k in range(4):
        test, validation = (set(rows[k].tolist()) - {-1} for rows in (folds.test, folds.validation))
        training = set(folds.training(k).tolist())
        assert test == set(np.flatnonzero(k == FOLD)) and not test & (training | validation)
        assert (training & validation == set()) == hold_out
        assert training | test | (validation if hold_out else set()) == set(range(33))
        drawn = {int(e) for i in range(10) for e in folds.examples(i)[k]}
        assert drawn == training
    for rows in (folds.test, folds.validation):
        assert sorted(rows[rows >= 0].tolist()) == list(range(33))
        np.testing.assert_array_equal(in_order(np.stack([rows, -rows], axis=-1), rows)[:, 1], -np.arange(33))


def test_batches_follow_from_seed_and_number():
    folds = Folds(FOLD, batch_size=5, seed=2)
    assert folds.examples(0).shape == (4, 5)
    np.testing.assert_array_equal(Folds(FOLD, 5, 2).examples(7), folds.examples(7))
    assert (folds.examples(7) != Folds(FOLD, 5, 3).examples(7)).any()


def test_models_side_by_side_are_as_alone():
    def build(key):
        return functional(nnx.Linear(3, 2, rngs=nnx.Rngs(params=key)))

    params, rebuild = stack_params(build, jax.random.key(0), 4)
    xs = np.random.default_rng(0).normal(size=(4, 5, 3)).astype(np.float32)
    together = jax.vmap(lambda p, x: rebuild(p)(x))(params, xs)
    for k, key in enumerate(jax.random.split(jax.random.key(0), 4)):
        alone, _ = build(key)
        np.testing.assert_allclose(together[k], rebuild(alone)(xs[k]), rtol=1e-6)
    assert len(np.unique(params["kernel"])) == 4 * 6
