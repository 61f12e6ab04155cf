"""Every cell keeps the contract, and the contract suite notices each way of breaking it."""

import dataclasses

import jax
import jax.numpy as jnp
import pytest

import rnn_jax
from rnn_jax import testing
from rnn_jax.testing import assert_cell_contract, cells, derivatives, unrolling
from tests.cells.references import lstm, reference

ONE_OF_EACH_KIND = {
    "elman", "lstm", "gru", "cayley", "conv_lstm", "clockwork", "slstm", "mingru", "s5", "mlstm", "gated_deltanet",
}  # fmt: skip
SEEDS = {"gru_d": 1}  # its decays have a kink at zero, which no finite difference may step over
OPTIONS_AND_COMPOSITES = pytest.mark.parametrize(
    "cell",
    [
        rnn_jax.Elman(3, 4, activation="relu", bias=False),
        pytest.param(rnn_jax.LSTM(3, 4, bias=False), marks=pytest.mark.exhaustive),
        pytest.param(rnn_jax.GRU(3, 4, bias=False), marks=pytest.mark.exhaustive),
        rnn_jax.Residual(rnn_jax.GRU(4, 4)),
        rnn_jax.Zoneout(rnn_jax.LSTM(3, 4), (0.05, 0.5)),
        rnn_jax.RecurrentDropout(rnn_jax.GRU(3, 4), 0.3),
        pytest.param(
            rnn_jax.Stack([rnn_jax.LearnedCarry(rnn_jax.Clockwork(3, 4)), rnn_jax.WeightDrop(rnn_jax.LSTM(4, 2), 0.3)]),
            marks=pytest.mark.exhaustive,
        ),
        rnn_jax.Stack([rnn_jax.LSTM(3, 4), rnn_jax.GRU(4, 2)], dropout=0.5),
    ],
    ids=str,
)


@pytest.mark.parametrize("name", sorted(set(rnn_jax.CELLS) - ONE_OF_EACH_KIND))
def test_equations(x64, name, part):
    if part == "all":
        pytest.skip("of the whole contract, which each cell is held to")
    example = testing.Example.draw(rnn_jax.CELLS[name](3, 4), jax.random.key(0))
    testing.check_reference(example, reference(name))


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.exhaustive] * (name not in ONE_OF_EACH_KIND)) for name in rnn_jax.CELLS],
)
def test_contract(name, part):
    assert_cell_contract(rnn_jax.CELLS[name](3, 4), reference(name), part=part, seed=SEEDS.get(name, 0))


@OPTIONS_AND_COMPOSITES
def test_contract_of_options_and_composites(cell, part):
    assert_cell_contract(cell, part=part)


class ForgetsDtype(rnn_jax.Elman):
    def gate(self, params, carry, z, r):
        y = jnp.tanh(z + r.astype(z.dtype))
        return y, y


class SeesTheBatch(rnn_jax.Elman):
    def recur(self, params, carry):
        product = super().recur(params, carry)
        return product + carry.mean() if carry.ndim > 1 else product


class IgnoresInput(rnn_jax.Elman):
    def project(self, params, xs):
        return jnp.zeros((*xs.shape[:-1], self.hidden_size), xs.dtype)


class IgnoresKey(rnn_jax.Elman):
    def init(self, key, param_dtype=jnp.float32):
        return super().init(jax.random.key(0), param_dtype)


class DrawsTwice(rnn_jax.Elman):
    def init(self, key, param_dtype=jnp.float32):
        params = super().init(key, param_dtype)
        params["input"]["bias"] = jax.random.normal(key, (self.hidden_size,), param_dtype)
        return params


class WrongGradient(rnn_jax.Elman):
    def gate(self, params, carry, z, r):
        return super().gate(params, jax.lax.stop_gradient(carry), z, jax.lax.stop_gradient(r))


class NotAdditive(rnn_jax.Elman):
    def gate(self, params, carry, z, r):
        return super().gate(params, carry, 2 * z, r)


class Unequal(rnn_jax.Elman):
    __hash__ = object.__hash__

    def __eq__(self, other):
        return self is other


