"""Gradients through time against finite differences, and Jacobians and exponents of cells whose matrix is known."""

import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import rnn_jax
import rnn_jax.analysis
from rnn_jax.analysis.gradient_flow import (
    draw_gradient_flow,
    gradient_norms,
    jacobian_products,
    jacobian_singular_values,
    layer_gradient_norms,
    lyapunov_exponents,
    mean_gradient_norms,
    step_jacobians,
    until_nan,
)
from rnn_jax.analysis.tracing import trace, trace_layers
from rnn_jax.compose import Bidirectional, RecurrentDropout, Stack

RNG = np.random.default_rng(0)
XS = jnp.asarray(RNG.normal(size=(6, 3, 2)).astype(np.float32))
LENGTHS = np.array([6, 4, 1])


def linear_cell(matrix):
    """An Elman cell at rest, where tanh is the identity: its Jacobian is `matrix` at every step."""
    size = len(matrix)
    cell = rnn_jax.Elman(1, size, bias=False)
    return cell, {"input": {"kernel": jnp.zeros((1, size))}, "recurrent": {"kernel": jnp.asarray(matrix).T}}


@pytest.mark.exhaustive(but=1)
@pytest.mark.parametrize(
    "cell",
    [
        Stack([rnn_jax.LSTM(2, 3), Bidirectional(rnn_jax.GRU(3, 2))]),
        RecurrentDropout(rnn_jax.Clockwork(2, 4), 0.3),
    ],
)
def test_a_cell_is_traced_as_it_is_unrolled(cell):
    params = cell.init(jax.random.key(0))
    resets = jnp.zeros((6, 3), bool).at[3, 0].set(True)

    @jax.jit
    def both(first, second):
        options = {"lengths": LENGTHS, "resets": resets, "reverse": True}
        unrolled, traces = trace(cell, params, XS, key=first, **options)
        _, (*_, last) = trace(cell, params, XS)
        after, _ = last.cell.step(last.params, jax.tree.map(lambda c: c[3], last.carries), last.z[3])
        ends = (after, jax.tree.map(lambda c: c[2 if last.reverse else 4], last.carries))
        return (unrolled, rnn_jax.unroll(cell, params, XS, key=second, **options)), traces[-1].ys, ends

    (found, wanted), ys, (after, entering) = both(jax.random.key(1), jax.random.key(1))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), found, wanted)
    np.testing.assert_array_equal(ys, found.ys[..., -ys.shape[-1] :])
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), after, entering)


