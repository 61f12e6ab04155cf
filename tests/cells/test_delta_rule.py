"""The family of the delta rule: what its members are to each other, and what each can do that others cannot."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_jax
from rnn_jax.cells.linear import chunks
from rnn_jax.testing import Example, check_reference, quick_jit
from tests.cells.references import delta_rule as references

HEADS = {"heads": 2, "key_size": 3}
close = functools.partial(np.testing.assert_allclose, rtol=1e-10, atol=1e-12)


@pytest.mark.exhaustive(but=1)
@pytest.mark.parametrize(
    ("cell", "reference"),
    [
        (
            rnn_jax.DeltaProduct(3, 4, **HEADS, householders=3, negative_eigenvalues=False),
            functools.partial(references.delta_product, steps=3, reach=1),
        ),
        (rnn_jax.GatedDeltaProduct(3, 4, **HEADS), references.gated_delta_product),
        (rnn_jax.KDA(3, 4, **HEADS, rank=1, negative_eigenvalues=True), functools.partial(references.kda, reach=2)),
        (rnn_jax.RWKV7(3, 4, **HEADS, rank=2), references.rwkv7),
        (rnn_jax.Comba(3, 4, **HEADS), references.comba),
    ],
)
def test_options(x64, cell, reference):
    check_reference(Example.draw(cell, jax.random.key(5)), reference)


def drawn(cell):
    """Parameters all of which are drawn, those that start as a constant too."""
    leaves, tree = jax.tree.flatten(cell.init(jax.random.key(0), jnp.float64))
    keys = jax.random.split(jax.random.key(1), len(leaves))
    return tree.unflatten(
        [leaf + 0.3 * jax.random.normal(key, leaf.shape, leaf.dtype) for leaf, key in zip(leaves, keys, strict=True)]
    )


def outputs(cell, params, method="associative"):
    xs = jax.random.normal(jax.random.key(2), (37, 2, 3), jnp.float64)
    return quick_jit(functools.partial(rnn_jax.unroll, cell, method=method))(params, xs).ys


def test_one_step_a_token_is_deltanet(x64):
    for one, several in ((rnn_jax.DeltaNet, rnn_jax.DeltaProduct), (rnn_jax.GatedDeltaNet, rnn_jax.GatedDeltaProduct)):
        one = one(3, 4, heads=2, negative_eigenvalues=True)
        several = several(3, 4, heads=2, householders=1)
        params = drawn(one)
        close(outputs(several, params), outputs(one, params))


def test_a_decay_that_all_entries_of_a_key_share_is_that_of_gated_deltanet(x64):
    scalar, by_entry = rnn_jax.GatedDeltaNet(3, 4, heads=2), rnn_jax.KDA(3, 4, heads=2, rank=2)
    params = drawn(scalar)
    bias = jnp.repeat(params["decay"]["bias"], by_entry.key_dim)
    by_head = jnp.repeat(jnp.eye(2, dtype=jnp.float64), by_entry.key_dim, axis=1)
    as_vectors = {"input": params["input"], "decay": params["decay"] | {"bias": bias, "kernel": by_head}}
    close(outputs(by_entry, as_vectors), outputs(scalar, params))


def test_comba_without_feedback_of_the_output_or_decay_is_deltanet(x64):
    plain, looped = rnn_jax.DeltaNet(3, 4), rnn_jax.Comba(3, 4)
    params = drawn(looped) | {
        "decay": {"log_rate": jnp.full(1, -1e3), "bias": jnp.zeros(1)},
        "feedback": {"state": jnp.full(1, 1e3), "output": jnp.zeros(1)},
    }
    without_gate = {"input": {"kernel": params["input"]["kernel"][:, :-1]}}
    close(outputs(looped, params), outputs(plain, without_gate))


@pytest.mark.parametrize("householders", [1, 2])
def test_counting_modulo_three_takes_two_reflections(householders):
    """Two mirrors at an angle of 60° turn by 120°: three turns are none. One mirror undoes itself."""
    cell = rnn_jax.DeltaProduct(1, 2, householders=householders, heads=1, key_size=2)
    along, across = [1.0, 0.0], [0.5, 3**0.5 / 2]
    keys, values, writes = [along, across][:householders], [[0.0, 0.0]] * householders, [[1.0]] * householders
    kernel = 100 * np.concatenate([np.ones(2), *keys, *values, *writes])[None]
    carry = jnp.ones((1, 2, 2)) * jnp.array([[1.0], [0.3]])[None]
    seen = [carry]
    for _ in range(6):
        carry, _ = cell({"input": {"kernel": jnp.asarray(kernel, jnp.float32)}}, carry, jnp.ones(1))
        seen.append(carry)
    period = 3 if householders == 2 else 2
    for i in range(1, 7):
        assert np.allclose(seen[i], seen[0], atol=1e-4) == (i % period == 0)


def test_transitions_of_rwkv7_have_the_eigenvalues_that_are_promised(x64):
    cell = rnn_jax.RWKV7(3, 8, key_size=5)
    params = jax.tree.map(lambda p: 3 * p, drawn(cell))
    z = cell.project(params, 3 * jax.random.normal(jax.random.key(3), (200, 3), jnp.float64))
    eigenvalues = np.linalg.eigvals(np.asarray(cell.elements(params, z).transition))
    assert np.abs(eigenvalues.imag).max() < 1e-6
    assert -0.46 < eigenvalues.real.min() < -0.05 and eigenvalues.real.max() < 1


@pytest.mark.exhaustive(but=1)
@pytest.mark.parametrize("length", [1, 5, 8])
def test_scores_with_decays_of_each_entry(x64, length):
    rng = np.random.default_rng(length)
    query, key = rng.normal(size=(2, 3, length, 4))
    decay = np.where(rng.random((3, length, 4)) < 0.3, 0.0, rng.random((3, length, 4)))
    wanted, until = np.zeros((3, length, length)), np.ones((3, length, 4))
    for t in range(length):
        for s in range(t + 1):
            wanted[:, t, s] = (query[:, t] * np.prod(decay[:, s + 1 : t + 1], axis=1) * key[:, s]).sum(-1)
            until[:, s] = np.prod(decay[:, s + 1 :], axis=1)
    found = chunks.scores_with_decays(*(jnp.asarray(a) for a in (query, key, decay)))
    for a, b in zip(found, (wanted, np.cumprod(decay, axis=1), until), strict=True):
        close(a, b)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: rnn_jax.DeltaProduct(3, 4, householders=0), "householders=0"),
        (lambda: rnn_jax.GatedDeltaProduct(3, 4, householders=True), "householders=True"),
        (lambda: rnn_jax.KDA(3, 4, rank=0), "rank=0"),
        (lambda: rnn_jax.RWKV7(3, 4, rank=-1), "rank=-1"),
        (lambda: rnn_jax.Comba(3, 4, heads=3), "heads=3: expected a divisor of hidden_size=4"),
    ],
)
def test_bad_options_are_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()
