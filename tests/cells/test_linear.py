"""Cells that are linear in their carry: the laws of their maps, and what their papers promise."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.scipy.linalg import expm

import rnn_jax
from rnn_jax import initializers
from rnn_jax.cells.linear import delta_rule, s5
from rnn_jax.cells.linear.linear_attention import AssociativeMemory
from rnn_jax.testing import Example, check_reference, quick_jit
from tests.cells.references import linear as references
from tests.cells.references.numerics import logistic

CELLS = {name: cell for name, cell in rnn_jax.CELLS.items() if issubclass(cell, rnn_jax.LinearCell)}
KINDS = {"mingru", "lru", "s5", "s6", "block_lru", "mlstm", "mamba3", "gated_delta_product", "kda"}
"""Cells whose maps are of different kinds."""
HEADS = {"heads": 2, "key_size": 3}
close = functools.partial(np.testing.assert_allclose, rtol=1e-12, atol=1e-12)


def all_close(found, wanted):
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        close(a, b)


@functools.cache
def example(name):
    options = HEADS if issubclass(CELLS[name], AssociativeMemory) else {}
    with jax.enable_x64(True), jax.ensure_compile_time_eval():
        return Example.draw(CELLS[name](2, 4, **options), jax.random.key(3))


one_of_each_kind = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.exhaustive] * (name not in KINDS)) for name in CELLS]
)


@one_of_each_kind
@settings(max_examples=5, derandomize=True, deadline=None)
@given(seed=st.integers(0, 2**16))
def test_maps_compose(name, seed):
    ours = example(name)
    with jax.enable_x64(True):
        xs = jnp.asarray(3 * np.random.default_rng(seed).normal(size=(3, 3, 2)))
        for found, wanted in laws(ours.cell, ours.params, ours.carry, xs):
            all_close(found, wanted)


@functools.partial(quick_jit, static_argnums=0)
def laws(cell, params, carry, xs):
    """What has to be equal, in pairs."""
    a, b, c = (cell.elements(params, cell.project(params, x)) for x in xs)
    nothing = cell.identity(a)
    after, y = cell.step(params, carry, cell.project(params, xs[0]))
    return [
        (cell.combine(cell.combine(a, b), c), cell.combine(a, cell.combine(b, c))),
        (cell.apply(cell.combine(a, b), carry), cell.apply(b, cell.apply(a, carry))),
        (cell.combine(a, nothing), a),
        (cell.combine(nothing, a), a),
        (cell.apply(nothing, carry), carry),
        (after, cell.apply(a, carry)),
        (y, cell.read(params, carry if cell.reads_before else after, cell.project(params, xs[0]))),
    ]


@one_of_each_kind
def test_parallel_equals_sequential_in_single_precision_over_thousands_of_steps(name):
    cell = CELLS[name](3, 4)
    params, xs = cell.init(jax.random.key(0)), jax.random.normal(jax.random.key(1), (4096, 1, 3))
    sequential, parallel = (
        jax.jit(functools.partial(rnn_jax.unroll, cell, method=method))(params, xs)
        for method in ("sequential", "associative")
    )
    for a, b in zip(jax.tree.leaves(sequential), jax.tree.leaves(parallel), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=2e-5 * np.abs(a).max())


@pytest.mark.exhaustive(but=4)
@pytest.mark.parametrize("name", CELLS)
def test_maps_are_in_single_precision_where_inputs_are_not(name):
    cell = CELLS[name](3, 4)
    params = cell.init(jax.random.key(0), jnp.bfloat16)
    maps = jax.eval_shape(lambda xs: cell.elements(params, cell.project(params, xs)), jnp.ones((5, 2, 3), jnp.bfloat16))
    assert {leaf.dtype for leaf in jax.tree.leaves(maps)} == {jnp.dtype("float32")}


def identity(x):
    return x


@pytest.mark.exhaustive(but=2)
@pytest.mark.parametrize(
    ("cell", "reference"),
    [
        (rnn_jax.MinGRU(3, 4, positive=False), functools.partial(references.mingru, g=identity)),
        (rnn_jax.MinLSTM(3, 4, positive=False), functools.partial(references.minlstm, g=identity)),
        (rnn_jax.LRU(3, 4, state_size=2, r_min=0.5, max_phase=0.3), references.lru),
        (rnn_jax.S5(3, 4, state_size=2), references.s5),
        (rnn_jax.S4D(3, 4, state_size=2, frequencies="inverse"), references.s4d),
        (
            rnn_jax.S6(3, 4, state_size=2, rank=3, negative_eigenvalues=True),
            functools.partial(references.s6, decay=lambda s: 2 * np.exp(s) - 1),
        ),
        (rnn_jax.RetNet(3, 4, **HEADS), references.retnet),
        (rnn_jax.GLA(3, 4, **HEADS, rank=1), references.gla),
        (rnn_jax.MLSTM(3, 4, **HEADS), references.mlstm),
        (rnn_jax.MLSTM(3, 4, forget_gate="exponential"), functools.partial(references.mlstm, forget=np.exp)),
        (
            rnn_jax.DeltaNet(3, 4, **HEADS, negative_eigenvalues=True),
            functools.partial(references.deltanet, reach=2),
        ),
        (
            rnn_jax.GatedDeltaNet(3, 4, **HEADS, negative_eigenvalues=True),
            functools.partial(references.gated_deltanet, reach=2),
        ),
    ],
)
def test_options(cell, reference):
    with jax.enable_x64(True):
        ours = Example.draw(cell, jax.random.key(5))
        check_reference(ours, reference)


@pytest.mark.parametrize("method", ["sequential", "associative"])
@pytest.mark.parametrize(
    "cell",
    [
        *(
            pytest.param(cell(3, 4), marks=[pytest.mark.exhaustive] * (name not in KINDS), id=name)
            for name, cell in CELLS.items()
        ),
        rnn_jax.S6(3, 4, negative_eigenvalues=True),
        rnn_jax.MLSTM(3, 4, forget_gate="exponential"),
    ],
)
def test_gradients_stay_finite_where_gates_are_shut(cell, method):
    run = functools.partial(rnn_jax.unroll, cell, method=method)
    gradient = quick_jit(jax.grad(lambda params, xs: jnp.sum(jnp.sin(run(params, xs).ys)), argnums=(0, 1)))
    for scale in (0.0, 1e4):
        xs = scale * jax.random.normal(jax.random.key(1), (5, 2, 3))
        for leaf in jax.tree.leaves(gradient(cell.init(jax.random.key(0)), xs)):
            assert np.isfinite(leaf).all()


def test_ring_is_uniform_in_area():
    log_rate, log_phase = initializers.ring(jax.random.key(0), 4000, 0.4, 0.8, 1.0)
    radius, phase = np.exp(-np.exp(log_rate)), np.exp(log_phase)
    assert radius.min() >= 0.4 and radius.max() <= 0.8 and phase.max() <= 1.0
    for uniform, low, high in ((radius**2, 0.16, 0.64), (phase, 0, 1)):
        counts, _ = np.histogram(uniform, bins=4, range=(low, high))
        np.testing.assert_allclose(counts, 1000, atol=150)
    thin = initializers.ring(jax.random.key(0), 4000, 0.9999, 1.0)
    assert all(np.isfinite(part).all() for part in thin)


def test_lru_starts_with_a_state_the_size_of_its_input():
    recurrent = rnn_jax.LRU(3, 64, r_min=0.9, r_max=0.999).init(jax.random.key(0))["recurrent"]
    radius = np.exp(-np.exp(np.float64(recurrent["log_rate"])))
    np.testing.assert_allclose(np.exp(recurrent["log_gain"]) ** 2, 1 - radius**2, rtol=1e-4)


def test_hippo_normal_eigenvalues():
    root = np.sqrt(np.arange(6) + 0.5)
    legs = -np.tril(2 * np.outer(root, root), -1) - np.diag(np.arange(6) + 1.0)
    normal = legs + np.outer(root, root)
    frequency, vectors = s5.hippo_normal(6)
    close(normal @ vectors, vectors * (-0.5 + 1j * frequency), rtol=1e-10, atol=1e-10)
    close(np.sort(np.linalg.eigvals(normal).imag), frequency, rtol=1e-10, atol=1e-10)


@pytest.mark.exhaustive
def test_s5_starts_as_the_real_system_with_the_hippo_matrix(x64):
    cell, step = rnn_jax.S5(2, 3, state_size=2, dt_min=0.1, dt_max=0.1), 0.1
    params = jax.tree.map(np.float64, cell.init(jax.random.key(0)))
    frequency, vectors = s5.hippo_normal(4)
    matrix = (vectors * (-0.5 + 1j * frequency)) @ vectors.conj().T
    upper = vectors[:, 2:]
    b = 2 * (upper @ references._complex(params["input"]["kernel"]).T).real
    c = 2 * (references._complex(params["output"]["kernel"].T).conj() @ upper.conj().T).real
    drawn = jax.nn.initializers.lecun_normal()(jax.random.split(jax.random.key(0), 4)[0], (2, 4), jnp.float32)
    np.testing.assert_allclose(b.T, drawn, rtol=1e-5)
    held = expm(step * np.block([[matrix.real, b], [np.zeros((2, 6))]]))
    xs, state, ys = np.random.default_rng(0).normal(size=(6, 2)), np.zeros(4), []
    for x in xs:
        state = held[:4, :4] @ state + held[:4, 4:] @ x
        ys.append(c @ state + x @ params["skip"]["kernel"])
    np.testing.assert_allclose(
        jax.jit(functools.partial(rnn_jax.unroll, cell))(params, xs).ys, ys, rtol=1e-5, atol=1e-6
    )


@pytest.mark.exhaustive
def test_initial_time_scales_and_frequencies():
    def init(cell):
        return jax.tree.map(np.float64, cell.init(jax.random.key(0)))

    steps = {
        "s5": np.exp(init(rnn_jax.S5(1, 100))["recurrent"]["log_step"]),
        "s4d": np.exp(init(rnn_jax.S4D(1, 100, state_size=1))["recurrent"]["log_step"]),
        "s6": np.logaddexp(0, init(rnn_jax.S6(1, 100))["step"]["bias"]),
        "gated_deltanet": np.logaddexp(0, init(rnn_jax.GatedDeltaNet(1, 100, heads=100))["decay"]["bias"]),
    }
    for name, step in steps.items():
        assert 0.00099 < step.min() < 0.0014 and 0.07 < step.max() < 0.101, name
        assert 0.005 < np.median(step) < 0.02, name
    close(init(rnn_jax.S4D(1, 1, state_size=3))["recurrent"]["frequency"], [np.pi * np.arange(3)], rtol=1e-6)
    inverse = init(rnn_jax.S4D(1, 1, state_size=2, frequencies="inverse"))["recurrent"]["frequency"]
    close(inverse, [[12 / np.pi, 4 / (3 * np.pi)]], rtol=1e-6)
    close(np.exp(init(rnn_jax.S6(1, 2, state_size=3))["recurrent"]["log_rate"]), [[1, 2, 3]] * 2, rtol=1e-6)
    decay = logistic(init(rnn_jax.RGLRU(1, 100))["recurrent"]["decay"]) ** 8
    assert 0.8999 < decay.min() < 0.905 and 0.994 < decay.max() < 0.9991


def test_minimal_units_average_positive_candidates():
    xs = 3 * jax.random.normal(jax.random.key(1), (50, 2, 3))
    for cell in (rnn_jax.MinGRU(3, 4), rnn_jax.MinLSTM(3, 4)):
        ys = rnn_jax.unroll(cell, cell.init(jax.random.key(0)), xs).ys
        assert (ys > 0).all()


def test_exponential_gates_do_not_overflow_and_their_common_scale_does_not_matter(x64):
    cell = rnn_jax.MLSTM(3, 4)
    params = cell.init(jax.random.key(0), jnp.float64)
    xs = jax.random.normal(jax.random.key(1), (20, 2, 3))

    @jax.jit
    def outputs(log_input, xs):
        bias = params["input"]["bias"].at[-2].set(log_input)
        return rnn_jax.unroll(cell, {"input": params["input"] | {"bias": bias}}, xs).ys

    np.testing.assert_allclose(outputs(1e4, xs), outputs(20.0, xs), rtol=1e-6)
    assert not np.any(outputs(-1e4, xs)) and not np.any(outputs(1e4, 0 * xs))


def bits_in_a_sign(cell, params):
    bits = np.random.default_rng(0).integers(0, 2, (300, 50, 1))
    carry = jax.tree.map(jnp.ones_like, cell.initial_carry((50,)))
    found = jax.jit(functools.partial(rnn_jax.unroll, cell))(params, bits.astype(np.float32), carry).carry
    return bits.sum(axis=(0, 2)) % 2 == 1, np.ravel(found) < 0


@pytest.mark.exhaustive(but=1)
@pytest.mark.parametrize("negative_eigenvalues", [True, False])
def test_parity_needs_negative_eigenvalues(negative_eigenvalues):
    options = {"negative_eigenvalues": negative_eigenvalues}
    selective = {
        "input": {"kernel": jnp.ones((1, 1))},
        "selection": {"kernel": jnp.array([[1.0, 0.0, 0.0]])},
        "step": {"kernel": jnp.full((1, 1), 60.0), "bias": jnp.full(1, -30.0)},
        "recurrent": {"log_rate": jnp.zeros((1, 1))},
        "skip": {"scale": jnp.zeros(1)},
    }
    delta = {"input": {"kernel": jnp.array([[0.0, 20.0, 0.0, 40.0]])}}
    for cell, params in (
        (rnn_jax.S6(1, 1, state_size=1, **options), selective),
        (rnn_jax.DeltaNet(1, 1, **options), delta),
    ):
        odd, negative = bits_in_a_sign(cell, params)
        assert (negative == odd).all() if negative_eigenvalues else not negative.any()


def test_the_delta_rule_moves_the_value_under_a_key_towards_the_new_one():
    key, value = jnp.array([[0.6, 0.8]]), jnp.array([[3.0, -1.0, 2.0]])
    memory = jax.random.normal(jax.random.key(0), (1, 2, 3))
    for write in (0.25, 1.0):
        step = delta_rule.delta_step(key, value, jnp.full(1, write), jnp.zeros((1, 1)))
        after = delta_rule.recall(delta_rule.take_step(memory, step), key)
        before = delta_rule.recall(memory, key)
        np.testing.assert_allclose(after, before + write * (value - before), rtol=1e-5)


def test_the_delta_rule_step_by_step_makes_no_matrix_of_its_keys():
    cell = rnn_jax.GatedDeltaNet(3, 4, heads=2, key_size=5)
    params, z = cell.init(jax.random.key(0)), None
    z = cell.project(params, jnp.ones((7, 3)))
    program = str(jax.make_jaxpr(cell.step)(params, cell.initial_carry((7,)), z))
    assert "f32[7,2,5,2]" in program and "5,5]" not in program


def test_a_key_of_zero_has_finite_second_derivatives():
    hessian = jax.jit(jax.hessian(lambda a: delta_rule.unit(a).sum()))(jnp.zeros(3))
    assert np.isfinite(hessian).all()


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: rnn_jax.LRU(3, 4, state_size=0), "state_size=0"),
        (lambda: rnn_jax.LRU(3, 4, r_min=0.9, r_max=0.5), "r_max=0.5: .* above 0.9"),
        (lambda: rnn_jax.LRU(3, 4, r_max=1.5), "r_max=1.5: .* at most 1"),
        (lambda: rnn_jax.LRU(3, 4, max_phase=0.0), "max_phase=0.0"),
        (lambda: rnn_jax.S5(3, 4, dt_min=0.0), "dt_min=0.0"),
        (lambda: rnn_jax.S4D(3, 4, dt_max=1e-5), "dt_max=1e-05: .* at least 0.001"),
        (lambda: rnn_jax.S4D(3, 4, frequencies="legs"), "frequencies='legs'.*'linear', 'inverse'"),
        (lambda: rnn_jax.S6(3, 4, rank=0), "rank=0"),
        (lambda: rnn_jax.RetNet(3, 4, heads=3), "heads=3: expected a divisor of hidden_size=4"),
        (lambda: rnn_jax.GLA(3, 4, key_size=0), "key_size=0"),
        (lambda: rnn_jax.MLSTM(3, 4, forget_gate="tanh"), "forget_gate='tanh'.*'sigmoid', 'exponential'"),
    ],
)
def test_bad_options_are_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()
