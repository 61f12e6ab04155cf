"""Losses and generated sequences do not depend on what else is read with them."""

import jax
import numpy as np
import pytest
from flax import nnx

import rnn_jax
from rnn_jax.data import teacher_forcing
from rnn_jax.models import EncoderDecoder, make_generate, make_nats_per_token, target_nats
from rnn_jax.nnx import functional

RANDOM = np.random.default_rng(0)
SOURCES = [RANDOM.integers(4, 12, length).astype(np.int32) for length in (3, 5, 1, 9, 3)]


@pytest.fixture(scope="module")
def model():
    rngs = nnx.Rngs(params=jax.random.key(0))
    model = EncoderDecoder(12, rnn_jax.Bidirectional(rnn_jax.GRU(8, 4)), rnn_jax.GRU(16, 8), rngs=rngs)
    params, rebuild = functional(model)
    # Larger weights than at the start, so that what is generated depends on the source and ends somewhere.
    return jax.tree.map(lambda leaf: 3 * leaf, params), rebuild


def test_the_nats_are_of_all_target_tokens_and_no_padding(model):
    params, rebuild = model
    sources = SOURCES[:2]
    targets = [source[::-1] for source in sources]
    total = count = 0.0
    for source, target in zip(sources, targets, strict=True):
        inputs, wanted = np.append(2, target), np.append(target, 3)
        logits = rebuild(params)(source[:, None], np.array([len(source)]), inputs[:, None].astype(np.int32))
        total -= float(jax.nn.log_softmax(logits[:, 0])[np.arange(len(wanted)), wanted].sum())
        count += len(wanted)
    nats, counted = target_nats(rebuild(params), teacher_forcing(sources, targets, 12))
    assert float(nats) == pytest.approx(total, rel=1e-5) and counted == count


def test_nats_per_token_are_those_of_all_pairs_together(model):
    params, rebuild = model
    targets = [source[::-1] for source in SOURCES]
    nats, count = target_nats(rebuild(params), teacher_forcing(SOURCES, targets))
    for rows in (2, 5, 8):
        found = make_nats_per_token(rebuild, rows=rows, unit=4)(params, SOURCES, targets)
        assert found == pytest.approx(float(nats / count), rel=1e-5), rows


@pytest.mark.exhaustive(but=1)
@pytest.mark.parametrize("beams", [1, 3])
def test_a_sequence_is_generated_the_same_alone_and_among_others(model, beams):
    params, rebuild = model
    generate = make_generate(rebuild, beams=beams, rows=2)
    together = generate(params, [*SOURCES, SOURCES[0]])
    assert len(together) == 6 and len({tuple(tokens.tolist()) for tokens in together}) > 1
    np.testing.assert_array_equal(together[0], together[5])
    for source, tokens in zip(SOURCES, together, strict=False):
        np.testing.assert_array_equal(generate(params, [source])[0], tokens)
        assert len(tokens) <= 8 * -(-len(source) // 8) * 3 // 2 + 10 and not set(tokens.tolist()) & {0, 1, 2, 3}


def test_an_empty_source_is_refused(model):
    params, rebuild = model
    with pytest.raises(ValueError, match="sources has an empty one: expected at least one token in each"):
        make_generate(rebuild, beams=1)(params, [SOURCES[0], SOURCES[0][:0]])
