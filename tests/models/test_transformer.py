"""The transformer is the published one (PyTorch's, where it is at hand), sees what it may, and is as large as asked."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from rnn_jax.models import Classifier, SequenceConfig, Transformer, build_matched
from rnn_jax.models.transformer import Block
from rnn_jax.nnx import functional


def make(causal=False, **options):
    return Transformer(3, 8, 2, 2, causal=causal, rngs=nnx.Rngs(params=jax.random.key(0)), **options)


def inputs(length=6, batch=2):
    return jnp.asarray(np.random.default_rng(0).normal(size=(length, batch, 3)), jnp.float32)


@pytest.mark.exhaustive(but=1)
@pytest.mark.parametrize("memory_size", [0, 5])
def test_a_block_is_pytorchs(memory_size):
    torch = pytest.importorskip("torch", reason="the extra peers is not installed")
    block = Block(8, 2, memory_size=memory_size, rngs=nnx.Rngs(params=jax.random.key(1)))
    kind = torch.nn.TransformerDecoderLayer if memory_size else torch.nn.TransformerEncoderLayer
    options = {"norm_first": True, "batch_first": True, "dropout": 0.0, "layer_norm_eps": 1e-6}
    peer = kind(8, 2, 32, activation=lambda x: torch.nn.functional.gelu(x, approximate="tanh"), **options)
    if memory_size:
        peer.multihead_attn = torch.nn.MultiheadAttention(8, 2, batch_first=True, kdim=memory_size, vdim=memory_size)

    def flat(leaf):  # (in, heads, features) and (heads, features, out) to PyTorch's (out, in)
        return (
            np.asarray(leaf[...]).reshape(8, -1)
            if leaf.shape[0] == 2
            else np.asarray(leaf[...]).reshape(leaf.shape[0], 8)
        )

    def copy(attention, into):
        kernels = [torch.tensor(flat(getattr(attention, name).kernel).T) for name in ("query", "key", "value")]
        if into.in_proj_weight is None:
            into.q_proj_weight.data, into.k_proj_weight.data, into.v_proj_weight.data = kernels
        else:
            into.in_proj_weight.data = torch.cat(kernels)
        into.in_proj_bias.data.zero_()
        into.out_proj.weight.data = torch.tensor(flat(attention.out.kernel).T)
        into.out_proj.bias.data.zero_()

    copy(block.self_attention, peer.self_attn)
    if memory_size:
        copy(block.memory_attention, peer.multihead_attn)
    for ours, theirs in ((block.expand, peer.linear1), (block.contract, peer.linear2)):
        theirs.weight.data, theirs.bias.data = (
            torch.tensor(np.asarray(ours.kernel[...]).T),
            torch.zeros(len(theirs.bias)),
        )

    random = np.random.default_rng(2)
    xs, memory = (random.normal(size=size).astype(np.float32) for size in ((2, 4, 8), (2, 3, 5)))
    valid = np.array([[True] * 4, [True, True, True, False]])
    read = (block.memory_attention.key(memory), block.memory_attention.value(memory)) if memory_size else None
    found = block(jnp.asarray(xs), jnp.asarray(valid[:, None, None]), read)
    hidden = torch.tensor(~valid)
    with torch.no_grad():
        if memory_size:
            expected = peer(torch.tensor(xs), torch.tensor(memory), tgt_key_padding_mask=hidden)
        else:
            expected = peer(torch.tensor(xs), src_key_padding_mask=hidden)
    np.testing.assert_allclose(found[valid], expected.numpy()[valid], atol=2e-6)


def test_causal_steps_see_only_what_is_before_them():
    xs = inputs()
    model = make(causal=True)
    changed = xs.at[3].add(1.0)
    np.testing.assert_array_equal(model(changed).ys[:3], model(xs).ys[:3])
    model.causal = False
    assert jnp.abs(model(changed).ys[0] - model(xs).ys[0]).max() > 1e-4, "now the first step sees the fourth"


def test_padding_has_no_influence_even_if_it_is_not_a_number():
    xs, lengths = inputs(), jnp.array([6, 3])
    for causal in (False, True):
        model = make(causal)
        ys = model(xs, lengths=lengths).ys
        assert (ys[3:, 1] == 0).all()
        spoilt = model(xs.at[3:, 1].set(jnp.nan), lengths=lengths).ys
        np.testing.assert_array_equal(ys, spoilt)
        np.testing.assert_allclose(ys[:3, 1], model(xs[:3, 1:]).ys[:, 0], atol=1e-6)


def test_dropout_needs_a_key_and_follows_from_it():
    model = make(dropout_rate=0.5)
    xs = inputs()
    a, b, c = (model(xs, key=jax.random.key(k)).ys for k in (1, 1, 2))
    np.testing.assert_array_equal(a, b)
    assert jnp.abs(a - c).max() > 0.1
    np.testing.assert_array_equal(model(xs).ys, make()(xs).ys)


@pytest.mark.exhaustive(but=1)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_the_transformer_is_as_large_as_the_recurrent_model(bidirectional):
    recurrent = SequenceConfig(cell="lstm", hidden_size=64, layers=2, bidirectional=bidirectional)
    transformer = SequenceConfig(
        cell="lstm", hidden_size=64, layers=2, bidirectional=bidirectional, model="transformer"
    )

    def build(settings):
        rngs = nnx.Rngs(params=jax.random.key(0))
        return Classifier(settings.layer(32, rngs), 2, vocabulary_size=1000, rngs=rngs)

    sizes = [
        sum(leaf.size for leaf in jax.tree.leaves(functional(build_matched(settings, build))[0]))
        for settings in (recurrent, transformer)
    ]
    assert abs(sizes[1] / sizes[0] - 1) <= 0.05
    model = build_matched(transformer, build)
    assert isinstance(model.layer, Transformer) and model.layer.causal != bidirectional


@pytest.mark.exhaustive
def test_sizes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="size=9: expected an even multiple of heads=2"):
        Transformer(3, 9, 1, 2, rngs=nnx.Rngs(0))
    small = SequenceConfig(hidden_size=2, model="transformer", heads=8)
    with pytest.raises(ValueError, match=r"no transformer with heads=8 has within 5% of .* parameters"):
        build_matched(small, lambda s: s.layer(4, nnx.Rngs(params=jax.random.key(0))))
