"""Composites are what their parts do; what is random has the rate, the shape in time and the mean it promises."""

import dataclasses
import functools
import json

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_jax
from rnn_jax import GRU, LSTM, Bidirectional, Cell, RecurrentDropout, Residual, Stack, Zoneout, dropout
from rnn_jax.cells.base import describe
from rnn_jax.testing import LENGTH, Example, assert_cell_contract

unroll = jax.jit(rnn_jax.unroll, static_argnames=("cell", "reverse"))
close = functools.partial(chex.assert_trees_all_close, rtol=1e-12, atol=1e-12)
ROWS = 5000


class Echo(rnn_jax.IRNN):
    """Outputs its input, so that what a composite does to the inputs is seen at its output."""

    def step(self, params, carry, z):
        return carry, z

    def project(self, params, xs):
        return xs


class Noise(rnn_jax.IRNN):
    """Carries what its key draws, so that keys used twice are seen in the carry."""

    def noise(self, key, length, batch_shape):
        return jax.random.normal(key, (length, *batch_shape, self.hidden_size))

    def noisy_step(self, params, carry, z, noise):
        return noise, noise


def mean_is(values, expected):
    """Five standard errors of a mean of `values`: a failure by chance is a matter of millions of runs."""
    values = np.asarray(values, float)
    assert abs(values.mean() - expected) <= 5 * max(values.std(), 1e-9) / np.sqrt(values.size)


@pytest.mark.exhaustive
def test_a_stack_by_layers_equals_a_scan_over_the_cell(x64):
    cell = Stack([LSTM(2, 3), Residual(Stack([GRU(3, 3)])), Zoneout(rnn_jax.Elman(3, 2), 0.1)], dropout=0.5)
    example = Example.draw(cell, jax.random.key(0))
    scanned = jax.lax.scan(functools.partial(cell, example.params), example.carry, example.xs)
    close(tuple(unroll(cell, example.params, example.xs, example.carry)), scanned)


def test_bidirectional_joins_two_unrolls_inside_each_rows_length(x64):
    cell = Bidirectional(LSTM(2, 3), GRU(2, 1))
    example = Example.draw(cell, jax.random.key(0))
    params, xs, lengths = example.params, example.xs, np.array([LENGTH, 4, 4])
    found = unroll(cell, params, xs, example.carry, lengths=lengths)
    for row, length in enumerate(lengths):
        carry = jax.tree.map(lambda a, row=row: a[row], example.carry)
        forward = unroll(cell.forward, params["forward"], xs[:length, row], carry.forward)
        backward = unroll(cell.backward, params["backward"], xs[:length, row], carry.backward, reverse=True)
        close(found.ys[:length, row], jnp.concatenate([forward.ys, backward.ys], axis=-1))
        close(jax.tree.map(lambda a, row=row: a[row], found.carry), type(found.carry)(forward.carry, backward.carry))


def test_a_bidirectional_cell_cannot_be_streamed():
    cell = Residual(Bidirectional(GRU(3, 2), GRU(3, 1)))
    with pytest.raises(ValueError, match="cannot be streamed: its backward direction starts at the last step"):
        cell(params=None, carry=None, x=jnp.ones(3))


def test_residual_adds_its_input(x64):
    example = Example.draw(GRU(3, 3), jax.random.key(0))
    args = (example.params, example.xs, example.carry)
    close(unroll(Residual(example.cell), *args).ys, unroll(example.cell, *args).ys + example.xs)


@pytest.mark.exhaustive(but=1)
@pytest.mark.parametrize("kind", ["step", "sequence"])
def test_dropout_zeroes_at_its_rate_and_keeps_the_mean(kind):
    dropped = np.asarray(dropout(jax.random.key(0), jnp.ones((3, ROWS, 4)), 0.25, kind))
    assert set(np.unique(dropped)) == {0, np.float32(1 / 0.75)}
    mean_is(dropped[0] == 0, 0.25)
    mean_is(dropped[0], 1)
    same = (dropped[0] == dropped[1]).mean()
    assert same == 1 if kind == "sequence" else same < 0.7


