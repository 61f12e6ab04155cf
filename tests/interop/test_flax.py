"""Round trips and refusals; that the numbers agree is shown in tests/cells/test_oracles.py."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen, nnx

import rnn_jax
from rnn_jax.interop.flax import from_linen, from_nnx, to_linen, to_nnx
from tests.interop import parity

D, H = 2, 3
CELLS = [
    ("SimpleCell", rnn_jax.Elman(D, H), {}),
    ("SimpleCell", rnn_jax.Elman(D, H, activation="relu"), {"activation_fn": nnx.relu}),
    ("LSTMCell", rnn_jax.LSTM(D, H), {}),
    ("OptimizedLSTMCell", rnn_jax.LSTM(D, H), {}),
    ("GRUCell", rnn_jax.GRU(D, H), {}),
]


def nnx_cell(name, **options):
    return getattr(nnx, name)(D, H, rngs=nnx.Rngs(0), **options)


@pytest.mark.exhaustive(but=2)
@pytest.mark.parametrize(("name", "cell", "options"), CELLS)
def test_there_and_back(name, cell, options):
    params = parity.random_params(cell)
    parity.assert_equal(from_linen(getattr(linen, name)(H, **options), to_linen(cell, params)), (cell, params))
    if name == "GRUCell":
        params["recurrent"]["bias"] = jnp.zeros(H)
    module = nnx_cell(name, **options)
    nnx.update(module, to_nnx(cell, params, optimized=name != "LSTMCell"))
    parity.assert_equal(from_nnx(module), (cell, params))


def test_both_directions_of_nnx():
    cell = rnn_jax.Bidirectional(rnn_jax.LSTM(D, H), rnn_jax.Elman(D, H))
    module = nnx.Bidirectional(nnx.RNN(nnx_cell("OptimizedLSTMCell")), nnx.RNN(nnx_cell("SimpleCell")))
    params = parity.random_params(cell)
    nnx.update(module, to_nnx(cell, params))
    parity.assert_equal(from_nnx(module), (cell, params))
    xs = jax.random.normal(jax.random.key(2), (4, 5, D))
    lengths = np.array([5, 1, 3, 4])
    ys = rnn_jax.unroll(cell, params, xs, lengths=lengths, time_axis=1).ys
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        theirs = module(xs, seq_lengths=lengths)
    valid = np.arange(5) < lengths[:, None]
    np.testing.assert_allclose(ys, np.where(valid[..., None], theirs, 0), atol=1e-6)


def test_a_cell_without_biases_has_zeros_in_flax():
    cell = rnn_jax.LSTM(D, H, bias=False)
    params = parity.random_params(cell)
    back, found = from_linen(linen.LSTMCell(H), to_linen(cell, params))
    assert back == rnn_jax.LSTM(D, H) and not np.any(found["input"].pop("bias"))
    parity.assert_equal(found, params)


def nnx_lstm(**options):
    return lambda: from_nnx(nnx_cell("LSTMCell", **options))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (nnx_lstm(gate_fn=jax.nn.hard_sigmoid), "LSTMCell has gate_fn=hard_sigmoid, .*: expected sigmoid"),
        (nnx_lstm(activation_fn=nnx.relu), "activation_fn=relu, .*: expected tanh"),
        (lambda: from_linen(linen.SimpleCell(H, residual=True), {}), "residual=True"),
        (lambda: from_linen(linen.GRUCell(H, carry_init=linen.initializers.ones_init()), {}), "carry_init=ones"),
        (lambda: from_nnx(nnx.RNN(nnx_cell("LSTMCell"), reverse=True)), "reverse=True, .* to unroll"),
        (lambda: from_nnx(nnx.Linear(D, H, rngs=nnx.Rngs(0))), "Linear: expected exactly one of .*GRUCell"),
        (lambda: from_linen(linen.MGUCell(H), {}), "MGUCell: expected"),
        (
            lambda: from_linen(linen.SimpleCell(H), {"params": {"i": {"kernel": jnp.ones((D, 1))}, "j": jnp.ones(1)}}),
            re.escape(
                "h.kernel [3, 3] is missing; i.bias [3] is missing; j is not part of it; i.kernel has shape [2, 1]"
            ),
        ),
        (lambda: to_nnx(CELLS[4][1], parity.random_params(CELLS[4][1])), "recurrent.bias is .*nnx.GRUCell has none"),
        (lambda: to_linen(CELLS[2][1], parity.random_params(CELLS[4][1])), "params of LSTM.*recurrent.bias is not"),
        (
            lambda: to_linen(rnn_jax.GRUResetBefore(D, H), parity.random_params(rnn_jax.GRUResetBefore(D, H))),
            "GRUResetBefore.*Flax has no layer that is its equal; it has them for Elman, IRNN, LSTM, GRU",
        ),
    ],
)
def test_what_has_no_equal_is_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call()
