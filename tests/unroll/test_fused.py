"""The fused loop is the sequential method, whatever the cell, the options and the derivative."""

import dataclasses
import functools
import importlib

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_jax
from rnn_jax.cells.base import GatedHiddenCell
from rnn_jax.unroll import auto, methods_of
from rnn_jax.unroll.fused import no_compiler
from tests.unroll.against_sequential import assert_same, drawn

fused = importlib.import_module("rnn_jax.unroll.fused")  # as an attribute `unroll` is the function

pytestmark = pytest.mark.skipif(bool(no_compiler()), reason=no_compiler())

# Sums of z and r, parts of z and r alone, vectors of the params, a product of something pointwise, no product at all,
# outputs that are read from the carries afterwards, states of a unit and numbers that all units share.
KINDS = ["lstm", "gru", "peephole_lstm", "gru3", "indrnn", "lru", "s6"]
# Listed by hand, and checked below: to ask each cell takes seconds of every run of tests.
GATED = {name for name, cell in rnn_jax.CELLS.items() if issubclass(cell, rnn_jax.GatedCell)}
GATED_WITHOUT = {"layer_norm_lstm", "conv_lstm", "clockwork", "phased_lstm"}
OTHERS_WITH = {"hgrn", "mingru", "minlstm", "rg_lru", "lru", "s5", "s4d", "s6"}
FUSED = [name for name in rnn_jax.CELLS if name in GATED - GATED_WITHOUT | OTHERS_WITH]
OPTIONS = [
    {},
    {"lengths": np.array([9, 0, 4, 1, 9])},
    {"resets": np.random.default_rng(0).random((9, 5)) < 0.3, "reverse": True},
    {"lengths": np.array([9, 0, 4, 1, 9]), "resets": np.random.default_rng(1).random((9, 5)) < 0.3},
]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        # Of each kind the plain loop and the one with everything, of one kind all.
        pytest.param(
            name,
            options,
            id=f"{name}-{said}",
            marks=[pytest.mark.exhaustive] * (name not in KINDS or (said not in ("plain", "both") and name != "gru")),
        )
        for name in FUSED
        for said, options in zip(["plain", "lengths", "resets back", "both"], OPTIONS, strict=True)
    ],
)
def test_values_and_gradients_are_those_of_the_sequential_method(name, options):
    # 37 units fill two vectors and a part of a third; 5 rows are cut in two, unevenly.
    cell = rnn_jax.CELLS[name](3, 37)
    assert_same(cell, drawn(cell), **options)


def test_all_cells_with_one_dense_product_and_pointwise_gates_have_it():
    found = {name for name in rnn_jax.CELLS if "fused" in methods_of(rnn_jax.CELLS[name](2, 3))}
    assert GATED - found == GATED_WITHOUT
    assert found - GATED == OTHERS_WITH


@dataclasses.dataclass(frozen=True)
class Own(GatedHiddenCell):
    """A user's cell, with operations that no cell of the library has, and a number among its params."""

    input_size: int
    hidden_size: int

    def init(self, key, param_dtype=jnp.float32):
        keys = jax.random.split(key, 2)
        shapes = (self.input_size, 2 * self.hidden_size), (self.hidden_size, 2 * self.hidden_size)
        kernels = [jax.random.normal(k, shape, param_dtype) / 3 for k, shape in zip(keys, shapes, strict=True)]
        return {
            "input": {"kernel": kernels[0]},
            "recurrent": {"kernel": kernels[1]},
            "sharpness": jnp.asarray(1.5, param_dtype),
        }

    def gate(self, params, carry, z, r):
        a, b = jnp.split(z + r, 2, axis=-1)
        gate = jax.nn.softplus(a) ** 2 / (1 + jax.nn.softplus(a) ** 2)
        new = jnp.where(b > 0, jnp.log1p(jnp.abs(b)), jnp.exp(jnp.clip(b, -3, 3)) - jax.lax.rsqrt(1 + b * b))
        y = jnp.minimum(gate * carry + (1 - gate) * jax.nn.sigmoid(jnp.asarray(params["sharpness"], z.dtype) * new), 2)
        return y, y


