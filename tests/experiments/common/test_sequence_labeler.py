"""Predictions follow from the steps before, whatever the layers are."""

import jax
import numpy as np
import pytest

from experiments.common.sequence_labeler import SequenceLabelerConfig
from experiments.common.synthetic import Adding
from experiments.state_tracking.data import CycleNavigation, Parity
from rnn_jax.nnx import functional

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)


@pytest.mark.exhaustive(but=1)
@pytest.mark.parametrize(
    "config",
    [
        SequenceLabelerConfig(cell="gru", hidden_size=6, layers=2),
        SequenceLabelerConfig(cell="lru", hidden_size=6, layers=2, blocks=True),
        SequenceLabelerConfig(cell="gru", hidden_size=15, model="transformer", heads=1, transformer_layers=1),
    ],
)
def test_an_answer_follows_from_the_steps_before_it(config):
    params, rebuild = functional(config.labeler(CycleNavigation(), KEY))
    tokens = RNG.integers(3, size=(8, 2)).astype(np.int32)
    changed = np.concatenate([tokens[:5], (tokens[5:] + 1) % 3])
    logits = jax.jit(lambda params, tokens: rebuild(params)(tokens))
    before, after = logits(params, tokens), logits(params, changed)
    assert before.shape == (8, 2, 5)
    np.testing.assert_array_equal(before[:5], after[:5])
    assert (np.abs(before[5:] - after[5:]).max(-1) > 1e-4).all()


def test_layers_in_blocks_are_not_linear():
    config = SequenceLabelerConfig(cell="lru", hidden_size=4, blocks=True)
    params, rebuild = functional(config.labeler(Adding(), KEY))
    scales = np.array([[[0.0], [1.0], [2.0]]])
    xs = (scales * RNG.normal(size=(5, 1, 2))).astype(np.float32)
    zero, one, two = np.moveaxis(jax.jit(lambda params, xs: rebuild(params)(xs))(params, xs), 1, 0)
    assert np.abs(two - zero - 2 * (one - zero)).max() > 1e-3
    assert config.summary == "lru 1 x 4, in blocks"


def test_each_task_has_a_model_of_its_own():
    config = SequenceLabelerConfig(cell="elman", hidden_size=3)
    tasks = {"circle": CycleNavigation(), "parity": Parity(), "again": Parity()}
    params, rebuild = config.labelers(tasks, KEY)
    models = rebuild(params)
    assert {name: model.score.kernel.shape for name, model in models.items()} == {
        "circle": (3, 5), "parity": (3, 2), "again": (3, 2),
    }  # fmt: skip
    assert np.abs(params["parity"]["score"]["kernel"] - params["again"]["score"]["kernel"]).min() > 0
    alone, _ = functional(config.labeler(Parity(), jax.random.fold_in(KEY, 1)))
    jax.tree.map(np.testing.assert_array_equal, alone, params["parity"])


def test_reading_backwards_is_refused():
    with pytest.raises(ValueError, match="bidirectional=True: an answer at every step follows from those before it"):
        SequenceLabelerConfig(bidirectional=True)
