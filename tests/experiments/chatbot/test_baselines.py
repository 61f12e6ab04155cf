"""TF-IDF against a case worked by hand; n-grams of replies against those of one text."""

import math

import numpy as np
import pytest

from experiments.chatbot.baselines import TfIdf, neighbour_scores, ngram_perplexity, tfidf_scores
from experiments.chatbot.data import Pair
from experiments.common.ngram import ngram_nats
from rnn_jax.data import END
from tests.experiments.chatbot.small_pairs import PAIRS, TOKENIZER

DOCUMENTS = [["red", "red", "fish"], ["blue", "fish"], ["dog"]]


def test_vectors_are_the_formula_by_hand():
    vectors = TfIdf(DOCUMENTS)
    assert list(vectors.places) == ["blue", "dog", "fish", "red"]
    rare, common = math.log(4 / 2) + 1, math.log(4 / 3) + 1  # in one and in two of three texts
    np.testing.assert_allclose(vectors.weights, [rare, rare, common, rare])
    found = vectors([*DOCUMENTS, ["cat"], []]).toarray()
    first, second = math.hypot(2 * rare, common), math.hypot(rare, common)
    wanted = [
        [0, 0, common / first, 2 * rare / first],
        [rare / second, 0, common / second, 0],
        [0, 1, 0, 0],
        [0, 0, 0, 0],
        [0, 0, 0, 0],
    ]
    np.testing.assert_allclose(found, wanted)


def test_the_nearest_known_pair_counts():
    known = [(["red"], ["fish"]), (["blue"], ["dog"])]
    scores = neighbour_scores(TfIdf(DOCUMENTS), [["red"], ["red", "blue"], ["cat"]], [["fish"], ["dog"]], known)
    half = 1 / math.sqrt(2)  # red and blue weigh the same
    np.testing.assert_allclose(scores, [[1, 0], [half, half], [0, 0]], atol=1e-12)


def test_words_in_common_rank():
    train = [Pair(("what is red",), "a colour"), Pair(("what is a dog",), "an animal")]
    test = [Pair(("what is a dog like",), "animal"), Pair(("colour of red",), "the colour red")]
    words = tfidf_scores(train, test)
    assert words["TF-IDF"][1].argmax() == 1 and words["TF-IDF, nearest pair"][0].argmax() == 0
    np.testing.assert_allclose(words["TF-IDF, both"], words["TF-IDF"] + words["TF-IDF, nearest pair"])


def test_ngrams_score_the_replies_alone():
    pairs = [(TOKENIZER.context(pair.context), TOKENIZER.reply(pair.reply)) for pair in PAIRS]
    text = np.concatenate([[END], *(reply for _, reply in pairs)])
    wanted = math.exp(ngram_nats(text, text, 8, 2))
    np.testing.assert_allclose(ngram_perplexity(pairs, pairs, 8, 2, contexts=False), wanted)
    texts = np.concatenate([[END], *(part for pair in pairs for part in pair)])
    scored = np.concatenate([[False], *(np.full(len(p), s) for pair in pairs for s, p in enumerate(pair))]) == 1
    wanted = math.exp(ngram_nats(texts, texts, 8, 2, scored=scored))
    np.testing.assert_allclose(ngram_perplexity(pairs, pairs, 8, 2, contexts=True), wanted)
    with pytest.raises(ValueError, match=r"expected bool \[.*\], not only"):
        ngram_nats(text, text, 8, 2, scored=np.arange(len(text)) == 0)
