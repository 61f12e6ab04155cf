"""Block-diagonal heads: a cell with N of them is N smaller cells side by side, in every method."""

import dataclasses
import importlib

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

import rnn_jax
from rnn_jax.cells.base import param_shapes
from rnn_jax.interop.flax import to_linen
from rnn_jax.interop.keras import params_from_weights, weights_from_params
from rnn_jax.interop.torch import params_from_state_dict, state_dict_from_params
from rnn_jax.testing import Example, assert_cell_contract, quick_jit
from rnn_jax.unroll.cudnn import CuDNN
from tests.cells.references import reference

fused = importlib.import_module("rnn_jax.unroll.fused")  # as an attribute `unroll` is the function

D, H, N = 3, 6, 2
GATED = [name for name, kind in rnn_jax.CELLS.items() if issubclass(kind, rnn_jax.GatedCell)]
HEADED = [name for name in GATED if "heads" in {f.name for f in dataclasses.fields(rnn_jax.CELLS[name])}]
MASKED = {"clockwork"}
"""Whose kernel is dense in memory alone: its blocks say which module reads which."""
OVER_ALL_UNITS = {"layer_norm_lstm"}
OFTEN = {"lstm", "gru", "elman", "cornn", "fastrnn", "echo_state"}


def test_every_gated_cell_with_one_dense_kernel_has_heads():
    def is_dense(name):
        kernel = param_shapes(rnn_jax.CELLS[name](D, H)).get("recurrent", {}).get("kernel")
        return kernel is not None and kernel.ndim == 2

    dense = {name for name in GATED if is_dense(name)}
    assert dense >= {"lstm", "gru", "elman", "irnn", "cornn", "echo_state", "fastgrnn", "star"}
    assert dense - set(HEADED) == MASKED


def of_head(leaf, n):
    """Head n of an array: a block, or its units of each part along the last axis; what has no units is for all."""
    if leaf.ndim == 3:
        return leaf[n]
    if leaf.ndim == 0 or leaf.shape[-1] % H:  # a clock, say
        return leaf
    return leaf.reshape(*leaf.shape[:-1], -1, N, H // N)[..., n, :].reshape(*leaf.shape[:-1], -1)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.exhaustive] * (name not in OFTEN))
        for name in HEADED
        if name not in OVER_ALL_UNITS | {"slstm"}  # whose kernel has blocks with one head, too
    ],
)
def test_heads_are_small_cells_side_by_side(x64, name):
    cell, small = rnn_jax.CELLS[name](D, H, heads=N), rnn_jax.CELLS[name](D, H // N)
    example = Example.draw(cell, jax.random.key(0))
    kernel = example.params["recurrent"]["kernel"]
    assert kernel.shape[0] == N and kernel.shape[2] % (H // N) == 0

    def whole(params, carry):
        return rnn_jax.unroll(cell, params, example.xs, carry).ys

    def side_by_side(params, carry):
        heads = [jax.tree.map(lambda leaf, n=n: of_head(leaf, n), (params, carry)) for n in range(N)]
        return jnp.concatenate([rnn_jax.unroll(small, p, example.xs, c).ys for p, c in heads], axis=-1)

    @quick_jit
    def both(*args):
        def with_gradients(run):
            loss = jax.value_and_grad(lambda *args: (jnp.sin(run(*args)).sum(), run(*args)), (0, 1), has_aux=True)
            return loss(*args)

        return with_gradients(whole), with_gradients(side_by_side)

    # The units of a head stand together within each part, so that the outputs of the heads follow one another.
    chex.assert_trees_all_close(*both(example.params, example.carry), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.exhaustive] * (name not in OFTEN))
        for name in sorted(set(HEADED) - OVER_ALL_UNITS)
    ],
)
def test_a_fused_loop_is_not_lost(name):
    assert not fused.why_not(rnn_jax.CELLS[name](D, H, heads=N)) or fused.why_not(rnn_jax.CELLS[name](D, H))


