"""Integrated gradients of scores whose contributions are known."""

import jax
import jax.numpy as jnp
import numpy as np

from rnn_jax.analysis.saliency import draw_contributions, draw_steps, integrated_gradients, saliency

RNG = np.random.default_rng(0)
XS, BASE, WEIGHTS = (RNG.normal(size=(5, 3, 2)).astype(np.float32) for _ in range(3))


def test_sums_and_squares_are_taken_apart_exactly():
    weights = jnp.asarray(WEIGHTS)
    linear = integrated_gradients(lambda xs: (weights * xs).sum(axis=(0, 2)), XS, BASE, steps=1)
    np.testing.assert_allclose(linear, WEIGHTS * (XS - BASE), rtol=1e-5)
    square = integrated_gradients(lambda xs: (weights * xs**2).sum(axis=(0, 2)), XS, jnp.float32(0.5), steps=3)
    np.testing.assert_allclose(square, WEIGHTS * (XS**2 - 0.25), rtol=1e-4, atol=1e-5)


def test_contributions_add_up_and_examples_are_apart():
    weights = jnp.asarray(WEIGHTS)

    def score(xs):
        return jnp.tanh((weights * xs).sum(axis=(0, 2))) + jax.nn.sigmoid(xs[0, :, 0] * xs[1, :, 1])

    found = integrated_gradients(score, XS, BASE, steps=200)
    np.testing.assert_allclose(found.sum(axis=(0, 2)), score(jnp.asarray(XS)) - score(jnp.asarray(BASE)), atol=1e-4)
    other = XS.copy()
    other[:, 1] += 1
    np.testing.assert_array_equal(found[:, 0], integrated_gradients(score, other, BASE, steps=200)[:, 0])


def test_saliency_is_the_norm_of_the_gradient():
    weights = jnp.asarray(WEIGHTS)
    found = saliency(lambda xs: (weights * xs**2).sum(axis=(0, 2)), XS)
    np.testing.assert_allclose(found, np.linalg.norm(2 * WEIGHTS * XS, axis=-1), rtol=1e-5)
    np.testing.assert_allclose(
        saliency(lambda xs: (weights * xs).sum(), XS), np.linalg.norm(WEIGHTS, axis=-1), rtol=1e-5
    )


def test_the_figure_of_steps(tmp_path):
    measures = {"saliency": np.ones(3), "integrated gradients": np.array([1.0, -2.0, 0.0])}
    for name, steps in (("a", ["one", "two", ""]), ("b", [])):
        draw_steps(measures, steps, tmp_path / "figures" / f"{name}.png", "title")
        assert (tmp_path / "figures" / f"{name}.png").stat().st_size > 5_000


def test_the_figure(tmp_path):
    values = {"EI": RNG.normal(size=(9, 4)), "N": np.zeros((9, 4))}
    draw_contributions(values, "ACGT", {"EI": [4, 5]}, tmp_path / "figures" / "p.png", "title")
    assert (tmp_path / "figures" / "p.png").stat().st_size > 5_000