@pytest.mark.exhaustive(but=1)
@pytest.mark.parametrize("kind", ["step", "sequence"])
def test_a_stack_drops_the_inputs_of_all_layers_but_the_first(kind):
    xs = jnp.ones((4, 50, 8))

    def run(layers, seed=None):
        cell = Stack([Echo(8, 8)] * layers, dropout=0.5, dropout_kind=kind)
        key = None if seed is None else jax.random.key(seed)
        return np.asarray(unroll(cell, cell.init(jax.random.key(0)), xs, key=key).ys)

    assert (run(1, seed=0) == xs).all() and (run(3) == xs).all()
    dropped = run(3, seed=0)
    assert (dropped == run(3, seed=0)).all() and (dropped != run(3, seed=1)).any()
    # Two independent masks: a unit passes both with probability 1 / 4, scaled by 2 each time.
    assert set(np.unique(dropped)) == {0, 4}
    mean_is(dropped[0], 1)
    assert (dropped == dropped[0]).all() == (kind == "sequence")


def test_every_part_draws_from_a_key_of_its_own():
    parts = [Noise(2, 2), Bidirectional(Noise(2, 2)), Residual(Stack([Noise(4, 4), Noise(4, 4)])), Noise(4, 4)]
    cell = Stack([*parts, Zoneout(Noise(4, 4), 0.0)], dropout=0.5)
    carry, _ = unroll(cell, cell.init(jax.random.key(0)), jnp.ones((2, 3, 2)), key=jax.random.key(1))
    drawn = np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(carry)])
    assert np.unique(drawn).size == drawn.size == 3 * (2 + 4 + 8 + 4 + 4)


def test_recurrent_dropout_has_one_mask_for_all_steps_and_keeps_the_mean():
    cell = RecurrentDropout(rnn_jax.IRNN(1, 4, bias=False), 0.5)
    # An IRNN starts as the identity: without input it only multiplies the mask on, once a step.
    run = functools.partial(unroll, cell, cell.init(jax.random.key(0)), jnp.zeros((3, ROWS, 1)), jnp.ones((ROWS, 4)))
    ys = np.asarray(run(key=jax.random.key(1)).ys)
    mean_is(ys[0], 1)
    np.testing.assert_array_equal(ys[0] * 4, ys[2])
    assert (ys[2] == 8 * (ys[0] > 0)).all() and (run().ys == 1).all()


def test_recurrent_dropout_leaves_the_path_of_the_gates_alone(x64):
    for inner in (LSTM(2, 3), GRU(2, 3)):
        example = Example.draw(inner, jax.random.key(0))
        params, carry = example.params, example.carry
        cell, z = RecurrentDropout(inner, 0.5), inner.project(params, example.xs[0])
        nothing = jax.tree.map(jnp.zeros_like, carry)
        masks = jax.tree.map(lambda a: jnp.zeros(a.shape, bool), carry)
        wanted = inner.gate(params, carry, z, inner.recur(params, nothing))
        close(cell.noisy_step(params, carry, z, masks), wanted)


def test_zoneout_keeps_each_part_of_the_carry_at_its_rate_and_steps_to_the_mean_without_a_key():
    inner = LSTM(2, 3)
    cell, params, xs = Zoneout(inner, (0.2, 0.7)), inner.init(jax.random.key(0)), jnp.ones((1, ROWS, 2))
    before = rnn_jax.LSTMCarry(jnp.full((ROWS, 3), 0.5), jnp.full((ROWS, 3), -0.5))
    updated, expected = unroll(inner, params, xs, before).carry, unroll(cell, params, xs, before)
    after, ys = unroll(cell, params, xs, before, key=jax.random.key(1))
    np.testing.assert_array_equal(ys[0], after.hidden)
    np.testing.assert_array_equal(expected.ys[0], expected.carry.hidden)
    for rate, old, new, mixed, mean in zip((0.2, 0.7), before, updated, after, expected.carry, strict=True):
        kept = np.asarray(mixed == old)
        mean_is(kept, rate)
        np.testing.assert_array_equal(mixed, np.where(kept, old, new))
        np.testing.assert_allclose(mean, rate * old + (1 - rate) * new, rtol=1e-6)


def test_noise_acts_on_states_and_leaves_clocks_and_counters_alone():
    for cell in (Zoneout(rnn_jax.Clockwork(2, 3), 0.9), RecurrentDropout(rnn_jax.Clockwork(2, 3), 0.9)):
        params, xs = cell.init(jax.random.key(0)), jnp.ones((7, 4, 2))
        for key in (None, jax.random.key(1)):
            np.testing.assert_array_equal(unroll(cell, params, xs, key=key).carry.time, 7 % 4)
    assert Zoneout(rnn_jax.Clockwork(2, 3), 0.9).rate == (0.9,)