def dense_reference(name, parts):
    """The reference of a cell, with a kernel that has the heads' blocks along the diagonal and zeros elsewhere."""

    def step(params, carry, x):
        blocks = [np.split(block, parts, axis=1) for block in params["recurrent"]["kernel"]]
        kernel = np.concatenate([scipy.linalg.block_diag(*part) for part in zip(*blocks, strict=True)], axis=1)
        recurrent = params["recurrent"] | {"kernel": kernel}
        return reference(name)(params | {"recurrent": recurrent}, carry, x)

    return step


@pytest.mark.exhaustive
@pytest.mark.parametrize("part", ["core", pytest.param("rest", marks=pytest.mark.exhaustive)])
@pytest.mark.parametrize(
    ("name", "parts"),
    [
        pytest.param("lstm", 4, marks=pytest.mark.exhaustive),
        ("gru", 3),
        pytest.param("elman", 1, marks=pytest.mark.exhaustive),
    ],
)
def test_contract(name, parts, part):
    assert_cell_contract(rnn_jax.CELLS[name](3, 4, heads=2), dense_reference(name, parts), part=part)


def test_every_head_is_drawn_apart_and_as_a_cell_of_its_size():
    def blocks(cell):
        return quick_jit(lambda key: cell.init(key)["recurrent"]["kernel"])(jax.random.key(0))

    kernel = np.asarray(blocks(rnn_jax.GRU(D, 8, heads=2)))
    assert kernel.shape == (2, 4, 12) and not np.allclose(kernel[0], kernel[1])
    for block in (part for head in kernel for part in np.split(head, 3, axis=1)):
        assert np.allclose(block.T @ block, np.eye(4), atol=1e-6)
    assert (np.asarray(blocks(rnn_jax.IRNN(D, 4, heads=2))) == np.eye(2)).all()
    for head in blocks(rnn_jax.EchoState(D, 20, heads=2, spectral_radius=0.7)):
        assert np.abs(np.linalg.eigvals(head)).max() == pytest.approx(0.7, rel=1e-4)


def test_a_name_may_bring_heads():
    assert rnn_jax.make_cell("lstm(heads=2)", D, H) == rnn_jax.LSTM(D, H, heads=2)
    assert rnn_jax.describe(rnn_jax.LSTM(D, H, heads=2))["heads"] == 2


@pytest.mark.parametrize(
    ("build", "message"),
    [
        *((lambda name=name: rnn_jax.CELLS[name](D, H, heads=4), "heads=4: expected a divisor of hidden_size=6")
          for name in ("lstm", "gru", "elman", "cornn", "fastrnn")),
        (lambda: rnn_jax.GRU(D, H, heads=0), "heads=0: expected an int of at least 1"),
        (lambda: rnn_jax.LSTM(D, H, heads=True), "heads=True"),
        (lambda: rnn_jax.LayerNormLSTM(D, H, heads=2), "heads=2 with layer_norm=True"),
        (lambda: rnn_jax.FastRNN(D, H, heads=2, recurrent_rank=2), "heads=2 with recurrent_rank=2"),
    ],
)  # fmt: skip
def test_heads_that_do_not_fit_are_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def test_other_libraries_have_no_such_layer():
    cell = rnn_jax.LSTM(D, H, heads=2)
    params = cell.init(jax.random.key(0))
    for library, convert in (
        ("PyTorch", lambda: state_dict_from_params(cell, params)),
        ("PyTorch", lambda: params_from_state_dict(cell, {})),
        ("Flax", lambda: to_linen(cell, params)),
        ("Keras", lambda: weights_from_params(cell, params)),
        ("Keras", lambda: params_from_weights(cell, [])),
    ):
        with pytest.raises(ValueError, match=f"{library} has no layer with heads=2"):
            convert()
    assert CuDNN().why_not(cell) == "cuDNN has the LSTM without options alone"