class OneBuffer(rnn_jax.LSTM):
    def initial_carry(self, batch_shape=(), dtype=jnp.float32):
        zeros = jnp.zeros((*batch_shape, self.hidden_size), dtype)
        return rnn_jax.LSTMCarry(zeros, zeros)


class TrainableByOrder(rnn_jax.GRU):
    def trainable(self, params):
        return {name: jax.tree.map(lambda _, i=i: i == 0, params[name]) for i, name in enumerate(params)}


@pytest.mark.parametrize(
    "broken",
    [
        ForgetsDtype, SeesTheBatch, IgnoresInput, IgnoresKey, DrawsTwice, WrongGradient, NotAdditive, Unequal,
        OneBuffer, TrainableByOrder,
    ],
)  # fmt: skip
def test_contract_fails_for_a_broken_cell(broken):
    with pytest.raises(AssertionError):
        assert_cell_contract(broken(3, 4), part="core")


class Overflows(rnn_jax.Elman):
    def gate(self, params, carry, z, r):
        y = jnp.exp(z + r.astype(z.dtype) - 4)
        return y.astype(carry.dtype), y.astype(z.dtype)


@jax.custom_jvp
def tanh_without_curvature(x):
    return jnp.tanh(x)


@tanh_without_curvature.defjvp
def _tanh_without_curvature_jvp(primals, tangents):
    y = jnp.tanh(*primals)
    return y, jax.lax.stop_gradient(1 - y**2) * tangents[0]


class WrongCurvature(rnn_jax.Elman):
    def gate(self, params, carry, z, r):
        y = tanh_without_curvature(z + r.astype(z.dtype))
        return y.astype(carry.dtype), y


class NarrowCarry(rnn_jax.Elman):
    """Remembers in bfloat16, whatever it is asked for."""

    def initial_carry(self, batch_shape=(), dtype=jnp.float32):
        return super().initial_carry(batch_shape, jnp.bfloat16)


class StartsByItself(rnn_jax.Elman):
    """Loops inside of a step from a carry of its own, which is the same on all devices."""

    def gate(self, params, carry, z, r):
        start = jnp.zeros(r.shape[-1], r.dtype)
        total, _ = jax.lax.scan(lambda total, row: (total + row, None), start, r.reshape(-1, r.shape[-1]))
        return super().gate(params, carry, z, r + 0 * total)


class NoRows(rnn_jax.Elman):
    """Divides by the number of rows."""

    def project(self, params, xs):
        return super().project(params, xs).reshape(*xs.shape[:-1], -1)


def test_checks_of_the_rest_fail_for_broken_cells():
    with pytest.raises(AssertionError, match="a carry in bfloat16"):
        testing.check_bfloat16(NarrowCarry(3, 4), 0)
    with pytest.raises((TypeError, ZeroDivisionError), match=r"reshape|zero"):
        testing.check_no_steps(NoRows(3, 4), 0)
    with pytest.raises((TypeError, ValueError), match="rows"):
        testing.check_devices(StartsByItself(3, 4), 0)


REST = {
    "check_no_steps", "check_devices", "check_finite", "check_bfloat16", "check_newton", "check_fused",
    "check_curvature",
}  # fmt: skip


@pytest.mark.parametrize(
    ("broken", "check", "message"),
    [
        (Overflows, "check_finite", "inputs of 1e4 gave NaN or infinity"),
        (WrongCurvature, "check_curvature", "second derivative"),
    ],
)
def test_what_the_core_lets_through_fails_in_the_rest(monkeypatch, broken, check, message):
    assert_cell_contract(broken(3, 4), part="core")
    for name in REST - {check}:  # what fails is this one
        monkeypatch.setattr(testing, name, lambda *_: None)
    with pytest.raises(AssertionError, match=message):
        assert_cell_contract(broken(3, 4), part="rest")


