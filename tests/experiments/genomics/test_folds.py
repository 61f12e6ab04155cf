"""Folds: which model is trained on what, and that no two of them share a sequence."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.genomics.data import splice_junctions
from experiments.genomics.folds import Folds, by_example, stratified_folds

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
        np.testing.assert_array_equal(by_example(np.stack([rows, -rows], axis=-1), rows)[:, 1], -np.arange(33))


def test_batches_follow_from_seed_and_number():
    folds = Folds(FOLD, batch_size=5, seed=2)
    assert folds.examples(0).shape == (4, 5)
    np.testing.assert_array_equal(Folds(FOLD, 5, 2).examples(7), folds.examples(7))
    assert (folds.examples(7) != Folds(FOLD, 5, 3).examples(7)).any()


@given(st.lists(st.tuples(st.sampled_from("abcdefghijklmnop"), st.integers(0, 1)), min_size=40), st.integers(2, 4))
@settings(max_examples=50, deadline=None)
def test_equal_texts_are_in_one_fold_and_classes_are_spread(rows, folds):
    texts, labels = [text for text, _ in rows], np.array([label for _, label in rows])
    first = {text: labels[texts.index(text)] for text in texts}
    if any(list(first.values()).count(label) < folds for label in range(int(labels.max()) + 1)):
        with pytest.raises(ValueError, match=f"folds={folds}: label"):
            stratified_folds(texts, labels, folds)
        return
    fold = stratified_folds(texts, labels, folds)
    of = dict(zip(texts, fold.tolist(), strict=True))
    assert [of[text] for text in texts] == fold.tolist()
    for label in (0, 1):
        sizes = [sum(of[text] == k for text, own in first.items() if own == label) for k in range(folds)]
        assert max(sizes) - min(sizes) <= 1


def test_folds_of_the_splice_junctions(real_data):
    texts, labels, *_ = splice_junctions()
    fold = stratified_folds(texts, labels, 10)
    assert np.ptp([np.bincount(labels[fold == k]) for k in range(10)], axis=0).max() <= 2
    assert all(len(set(fold[np.array(texts) == text])) == 1 for text in [t for t in texts if texts.count(t) > 1])