@dataclasses.dataclass(frozen=True)
class Leaky(rnn_jax.HiddenCell):
    """A user's cell that says its step as a whole: the product is found in it."""

    input_size: int
    hidden_size: int

    def init(self, key, param_dtype=jnp.float32):
        return rnn_jax.initializers.gated_kernels(key, self.input_size, self.hidden_size, 1, param_dtype)

    def step(self, params, carry, z):
        new = jnp.tanh(z + rnn_jax.dense(jax.nn.relu(carry), params["recurrent"]["kernel"]).astype(z.dtype))
        carry = carry + 0.5 * (new.astype(carry.dtype) - carry)
        return carry, carry.astype(z.dtype)


@pytest.mark.exhaustive(but=1)
@pytest.mark.parametrize("kind", [Own, Leaky])
def test_a_users_cell_has_it_too(kind):
    assert_same(kind(3, 21), drawn(kind(3, 21)), lengths=np.array([9, 0, 4, 1, 9]))


def own_gate(name, gate):
    """A user's cell with this gate, from the carry and z + r."""

    @dataclasses.dataclass(frozen=True)
    class Gate(GatedHiddenCell):
        input_size: int
        hidden_size: int

        def init(self, key, param_dtype=jnp.float32):
            return rnn_jax.initializers.gated_kernels(key, self.input_size, self.hidden_size, 1, param_dtype)

        def gate(self, params, carry, z, r):
            y = gate(carry, z + r)
            return y, y

    Gate.__name__ = name
    return Gate(3, 17)


@pytest.mark.exhaustive(but=2)
@pytest.mark.parametrize(
    ("name", "gate"),
    [
        ("elu", lambda h, a: jax.nn.elu(a)),
        ("logarithm of a sigmoid", lambda h, a: jnp.tanh(0.01 * jnp.log(jax.nn.sigmoid(a)))),
        ("rest of a sigmoid", lambda h, a: jnp.sqrt(1 - jax.nn.sigmoid(-a) ** 2) * jnp.tanh(a)),
        ("gelu", lambda h, a: jnp.tanh(jax.nn.gelu(a))),
    ],
)
def test_functions_are_right_for_large_numbers_too(name, gate):
    cell = own_gate(name, gate)
    params, carry, xs = drawn(cell)
    assert_same(cell, (params, carry, xs * 1000))


def test_a_zero_in_what_the_cell_computes_stays_one():
    cell = own_gate("NaN", lambda h, a: jnp.where(jnp.isfinite(a / h * 0), jnp.tanh(a), 0.25))
    params, carry, xs = drawn(cell)
    assert_same(cell, (params, jnp.zeros_like(carry), xs))


