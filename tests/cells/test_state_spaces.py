"""State spaces of 2025 and 2026: what they conserve, what they can count, and how exact their steps are."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_jax
from rnn_jax.cells.linear import linoss
from rnn_jax.cells.linear.linear_attention import Association
from rnn_jax.cells.linear.mamba3 import Mamba3Carry, Mamba3Gates
from rnn_jax.testing import Example, check_reference, quick_jit
from rnn_jax.unroll import newton_report
from tests.cells.references import state_spaces as references


@pytest.mark.exhaustive(but=1)
@pytest.mark.parametrize(
    ("cell", "reference"),
    [
        (rnn_jax.BlockLRU(3, 6, block_size=3), references.block_lru),
        (rnn_jax.BlockLRU(3, 3), references.block_lru),
        (
            rnn_jax.LinOSS(3, 4, state_size=5, discretization="IMEX"),
            functools.partial(references.linoss, implicit=False),
        ),
        (rnn_jax.Mamba3(3, 4, heads=2, key_size=3), references.mamba3),
        (rnn_jax.LrcSSM(3, 4, dt=0.5), functools.partial(references.lrcssm, dt=0.5)),
    ],
)
def test_options(x64, cell, reference):
    check_reference(Example.draw(cell, jax.random.key(5)), reference)


@pytest.mark.parametrize("method", ["sequential", "associative"])
def test_blocks_of_three_follow_the_permutations_of_three(method):
    cell, permutations = rnn_jax.BlockLRU(6, 3, block_size=3), list(itertools.permutations(range(3)))
    logits = np.zeros((6, 4, 3), np.float32)  # of the word, the source (the input first) and the unit
    for word, permutation in enumerate(permutations):
        logits[word, np.add(permutation, 1), range(3)] = 200
    kernel = np.concatenate([np.zeros((6, 3), np.float32), logits.reshape(6, 12)], axis=1)
    words = np.random.default_rng(0).integers(0, 6, (500, 4))
    start = jnp.broadcast_to(jnp.array([1.0, 2.0, 3.0])[:, None], (4, 3, 1))
    params = {"input": {"kernel": kernel}, "gates": {"bias": np.zeros(12, np.float32)}}
    found = quick_jit(functools.partial(rnn_jax.unroll, cell, method=method))(
        params, np.eye(6, dtype="f")[words], start
    )
    wanted = np.tile([1.0, 2.0, 3.0], (4, 1))
    for t, row in enumerate(words):
        wanted = np.stack([state[list(permutations[word])] for state, word in zip(wanted, row, strict=True)])
        assert (found.ys[t] == wanted).all(), t


def test_no_unit_of_a_block_is_larger_than_what_was_put_in():
    cell = rnn_jax.BlockLRU(3, 8)
    params = jax.tree.map(lambda a: 20 * a, cell.init(jax.random.key(0)))
    xs = jax.random.normal(jax.random.key(1), (200, 5, 3))
    largest = np.maximum.accumulate(np.abs(cell.project(params, xs)[..., :8]).max((1, 2)))
    ys = np.abs(quick_jit(functools.partial(rnn_jax.unroll, cell))(params, xs).ys).max((1, 2))
    assert (ys <= largest * (1 + 1e-6)).all() and ys[-1] > 0.1 * largest[-1]


@pytest.mark.parametrize("discretization", ["IM", "IMEX"])
def test_oscillators_lose_their_energy_if_implicit_and_keep_it_if_not(x64, discretization):
    cell = rnn_jax.LinOSS(2, 4, discretization=discretization)
    params = jax.tree.map(np.float64, cell.init(jax.random.key(0)))
    start = np.random.default_rng(0).normal(size=(3, 2, 4))
    length = 40
    after = quick_jit(functools.partial(rnn_jax.unroll, cell))(params, np.zeros((length, 3, 2)), start).carry
    a, dt = params["recurrent"]["stiffness"], 1 / (1 + np.exp(-params["recurrent"]["step"]))

    def energy(state):
        z, y = np.moveaxis(np.asarray(state), -2, 0)
        return z**2 + a * y**2 - (0 if discretization == "IM" else dt * a * z * y)

    left = (1 + dt**2 * a) ** -length if discretization == "IM" else 1.0
    np.testing.assert_allclose(energy(after), left * energy(start), rtol=1e-10)


def test_both_discretizations_approach_the_oscillator(x64):
    stiffness, time = np.array([0.5, 2.0]), 1.0
    frequency = np.sqrt(stiffness)
    exact = np.stack([-frequency * np.sin(frequency * time), np.cos(frequency * time)])
    for discretization in ("IM", "IMEX"):
        errors = []
        for steps in (64, 128):
            dt = np.full(2, time / steps)
            transition, _ = linoss.oscillators(jnp.asarray(stiffness), jnp.asarray(dt), discretization)
            each = np.moveaxis(np.asarray(transition), -1, 0)
            state = [np.array([0.0, 1.0]) @ np.linalg.matrix_power(one, steps) for one in each]
            errors.append(np.abs(np.transpose(state) - exact).max())
        assert 1.8 < errors[0] / errors[1] < 2.2, discretization


@pytest.mark.parametrize(("now", "order"), [(0.5, 2), (1.0, 1)])
def test_the_trapezoid_is_of_second_order(x64, now, order):
    cell, rate, frequency = rnn_jax.Mamba3(1, 1, key_size=1), -0.7, 2.0
    exact = np.trapezoid(np.exp((rate + 1j * frequency) * (1 - (s := np.linspace(0, 1, 20001)))) * np.cos(3 * s), s)
    errors = []
    for steps in (64, 128):
        dt, time = 1 / steps, np.arange(1, steps + 1)[:, None, None] / steps
        one, key = np.ones((steps, 1)), np.broadcast_to([1.0, 0.0], (steps, 1, 2))
        gates = Mamba3Gates(dt * rate * one, (1 - now) * dt * one, now * dt * one, dt * frequency * one[..., None])
        z = jax.tree.map(jnp.asarray, Association(key, key, np.cos(3 * time), gates))
        start = jax.tree.map(jnp.asarray, Mamba3Carry(np.zeros((1, 2, 1)), key[0], np.ones((1, 1))))
        carry, _ = jax.lax.scan(lambda c, z: (cell.apply(cell.elements({}, z), c), None), start, z)
        real, imaginary = np.ravel(carry.memory)
        errors.append(abs(real + 1j * imaginary - exact))
    assert 0.9 * 2**order < errors[0] / errors[1] < 1.1 * 2**order


@pytest.mark.exhaustive(but=1)
@pytest.mark.parametrize("modulus", [2, 3])
def test_states_that_turn_count_modulo_any_number(modulus):
    cell = rnn_jax.Mamba3(2, 1, key_size=1)
    params = cell.init(jax.random.key(0))
    kernel = np.zeros((2, 9), np.float32)
    kernel[:, 6] = -100  # A is zero: nothing is forgotten
    kernel[0, 8] = np.arctanh(min(2 / modulus, 1 - 1e-7))
    params |= {"input": {"kernel": kernel}, "step": {"bias": np.log(np.expm1(np.ones(1, np.float32)))}}
    bits = np.random.default_rng(0).integers(0, 2, (100, 20))
    xs = np.stack([bits, 1 - bits], axis=-1).astype(np.float32)
    start = cell.initial_carry((20,))
    start = start._replace(memory=start.memory.at[..., 0, :].set(1))
    for method in ("sequential", "associative"):
        run = quick_jit(functools.partial(rnn_jax.unroll, cell, method=method))
        memory = run(params, xs, start).carry.memory
        angle = np.arctan2(memory[:, 0, 1, 0], memory[:, 0, 0, 0])
        assert (np.round(angle * modulus / (2 * np.pi)) % modulus == bits.sum(0) % modulus).all()


def test_chunks_skip_steps_that_are_masked(x64):
    cell, random = rnn_jax.Mamba3(2, 4, heads=2, key_size=1), np.random.default_rng(0)
    params = jax.tree.map(np.float64, cell.init(jax.random.key(0)))
    xs, mask = random.normal(size=(70, 4, 2)), random.random((70, 4)) < 0.5
    mask[:40, 0], mask[40:, 1], mask[:, 2] = False, False, False
    start = jax.tree.map(lambda leaf: random.normal(size=leaf.shape), cell.initial_carry((4,)))

    @functools.partial(quick_jit, static_argnums=0)
    def run(method, params, start):
        def loss(params, start):
            found = rnn_jax.unroll(cell, params, xs, start, mask=mask, method=method)
            return sum(jnp.sum(jnp.sin(leaf)) for leaf in jax.tree.leaves(found)), found

        return jax.value_and_grad(loss, (0, 1), has_aux=True)(params, start)

    by_steps, by_chunks = (jax.tree.leaves(run(method, params, start)) for method in ("sequential", "associative"))
    for found, wanted in zip(by_chunks, by_steps, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-9)


@pytest.mark.exhaustive
def test_units_of_a_liquid_cell_do_not_see_one_another():
    cell = rnn_jax.LrcSSM(3, 5)
    params, xs = cell.init(jax.random.key(0)), jax.random.normal(jax.random.key(1), (300, 2, 3))
    h = jax.random.normal(jax.random.key(2), (5,))
    jacobian = jax.jacobian(lambda h: cell(params, h, xs[0, 0])[0])(h)
    assert np.array_equal(jacobian, np.diag(np.diag(jacobian))) and np.diag(jacobian).all()
    newton = functools.partial(newton_report, cell, method=rnn_jax.Newton(jacobian="diagonal"))
    found, report = quick_jit(newton)(params, xs)
    wanted = quick_jit(functools.partial(rnn_jax.unroll, cell, method="sequential"))(params, xs)
    np.testing.assert_allclose(found.ys, wanted.ys, atol=1e-5)
    assert report.iterations < 10


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: rnn_jax.BlockLRU(3, 4, block_size=3), "block_size=3: expected a divisor of hidden_size=4"),
        (lambda: rnn_jax.BlockLRU(3, 4, block_size=0), "block_size=0"),
        (lambda: rnn_jax.LinOSS(3, 4, discretization="EX"), "discretization='EX'.*'IM', 'IMEX'"),
        (lambda: rnn_jax.LinOSS(3, 4, state_size=0), "state_size=0"),
        (lambda: rnn_jax.Mamba3(3, 4, heads=3), "heads=3: expected a divisor of hidden_size=4"),
        (lambda: rnn_jax.Mamba3(3, 4, key_size=0), "key_size=0"),
        (lambda: rnn_jax.Mamba3(3, 4, dt_min=0.0), "dt_min=0.0"),
        (lambda: rnn_jax.LrcSSM(3, 4, dt=0.0), "dt=0.0"),
    ],
)
def test_bad_options_are_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()
