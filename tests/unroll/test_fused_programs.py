"""The fused loop inside of larger programs: stacks, several devices, exported ones."""

import chex
import jax
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

import rnn_jax
from rnn_jax.unroll import methods_of
from rnn_jax.unroll.fused import no_compiler
from tests.unroll.against_sequential import drawn, everything

pytestmark = pytest.mark.skipif(bool(no_compiler()), reason=no_compiler())


@pytest.mark.exhaustive
def test_stacks_and_both_directions():
    cell = rnn_jax.Stack([rnn_jax.Bidirectional(rnn_jax.LSTM(2, 4), rnn_jax.GRU(2, 4)), rnn_jax.Elman(8, 5)])
    params, xs = cell.init(jax.random.key(0)), drawn(rnn_jax.GRU(2, 3))[2]
    options = {"lengths": np.array([9, 0, 4, 1, 9])}
    found, wanted = (rnn_jax.unroll(cell, params, xs, method=m, **options) for m in ("fused", "sequential"))
    chex.assert_trees_all_close(found, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.exhaustive(but=1)
@pytest.mark.parametrize("kind", [AxisType.Auto, AxisType.Explicit])
def test_rows_on_four_devices(kind):
    cell = rnn_jax.LSTM(2, 5)
    params, carry, xs = drawn(cell, 6, (8,))
    mesh = jax.make_mesh((4,), ("rows",), axis_types=(kind,))
    spread = jax.device_put(xs, NamedSharding(mesh, PartitionSpec(None, "rows")))
    wanted = everything(cell, "sequential")(params, carry, xs)
    with jax.set_mesh(mesh):
        found = everything(cell, "fused")(
            params, jax.device_put(carry, NamedSharding(mesh, PartitionSpec("rows"))), spread
        )
    chex.assert_trees_all_close(jax.device_get(found), jax.device_get(wanted), rtol=1e-5, atol=1e-5)


def test_a_plan_that_is_first_made_on_a_mesh_is_the_same():
    mesh = jax.make_mesh((4,), ("rows",), axis_types=(AxisType.Explicit,))
    with jax.set_mesh(mesh):
        assert "fused" in methods_of(rnn_jax.LSTM(2, 97))  # of a size that no other test asks for


def test_an_exported_program_needs_no_library():
    cell = rnn_jax.GRU(2, 5)
    params, carry, xs = drawn(cell)
    run = jax.jit(lambda params, xs, carry: rnn_jax.unroll(cell, params, xs, carry, method="fused").ys)
    exported = jax.export.export(run)(params, xs, carry)
    assert "rnn_jax.fused" not in exported.mlir_module()
    found = jax.export.deserialize(exported.serialize()).call(params, xs, carry)
    chex.assert_trees_all_close(found, run(params, xs, carry), rtol=1e-5, atol=1e-6)


def test_the_loop_is_one_call():
    cell = rnn_jax.LSTM(2, 5)
    params, carry, xs = drawn(cell)
    text = everything(cell, "fused").lower(params, carry, xs).as_text()
    assert text.count("rnn_jax.fused") == 2 and "while" not in text, "one call forward, one back"
