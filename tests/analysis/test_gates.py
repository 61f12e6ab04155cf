"""Gates by name: from them alone the carry of the next step follows, as the equations of each cell say."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_jax
from rnn_jax.analysis.gates import draw_gates, gates_of, named_gates, saturated
from rnn_jax.analysis.tracing import trace

XS = jnp.asarray(np.random.default_rng(0).normal(size=(4, 2, 3)), jnp.float32)


def lstm(carry, after, g):
    i, f, o = (g.get(name, 1.0) for name in "ifo")
    cell = f * carry.cell + i * g["g"]
    np.testing.assert_allclose(cell, after.cell, atol=1e-6)
    return o * np.tanh(cell), after.hidden


def gru(carry, after, g):
    return (1 - g["z"]) * g["n"] + g["z"] * carry, after


@pytest.mark.exhaustive(but=2)
@pytest.mark.parametrize(
    ("cell", "names", "equation"),
    [
        (rnn_jax.LSTM(3, 4), "ifgo", lstm),
        (rnn_jax.PeepholeLSTM(3, 4), "ifgo", lstm),
        (rnn_jax.CoupledLSTM(3, 4), "ifgo", lstm),
        (rnn_jax.LSTM(3, 4, without=("output_gate", "input_activation")), "ifg", lstm),
        (rnn_jax.GRU(3, 4), "rzn", gru),
        (rnn_jax.GRUResetBefore(3, 4), "rzn", gru),
        (rnn_jax.MGU(3, 4), "fn", lambda h, after, g: ((1 - g["f"]) * h + g["f"] * g["n"], after)),
        (rnn_jax.UGRNN(3, 4), "gc", lambda h, after, g: (g["g"] * h + (1 - g["g"]) * g["c"], after)),
        (rnn_jax.JANET(3, 4, beta=0.0), "fg", lambda h, after, g: (g["f"] * h + (1 - g["f"]) * g["g"], after)),
    ],
)
def test_the_next_carry_follows_from_the_gates(cell, names, equation):
    params = cell.init(jax.random.key(0))
    if "peephole" in params:
        params["peephole"] = {name: jnp.full(4, 0.5) for name in params["peephole"]}

    @jax.jit
    def found():
        _, (one,) = trace(cell, params, XS)
        return one.carries, gates_of(one)

    carries, gates = found()
    assert sorted(gates) == sorted(names) and all(gate.shape == (4, 2, 4) for gate in gates.values())
    at = lambda tree, steps: jax.tree.map(lambda a: np.asarray(a[steps]), tree)  # noqa: E731
    wanted, after = equation(at(carries, slice(0, 3)), at(carries, slice(1, 4)), at(gates, slice(0, 3)))
    np.testing.assert_allclose(wanted, after, atol=1e-6)


def test_layer_normalised_gates_and_projections_are_those_of_the_step():
    cell = rnn_jax.LSTMP(3, 4, layer_norm=True, projection_size=2)
    params = cell.init(jax.random.key(0))
    carry, z = jax.tree.map(lambda a: a + 0.3, cell.initial_carry((2,))), cell.project(params, XS[0])
    gates, (after, _) = jax.jit(lambda: (named_gates(cell, params, carry, z), cell.step(params, carry, z)))()
    np.testing.assert_allclose(gates["f"] * carry.cell + gates["i"] * gates["g"], after.cell, atol=1e-6)


@pytest.mark.exhaustive(but=1)
@pytest.mark.parametrize("cell", [rnn_jax.MinGRU(3, 4), rnn_jax.RGLRU(3, 4), rnn_jax.LRU(3, 4)])
def test_what_a_linear_cell_keeps_is_its_derivative(cell):
    params = cell.init(jax.random.key(0))
    carry, z = cell.initial_carry((2,)), cell.project(params, XS[0])

    @jax.jit
    def both():
        one = jax.tree.map(jnp.ones_like, carry)
        change = jax.jvp(lambda carry: cell.step(params, carry, z)[0], (carry,), (one,))[1]
        return named_gates(cell, params, carry, z)["keep"], change

    kept, change = both()
    change = jnp.linalg.norm(jnp.stack(jax.tree.leaves(change)), axis=0) / len(jax.tree.leaves(carry)) ** 0.5
    np.testing.assert_allclose(kept, jnp.abs(change), atol=1e-6)


def test_own_gates_and_none():
    class Own(rnn_jax.Elman):
        def named_gates(self, params, carry, z):
            return {"mine": carry}

    for kind, names in ((Own, ["mine"]), (rnn_jax.Elman, [])):
        cell = kind(3, 4)
        params = cell.init(jax.random.key(0))
        assert list(named_gates(cell, params, cell.initial_carry((2,)), cell.project(params, XS[0]))) == names


def test_saturation_and_the_figure(tmp_path):
    assert saturated(np.array([0.0, 0.05, 0.5, 0.95])) == (0.5, 0.25)
    values = np.random.default_rng(0).uniform(size=(20, 100))
    draw_gates({"i": values, "g": 2 * values - 1}, list("abcdefghijklmnopqrst"), tmp_path / "gates.png", "title")
    assert (tmp_path / "gates.png").stat().st_size > 5_000