@pytest.mark.parametrize(
    ("gate", "reason"),
    [
        (lambda h, a: jnp.where(jnp.where(a > 0, 3, 4) // 2 == 1, 0.5, jnp.tanh(a)), "of int32"),
        (lambda h, a: jnp.where((a > 0) < (h > 0), 0.5, jnp.tanh(a)), "lt of bool"),
        (lambda h, a: jax.lax.reduce_precision(jnp.tanh(a), 5, 3), "reduce_precision"),
    ],
)
def test_what_a_loop_of_real_numbers_cannot_do_is_refused(gate, reason):
    cell = own_gate("odd", gate)
    with pytest.raises(ValueError, match=reason):
        rnn_jax.unroll(cell, *drawn(cell)[:1], drawn(cell)[2], method="fused")


def test_it_runs_without_jit():
    cell = rnn_jax.Elman(3, 5)
    params, carry, xs = drawn(cell)
    wanted = rnn_jax.unroll(cell, params, xs, carry, method="sequential").ys
    with jax.disable_jit():
        found = rnn_jax.unroll(cell, params, xs, carry, method="fused").ys
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.exhaustive(but=1)
@pytest.mark.parametrize(
    ("cell", "options"),
    [
        (rnn_jax.SLSTM(3, 36, heads=4), OPTIONS[0]),
        (rnn_jax.SLSTM(3, 36, heads=4), OPTIONS[3]),
        (rnn_jax.GRU(3, 36, heads=4), OPTIONS[3]),
        (rnn_jax.PeepholeLSTM(3, 12, heads=3), OPTIONS[2]),
        (rnn_jax.CoRNN(3, 12, heads=3), OPTIONS[0]),  # a product with two parts of the carry
        (rnn_jax.FastGRNN(3, 12, heads=3, input_rank=2), OPTIONS[0]),  # what has no units belongs to all heads
    ],
)
def test_heads_are_smaller_cells_side_by_side(cell, options):
    assert_same(cell, drawn(cell), **options)


@pytest.mark.exhaustive
def test_seeds_of_a_cell_with_heads_go_side_by_side():
    cell = rnn_jax.SLSTM(3, 12, heads=3)
    params = jax.vmap(cell.init)(jax.random.split(jax.random.key(0), 2))
    xs = jax.random.normal(jax.random.key(1), (9, 5, 3))
    wanted, found = (
        jax.vmap(lambda p, method=method: rnn_jax.unroll(cell, p, xs, method=method).ys)(params)
        for method in ("sequential", "fused")
    )
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


@dataclasses.dataclass(frozen=True)
class Uneven(Own):
    """A cell that says it has heads and has one dense kernel."""

    heads: int = 2


def test_heads_without_blocks_are_refused():
    with pytest.raises(ValueError, match="of its params is not 2 times one"):
        rnn_jax.unroll(Uneven(3, 4), Uneven(3, 4).init(jax.random.key(0)), jnp.ones((5, 2, 3)), method="fused")


@pytest.mark.exhaustive(but=1)
@pytest.mark.parametrize("size", [(1, (1,)), (1, (4,)), (6, ()), (5, (2, 3)), (0, (3,)), (3, (0,)), (40, (33,))])
def test_all_sizes(size):
    cell = rnn_jax.GRU(2, 17)
    assert_same(cell, drawn(cell, *size))


@pytest.mark.parametrize(
    ("name", "rows", "sizes"),
    [
        ("s6", 1, {"state_size": 3}),  # few rows: the units are cut into parts, and what these add up is added up
        ("s6", 5, {"state_size": 37}),  # as many states as units
        pytest.param("s6", 2, {"state_size": 16, "negative_eigenvalues": True}, marks=pytest.mark.exhaustive),
        ("s4d", 1, {"state_size": 4}),
        pytest.param("indrnn", 4, {}, marks=pytest.mark.exhaustive),
    ],
)
def test_a_loop_without_a_product_goes_through_tiles(name, rows, sizes):
    cell, random = rnn_jax.CELLS[name](3, 37, **sizes), np.random.default_rng(2)
    options = {"lengths": random.integers(0, 101, rows), "resets": random.random((100, rows)) < 0.05}
    assert_same(cell, drawn(cell, 100, (rows,)), **options)
    assert_same(cell, drawn(cell, 100, (rows,)), reverse=True)


@pytest.mark.exhaustive
def test_a_long_loop_goes_through_blocks(monkeypatch):
    monkeypatch.setattr(fused, "LARGE", 2**12)
    monkeypatch.setattr(fused, "BLOCK", 2**10)
    for cell in (rnn_jax.GRU(3, 21), rnn_jax.MinGRU(3, 21)):
        every = fused.block_of(fused.plan_for(cell, *drawn(cell, 1)[:1], jnp.zeros((1, 3)), jnp.zeros(21)), 100, 5)
        assert every is not None and every < 10
        assert_same(cell, drawn(cell, 100), lengths=np.array([100, 0, 7, 50, 99]))


def test_a_large_kernel_with_few_rows_has_its_inputs_projected_before():
    cell = rnn_jax.LSTM(64, 128)
    assert_same(cell, drawn(cell, 4, (2,)))


@pytest.mark.parametrize(
    "name",
    [
        "gru",
        pytest.param("s6", marks=pytest.mark.exhaustive),
        pytest.param("lstm", marks=pytest.mark.exhaustive),
        pytest.param("gru3", marks=pytest.mark.exhaustive),
    ],
)
def test_derivatives_of_every_order_and_kind(name, x64):
    cell = rnn_jax.CELLS[name](2, 3)
    params, carry, xs = drawn(cell, 4, (3,), jnp.float64)

    def all_of_it(method):
        def loss(params, xs):
            found = rnn_jax.unroll(cell, params, xs, carry, lengths=np.array([4, 2, 0]), method=method)
            return sum(jnp.sin(leaf).sum() for leaf in jax.tree.leaves(found))

        def slope(params):
            return sum((g**2).sum() for g in jax.tree.leaves(jax.grad(loss)(params, xs)))

        several = jax.tree.map(lambda a: jnp.stack([a, 2 * a, -a]), params)
        return {
            "forward": jax.jvp(loss, (params, xs), (params, xs)),
            "forward over reverse": jax.jvp(jax.grad(loss), (params, xs), (params, xs)),
            "reverse over reverse": jax.grad(slope)(params),
            "reverse over forward": jax.grad(lambda p: jax.jvp(lambda q: loss(q, xs), (p,), (p,))[1])(params),
            "params side by side": jax.vmap(jax.grad(loss, (0, 1)), (0, None))(several, xs),
            "inputs side by side": jax.vmap(jax.grad(loss, (0, 1)), (None, 1))(params, jnp.stack([xs, -xs], 1)),
        }

    found, wanted = (jax.jit(functools.partial(all_of_it, method))() for method in ("fused", "sequential"))
    chex.assert_trees_all_close(found, wanted, rtol=1e-10, atol=1e-12)


@pytest.mark.exhaustive
def test_segments_keep_the_gradient():
    cell = rnn_jax.GRU(2, 5)
    assert_same(cell, drawn(cell), checkpoint_every=4, reverse=True, lengths=np.array([9, 0, 4, 1, 9]))


def test_nan_stays_in_its_row_and_its_time():
    cell = rnn_jax.LSTM(2, 19)
    params, carry, xs = drawn(cell)
    run = jax.jit(functools.partial(rnn_jax.unroll, cell, method="fused", lengths=np.array([9, 9, 4, 1, 9])))
    clean, spoilt = run(params, xs, carry), run(params, xs.at[3, 1].set(jnp.nan).at[5, 2].set(jnp.nan), carry)
    assert np.isnan(spoilt.ys[3:, 1]).all()
    assert_equal = functools.partial(np.testing.assert_array_equal)
    assert_equal(spoilt.ys[:3], clean.ys[:3])
    assert_equal(np.delete(spoilt.ys, 1, 1), np.delete(clean.ys, 1, 1))


def test_narrow_inputs_are_gathered_in_float32():
    cell = rnn_jax.GRU(3, 20)
    params, _, xs = drawn(cell, 64)
    found = rnn_jax.unroll(cell, params, xs.astype(jnp.bfloat16), method="fused")
    wanted = rnn_jax.unroll(cell, params, xs.astype(jnp.bfloat16), method="sequential")
    assert found.ys.dtype == jnp.bfloat16 and found.carry.dtype == jnp.float32
    chex.assert_trees_all_close(found.carry, wanted.carry, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        (rnn_jax.LayerNormLSTM(2, 3), "not this one, for it takes div of a sum over the units"),
        (rnn_jax.ConvLSTM(2, 3), "not this one, for a leaf of its carry"),
        (rnn_jax.MGU(2, 3), "not this one, for dot_general of .* is not one of single units"),
        (rnn_jax.Stack([rnn_jax.GRU(2, 3), rnn_jax.GLA(3, 4)]), "not this one, for its GLA: a leaf of its carry"),
    ],
    ids=["sum over units", "maps", "two products", "in a stack"],
)
def test_a_cell_without_one_says_why(cell, reason):
    params = cell.init(jax.random.key(0))
    xs = jnp.zeros((4, 1, *cell.input_shape))
    with pytest.raises(ValueError, match=f"method='fused': {type(cell).__name__} can use 'sequential'.*; {reason}"):
        rnn_jax.unroll(cell, params, xs, method="fused")


def test_auto_takes_it_where_it_is_the_faster_one(monkeypatch):
    monkeypatch.setattr(auto, "FUSED", {"length": 16, "rows": 12, "kernel": 1000})
    monkeypatch.setattr(auto, "is_available", lambda: True)
    small, large = rnn_jax.GRU(2, 8), rnn_jax.GRU(2, 100)
    chosen = [
        auto.choose(cell, length, (rows,), "cpu")
        for cell, length, rows in ((large, 16, 12), (large, 15, 12), (large, 16, 11), (small, 16, 1))
    ]
    assert chosen == ["fused", "sequential", "sequential", "fused"]
    assert auto.choose(rnn_jax.LayerNormLSTM(2, 8), 100, (100,), "cpu") == "sequential"
    assert auto.choose(large, 100, (100,), "gpu") == "sequential"
