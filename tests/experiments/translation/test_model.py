"""Translations do not depend on what else is read with them, and alignments name the pieces of both sides."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import rnn_jax
from experiments.translation.model import align_text, translate_texts
from rnn_jax.data import Subwords
from rnn_jax.models import EncoderDecoder, make_generate
from rnn_jax.nnx import functional

TEXTS = ["the cat sat", "a dog", "the dog sat on the mat", "the cat"] * 3
SUBWORDS = Subwords.fit(TEXTS, 40)


@pytest.fixture(scope="module")
def model():
    rngs = nnx.Rngs(params=jax.random.key(0))
    model = EncoderDecoder(len(SUBWORDS), rnn_jax.Bidirectional(rnn_jax.GRU(8, 4)), rnn_jax.GRU(16, 8), rngs=rngs)
    params, rebuild = functional(model)
    # Larger weights than at the start, so that what is written depends on the source and ends somewhere.
    return jax.tree.map(lambda leaf: 3 * leaf, params), rebuild


@pytest.mark.exhaustive(but=1)
@pytest.mark.parametrize("beams", [1, 3])
def test_a_text_is_translated_the_same_alone_and_among_others(model, beams):
    params, rebuild = model
    generate = make_generate(rebuild, beams=beams, rows=4)
    together = translate_texts(generate, params, SUBWORDS, [*TEXTS[:6], "", "   "])
    assert together[6:] == ["", ""]
    assert len(set(together[:4])) > 1 and together[:2] == together[4:6]
    for text, written in zip(TEXTS[:4], together, strict=False):
        assert translate_texts(generate, params, SUBWORDS, [text]) == [written]


def test_a_text_without_end_is_refused(model):
    params, rebuild = model
    with pytest.raises(ValueError, match=r"has [\d,]+ subwords: expected at most 400; give a sentence a line"):
        translate_texts(make_generate(rebuild), params, SUBWORDS, ["cat " * 100_000])


def test_an_alignment_names_the_pieces_of_both_sides(model):
    params, rebuild = model
    (source, target), weights = align_text(rebuild(params), SUBWORDS, "the cat", "a dog sat")
    assert weights.shape == (len(target), len(source)) and target[-1] == "(end)"
    np.testing.assert_allclose(weights.sum(1), np.ones(len(target)), atol=1e-5)
    assert "".join(source).replace("▁", " ").strip() == "the cat" and jnp.isfinite(weights).all()
