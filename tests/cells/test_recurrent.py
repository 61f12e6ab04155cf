"""What the papers say of SRU, QRNN, coRNN, LEM, clockwork, echo state and sLSTM: options, dynamics, initial values."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

import rnn_jax
from rnn_jax.cells.gated.slstm import SLSTMCarry
from rnn_jax.cells.simple.clockwork import ClockworkCarry
from rnn_jax.testing import Example, check_reference, jittered
from tests.cells.references import recurrent

D, H = 3, 4


@pytest.mark.exhaustive(but=2)
@pytest.mark.parametrize(
    ("cell", "reference"),
    [
        (rnn_jax.SRU(H, H, highway_bias=-2.0), functools.partial(recurrent.sru, highway_bias=-2.0)),
        (
            rnn_jax.CoRNN(D, H, dt=0.5, gamma=1.0, epsilon=0.1),
            functools.partial(recurrent.cornn, dt=0.5, gamma=1.0, epsilon=0.1),
        ),
        (rnn_jax.LEM(D, H, dt=0.2), functools.partial(recurrent.lem, dt=0.2)),
        (
            rnn_jax.Clockwork(D, 5, periods=(1, 3)),
            functools.partial(recurrent.clockwork, modules=((0, 1, 2), (3, 4)), periods=(1, 3)),
        ),
        (rnn_jax.EchoState(D, H, leak=0.3), functools.partial(recurrent.echo_state, leak=0.3)),
        (rnn_jax.SLSTM(D, 6, heads=2), recurrent.slstm),
        (
            rnn_jax.SLSTM(D, H, forget_gate="exponential"),
            functools.partial(recurrent.slstm, forget_gate="exponential"),
        ),
    ],
)
def test_options_follow_the_paper(x64, cell, reference):
    check_reference(Example.draw(cell, jax.random.key(0)), reference)


@pytest.mark.exhaustive(but=1)
@pytest.mark.parametrize(("window", "pooling"), [(1, "f"), (2, "fo"), (3, "ifo"), (4, "f")])
def test_qrnn_is_a_convolution_that_starts_with_zeros_at_every_reset(x64, window, pooling):
    cell = rnn_jax.QRNN(D, H, window=window, pooling=pooling)
    example = Example.draw(cell, jax.random.key(0))
    params, xs = jax.tree.map(np.asarray, (example.params, example.xs))
    ys = rnn_jax.unroll(cell, params, xs, resets=np.arange(len(xs))[:, None] == np.array([3, 3, 3])).ys
    pieces = [recurrent.qrnn_sequence(params, piece, window, pooling) for piece in (xs[:3], xs[3:])]
    np.testing.assert_allclose(ys, np.concatenate(pieces), rtol=1e-12, atol=1e-12)


@pytest.mark.exhaustive
def test_sru_starts_with_the_variance_of_its_inputs():
    for sizes in ((512, 512), (512, 256)):
        cell = rnn_jax.SRU(*sizes, highway_bias=-1.0)
        params = cell.init(jax.random.key(0))
        assert (params["input"]["bias"] == jnp.repeat(jnp.array([0.0, -1.0]), cell.hidden_size)).all()
        ys = rnn_jax.unroll(cell, params, jax.random.normal(jax.random.key(1), (100, 16, cell.input_size))).ys
        assert 0.8 < ys[50:].var() < 1.25


def test_cornn_without_coupling_is_a_damped_oscillator_to_first_order_in_dt(x64):
    exact = scipy.linalg.expm(np.array([[0.0, 1.0], [-2.7, -4.7]])) @ np.array([1.0, 0.5])

    def error(steps):
        cell = rnn_jax.CoRNN(1, 1, dt=1 / steps)
        params = jax.tree.map(jnp.zeros_like, cell.init(jax.random.key(0), jnp.float64))
        start = rnn_jax.CoRNNCarry(jnp.ones(1), jnp.full(1, 0.5))
        carry = rnn_jax.unroll(cell, params, jnp.zeros((steps, 1)), start).carry
        return np.abs(np.concatenate(carry) - exact).max()

    assert error(400) < 5e-3 and 1.9 < error(400) / error(800) < 2.1


def test_lem_stays_between_minus_one_and_one():
    cell = rnn_jax.LEM(D, H, dt=1.0)
    params = jittered(jax.random.key(1), cell.init(jax.random.key(0)))
    carry, ys = rnn_jax.unroll(cell, params, 100 * jax.random.normal(jax.random.key(2), (300, D)))
    assert np.abs(ys).max() <= 1 and np.abs(carry.memory).max() <= 1


@pytest.mark.exhaustive
def test_clockwork_units_run_at_their_periods_and_hear_slower_ones_only(x64):
    cell = rnn_jax.Clockwork(D, 6, periods=(1, 2, 6))
    example = Example.draw(cell, jax.random.key(0))
    start = cell.initial_carry((), jnp.float64)
    xs = np.random.default_rng(0).normal(size=(20, D))

    def states(hidden):
        return rnn_jax.unroll(cell, example.params, xs, ClockworkCarry(hidden, start.time)).ys

    ys = states(start.hidden)
    runs = np.abs(np.diff(ys, axis=0)).reshape(19, 3, 2).min(axis=-1) > 0
    assert (runs == (np.arange(1, 20)[:, None] % [1, 2, 6] == 0)).all()
    read = np.abs(jax.jacobian(lambda hidden: states(hidden)[0])(start.hidden)) > 0
    assert (read == (np.arange(6)[None] // 2 >= np.arange(6)[:, None] // 2)).all()


def test_a_clock_in_bfloat16_never_drifts():
    cell = rnn_jax.Clockwork(1, 1, periods=(7,))
    params = {"input": {"kernel": jnp.ones((1, 1)), "bias": jnp.ones(1)}, "recurrent": {"kernel": jnp.ones((1, 1))}}
    xs = jnp.asarray(np.random.default_rng(0).normal(size=(1000, 1)), jnp.bfloat16)
    carry, ys = rnn_jax.unroll(cell, params, xs, cell.initial_carry((), jnp.bfloat16))
    assert carry.time.dtype == jnp.bfloat16 and carry.time == 1000 % 7
    changes = np.flatnonzero(np.diff(np.asarray(ys[:, 0], np.float32)))
    assert len(changes) > 100 and ((changes + 1) % 7 == 0).all()
    with pytest.raises(ValueError, match=r"bfloat16 counts to 256: periods=\(1, 257\) need 257"):
        rnn_jax.Clockwork(1, 2, periods=(1, 257)).initial_carry((), jnp.bfloat16)


@pytest.mark.parametrize(("size", "density", "radius"), [(1, 1.0, 0.9), (60, 0.05, 0.5), (200, 1.0, 1.2)])
def test_the_reservoir_has_its_spectral_radius_and_density(size, density, radius):
    cell = rnn_jax.EchoState(D, size, density=density, spectral_radius=radius)
    params = cell.init(jax.random.key(0))
    kernel = params["recurrent"]["kernel"]
    assert np.abs(np.linalg.eigvals(kernel)).max() == pytest.approx(radius, rel=1e-4)
    assert ((kernel != 0).sum(axis=0) == round(density * size)).all()
    assert not any(jax.tree.leaves(cell.trainable(params)))


def test_a_reservoir_forgets_where_it_started():
    cell = rnn_jax.EchoState(D, 50, leak=0.5)
    params, xs = cell.init(jax.random.key(0)), jax.random.normal(jax.random.key(1), (300, D))
    starts = 3 * jax.random.normal(jax.random.key(2), (2, 50))
    one, other = (rnn_jax.unroll(cell, params, xs, start).ys for start in starts)
    assert np.abs(one[0] - other[0]).max() > 0.1 and np.abs(one[-1] - other[-1]).max() < 1e-5


def test_slstm_does_not_depend_on_its_stabilizer_and_stays_bounded_where_exponentials_overflow(x64):
    cell = rnn_jax.SLSTM(D, H)
    example = Example.draw(cell, jax.random.key(0))
    h, c, n, m = example.carry
    shifted = SLSTMCarry(h, c * jnp.exp(-2.0), n * jnp.exp(-2.0), m + 2)
    ys = (rnn_jax.unroll(cell, example.params, example.xs, carry).ys for carry in (example.carry, shifted))
    np.testing.assert_allclose(*ys, rtol=1e-12, atol=1e-12)

    def loss(params, xs):
        return rnn_jax.unroll(cell, params, xs).ys

    wide = 1e4 * example.xs
    assert np.abs(loss(example.params, wide)).max() <= 1
    gradients = jax.grad(lambda *args: jnp.square(loss(*args)).sum(), argnums=(0, 1))(example.params, wide)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradients))


def test_slstm_starts_remembering_at_several_time_scales():
    params = rnn_jax.SLSTM(D, 4, heads=2).init(jax.random.key(0))
    assert params["input"]["bias"].tolist() == [0] * 4 + [3, 6, 3, 6] + [0] * 8
    assert not rnn_jax.SLSTM(D, 4, forget_gate="exponential").init(jax.random.key(0))["input"]["bias"].any()


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: rnn_jax.SRU(D, H, highway_bias=float("nan")), "highway_bias=nan: expected a finite number$"),
        (lambda: rnn_jax.QRNN(D, H, window=0), "window=0: expected an int"),
        (lambda: rnn_jax.QRNN(D, H, pooling="of"), "pooling='of'.*'f', 'fo', 'ifo'"),
        (lambda: rnn_jax.CoRNN(D, H, dt=0.0), "dt=0.0: expected a finite number above 0$"),
        (lambda: rnn_jax.LEM(D, H, dt=1.5), "dt=1.5: expected a finite number above 0 and at most 1"),
        (lambda: rnn_jax.Clockwork(D, H, periods=(2, 1)), r"periods=\(2, 1\): expected a tuple of growing ints"),
        (lambda: rnn_jax.Clockwork(D, H, periods=(1, 2.0)), "growing ints"),
        (lambda: rnn_jax.Clockwork(D, 1, periods=(1, 2)), "expected at most 1, one unit for each module"),
        (lambda: rnn_jax.EchoState(D, H, density=0.0), "density=0.0: expected a finite number above 0 and at most 1"),
        (lambda: rnn_jax.SLSTM(D, H, heads=3), "heads=3: expected a divisor of hidden_size=4"),
        (lambda: rnn_jax.SLSTM(D, H, forget_gate="exp"), "forget_gate='exp'"),
    ],
)
def test_bad_options_are_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()