@dataclasses.dataclass(frozen=True)
class Counts(GRU):
    """A GRU that counts its steps, and remembers whether it was ever excited."""

    def initial_carry(self, batch_shape=(), dtype=jnp.float32):
        return (
            super().initial_carry(batch_shape, dtype),
            jnp.zeros(batch_shape, jnp.int32),
            jnp.zeros(batch_shape, bool),
        )

    def recur(self, params, carry):
        return super().recur(params, carry[0])

    def gate(self, params, carry, z, r):
        hidden, y = super().gate(params, carry[0], z, r)
        return (hidden, carry[1] + 1, carry[2] | (z.max(axis=-1) > 0)), y

    def output(self, carry):
        return carry[0]


@pytest.mark.exhaustive
def test_noise_around_a_carry_of_several_dtypes():
    assert_cell_contract(Zoneout(Counts(2, 3), 0.5), part="core")
    cell = Zoneout(RecurrentDropout(Counts(2, 3), 0.5), 0.5)
    carry, _ = unroll(cell, cell.init(jax.random.key(0)), jnp.ones((5, 4, 2)), key=jax.random.key(1))
    assert carry[1].dtype == jnp.int32 and carry[2].dtype == jnp.bool_
    np.testing.assert_array_equal(carry[1], 5)


def test_which_leaves_are_trained_goes_by_names():
    for cell in (Bidirectional(rnn_jax.EchoState(2, 3), GRU(2, 3)), Bidirectional(GRU(2, 3), rnn_jax.EchoState(2, 3))):
        params = jax.tree.map(lambda a: a, cell.init(jax.random.key(0)))  # sorted by name
        trained = cell.trainable(params)
        for name, part in zip(("forward", "backward"), cell.directions, strict=True):
            assert trained[name] == part.trainable(params[name])


def test_numbers_of_numpy_are_numbers(shapes_unchecked):
    cell = Stack([rnn_jax.LSTM(np.int64(2), np.int32(3), forget_bias=np.float32(0.5))], dropout=np.float32(0.25))
    assert cell == Stack([rnn_jax.LSTM(2, 3, forget_bias=0.5)], dropout=0.25)
    assert json.loads(json.dumps(describe(cell)))["layers"][0]["forget_bias"] == 0.5
    assert Zoneout(GRU(2, 3), np.float32(0.5)) == Zoneout(GRU(2, 3), 0.5)
    assert RecurrentDropout(GRU(2, 3), np.float64(0.5)) == RecurrentDropout(GRU(2, 3), 0.5)


@pytest.mark.exhaustive(but=1)
@pytest.mark.parametrize(
    ("merge", "merged"),
    [
        ("concat", lambda a, b: np.concatenate([a, b], axis=-1)),
        ("sum", np.add),
        ("mul", np.multiply),
        ("ave", lambda a, b: (a + b) / 2),
    ],
)
def test_directions_are_merged(merge, merged):
    cell, xs = Bidirectional(GRU(2, 3), LSTM(2, 3), merge=merge), np.ones((4, 2, 2), np.float32)
    params = cell.init(jax.random.key(0))
    forward = unroll(GRU(2, 3), params["forward"], xs).ys
    backward = unroll(LSTM(2, 3), params["backward"], xs, reverse=True).ys
    found = unroll(cell, params, xs).ys
    np.testing.assert_allclose(found, merged(forward, backward), atol=1e-6)
    assert found.shape[-1] == cell.output_size


