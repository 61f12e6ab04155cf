"""Configs make the models and tokenizers they name, and refuse what is none."""

import jax
import numpy as np
import pytest

from experiments.chatbot import EXPERIMENT
from experiments.chatbot.config import TurnConfig
from rnn_jax.data import Subwords, Words

TURNS = ["who are you", "I am you", "who am I"]


@pytest.mark.parametrize(("tokens", "kind"), [("word", Words), ("subword", Subwords)])
def test_a_tokenizer_comes_back_as_it_was(tokens, kind):
    config = TurnConfig(tokens=tokens, subwords=40, min_count=2)
    fitted = config.fit_tokenizer(TURNS)
    again = config.read_tokenizer(fitted.to_json())
    assert isinstance(again, kind) and again.decode(again.encode("WHO am you")) == "who am you"
    np.testing.assert_array_equal(again.encode("who are they"), fitted.encode("who are they"))


@pytest.mark.exhaustive(but=1)
@pytest.mark.parametrize("task", ["ranking", "writing"])
def test_the_transformer_is_as_large(task):
    sizes = []
    for model in ("recurrent", "transformer"):
        config = EXPERIMENT.configure({"task": task, "model": model, "hidden_size": 64, "embedding_size": 64})
        made = jax.eval_shape(lambda key, config=config: config.build(500, key), jax.random.key(0))
        sizes.append(sum(leaf.size for leaf in jax.tree.leaves(made)))
    assert abs(sizes[1] - sizes[0]) <= 0.05 * sizes[0] and sizes[0] > 50_000


@pytest.mark.exhaustive(but=1)
@pytest.mark.parametrize("model", ["recurrent", "transformer"])
def test_scores_of_writing_begin_at_the_frequencies(model):
    config = EXPERIMENT.configure({"task": "writing", "model": model, "hidden_size": 64, "embedding_size": 64})
    counts = np.array([0, 1, 0, 50, *range(36)])
    tokens = config.build(40, jax.random.key(0), counts).tokens
    found = jax.nn.softmax(tokens.score(jax.numpy.zeros((1, 64))))[0]
    np.testing.assert_allclose(found, (counts + 0.5) / (counts.sum() + 20), rtol=1e-5)


def test_mistakes_are_named():
    for name, value in (("task", "reading"), ("tokens", "letter"), ("turns", 0), ("word_dropout", 1.5)):
        with pytest.raises(ValueError, match=rf"{name}="):
            EXPERIMENT.configure({name: value})


def test_a_task_has_the_fields_that_it_uses():
    for task, field in (("ranking", "attention"), ("writing", "word_dropout")):
        with pytest.raises(ValueError, match=f"field '{field}' is not known of task {task}"):
            EXPERIMENT.configure({"task": task, field: 0})
