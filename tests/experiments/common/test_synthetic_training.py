"""Losses and accuracies are those of a loop in NumPy; predictions in words for a reader."""

import jax
import jax.numpy as jnp
import numpy as np

from experiments.common.synthetic import Sample, SampleStream
from experiments.common.synthetic_training import describe_predictions, make_scores, step_scores
from experiments.state_tracking.data import Parity

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)


def test_scores_are_those_of_a_loop():
    logits = RNG.normal(size=(4, 3, 5)).astype(np.float32)
    targets, mask = RNG.integers(5, size=(4, 3)).astype(np.int32), RNG.random((4, 3)) < 0.6
    mask[1] = False
    scores = step_scores(
        jnp.asarray(logits), Sample(jnp.zeros((4, 3), jnp.int32), jnp.asarray(targets), jnp.asarray(mask))
    )
    loss, correct = np.zeros(4), np.zeros(4)
    for t, b in zip(*np.nonzero(mask), strict=True):
        p = np.exp(logits[t, b]) / np.exp(logits[t, b]).sum()
        loss[t] -= np.log(p[targets[t, b]])
        correct[t] += p.argmax() == targets[t, b]
    np.testing.assert_allclose(scores.loss, loss, rtol=1e-5)
    np.testing.assert_array_equal(scores.correct, correct)
    np.testing.assert_array_equal(scores.count, mask.sum(1))
    used = [t for t in (0, 2, 3) if mask[t].any()]
    mean = np.mean([100 * correct[t] / mask[t].sum() for t in used])
    np.testing.assert_allclose(scores.mean(), (loss.sum() / mask.sum(), mean), rtol=1e-5)
    assert list(scores.accuracies()) == [t + 1 for t in used]


def test_smoothing_asks_for_answers_that_are_sure_but_not_surer():
    """The least loss has the share in all places; on logits that are surer it grows."""
    targets = jnp.zeros((1, 1), jnp.int32)
    sample = Sample(targets, targets, jnp.ones((1, 1), bool))

    def loss(margin, smoothing):
        return float(step_scores(jnp.array([[[margin, 0.0]]]), sample, smoothing).loss[0])

    best = np.log(0.95 / 0.05)  # ε = 0.1 over two classes
    assert loss(best, 0.1) < min(loss(best - 0.5, 0.1), loss(best + 0.5, 0.1))
    assert loss(best, 0.0) > loss(best + 0.5, 0.0)


def test_numbers_are_correct_when_they_are_near():
    targets, mask = jnp.array([[0.0, 0.0], [1.0, 1.0]]), jnp.array([[False, False], [True, True]])
    scores = step_scores(jnp.array([[[9.0], [9.0]], [[1.03], [1.5]]]), Sample(targets, targets, mask))
    np.testing.assert_allclose(scores.loss, [0, 0.03**2 + 0.25], rtol=1e-5)
    assert scores.correct.tolist() == [0, 1] and scores.count.tolist() == [0, 2]


def test_all_sequences_are_scored_in_parts():
    stream = SampleStream(Parity(), KEY, (5,))
    sample = jax.device_get(jax.jit(stream)(np.arange(128, dtype=np.int32)))

    def constant(params):
        return {"parity": lambda inputs: jnp.broadcast_to(params["parity"], (*inputs.shape, 2))}

    scores = make_scores(constant, {"parity": stream}, 70)({"parity": jnp.array([0.0, 1.0])})["parity"]
    np.testing.assert_array_equal(scores.correct, (sample.targets == 1).sum(1))
    assert scores.count.tolist() == [128] * 5, "whole batches of 64"


def test_what_a_reader_sees():
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8]])
    text = describe_predictions(probabilities, np.array([1, 0]), np.array([0, 0]), np.array([False, True]))
    assert [line.split() for line in text.splitlines()] == [
        ["input", "1", "0"],
        ["right", ".", "0"],
        ["answer", ".", "1"],
    ]
    numbers = np.array([[0.0], [0.71]]), np.array([[0.2, 1.0], [0.5, 1.0]]), np.array([0.0, 0.7])
    marked = describe_predictions(*numbers, np.array([False, True]))
    assert marked == "  marked 0.200 + 0.500: answer 0.710, right 0.700"