def test_norms_are_those_of_finite_differences(x64):
    cell = Stack([rnn_jax.LSTM(2, 3), rnn_jax.GRU(3, 2)])
    params = jax.tree.map(lambda leaf: 2 * leaf, cell.init(jax.random.key(0), jnp.float64))
    xs, weights = jnp.asarray(XS, jnp.float64), jnp.asarray(RNG.normal(size=(6, 3, 2)))

    def loss(ys):
        return jnp.sum(weights * ys**2)

    found = jax.jit(lambda: gradient_norms(cell, params, xs, loss, lengths=LENGTHS))()
    assert list(found) == ["0 LSTM", "1 GRU"] and found["0 LSTM"].shape == (6, 3)
    t = 3  # the carries before step t are the final ones of the steps before it
    before, first = rnn_jax.unroll(cell, params, xs[:t], lengths=np.minimum(LENGTHS, t))
    leaves, tree = jax.tree.flatten(before)

    @jax.jit
    def rest(leaves):
        later = rnn_jax.unroll(cell, params, xs[t:], tree.unflatten(leaves), lengths=np.maximum(LENGTHS - t, 0)).ys
        return loss(jnp.concatenate([first, later]))

    squares, step = [], 1e-5
    for i, leaf in enumerate(map(np.asarray, leaves)):
        gradient = np.zeros(leaf.shape)
        for place in np.ndindex(leaf.shape):
            nudge = np.zeros(leaf.shape)
            nudge[place] = step
            ends = [rest([*leaves[:i], leaf + sign * nudge, *leaves[i + 1 :]]) for sign in (1, -1)]
            gradient[place] = (ends[0] - ends[1]) / (2 * step)
        squares.append((gradient**2).sum(-1))
    np.testing.assert_allclose(found["0 LSTM"][t], np.sqrt(squares[0] + squares[1]), rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(found["1 GRU"][t], np.sqrt(squares[2]), rtol=1e-6, atol=1e-9)
    assert not found["1 GRU"][1:, 2].any(), "past its length a row tells nothing"


def test_layers_of_a_model_are_seen_from_outside():
    layer = rnn_jax.nnx.Recurrent(Bidirectional(rnn_jax.GRU(2, 3)), rngs=nnx.Rngs(0))
    params = layer.pure_params()

    def score(ys):
        return jnp.sum(ys[-1] ** 2)

    found = jax.jit(lambda: layer_gradient_norms(lambda: score(layer(XS).ys)))()
    wanted = jax.jit(lambda: gradient_norms(layer.cell, params, XS, score))()
    assert list(found) == ["0 GRU", "1 GRU backward"]
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), found, wanted)
    ys, traces = trace_layers(lambda: layer(XS).ys)
    np.testing.assert_array_equal(np.concatenate([one.ys for one in traces], -1), ys)
    np.testing.assert_allclose(ys, layer(XS).ys, atol=1e-6)
    assert traces[1].reverse and trace_layers(jax.jit(lambda: layer(XS).ys))[1] == []
    assert layer_gradient_norms(lambda: jnp.float32(1)) == {}


def test_means_are_over_the_rows_that_have_a_step():
    layer = rnn_jax.nnx.Recurrent(Stack([rnn_jax.LSTM(2, 3), Bidirectional(rnn_jax.GRU(3, 2))]), rngs=nnx.Rngs(0))
    xs, lengths = jnp.concatenate([XS, XS[:2]]), np.array([6, 4, 1])  # two steps are of no row

    def score():
        return jnp.sum(layer(xs, lengths=lengths).ys ** 2)

    found = jax.jit(lambda: mean_gradient_norms(score))()
    norms = jax.jit(lambda: layer_gradient_norms(score))()
    assert list(found) == list(norms) == ["0 LSTM", "1 GRU", "2 GRU backward"]
    for name, means in found.items():
        assert np.isnan(means[6:]).all() and until_nan(np.asarray(means)).shape == (6,)
        for t in range(6):
            rows = [norms[name][t, b] for b in range(3) if t < lengths[b]]
            np.testing.assert_allclose(means[t], np.mean(rows), rtol=1e-6)


def test_means_of_a_layer_that_is_called_in_a_loop_or_of_which_only_the_carry_is_read():
    layer = rnn_jax.nnx.Recurrent(rnn_jax.GRU(2, 3), rngs=nnx.Rngs(0))
    lengths = jnp.asarray(LENGTHS)

    def looped():
        return jax.lax.scan(lambda sum, scale: (sum + jnp.sum(layer(scale * XS, lengths=lengths).ys), None), 0.0, ones)[
            0
        ]

    def mapped():
        return jnp.sum(jax.vmap(lambda scale: jnp.sum(layer(scale * XS, lengths=lengths).carry))(ones))

    ones = jnp.ones(2)
    once = jax.jit(lambda: mean_gradient_norms(lambda: jnp.sum(layer(XS, lengths=lengths).ys)))()["0 GRU"]
    carried = jax.jit(lambda: mean_gradient_norms(lambda: jnp.sum(layer(XS, lengths=lengths).carry)))()["0 GRU"]
    np.testing.assert_allclose(jax.jit(lambda: mean_gradient_norms(looped))()["0 GRU"], 2 * once, rtol=1e-5)
    np.testing.assert_allclose(jax.jit(lambda: mean_gradient_norms(mapped))()["0 GRU"], 2 * carried, rtol=1e-5)
    assert mean_gradient_norms(lambda: jnp.float32(1)) == {}


