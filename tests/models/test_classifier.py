"""Pooling against its definition, in both directions; a key means dropout; many sequences at once."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import rnn_jax
from rnn_jax.models import Classifier, make_probabilities
from rnn_jax.nnx import Recurrent, functional

LENGTHS = np.array([5, 2, 1])


def make(cell, pooling, **options):
    rngs = nnx.Rngs(params=jax.random.key(0))
    return Classifier(Recurrent(cell, rngs=rngs), 2, pooling=pooling, rngs=rngs, **options)


CELLS = [
    rnn_jax.GRU(3, 4),
    rnn_jax.Stack([rnn_jax.Bidirectional(rnn_jax.GRU(3, 4)), rnn_jax.Bidirectional(rnn_jax.LSTM(8, 4))]),
]


@pytest.mark.parametrize(
    ("pooling", "both"),
    [
        ("last", True),
        ("max", False),
        ("mean", False),
        ("attention", False),
        pytest.param("last", False, marks=pytest.mark.exhaustive),
        *(pytest.param(pooling, True, marks=pytest.mark.exhaustive) for pooling in ("max", "mean", "attention")),
    ],
)
def test_a_row_is_pooled_over_its_valid_steps(pooling, both):
    xs = jnp.asarray(np.random.default_rng(0).normal(size=(5, 3, 3)), jnp.float32)
    model = make(CELLS[both], pooling)
    ys = model.layer(xs, lengths=LENGTHS).ys
    pooled = model.pool(ys, jnp.asarray(LENGTHS))
    for row, length in enumerate(LENGTHS):
        valid = np.asarray(ys[:length, row])
        if pooling == "last":
            expected = np.concatenate([valid[-1, :4], valid[0, 4:]])
        elif pooling == "attention":
            scores = np.asarray(model.weigh(ys[:length, row]))[:, 0]
            expected = np.exp(scores) @ valid / np.exp(scores).sum()
        else:
            expected = getattr(np, pooling)(valid, axis=0)
        np.testing.assert_allclose(pooled[row], expected, atol=1e-6)
        np.testing.assert_allclose(
            model(xs, LENGTHS)[row], model(xs[:length, row : row + 1], LENGTHS[row : row + 1])[0], atol=1e-6
        )


def test_tokens_are_embedded_and_dropout_comes_with_a_key():
    tokens = np.random.default_rng(0).integers(0, 7, (5, 3)).astype(np.int32)
    plain = make(CELLS[0], "max", vocabulary_size=7)
    noisy = make(CELLS[0], "max", vocabulary_size=7, dropout_rate=0.5, input_dropout=0.5)
    assert plain(tokens, LENGTHS).shape == (3, 2)
    np.testing.assert_array_equal(plain(tokens, LENGTHS), noisy(tokens, LENGTHS))
    one, other = (noisy(tokens, LENGTHS, key=jax.random.key(k)) for k in (1, 2))
    assert jnp.abs(one - other).max() > 1e-3


def test_an_unknown_pooling_is_refused():
    with pytest.raises(ValueError, match=r"pooling='first'"):
        make(CELLS[0], "first")


@pytest.mark.exhaustive
def test_probabilities_of_many_sequences_are_those_of_each_alone():
    params, rebuild = functional(make(CELLS[0], "max"))
    rng = np.random.default_rng(0)
    sequences = [rng.normal(size=(length, 3)).astype(np.float32) for length in (4, 1, 6, 2, 2, 5, 3)]
    together = make_probabilities(rebuild, sequences, batch_size=3, buckets=2)(params)
    assert together.shape == (7, 2)
    for sequence, row in zip(sequences, together, strict=True):
        alone = jax.nn.softmax(rebuild(params)(sequence[:, None], np.array([len(sequence)])))[0]
        np.testing.assert_allclose(row, alone, atol=1e-6)
