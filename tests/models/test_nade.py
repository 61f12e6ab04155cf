"""A NADE against its equations in float64, over all vectors of a few bits, and against what is drawn from it."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax.test_util import check_grads

from rnn_jax.losses import binary_cross_entropy
from rnn_jax.models import nade
from rnn_jax.models.nade import NADE
from rnn_jax.nnx import functional

RNG = np.random.default_rng(0)
STATES = RNG.normal(size=(7, 2, 4)).astype(np.float32)
BITS = (np.arange(12) < np.arange(14).reshape(7, 2, 1)).astype(np.int32)
"""None to twelve ones, two vectors a step, so that each of `LEVELS` is taken, just so, and one too few for others."""


@pytest.fixture(autouse=True)
def few_levels(monkeypatch):
    monkeypatch.setattr(nade, "LEVELS", (2, 9))


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def made(bits: int, scale: float = 3.0) -> NADE:
    """With kernels so large that bits depend on each other."""
    model = NADE(4, bits, 5, bias_init=nnx.initializers.normal(1.0), rngs=nnx.Rngs(0))
    for kernel in (model.encode, model.decode):
        kernel[...] = scale * kernel[...]
    return model


def exact_logits(model: NADE, state: np.ndarray, bits: np.ndarray) -> np.ndarray:
    """Of one vector of bits, in loops, float64."""
    w, v, z, u, c, b = (
        np.asarray(one[...], np.float64)
        for one in (model.encode, model.decode, model.hidden.kernel, model.visible.kernel, model.hidden.bias,
                    model.visible.bias)
    )  # fmt: skip
    logits = []
    for k in range(len(bits)):
        a = state @ z + c
        for i in range(k):
            a = a + bits[i] * w[i]
        logits.append((state @ u + b)[k] + v[:, k] @ sigmoid(a))
    return np.array(logits)


def test_logits_are_those_of_the_equations():
    model, logits = made(12), np.zeros(BITS.shape)
    for at in np.ndindex(7, 2):
        logits[at] = exact_logits(model, STATES[at].astype(np.float64), BITS[at])
    np.testing.assert_allclose(model(STATES, BITS), logits, rtol=2e-5, atol=1e-5)


def test_probabilities_of_all_vectors_sum_to_one():
    model = made(6)
    every = np.array(list(itertools.product([0, 1], repeat=6)))
    logits = np.asarray(model(np.tile(STATES[0, 0], (64, 1)), every), np.float64)
    likely = np.where(every, sigmoid(logits), sigmoid(-logits)).prod(1)
    assert likely.sum() == pytest.approx(1, abs=1e-6) and likely.min() > 0
    nats, count = binary_cross_entropy(logits.astype(np.float32), every)
    assert count == 64 and float(nats) == pytest.approx(-np.log(likely).sum(), rel=1e-5)
    alone = np.array([sigmoid(exact_logits(model, STATES[0, 0], bits)) for bits in every])
    assert np.ptp(alone[:, 5]) > 0.2, "the last bit does not depend on those before it"


def test_a_bit_depends_on_those_before_it_alone():
    model = made(12)
    changed = BITS[3, 0].copy()
    changed[7:] = 1 - changed[7:]
    score = jax.jit(lambda bits: model(STATES[3, 0], bits))
    before, after = (np.asarray(score(bits)) for bits in (BITS[3, 0], changed))
    np.testing.assert_allclose(before, exact_logits(model, STATES[3, 0], BITS[3, 0]), rtol=2e-5, atol=1e-5)
    np.testing.assert_allclose(before[:8], after[:8], rtol=1e-5, atol=1e-5)
    assert (np.abs(before[8:] - after[8:]) > 1e-4).all()


def test_gradients_are_those_of_differences():
    params, rebuild = functional(made(12, 1.0))
    with jax.enable_x64(True):
        params, states = jax.tree.map(lambda x: jnp.asarray(x, jnp.float64), (params, STATES))

        def nats(params, states):
            model = rebuild(params)
            for layer in (model, model.visible, model.hidden):
                layer.dtype = jnp.float64
            return binary_cross_entropy(model(states, BITS), BITS)[0]

        check_grads(nats, (params, states), order=1, modes=["rev"], eps=1e-2, rtol=1e-2)


def test_samples_come_as_often_as_is_likely():
    model, count = made(4), 20_000
    state = np.broadcast_to(STATES[0, 0], (count, 4))
    drawn = np.asarray(jax.jit(model.sample)(jax.random.key(0), state))
    found = np.bincount(drawn @ [8, 4, 2, 1], minlength=16) / count
    for share, bits in zip(found, itertools.product([0, 1], repeat=4), strict=True):
        p = sigmoid(exact_logits(model, STATES[0, 0], np.array(bits)))
        likely = np.where(bits, p, 1 - p).prod()
        assert abs(share - likely) < 4.5 * np.sqrt(likely * (1 - likely) / count) + 1e-9
    greedy = np.asarray(model.sample(jax.random.key(0), state[:1], 0.0))[0]
    np.testing.assert_array_equal(greedy, exact_logits(model, STATES[0, 0], greedy) > 0)
    assert (np.asarray(model.sample(jax.random.key(0), state[:50], 1e-6)) == greedy).all()


def test_a_size_that_is_none_is_refused():
    with pytest.raises(ValueError, match="hidden_size"):
        NADE(4, 12, 0, rngs=nnx.Rngs(0))
