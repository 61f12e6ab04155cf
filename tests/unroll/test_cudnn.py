"""What cuDNN is given and gives back, with the reference of `jax.experimental.rnn` in its place."""

import importlib

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import rnn

import rnn_jax

cudnn = importlib.import_module("rnn_jax.unroll.cudnn")
LSTM = rnn_jax.LSTM(3, 5)


@pytest.fixture
def reference(monkeypatch):
    """cuDNN's own description of what it computes, which `jax.experimental.rnn` holds cuDNN to."""

    def lstm(cell, flat, xs, start, lengths):
        sizes = cell.input_size, cell.hidden_size, 1
        unpacked = rnn.unpack_lstm_weights(flat, *sizes, False)
        return rnn.lstm_ref(xs, *start, *unpacked, lengths, *sizes, 0.0, False)

    monkeypatch.setattr(cudnn, "lstm", lstm)
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")


@pytest.mark.exhaustive(but=1)
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("lengths", [None, np.array([[7, 0], [1, 4]])])
def test_it_is_the_sequential_method(reference, lengths, reverse):
    random = np.random.default_rng(0)
    params = jax.tree.map(
        lambda a: a + jnp.asarray(0.1 * random.normal(size=a.shape), a.dtype), LSTM.init(jax.random.key(0))
    )
    xs = jnp.asarray(random.normal(size=(7, 2, 2, 3)), jnp.float32)
    carry = jax.tree.map(lambda a: a + 0.3, LSTM.initial_carry((2, 2)))

    def everything(params, carry, xs, method):
        def loss(*args):
            found = rnn_jax.unroll(LSTM, args[0], args[2], args[1], lengths=lengths, reverse=reverse, method=method)
            return sum(jnp.sin(leaf).sum() for leaf in jax.tree.leaves(found)), found

        return jax.value_and_grad(loss, argnums=(0, 1, 2), has_aux=True)(params, carry, xs)

    found, wanted = (everything(params, carry, xs, method) for method in ("cudnn", "sequential"))
    chex.assert_trees_all_close(found, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("size", [(0, 2), (3, 0)])
def test_nothing_to_do(reference, size):
    params = LSTM.init(jax.random.key(0))
    carry, ys = rnn_jax.unroll(LSTM, params, jnp.zeros((*size, 3)), method="cudnn")
    assert ys.shape == (*size, 5)
    chex.assert_trees_all_equal(carry, LSTM.initial_carry(size[1:]))


def test_what_it_cannot_do_is_refused(reference):
    params, xs = LSTM.init(jax.random.key(0)), jnp.zeros((4, 2, 3))
    with pytest.raises(ValueError, match="method='cudnn': cuDNN has no resets or segment_ids: leave them out"):
        rnn_jax.unroll(LSTM, params, xs, resets=np.zeros((4, 2), bool), method="cudnn")
    with pytest.raises(ValueError, match="method='cudnn': cuDNN gives the last carry alone; with return_carries=True"):
        rnn_jax.unroll(LSTM, params, xs, return_carries=True, method="cudnn")
    with pytest.raises(ValueError, match="method='cudnn': xs is bfloat16; expected float32, or another method"):
        rnn_jax.unroll(LSTM, params, xs.astype(jnp.bfloat16), method="cudnn")
    peepholes = rnn_jax.LSTM(3, 5, peepholes=True)
    with pytest.raises(ValueError, match="not this one, for cuDNN has the LSTM without options"):
        rnn_jax.unroll(peepholes, peepholes.init(jax.random.key(0)), xs, method="cudnn")


@pytest.mark.skipif(jax.default_backend() == "gpu", reason="there is a GPU here")
def test_without_a_gpu_it_says_so():
    with pytest.raises(
        ValueError, match="not this one, for it needs an NVIDIA GPU, and the default device here is a cpu"
    ):
        rnn_jax.unroll(LSTM, LSTM.init(jax.random.key(0)), jnp.zeros((4, 2, 3)), method="cudnn")
    assert "cudnn" not in rnn_jax.methods_of(LSTM)