def test_zoneout_draws_anew_at_every_step_and_passes_noise_on():
    outer, inner = Zoneout(RecurrentDropout(GRU(2, 3), 0.5), 0.5).noise(jax.random.key(0), 4, (100,))
    assert outer.shape == inner.shape == (4, 100, 3)
    assert 0.4 < (outer[0] == outer[1]).mean() < 0.6 and (inner[0] == inner[1]).all()
    assert 0.4 < (outer[0] == inner[0]).mean() < 0.6


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Stack([]), r"layers=\(\): expected at least one cell"),
        (
            lambda: Stack([LSTM(2, 3), GRU(4, 3)]),
            r"layers\[1\].input_size=4: expected 3, the output size of layers\[0\]",
        ),
        (lambda: Stack([Bidirectional(GRU(2, 3)), GRU(3, 3)]), r"layers\[1\].input_size=3: expected 6"),
        (lambda: Stack([LSTM(2, 3)], dropout=1.0), r"dropout=1.0: expected a probability, 0 <= dropout < 1"),
        (lambda: Stack([LSTM(2, 3)], dropout_kind="time"), r"dropout_kind='time': expected one of 'step', 'sequence'"),
        (lambda: Bidirectional(LSTM(2, 3), LSTM(3, 3)), r"backward has inputs \(3,\): expected \(2,\), as forward"),
        (lambda: Bidirectional(LSTM(2, 3), merge="max"), r"merge='max': expected one of 'concat', 'sum', 'mul', 'ave'"),
        (lambda: Bidirectional(LSTM(2, 3), GRU(2, 4), merge="sum"), r"merge='sum': outputs of 3 and 4 features cannot"),
        (lambda: Residual(LSTM(2, 3)), r"input_size=2 and output_size=3: .*needs them equal"),
        (lambda: RecurrentDropout(LSTM(2, 3), -0.1), r"rate=-0.1: expected a probability"),
        (lambda: RecurrentDropout(rnn_jax.GRUResetBefore(2, 3), 0.1), r"cell=GRUResetBefore.* needs a cell with one"),
        (lambda: Zoneout(LSTM(2, 3), (0.1, 0.2, 0.3)), r"rate=\(0.1, 0.2, 0.3\): expected one probability, or 2"),
        (lambda: Zoneout(LSTM(2, 3), (0.1, 1.0)), r"rate=1.0: expected a probability"),
        (lambda: Zoneout(Bidirectional(LSTM(2, 3)), 0.1), r"cell=Bidirectional.*: .*zone out its parts"),
        (lambda: Zoneout(Stack([LSTM(2, 3)], dropout=0.5), 0.1), r"cell=Stack.*: .*zone out its parts"),
        (lambda: dropout(jax.random.key(0), jnp.ones(3), 1.5), r"rate=1.5: expected a probability"),
        (lambda: dropout(jax.random.key(0), jnp.ones(3), 0.5, "row"), r"kind='row': expected one of"),
    ],
)
def test_errors_of_construction(build, message):
    with pytest.raises(ValueError, match=message):
        build()


COMPOSED = {
    "Residual": Residual, "Zoneout": lambda cell: Zoneout(cell, 0.1), "Bidirectional": Bidirectional,
    "RecurrentDropout": lambda cell: RecurrentDropout(cell, 0.1), "LearnedCarry": rnn_jax.LearnedCarry,
    "WeightDrop": lambda cell: rnn_jax.WeightDrop(cell, 0.1), "Stack": lambda cell: Stack([GRU(2, 3), cell]),
    "WeightNoise": lambda cell: rnn_jax.WeightNoise(cell, 0.1),
}  # fmt: skip


def test_whatever_is_made_of_cells_refuses_what_is_none(shapes_unchecked):
    every = {name: getattr(rnn_jax.compose, name) for name in rnn_jax.compose.__all__}
    kinds = {name for name, one in every.items() if isinstance(one, type) and issubclass(one, Cell)}
    assert kinds == COMPOSED.keys()
    for build in COMPOSED.values():
        with pytest.raises(
            ValueError, match=r"(cell|forward|layers.1.) has type str: expected a rnn_jax.Cell, such as"
        ):
            build("gru")
    with pytest.raises(ValueError, match=r"layers=GRU\(.*\): expected a list of cells"):
        Stack(GRU(2, 3))


@pytest.mark.exhaustive
def test_cells_over_space_stack_and_run_both_ways(x64):
    conv = functools.partial(rnn_jax.ConvLSTM, spatial_shape=(3, 2))
    cell = Stack([conv(2, 3), Bidirectional(conv(3, 2)), rnn_jax.ConvGRU(4, 2, spatial_shape=(3, 2))])
    example = Example.draw(cell, jax.random.key(0))
    run = functools.partial(unroll, cell, example.params, lengths=jnp.array([LENGTH, 0, 4]))
    carry, ys = run(example.xs, example.carry)
    assert ys.shape == (LENGTH, 3, 3, 2, 2) and ys[3, 2].all() and not ys[4:, 2].any()
    padded = run(example.xs.at[4:, 2].set(jnp.nan), example.carry)
    chex.assert_trees_all_equal((carry, ys), tuple(padded))
    with pytest.raises(ValueError, match=r"layers\[1\] reads space \(4, 4\): expected \(3, 2\)"):
        Stack([conv(2, 3), rnn_jax.ConvLSTM(3, 2)])