def test_jacobians_and_exponents_of_a_known_matrix(x64):
    matrix = RNG.normal(size=(4, 4)) / 2
    matrix = matrix @ np.diag([1.2, 0.9, 0.5, 0.1]) @ np.linalg.inv(matrix)
    cell, params = linear_cell(matrix)
    xs = jnp.zeros((300, 1, 1))
    values = jax.jit(lambda: jacobian_singular_values(cell, params, xs[:5], count=2))()
    assert values.shape == (4, 1, 4)
    np.testing.assert_allclose(values[1, 0], np.linalg.svd(matrix @ matrix, compute_uv=False), atol=1e-12)
    exponents = jax.jit(lambda: lyapunov_exponents(cell, params, xs, warmup=200))()
    np.testing.assert_allclose(exponents[0], np.log([1.2, 0.9, 0.5, 0.1]), atol=1e-9)


def test_products_follow_the_order_of_the_steps_in_a_stack(x64):
    cell = Stack([rnn_jax.GRU(2, 2), rnn_jax.LSTM(2, 1)])
    params, xs = cell.init(jax.random.key(0), jnp.float64), jnp.asarray(XS[:, 2], jnp.float64)

    @jax.jit
    def all_of_them():
        jacobians = step_jacobians(cell, params, xs)
        before, _ = rnn_jax.unroll(cell, params, xs[:1])
        direct = jax.jacfwd(lambda carry: rnn_jax.unroll(cell, params, xs[1:5], carry).carry)(before)
        return jacobians, jacobian_products(jacobians, 4)[1], direct, lyapunov_exponents(cell, params, xs)

    jacobians, product, (gru, lstm), exponents = all_of_them()
    np.testing.assert_allclose(product[:2, :2], gru[0], atol=1e-12)
    np.testing.assert_allclose(product[3, :2], lstm.cell[0][0], atol=1e-12)
    np.testing.assert_allclose(product[2, 3], lstm.hidden[1].cell[0, 0], atol=1e-12)
    # All exponents add up to how fast volumes shrink.
    np.testing.assert_allclose(exponents.sum(), np.log(np.abs(np.linalg.det(jacobians))).mean(), atol=1e-9)


def test_mistakes_are_named():
    cell = rnn_jax.GRU(2, 2)
    params = cell.init(jax.random.key(0))
    with pytest.raises(ValueError, match="count=7: expected at most 6"):
        jacobian_singular_values(cell, params, XS, count=7)
    with pytest.raises(ValueError, match="warmup=6: expected 0 to 5"):
        lyapunov_exponents(cell, params, XS, warmup=6)
    both = Bidirectional(cell)
    with pytest.raises(ValueError, match="cannot be streamed"):
        step_jacobians(both, both.init(jax.random.key(0)), XS)
    with pytest.raises(ValueError, match=r"xs has shape \(6, 3, 1\)"):
        gradient_norms(cell, params, XS[..., :1], jnp.sum)


def test_the_figure_of_the_flow(tmp_path):
    flows = {"LSTM": {0: np.geomspace(1e-9, 1, 50), 10: np.zeros(50)}, "GRU": {0: np.ones(50)}}
    draw_gradient_flow(flows, tmp_path / "figures" / "flow.png", "title")
    assert (tmp_path / "figures" / "flow.png").stat().st_size > 5_000


@pytest.mark.exhaustive
def test_the_page_does_what_it_says():
    page = (Path(rnn_jax.__file__).parent / "analysis" / "README.md").read_text()
    names = {}
    exec(compile(page.split("```python\n")[1].split("```")[0], "README.md", "exec"), names)
    assert {name: norms.shape for name, norms in names["norms"].items()} == {"0 LSTM": (10, 2), "1 GRU": (10, 2)}
    assert names["exponents"].shape == (2, 12) and names["forget"].shape == (10, 2, 4)
    for name in re.findall(r"`([a-z_]+)`", page.split("| question")[1].split("‖")[0]):
        assert hasattr(rnn_jax.analysis, name), name