@pytest.mark.parametrize(
    ("cell", "method", "part"),
    [
        (rnn_jax.MinGRU, "associative", "core"),
        pytest.param(rnn_jax.GRU, "newton", "rest", marks=pytest.mark.exhaustive),
    ],
)
def test_contract_fails_for_a_wrong_method(monkeypatch, cell, method, part):
    def unroll(*arguments, **options):
        carry, ys = rnn_jax.unroll(*arguments, **options)
        return rnn_jax.Unrolled(carry, ys + 1e-9 if options.get("method") == method else ys)

    for checks in (cells, derivatives, unrolling):
        monkeypatch.setattr(checks, "unroll", unroll)
    with pytest.raises(AssertionError, match=f"{method} against a loop"):
        assert_cell_contract(cell(3, 4), part=part)


def test_contract_fails_for_what_bfloat16_loses(monkeypatch):
    def unroll(cell, params, xs, *arguments, **options):
        carry, ys = rnn_jax.unroll(cell, params, xs, *arguments, **options)
        return rnn_jax.Unrolled(carry, ys if xs.dtype != jnp.bfloat16 else ys * jnp.bfloat16(1.1))

    for checks in (cells, derivatives, unrolling):
        monkeypatch.setattr(checks, "unroll", unroll)
    with pytest.raises(AssertionError, match="outputs of bfloat16 inputs are"):
        testing.check_bfloat16(rnn_jax.GRU(3, 4), 0)


def test_contract_fails_for_a_wrong_equation():
    def swapped(params, carry, x):
        (h, c), _ = lstm.lstm(params, carry, x)
        return (c, h), c

    with pytest.raises(AssertionError, match="reference"):
        assert_cell_contract(rnn_jax.LSTM(3, 4), swapped, part="core")


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: rnn_jax.LSTM(0, 4), "input_size=0"),
        (lambda: rnn_jax.GRU(3, True), "hidden_size=True"),
        (lambda: rnn_jax.Elman(3, 4, activation="gelu"), "activation='gelu'.*'tanh', 'relu'"),
        (lambda: rnn_jax.make_cell("lsmt", 3, 4), "did you mean 'lstm'"),
        (lambda: rnn_jax.make_cell(None, 3, 4), "cell=None: expected a name, such as 'lstm'"),
        (lambda: rnn_jax.make_cell("gru(head=2)", 3, 4), "cell='gru' has no option 'head': did you mean 'heads'"),
        (lambda: rnn_jax.make_cell("lstm", 3, 4, peephole=True), "peephole"),
        (lambda: rnn_jax.make_cell("lstm(peephole=True)", 3, 4), "peephole"),
        (lambda: rnn_jax.make_cell("lstm(True)", 3, 4), r"lstm\(True\)'.*expected options such as"),
        (lambda: rnn_jax.make_cell("gru(bias=exit())", 3, 4), "expected options such as"),
    ],
)
def test_bad_construction_is_refused(build, message, shapes_unchecked):
    with pytest.raises(ValueError, match=message):
        build()


def test_a_name_may_bring_options():
    made = rnn_jax.make_cell("deltanet(heads=2, negative_eigenvalues=True)", 3, 4, key_size=1)
    assert made == rnn_jax.DeltaNet(3, 4, heads=2, negative_eigenvalues=True, key_size=1)


def test_initial_values_follow_the_papers():
    def init(cell):
        return cell.init(jax.random.key(0))

    assert (init(rnn_jax.IRNN(3, 4))["recurrent"]["kernel"] == jnp.eye(4)).all()
    bias = init(rnn_jax.LSTM(3, 2, forget_bias=1.5))["input"]["bias"]
    assert bias.tolist() == [0, 0, 1.5, 1.5, 0, 0, 0, 0]
    kernel = init(rnn_jax.GRU(3, 4))["recurrent"]["kernel"]
    for block in jnp.split(kernel, 3, axis=1):
        assert jnp.allclose(block.T @ block, jnp.eye(4), atol=1e-6)


def test_cells_are_records():
    cell = rnn_jax.GRU(3, 4)
    assert dataclasses.asdict(cell) == {"input_size": 3, "hidden_size": 4, "bias": True, "longest": None, "heads": 1}
    assert rnn_jax.describe(rnn_jax.Stack([cell]))["layers"][0]["type"] == "GRU"
