"""Ensembles: what they say together against SciPy and samples, and members that learn as if each were alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from scipy.special import log_softmax, softmax

import rnn_jax
from experiments.common.ensemble import Ensemble, EnsembleConfig, loss_of_each, mean_probabilities, mixture
from rnn_jax.losses import token_cross_entropy
from rnn_jax.models import Classifier
from rnn_jax.models.gaussian import Normal
from rnn_jax.nnx import Recurrent, functional

RNG = np.random.default_rng(0)
XS = RNG.normal(size=(5, 3, 2)).astype(np.float32)
LENGTHS = np.array([5, 2, 4])
LABELS = np.array([0, 2, 1])


def classifier(key):
    rngs = nnx.Rngs(params=key)
    return Classifier(Recurrent(rnn_jax.GRU(2, 4), rngs=rngs), 3, dropout_rate=0.5, rngs=rngs)


def ensemble(count=3):
    return EnsembleConfig(members=count).ensemble(classifier, jax.random.key(0), mean_probabilities)


def nats(model, key):
    return token_cross_entropy(model(XS, LENGTHS, key=key), LABELS)


def own_keys(count):
    return jax.random.split(jax.random.key(1), count)


def test_members_begin_apart_and_the_first_as_it_would_alone():
    model = ensemble()
    alone, *others = [np.asarray(one(XS, LENGTHS)) for one in [ensemble(1), *model.members]]
    np.testing.assert_array_equal(alone, others[0])
    assert len({one.tobytes() for one in others}) == 3
    assert EnsembleConfig(members=3, bidirectional=False).summary == "3 of gru 1 x 256"
    assert EnsembleConfig(bidirectional=False).summary == "gru 1 x 256"


def test_classes_have_the_mean_of_the_probabilities():
    logits = RNG.normal(size=(4, 6, 3)) * 5
    together = mean_probabilities(list(jnp.asarray(logits, jnp.float32)))
    np.testing.assert_allclose(together, np.log(softmax(logits, axis=-1).mean(axis=0)), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(np.exp(together).sum(axis=-1), 1.0, rtol=1e-5)
    far = [jnp.array([[500.0, 0.0]]), jnp.array([[0.0, 500.0]])]  # in float32 the exponentials alone would be infinite
    np.testing.assert_allclose(mean_probabilities(far), np.log([[0.5, 0.5]]), rtol=1e-5)
    one = mean_probabilities([jnp.asarray(logits[0], jnp.float32)])
    np.testing.assert_allclose(one, log_softmax(logits[0], axis=-1), rtol=1e-4, atol=1e-5)


def test_numbers_have_the_moments_of_the_mixture():
    means, stds = RNG.normal(size=(4, 2)), RNG.uniform(0.1, 2, size=(4, 2))
    found = mixture([Normal(jnp.asarray(m), jnp.asarray(s)) for m, s in zip(means, stds, strict=True)])
    draws = RNG.normal(means, stds, size=(200_000, 4, 2)).reshape(-1, 2)
    np.testing.assert_allclose(found.mean, draws.mean(axis=0), atol=0.01)
    np.testing.assert_allclose(found.std, draws.std(axis=0), rtol=0.01)


@pytest.mark.exhaustive
def test_each_member_learns_by_itself():
    params, rebuild = functional(ensemble())

    def loss(params):
        return loss_of_each(rebuild(params), nats, jax.random.key(1))[0]

    value, gradients = jax.value_and_grad(loss)(params)
    losses = [float(nats(m, own)[0]) for m, own in zip(rebuild(params).members, own_keys(3), strict=True)]
    np.testing.assert_allclose(value, np.mean(losses), rtol=1e-6)
    for i, (member, own) in enumerate(zip(rebuild(params).members, own_keys(3), strict=True)):
        alone, rebuild_one = functional(member)
        expected = jax.grad(lambda params, r=rebuild_one, k=own: nats(r(params), k)[0])(alone)
        chosen = gradients["members"][i]  # so scaled that the norm of all is that of one
        jax.tree.map(lambda a, b: np.testing.assert_allclose(3**0.5 * a, b, rtol=1e-4, atol=1e-6), chosen, expected)
    member = rebuild(params).members[0]
    assert len({np.asarray(member(XS, LENGTHS, key=own)).tobytes() for own in own_keys(3)}) == 3


def test_an_ensemble_is_scored_by_what_it_says_together():
    model = ensemble()
    together, count = loss_of_each(model, nats)
    assert float(together) == float(nats(model, None)[0]) and float(count) == 3
    single = [float(nats(member, None)[0]) for member in model.members]
    assert float(together) < np.mean(single)  # by Jensen's inequality, as they differ
    one = ensemble(1)
    assert float(loss_of_each(one, nats, jax.random.key(2))[0]) == float(nats(one, jax.random.key(2))[0])


def test_what_is_no_ensemble_is_refused():
    with pytest.raises(ValueError, match="members: 1 of them; expected two or more"):
        Ensemble([classifier(jax.random.key(0))], mean_probabilities)
    with pytest.raises(ValueError, match="members"):
        EnsembleConfig(members=0)
