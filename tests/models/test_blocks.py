"""Blocks of cells: against their equations in NumPy, padding, streaming, both directions, dropout, and in settings."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import rnn_jax
from rnn_jax.models import EncoderDecoderConfig, SequenceConfig
from rnn_jax.models.blocks import RecurrentBlocks

RNG = np.random.default_rng(0)
XS = RNG.normal(size=(6, 3, 2)).astype(np.float32)
LENGTHS = np.array([6, 4, 1], np.int32)


def settings(**changes) -> SequenceConfig:
    return SequenceConfig(**{"cell": "gru", "hidden_size": 4, "layers": 2, "blocks": True, "dropout": 0.0} | changes)


def built(**changes) -> RecurrentBlocks:
    layer = settings(**changes).layer(2, nnx.Rngs(params=jax.random.key(1)))
    assert isinstance(layer, RecurrentBlocks)
    return layer


def test_blocks_follow_their_equations():
    layer = built(layers=1, bidirectional=False)

    def affine(part, xs):
        return xs @ np.asarray(part.kernel[...], np.float64) + np.asarray(part.bias[...], np.float64)

    def normed(xs):  # scale 1 and offset 0 at the beginning
        return (xs - xs.mean(-1, keepdims=True)) / np.sqrt(xs.var(-1, keepdims=True) + 1e-6)

    xs = affine(layer.project, XS)
    xs = xs + np.asarray(rnn_jax.unroll(layer.recurrent[0].cell, layer.recurrent[0].pure_params(), normed(xs)).ys)
    inner = affine(layer.expand[0], normed(xs))
    inner = inner / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (inner + 0.044715 * inner**3)))
    wanted = normed(xs + affine(layer.contract[0], inner))
    np.testing.assert_allclose(jax.jit(layer)(XS).ys, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_padding_has_no_influence(bidirectional):
    layer = built(bidirectional=bidirectional)
    other = XS.copy()
    other[np.arange(6)[:, None] >= LENGTHS] = np.nan
    (carry, ys), (changed, same) = (jax.jit(layer)(xs, lengths=LENGTHS) for xs in (XS, other))
    np.testing.assert_array_equal(ys, same)
    jax.tree.map(np.testing.assert_array_equal, carry, changed)
    assert not ys[4:, 1].any() and not ys[1:, 2].any()
    slopes = jax.jit(jax.grad(lambda xs: layer(xs, lengths=LENGTHS).ys.sum()))(other)
    assert np.isfinite(slopes).all() and not slopes[4:, 1].any()
    alone = jax.jit(layer)(XS[:4, 1:2])
    np.testing.assert_allclose(ys[:4, 1:2], alone.ys, rtol=1e-5, atol=1e-6)
    assert ys.shape == (6, 3, 8 if bidirectional else 4)


def test_both_directions_see_what_comes_after():
    changed = XS.copy()
    changed[-1] += 1
    for bidirectional in (False, True):
        run = jax.jit(built(bidirectional=bidirectional))
        assert bool((run(XS).ys[0] != run(changed).ys[0]).any()) == bidirectional


def test_a_stream_gives_what_the_sequence_gives():
    layer = built(bidirectional=False, recurrent_dropout=0.2)
    carry, step, ys = layer.initial_carry((3,)), jax.jit(layer.step), []
    for x in XS:
        carry, y = step(carry, x)
        ys.append(y)
    whole = jax.jit(layer)(XS)
    np.testing.assert_allclose(jnp.stack(ys), whole.ys, rtol=1e-5, atol=1e-6)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), carry, whole.carry)


def test_dropout_is_of_the_kind_that_is_asked_for():
    for kind, same in (("step", False), ("sequence", True)):
        layer = built(layers=1, bidirectional=False, dropout=0.5, dropout_kind=kind, cell="mingru")
        constant = jnp.broadcast_to(jnp.asarray(XS[:1]), XS.shape)
        ys = np.asarray(jax.jit(lambda key, run=layer, xs=constant: run(xs, key=key).ys)(jax.random.key(0)))
        # With one mask for all steps what minGRU approaches is approached smoothly; with new ones outputs jump.
        assert bool((np.abs(np.diff(ys, axis=0)[-1]) < 0.3).all()) == same


def test_settings_say_so_and_refuse_what_has_none():
    assert settings(bidirectional=True).summary == "gru 2 x 4, in blocks, both directions"
    with pytest.raises(ValueError, match=r"blocks=True: an encoder-decoder.*leave it out"):
        EncoderDecoderConfig(blocks=True).encoder_decoder(9, jax.random.key(0))
