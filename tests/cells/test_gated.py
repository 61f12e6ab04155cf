"""What the papers say of the gated cells: which cell another one reduces to, bounds, initial values, options."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_jax
from rnn_jax.testing import Example, assert_cell_contract, check_reference
from tests.cells.references import gated

D, H = 3, 4
SURE = 1e3  # the logistic function of it is one


@pytest.mark.exhaustive(but=1)
@pytest.mark.parametrize(
    ("cell", "reference"),
    [
        (rnn_jax.JANET(D, H, beta=0.5, longest=20), functools.partial(gated.janet, beta=0.5)),
        (rnn_jax.IndRNN(D, H, activation="tanh"), functools.partial(gated.indrnn, activation="tanh")),
        (rnn_jax.RHN(D, H, depth=3, coupled=False), gated.rhn),
        (rnn_jax.FastRNN(D, H, activation="relu", input_rank=1), functools.partial(gated.fastrnn, activation="relu")),
        (rnn_jax.FastGRNN(D, H, input_rank=2, recurrent_rank=5), gated.fastgrnn),
        (rnn_jax.RAN(D, H, activation="identity"), functools.partial(gated.ran, activation="identity")),
    ],
)
def test_options_follow_the_paper(x64, cell, reference):
    check_reference(Example.draw(cell, jax.random.key(0)), reference)


@pytest.mark.parametrize("part", ["core", pytest.param("rest", marks=pytest.mark.exhaustive)])
@pytest.mark.parametrize(
    "cell", [rnn_jax.RHN(D, H, depth=3, coupled=False), rnn_jax.FastGRNN(D, H, input_rank=2, recurrent_rank=1)]
)
def test_contract_of_options(cell, part):
    assert_cell_contract(cell, part=part)


def join(*blocks):
    return jnp.concatenate(blocks, axis=-1)


def split(leaf, count):
    return jnp.split(leaf, count, axis=-1)


def layers(kernel, bias, recurrent):
    return {"input": {"kernel": kernel, "bias": bias}, "recurrent": {"kernel": recurrent}}


def gru_of_gru1(p):
    no_input = jnp.zeros((D, 2 * H))
    bias = join(p["recurrent"]["bias"], p["input"]["bias"])
    return layers(join(no_input, p["input"]["kernel"]), bias, p["recurrent"]["kernel"])


def gru_of_gru2(p):
    return gru_of_gru1({"input": p["input"], "recurrent": p["recurrent"] | {"bias": jnp.zeros(2 * H)}})


def gru_of_gru3(p):
    constant_gates = join(jnp.zeros((H, 2 * H)), p["recurrent"]["kernel"])
    return gru_of_gru1({"input": p["input"], "recurrent": p["recurrent"] | {"kernel": constant_gates}})


def gru_of_mgu(p):
    def tied(leaf):
        forget, new = split(leaf, 2)
        return join(forget, -forget, new)

    return jax.tree.map(tied, p)


def gru_of_ugrnn(p):
    def without_reset(leaf, reset):
        update, new = split(leaf, 2)
        return join(jnp.full_like(update, reset), update, new)

    kernel, bias, recurrent = p["input"]["kernel"], p["input"]["bias"], p["recurrent"]["kernel"]
    return layers(without_reset(kernel, 0), without_reset(bias, SURE), without_reset(recurrent, 0))


def ugrnn_of_rhn(p):
    def transform_to_keep(leaf):
        new, transform = split(leaf, 2)
        return join(-transform, new)

    bias, recurrent = p["recurrent"]["bias"][0], p["recurrent"]["kernel"][0]
    return jax.tree.map(transform_to_keep, layers(p["input"]["kernel"], bias, recurrent))


def uncoupled_rhn(p):
    def with_carry_gate(leaf):
        new, transform = split(leaf, 2)
        return join(new, transform, -transform)

    return jax.tree.map(with_carry_gate, p)


def elman_of_indrnn(p):
    return {"input": p["input"], "recurrent": {"kernel": jnp.diag(p["recurrent"]["weight"])}}


def elman_of_fastrnn(p):
    p["residual"].update(alpha=jnp.float64(SURE), beta=jnp.float64(-SURE))
    return {"input": p["input"], "recurrent": p["recurrent"]}


def ugrnn_of_fastgrnn(p):
    p["gate"].update(zeta=jnp.float64(SURE), nu=jnp.float64(-SURE))
    kernel, recurrent = p["input"]["kernel"], p["recurrent"]["kernel"]
    return layers(join(kernel, kernel), p["gate"]["bias"], join(recurrent, recurrent))


def lstm_of_multiplicative_lstm(p):
    """Factors that are inverse turn m into the hidden state: the last input feature is one, and alone reads into m."""
    factor, gates = p["input"]["kernel"][:, :H], p["input"]["kernel"][:, H:]
    p["input"]["kernel"] = join(jnp.zeros_like(factor).at[-1].set(2), gates)
    p["factor"]["kernel"] = jnp.eye(H) / 2
    return layers(gates, p["input"]["bias"], p["recurrent"]["kernel"])


@pytest.mark.exhaustive(but=1)
@pytest.mark.parametrize(
    ("cell", "other", "convert"),
    [
        (rnn_jax.GRU1(D, H), rnn_jax.GRUResetBefore(D, H), gru_of_gru1),
        (rnn_jax.GRU2(D, H), rnn_jax.GRUResetBefore(D, H), gru_of_gru2),
        (rnn_jax.GRU3(D, H), rnn_jax.GRUResetBefore(D, H), gru_of_gru3),
        (rnn_jax.MGU(D, H), rnn_jax.GRUResetBefore(D, H), gru_of_mgu),
        (rnn_jax.UGRNN(D, H), rnn_jax.GRUResetBefore(D, H), gru_of_ugrnn),
        (rnn_jax.JANET(D, H, beta=0.0), rnn_jax.UGRNN(D, H), lambda p: p),
        (rnn_jax.RHN(D, H, depth=1), rnn_jax.UGRNN(D, H), ugrnn_of_rhn),
        (rnn_jax.RHN(D, H), rnn_jax.RHN(D, H, coupled=False), uncoupled_rhn),
        (rnn_jax.IndRNN(D, H), rnn_jax.Elman(D, H, activation="relu"), elman_of_indrnn),
        (rnn_jax.FastRNN(D, H), rnn_jax.Elman(D, H), elman_of_fastrnn),
        (rnn_jax.FastGRNN(D, H), rnn_jax.UGRNN(D, H), ugrnn_of_fastgrnn),
        (rnn_jax.MultiplicativeLSTM(D, H), rnn_jax.LSTM(D, H), lstm_of_multiplicative_lstm),
    ],
)
def test_a_cell_is_a_special_case_of_another(x64, cell, other, convert):
    example = Example.draw(cell, jax.random.key(0))
    xs = example.xs.at[..., -1].set(1)
    converted = convert(example.params)  # may also change the cell's own parameters, to the special case
    found = rnn_jax.unroll(cell, example.params, xs, example.carry)
    wanted = rnn_jax.unroll(other, converted, xs, example.carry)
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-12, atol=1e-12), found, wanted)


def test_the_chaos_free_network_left_alone_decays_to_zero(x64):
    example = Example.draw(rnn_jax.CFN(D, H), jax.random.key(0))
    start = 3 * example.carry
    ys = rnn_jax.unroll(example.cell, example.params, jnp.zeros((500, *example.xs.shape[1:])), start).ys
    size = np.abs(np.concatenate([start[None], ys]))
    assert (np.diff(size, axis=0) < 0).all() and size[-1].max() < 0.1


def test_star_stays_below_the_tanh_of_one():
    cell = rnn_jax.STAR(D, H)
    params = jax.tree.map(lambda leaf: 3 * leaf, cell.init(jax.random.key(0)))
    ys = rnn_jax.unroll(cell, params, 3 * jax.random.normal(jax.random.key(1), (100, 20, D))).ys
    assert 0.76 < jnp.abs(ys).max() <= np.tanh(1) + 1e-6


def test_janet_lets_in_up_to_e_times_what_it_forgets(x64):
    cell = rnn_jax.JANET(1, 1)
    slow = layers(jnp.zeros((1, 2)), jnp.array([6.0, SURE]), jnp.zeros((1, 2)))
    state, ys = rnn_jax.unroll(cell, slow, jnp.zeros((5000, 1)))
    assert 0.99 * np.e < state[0] < np.e and (np.diff(ys, axis=0) >= 0).all()


def test_the_state_of_an_additive_network_is_at_most_the_sum_of_its_inputs(x64):
    example = Example.draw(rnn_jax.RAN(D, H, activation="identity"), jax.random.key(0))
    content = np.abs(example.xs @ example.params["input"]["kernel"][:, 2 * H :])
    ys = rnn_jax.unroll(example.cell, example.params, example.xs).ys
    assert (np.abs(ys) <= np.cumsum(content, axis=0)).all()


@pytest.mark.exhaustive
def test_initial_biases_and_scales_are_the_documented_ones():
    def init(cell):
        return cell.init(jax.random.key(0))

    assert init(rnn_jax.UGRNN(D, 2, forget_bias=2.0))["input"]["bias"].tolist() == [2, 2, 0, 0]
    assert init(rnn_jax.CFN(D, 2))["input"]["bias"].tolist() == [1, 1, -1, -1]
    assert init(rnn_jax.MultiplicativeLSTM(D, 1))["input"]["bias"].tolist() == [0, 1, 0, 0]
    assert init(rnn_jax.JANET(D, 2))["input"]["bias"].tolist() == [1, 1, 0, 0]
    assert init(rnn_jax.STAR(D, 2))["input"]["bias"].tolist() == [0, 0, 0, 0]
    assert init(rnn_jax.RHN(D, 1, depth=2, coupled=False))["recurrent"]["bias"].tolist() == [[0, -2, 2], [0, -2, 2]]
    residual, gate = init(rnn_jax.FastRNN(D, H))["residual"], init(rnn_jax.FastGRNN(D, H))["gate"]
    assert [float(x) for x in (residual["alpha"], residual["beta"], gate["zeta"], gate["nu"])] == [-3, 3, 1, -4]
    weight = init(rnn_jax.IndRNN(D, 500))["recurrent"]["weight"]
    assert weight.min() > 0 and weight.max() < 1 and abs(weight.mean() - 0.5) < 0.05
    near_one = init(rnn_jax.IndRNN(D, 500, recurrent_range=[0.99, 1.01]))["recurrent"]["weight"]
    assert near_one.min() > 0.989 and near_one.max() < 1.011


def test_longest_sets_for_how_long_the_units_remember():
    def bias(cell, parts):
        drawn = jax.jit(lambda key: cell.init(key)["input"]["bias"])(jax.random.key(0))
        return split(np.asarray(drawn), parts)

    forget, _ = bias(rnn_jax.JANET(D, 500, longest=50), 2)
    update, _ = bias(rnn_jax.STAR(D, 500, longest=50), 2)
    keep = bias(rnn_jax.GRU(D, 500, longest=50), 3)[1]
    shut, held, *rest = bias(rnn_jax.LSTM(D, 500, longest=50), 4)
    assert (shut == -held).all() and not any(part.any() for part in rest)
    for memory in (1 + np.exp(forget), 1 + np.exp(-update), 1 + np.exp(keep), 1 + np.exp(held)):
        assert memory.min() >= 2 and 40 < memory.max() <= 50.001 and abs(memory.mean() - 26) < 3


@pytest.mark.exhaustive(but=4)
@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: rnn_jax.JANET(D, H, longest=1), "longest=1: expected an int of at least 2"),
        (lambda: rnn_jax.STAR(D, H, longest=0), "longest=0"),
        (lambda: rnn_jax.LSTM(D, H, longest=1), "longest=1"),
        (lambda: rnn_jax.GRU(D, H, longest=9, bias=False), "longest=9 with bias=False"),
        (lambda: rnn_jax.IndRNN(D, H, activation="gelu"), "activation='gelu'"),
        (lambda: rnn_jax.IndRNN(D, H, recurrent_range=(1.0, 0.0)), "recurrent_range=.*low <= high"),
        (lambda: rnn_jax.RHN(D, H, depth=0), "depth=0"),
        (lambda: rnn_jax.FastRNN(D, H, input_rank=0), "input_rank=0"),
        (lambda: rnn_jax.FastGRNN(D, H, recurrent_rank=0), "recurrent_rank=0"),
        (lambda: rnn_jax.FastGRNN(D, H, activation="gelu"), "activation='gelu'"),
        (lambda: rnn_jax.RAN(D, H, activation="relu"), "activation='relu'"),
    ],
)
def test_bad_options_are_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()
