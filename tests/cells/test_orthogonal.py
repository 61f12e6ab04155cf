"""The theorems behind orthogonal and antisymmetric networks: norms kept for any parameters, stable steps."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_jax
from rnn_jax.cells.orthogonal.orthogonal import modrelu
from rnn_jax.testing import Example, check_reference
from tests.cells.references import recurrent

D, H = 3, 5


@pytest.mark.exhaustive(but=2)
@pytest.mark.parametrize(
    ("cell", "reference"),
    [
        (
            rnn_jax.AntisymmetricRNN(D, H, epsilon=0.5, gamma=0.01),
            functools.partial(recurrent.antisymmetric, epsilon=0.5, gamma=0.01),
        ),
        (
            rnn_jax.GatedAntisymmetricRNN(D, H, epsilon=0.5, gamma=0.01),
            functools.partial(recurrent.gated_antisymmetric, epsilon=0.5, gamma=0.01),
        ),
        (rnn_jax.ExpRNN(D, H, skew_init="henaff"), recurrent.exprnn),
        (rnn_jax.CayleyRNN(D, H, negative=0.0), functools.partial(recurrent.cayley, negatives=0)),
        (rnn_jax.CayleyRNN(D, H, negative=0.8), functools.partial(recurrent.cayley, negatives=4)),
    ],
)
def test_options_follow_the_paper(x64, cell, reference):
    check_reference(Example.draw(cell, jax.random.key(0)), reference)


@pytest.mark.exhaustive(but=1)
@pytest.mark.parametrize(
    ("cell", "determinant"),
    [(rnn_jax.ExpRNN(D, H), 1), (rnn_jax.CayleyRNN(D, H, negative=0.2), -1), (rnn_jax.CayleyRNN(D, 1), 1)],
)
def test_the_recurrent_matrix_is_orthogonal_and_gradients_keep_their_norm(x64, cell, determinant):
    example = Example.draw(cell, jax.random.key(0))
    rotated = example.params | {"recurrent": jax.tree.map(lambda a: 3 * a, example.params["recurrent"])}
    q = cell.prepare(rotated)["recurrent"]["kernel"]
    np.testing.assert_allclose(q @ q.T, np.eye(cell.hidden_size), atol=1e-12)
    assert np.linalg.det(q) == pytest.approx(determinant)
    identity = rotated | {"modrelu": {"bias": jnp.zeros(cell.hidden_size)}}
    _, back = jax.vjp(lambda carry: rnn_jax.unroll(cell, identity, jnp.ones((200, D)), carry).carry, example.carry[0])
    cotangent = jnp.arange(1.0, cell.hidden_size + 1)
    assert np.linalg.norm(back(cotangent)[0]) == pytest.approx(np.linalg.norm(cotangent), rel=1e-10)


@pytest.mark.exhaustive(but=1)
@pytest.mark.parametrize("cell", [rnn_jax.ExpRNN(D, 8), rnn_jax.CayleyRNN(D, 8)])
def test_bfloat16_parameters_give_a_matrix_that_is_orthogonal_in_float32(cell):
    params = cell.init(jax.random.key(0), jnp.bfloat16)
    q = cell.prepare(params)["recurrent"]["kernel"]
    np.testing.assert_allclose(q @ q.T, np.eye(8), atol=1e-5)
    assert q.dtype == jnp.float32 and cell.prepare(cell.prepare(params))["recurrent"]["kernel"] is not None


@pytest.mark.exhaustive(but=1)
@pytest.mark.parametrize(
    ("cell", "low", "high"),
    [
        (rnn_jax.ExpRNN(1, 101), 0, 1),
        (rnn_jax.ExpRNN(1, 100, skew_init="henaff"), 0, np.pi),
        (rnn_jax.CayleyRNN(1, 101, negative=0.0), 0, np.pi / 2),
    ],
)
def test_units_start_as_pairs_that_rotate_by_different_angles(cell, low, high):
    params = cell.init(jax.random.key(0))
    assert np.count_nonzero(params["recurrent"]["skew"]) == cell.hidden_size // 2
    angles = np.abs(np.angle(np.linalg.eigvals(cell.prepare(params)["recurrent"]["kernel"])))
    assert angles.min() < low + 0.2 and high - 0.2 < angles.max() < high + 1e-4


def test_modrelu_has_a_gradient_at_zero_and_lets_nan_through():
    u, bias = jnp.array([-2.0, -0.1, 0.0, 0.1, 2.0]), jnp.array([-0.5] * 5)
    assert modrelu(u, bias).tolist() == [-1.5, 0, 0, 0, 1.5]
    assert modrelu(u, -bias).tolist() == pytest.approx([-2.5, -0.6, 0, 0.6, 2.5])
    slopes = jax.grad(lambda u, b: modrelu(u, b).sum(), argnums=(0, 1))
    assert [s.tolist() for s in slopes(u, bias)] == [[1, 0, 0, 0, 1], [-1, 0, 0, 0, 1]]
    assert [s.tolist() for s in slopes(u, -bias)] == [[1, 1, 1, 1, 1], [-1, -1, 0, 1, 1]]
    assert jnp.isnan(modrelu(jnp.full(5, jnp.nan), bias)).all()


@pytest.mark.exhaustive(but=1)
@pytest.mark.parametrize("cell", [rnn_jax.AntisymmetricRNN, rnn_jax.GatedAntisymmetricRNN])
def test_antisymmetric_steps_neither_forget_nor_explode(x64, cell):
    def matrix(**options):
        made = cell(D, 64, **options)
        return made, made.init(jax.random.key(0), jnp.float64)

    made, params = matrix(gamma=0.0)
    assert np.abs(np.linalg.eigvals(made.prepare(params)["recurrent"]["kernel"]).real).max() < 1e-12
    made, params = matrix()
    step = jax.jacobian(lambda hidden: made(params, hidden, jnp.zeros(D))[1])(jnp.zeros(64))
    sizes = np.abs(np.linalg.eigvals(step))
    assert sizes.min() > 0.97 and sizes.max() < 1


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: rnn_jax.AntisymmetricRNN(D, H, epsilon=0.0), "epsilon=0.0: expected a finite number above 0"),
        (lambda: rnn_jax.GatedAntisymmetricRNN(D, H, gamma=-0.1), "gamma=-0.1: expected a finite number at least 0"),
        (lambda: rnn_jax.ExpRNN(D, H, skew_init="haar"), "skew_init='haar'.*'cayley', 'henaff'"),
        (lambda: rnn_jax.CayleyRNN(D, H, negative=1.1), "negative=1.1"),
    ],
)
def test_bad_options_are_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()
