"""The recogniser: its statistics, padding without influence, and both kinds of heads."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.common.recogniser import (
    RecogniserConfig,
    TrainingStatistics,
    WordClassifierConfig,
    make_validation_loss,
)
from experiments.common.recordings import Recording, in_order
from experiments.common.transcription import Transcriber, score_transcripts
from rnn_jax.data.features import LogMel
from rnn_jax.nnx import functional

RNG = np.random.default_rng(0)
LENGTHS = (9, 5, 7, 3)
RECORDINGS = [
    Recording((RNG.normal(2, 3, (length, 4)).astype(np.float32),), ("ab"[k % 2],)) for k, length in enumerate(LENGTHS)
]
STATISTICS = TrainingStatistics.of(RECORDINGS, None)
SMALL = {"hidden_size": 4, "layers": 1}


def test_statistics_are_those_of_all_valid_steps():
    steps = np.concatenate([r.signal for r in RECORDINGS])
    assert STATISTICS.words == ["a", "b"]
    np.testing.assert_allclose(STATISTICS.mean, steps.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(STATISTICS.std, steps.std(axis=0), rtol=1e-5)
    assert TrainingStatistics(**STATISTICS._asdict()) == STATISTICS
    wave = Recording((RNG.normal(size=2000).astype(np.float32),), ("a",))
    assert len(TrainingStatistics.of([wave], LogMel()).mean) == LogMel().size


@pytest.mark.parametrize("config", [RecogniserConfig(**SMALL), WordClassifierConfig(**SMALL)], ids=["ctc", "word"])
def test_padding_has_no_influence(config):
    model = config.build(STATISTICS, None, jax.random.key(0))
    params, rebuild = functional(model)
    (batch,) = in_order(RECORDINGS, STATISTICS.words)
    padded = batch | {"inputs": np.where(np.arange(9)[:, None, None] < batch["lengths"][:, None], batch["inputs"], 1e3)}
    loss = jax.jit(lambda batch, key: rebuild(params).loss(batch, key))
    nats, count = loss(batch, None)
    np.testing.assert_allclose(loss(padded, None)[0], nats, rtol=1e-5)
    assert count == 4 and abs(loss(batch, jax.random.key(1))[0] - nats) > 1e-3, "training adds noise, masks and dropout"
    validate = make_validation_loss(rebuild, RECORDINGS, STATISTICS.words)
    np.testing.assert_allclose(validate(params)["validation_loss"], nats / 4, rtol=1e-5)
    standardised = model.standardised(jnp.asarray(np.concatenate([r.signal for r in RECORDINGS])[:, None]))
    np.testing.assert_allclose(standardised.std(axis=(0, 1)), 1, rtol=1e-4)
    result, examples = score_transcripts(Transcriber(model, STATISTICS.words), RECORDINGS, terms=("x", "y", "label"))
    one_word = isinstance(config, WordClassifierConfig)
    assert result["metric"] == ("accuracy %" if one_word else "label error rate %")
    assert result["higher_is_better"] == one_word and examples.splitlines()[0].endswith("of 4 wrong")


@pytest.mark.parametrize(("options", "message"), [({"noise": -1.0}, "noise=-1.0"), ({"masked_steps": -1}, "masked_s")])
def test_values_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=f"{message}.*expected a finite number at least 0"):
        RecogniserConfig(**options)
    with pytest.raises(ValueError, match="pooling='sum'"):
        WordClassifierConfig(pooling="sum")
