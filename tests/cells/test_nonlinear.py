"""What the papers say of UnICORNN, MinimalRNN, bistable and twin-gated cells, MC-LSTM, M²RNN, SCRN, NAS, IndyLSTM."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_jax
from rnn_jax.testing import Example, check_reference, jittered
from tests.cells.references import nonlinear

D, H = 3, 4


@pytest.mark.exhaustive(but=2)
@pytest.mark.parametrize(
    ("cell", "reference"),
    [
        (rnn_jax.UnICORNN(D, H, dt=0.5, alpha=0.0), functools.partial(nonlinear.unicornn, dt=0.5, alpha=0.0)),
        (rnn_jax.MCLSTM(D, H, mass_size=2), functools.partial(nonlinear.mc_lstm, mass_size=2)),
        (rnn_jax.MCLSTM(2, H, mass_size=2), functools.partial(nonlinear.mc_lstm, mass_size=2)),
        (rnn_jax.M2RNN(D, 6, heads=2, key_size=4), nonlinear.m2rnn),
        (rnn_jax.SCRN(D, H, context_size=1, alpha=0.5), functools.partial(nonlinear.scrn, alpha=0.5)),
    ],
)
def test_options_follow_the_paper(x64, cell, reference):
    check_reference(Example.draw(cell, jax.random.key(0)), reference)


def test_a_step_of_unicornn_keeps_volumes_and_can_be_undone(x64):
    cell = rnn_jax.UnICORNN(D, H)
    example = Example.draw(cell, jax.random.key(0))
    params, xs = example.params, jax.random.normal(jax.random.key(1), (500, D), jnp.float64)
    start = jax.tree.map(lambda a: a[0], example.carry)
    carry = rnn_jax.unroll(cell, params, xs, start).carry
    assert np.abs(carry.position - start.position).max() > 0.1

    step = cell.dt * jax.nn.sigmoid(params["control"]["weight"])
    drive = cell.project(params, xs)
    y, z = carry
    for u in np.asarray(drive)[::-1]:
        y = y - step * z
        z = z + step * (np.tanh(u + params["recurrent"]["weight"] * y) + cell.alpha * y)
    np.testing.assert_allclose((y, z), start, rtol=0, atol=1e-9)

    jacobian = jax.jacobian(lambda both: jnp.concatenate(cell.step(params, rnn_jax.UnICORNNCarry(*both), drive[0])[0]))
    assert np.linalg.det(jacobian(jnp.stack(start)).reshape(2 * H, 2 * H)) == pytest.approx(1, abs=1e-12)


def test_the_state_of_minimal_rnn_is_a_weighted_mean_of_what_was_read(x64):
    cell = rnn_jax.MinimalRNN(D, H)
    params = jittered(jax.random.key(1), cell.init(jax.random.key(0)))
    xs = jax.random.normal(jax.random.key(2), (50, D), jnp.float64)
    latent = np.tanh(xs @ params["input"]["kernel"] + params["input"]["bias"][None])
    ys = rnn_jax.unroll(cell, params, xs).ys
    low, high = np.minimum.accumulate(np.minimum(latent, 0)), np.maximum.accumulate(np.maximum(latent, 0))
    assert ((low <= ys) & (ys <= high)).all() and (np.abs(ys) > 0.2).any()
    # With gates that see nothing it is the exponential moving average.
    shut = {"kernel": jnp.zeros((H, H)), "bias": jnp.zeros(H)}
    ys = rnn_jax.unroll(cell, params | {"latent": shut, "recurrent": {"kernel": jnp.zeros((H, H))}}, xs).ys
    weights = 0.5 ** np.arange(50, 0, -1)
    np.testing.assert_allclose(ys[-1], weights @ latent, rtol=1e-12, atol=1e-14)


def test_a_bistable_unit_holds_the_sign_that_it_was_given(x64):
    cell = rnn_jax.BRC(1, 2)
    zeros = jax.tree.map(jnp.zeros_like, cell.init(jax.random.key(0), jnp.float64))
    feedback = jnp.array([1.5, 0.9])  # the first unit has two stable states, the second has one
    params = zeros | {"input": zeros["input"] | {"bias": jnp.concatenate([jnp.arctanh(feedback - 1), jnp.zeros(2)])}}
    starts = jnp.array([[0.1, 0.1], [-0.1, -0.1]])
    last = np.asarray(rnn_jax.unroll(cell, params, jnp.zeros((2000, 2, 1)), starts).carry)
    assert last[0, 0] > 0.8 and np.abs(last[:, 1]).max() < 1e-9
    np.testing.assert_allclose(last[:, 0], np.tanh(1.5 * last[:, 0]), rtol=1e-12)
    assert last[1, 0] == pytest.approx(-last[0, 0], abs=1e-12)


def test_a_neuromodulated_cell_whose_units_see_themselves_alone_is_the_bistable_cell(x64):
    example = Example.draw(rnn_jax.BRC(D, H), jax.random.key(0))
    own = jnp.split(example.params["recurrent"]["weight"], 2)
    modulated = example.params | {"recurrent": {"kernel": jnp.concatenate([jnp.diag(u) for u in own], axis=1)}}
    ys = rnn_jax.unroll(rnn_jax.NBRC(D, H), modulated, example.xs, example.carry).ys
    np.testing.assert_allclose(ys, example.run(example.xs).ys, rtol=1e-12, atol=1e-14)


def test_mass_that_goes_in_is_held_or_comes_out(x64):
    cell = rnn_jax.MCLSTM(5, H, mass_size=2)
    params = jittered(jax.random.key(1), cell.init(jax.random.key(0)))
    xs = jax.random.normal(jax.random.key(2), (100, D, 5), jnp.float64)
    xs = jnp.concatenate([jnp.abs(xs[..., :2]), xs[..., 2:]], axis=-1)
    start = jnp.ones((D, H))
    carry, ys = rnn_jax.unroll(cell, params, xs, start)
    went_in, came_out = xs[..., :2].sum((0, 2)) + start.sum(-1), ys.sum((0, 2))
    np.testing.assert_allclose(carry.sum(-1) + came_out, went_in, rtol=1e-13)
    assert (ys >= 0).all() and (carry >= 0).all() and (came_out > 1).all() and (carry.sum(-1) > 0.1).all()


def test_mass_is_kept_in_float32_with_inputs_of_bfloat16():
    cell = rnn_jax.MCLSTM(D, H)
    xs = jnp.abs(jax.random.normal(jax.random.key(1), (200, D))).astype(jnp.bfloat16)
    carry, ys = rnn_jax.unroll(cell, cell.init(jax.random.key(0)), xs)
    total = float(xs[:, 0].astype(jnp.float32).sum())
    assert carry.dtype == jnp.float32
    assert float(carry.sum() + ys.astype(jnp.float32).sum()) == pytest.approx(total, rel=1e-3)


@pytest.mark.exhaustive
def test_new_cells_of_mass_keep_most_of_it_where_it_is():
    cell = rnn_jax.MCLSTM(1, H)
    params = cell.init(jax.random.key(0))
    params = params | {"recurrent": {"kernel": jnp.zeros_like(params["recurrent"]["kernel"])}}
    held, y = cell(params, jnp.array([1.0, 0, 0, 0]), jnp.zeros(1))
    np.testing.assert_allclose(y, jax.nn.sigmoid(-3.0) * jax.nn.softmax(jnp.array([1.0, 0, 0, 0])), rtol=1e-6)
    np.testing.assert_allclose(held.sum() + y.sum(), 1, rtol=1e-6)


def test_m2rnn_with_one_key_and_nothing_kept_is_a_plain_network(x64):
    cell, plain = rnn_jax.M2RNN(D, H, key_size=1), rnn_jax.Elman(D - 1, H, bias=False)
    example = Example.draw(plain, jax.random.key(0))
    kernel = np.zeros((D, 2 + H + 1))
    kernel[-1, :2] = 1  # query and key are the last feature, which is always one
    kernel[:-1, 2:-1] = example.params["input"]["kernel"]
    params = {
        "input": {"kernel": jnp.asarray(kernel)},
        "recurrent": {"kernel": example.params["recurrent"]["kernel"][None]},
        "forget": {"log_rate": jnp.full(1, 10.0), "bias": jnp.zeros(1)},
        "skip": {"weight": jnp.zeros(H)},
    }
    xs = jnp.concatenate([example.xs, jnp.ones((*example.xs.shape[:-1], 1))], axis=-1)
    ys = rnn_jax.unroll(cell, params, xs, example.carry[:, None, None]).ys
    np.testing.assert_allclose(ys, example.run(example.xs).ys, rtol=1e-12, atol=1e-12)


def test_the_state_of_m2rnn_stays_between_minus_one_and_one():
    cell = rnn_jax.M2RNN(D, 6, heads=2, key_size=5)
    params = jittered(jax.random.key(1), cell.init(jax.random.key(0)))
    carry = rnn_jax.unroll(cell, params, 100 * jax.random.normal(jax.random.key(2), (300, D))).carry
    assert carry.shape == (2, 5, 3) and 0.5 < np.abs(carry).max() <= 1


def test_indylstm_is_an_lstm_with_as_many_heads_as_units(x64):
    example = Example.draw(rnn_jax.IndyLSTM(D, H), jax.random.key(0))
    blocks = example.params["recurrent"]["weight"].reshape(4, H).T[:, None]
    params = example.params | {"recurrent": {"kernel": blocks}}
    ys = rnn_jax.unroll(rnn_jax.LSTM(D, H, heads=H), params, example.xs, example.carry).ys
    np.testing.assert_allclose(ys, example.run(example.xs).ys, rtol=1e-12, atol=1e-14)


def test_twin_gates_that_see_no_state_open_alike(x64):
    """Without U both gates are one, and the state is a sum of inputs and of itself that the input alone weighs."""
    example = Example.draw(rnn_jax.ATR(D, H), jax.random.key(0))
    params = example.params | {"recurrent": {"kernel": jnp.zeros((H, H))}}
    found = rnn_jax.unroll(rnn_jax.ATR(D, H), params, example.xs, example.carry)
    p = np.asarray(example.xs @ params["input"]["kernel"])
    gates, h = 1 / (1 + np.exp(-p)), np.asarray(example.carry)
    for gate, one in zip(gates, p, strict=True):
        h = gate * (one + h)
    np.testing.assert_allclose(found.carry, h, rtol=1e-12)
    # With units that see themselves alone, at weight one, it is the lightweight network with one kernel for all three.
    params = example.params | {"recurrent": {"kernel": jnp.eye(H)}}
    wide = {"input": {"kernel": jnp.tile(params["input"]["kernel"], (1, 3))}}
    one = rnn_jax.unroll(rnn_jax.ATR(D, H), params, example.xs, example.carry).ys
    other = rnn_jax.unroll(rnn_jax.LRN(D, H), wide, example.xs, example.carry).ys
    np.testing.assert_allclose(one, other, rtol=1e-12)


def test_the_context_of_scrn_is_a_slow_average_and_without_it_the_network_is_plain(x64):
    example = Example.draw(rnn_jax.SCRN(D, H), jax.random.key(0))
    params, start = example.params, example.carry
    ys = rnn_jax.unroll(example.cell, params, example.xs, start).ys
    read = np.asarray(example.xs @ params["input"]["kernel"][:, H:])
    weights = 0.05 * 0.95 ** np.arange(len(read) - 1, -1, -1)
    context = np.einsum("t,tbs->bs", weights, read) + 0.95 ** len(read) * np.asarray(start.context)
    np.testing.assert_allclose(ys[-1, :, H:], context, rtol=1e-12)
    deaf = params | {"context": jax.tree.map(jnp.zeros_like, params["context"])}
    h = np.asarray(start.hidden)
    for x in np.asarray(example.xs):
        h = 1 / (1 + np.exp(-(x @ params["input"]["kernel"][:, :H] + h @ params["recurrent"]["kernel"])))
    np.testing.assert_allclose(rnn_jax.unroll(example.cell, deaf, example.xs, start).carry.hidden, h, rtol=1e-12)


def test_the_cell_of_the_nas_cell_fades_without_input_and_stays_below_one(x64):
    cell = rnn_jax.NASCell(D, H)
    params = jittered(jax.random.key(1), cell.init(jax.random.key(0)))
    carry, ys = rnn_jax.unroll(cell, params, 100 * jax.random.normal(jax.random.key(2), (200, D), jnp.float64))
    assert np.abs(ys).max() < 1 and np.abs(carry.cell).max() < 1 and np.abs(ys).max() > 0.1
    # Without an input the gates are constants, and the cell is c -> tanh(c) tanh(1 / 2), which goes to zero.
    zeros = jax.tree.map(jnp.zeros_like, params)
    carry, _ = cell(zeros, rnn_jax.LSTMCarry(jnp.ones(H), jnp.ones(H)), jnp.zeros(D))
    np.testing.assert_allclose(carry.cell, np.tanh(1) * np.tanh(0.5), rtol=1e-12)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: rnn_jax.UnICORNN(D, H, dt=0.0), "dt=0.0: expected a finite number above 0"),
        (lambda: rnn_jax.UnICORNN(D, H, alpha=-1.0), "alpha=-1.0: expected a finite number at least 0"),
        (lambda: rnn_jax.MCLSTM(D, H, mass_size=0), "mass_size=0: expected an int of at least 1"),
        (lambda: rnn_jax.MCLSTM(D, H, mass_size=4), "mass_size=4: expected at most input_size=3"),
        (lambda: rnn_jax.M2RNN(D, H, heads=3), "heads=3: expected a divisor of hidden_size=4"),
        (lambda: rnn_jax.M2RNN(D, H, key_size=0), "key_size=0: expected an int of at least 1"),
        (lambda: rnn_jax.SCRN(D, H, alpha=1.0), "alpha=1.0: expected a number below 1"),
        (lambda: rnn_jax.SCRN(D, H, context_size=0), "context_size=0: expected an int of at least 1"),
        (lambda: rnn_jax.NBRC(D, H, heads=3), "heads=3: expected a divisor of hidden_size=4"),
    ],
)
def test_bad_options_are_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()
