"""The CTC loss against all alignments; the model over padding, and step by step."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import rnn_jax
from rnn_jax.models.ctc import CTCModel, ctc_loss
from rnn_jax.models.transformer import Transformer
from rnn_jax.nnx import Recurrent


@pytest.fixture(autouse=True)
def standard_promotion():
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


def model(cell=None) -> CTCModel:
    rngs = nnx.Rngs(0)
    return CTCModel(Recurrent(cell or rnn_jax.Stack([rnn_jax.GRU(3, 6), rnn_jax.LSTM(6, 5)]), rngs=rngs), 4, rngs=rngs)


def nats(log_probs, labels) -> float:
    """−log of the sum over all alignments that say `labels`."""
    total = 0.0
    for alignment in itertools.product(range(log_probs.shape[1]), repeat=len(log_probs)):
        if tuple(k for k, _ in itertools.groupby(alignment) if k) == labels:
            total += math.exp(sum(log_probs[t, k] for t, k in enumerate(alignment)))
    return -math.log(total)


def test_the_loss_sums_over_all_alignments():
    logits = np.random.default_rng(0).normal(size=(5, 4, 3)).astype(np.float32)
    said, lengths = [(1, 2), (1, 1), (), (2,)], np.array([5, 4, 3, 1])
    labels, counts = np.array([[1, 2], [1, 1], [7, 7], [2, 0]]), np.array([2, 2, 0, 1])
    total, count = ctc_loss(logits, lengths, labels, counts)
    log_probs = np.asarray(jax.nn.log_softmax(logits), np.float64)
    wanted = sum(nats(log_probs[:length, row], said[row]) for row, length in enumerate(lengths))
    assert float(count) == 5 and float(total) == pytest.approx(wanted, rel=1e-4)
    past = (np.arange(5)[:, None] >= lengths)[..., None]
    other = np.where(past, np.nan, logits).astype(np.float32)  # 0 · NaN is NaN: a mask after the loss is too late
    gradients = jax.grad(lambda xs: ctc_loss(xs, lengths, labels, counts)[0])(other)
    assert float(ctc_loss(other, lengths, labels, counts)[0]) == float(total)
    assert np.isfinite(gradients).all() and not np.asarray(gradients)[past[..., 0]].any()


def test_labels_that_do_not_fit_cost_much_and_stay_finite():
    logits = np.zeros((3, 1, 3), np.float32)
    total, _ = ctc_loss(logits, np.array([2]), np.array([[1, 1]]), np.array([2]))
    assert 1e4 < float(total) < 1e6


def test_padding_changes_nothing_bitwise_not_even_gradients():
    xs = np.random.default_rng(1).normal(size=(7, 2, 3)).astype(np.float32)
    lengths, labels, counts = np.array([4, 7]), np.array([[1, 2, 0], [3, 1, 1]]), np.array([2, 3])
    past = (np.arange(7)[:, None] >= lengths)[..., None]
    params, rebuild = rnn_jax.nnx.functional(model())

    @jax.jit
    def loss(params, xs, labels):
        return jax.value_and_grad(lambda p: ctc_loss(rebuild(p)(xs, lengths), lengths, labels, counts)[0])(params)

    other = loss(params, np.where(past, 1e3, xs).astype(np.float32), np.array([[1, 2, 4], [3, 1, 1]]))
    jax.tree.map(np.testing.assert_array_equal, loss(params, xs, labels), other)


@pytest.mark.exhaustive
def test_steps_give_what_the_whole_gives():
    xs = np.random.default_rng(2).normal(size=(6, 2, 3)).astype(np.float32)
    network = model()
    whole, carry = network(xs), network.initial_carry((2,))
    for x, wanted in zip(xs, whole, strict=True):
        carry, logits = network.step(carry, x)
        np.testing.assert_allclose(logits, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.exhaustive
def test_what_cannot_be_streamed_says_why():
    both = model(rnn_jax.Bidirectional(rnn_jax.GRU(3, 4)))
    with pytest.raises(ValueError, match="backward direction"):
        both.step(both.initial_carry((1,)), jnp.zeros((1, 3)))
    rngs = nnx.Rngs(0)
    transformer = CTCModel(Transformer(3, 8, 1, 2, rngs=rngs), 4, rngs=rngs)
    assert transformer(jnp.zeros((5, 1, 3)), jnp.array([5])).shape == (5, 1, 5)
    with pytest.raises(ValueError, match="no carry to stream"):
        transformer.initial_carry()
