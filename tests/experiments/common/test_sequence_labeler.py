"""Answers follow from the steps before; losses and accuracies are those of a loop in NumPy; words for a reader."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.common.sequence_labeler import StepSettings
from experiments.common.synthetic import MEMORY_TASKS, STATE_TASKS, Generated
from experiments.common.synthetic_config import MemorySettings, StateSettings
from experiments.common.synthetic_training import (
    StepScores,
    commonest,
    describe_answers,
    length_table,
    make_scores,
    step_scores,
)
from experiments.memory.data import Sample

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    "settings",
    [
        StepSettings(cell="gru", hidden_size=6, layers=2),
        StepSettings(cell="lru", hidden_size=6, layers=2, blocks=True),
        StepSettings(cell="gru", hidden_size=15, model="transformer", heads=1, transformer_layers=1),
    ],
)
def test_an_answer_follows_from_the_steps_before_it(settings):
    params, rebuild = settings.network(STATE_TASKS["cycle_navigation"], KEY)
    tokens = RNG.integers(3, size=(8, 2)).astype(np.int32)
    changed = np.concatenate([tokens[:5], (tokens[5:] + 1) % 3])
    answer = jax.jit(lambda params, tokens: rebuild(params)(tokens))
    before, after = answer(params, tokens), answer(params, changed)
    assert before.shape == (8, 2, 5)
    np.testing.assert_array_equal(before[:5], after[:5])
    assert (np.abs(before[5:] - after[5:]).max(-1) > 1e-4).all()


def test_layers_in_blocks_are_not_linear():
    settings = StepSettings(cell="lru", hidden_size=4, blocks=True)
    params, rebuild = settings.network(MEMORY_TASKS["adding"], KEY)
    scales = np.array([[[0.0], [1.0], [2.0]]])
    xs = (scales * RNG.normal(size=(5, 1, 2))).astype(np.float32)
    zero, one, two = np.moveaxis(jax.jit(lambda params, xs: rebuild(params)(xs))(params, xs), 1, 0)
    assert np.abs(two - zero - 2 * (one - zero)).max() > 1e-3
    assert settings.summary == "lru 1 x 4, in blocks"


def test_scores_are_those_of_a_loop():
    answers = RNG.normal(size=(4, 3, 5)).astype(np.float32)
    targets, counted = RNG.integers(5, size=(4, 3)).astype(np.int32), RNG.random((4, 3)) < 0.6
    counted[1] = False
    found = step_scores(
        jnp.asarray(answers), Sample(jnp.zeros((4, 3), jnp.int32), jnp.asarray(targets), jnp.asarray(counted))
    )
    loss, right = np.zeros(4), np.zeros(4)
    for t, b in zip(*np.nonzero(counted), strict=True):
        p = np.exp(answers[t, b]) / np.exp(answers[t, b]).sum()
        loss[t] -= np.log(p[targets[t, b]])
        right[t] += p.argmax() == targets[t, b]
    np.testing.assert_allclose(found.loss, loss, rtol=1e-5)
    np.testing.assert_array_equal(found.right, right)
    np.testing.assert_array_equal(found.count, counted.sum(1))
    used = [t for t in (0, 2, 3) if counted[t].any()]
    mean = np.mean([100 * right[t] / counted[t].sum() for t in used])
    np.testing.assert_allclose(found.mean(), (loss.sum() / counted.sum(), mean), rtol=1e-5)
    assert list(found.accuracies()) == [t + 1 for t in used]


def test_numbers_are_right_when_they_are_near():
    targets, counted = jnp.array([[0.0, 0.0], [1.0, 1.0]]), jnp.array([[False, False], [True, True]])
    found = step_scores(jnp.array([[[9.0], [9.0]], [[1.03], [1.5]]]), Sample(targets, targets, counted))
    np.testing.assert_allclose(found.loss, [0, 0.03**2 + 0.25], rtol=1e-5)
    assert found.right.tolist() == [0, 1] and found.count.tolist() == [0, 2]


def test_all_sequences_are_scored_in_parts():
    task, rows = STATE_TASKS["parity"], 70
    stream = Generated(task, KEY, (5,))
    sample = jax.device_get(stream(jnp.arange(128, dtype=jnp.int32)))
    always = {"parity": lambda params: lambda inputs: jnp.broadcast_to(params, (*inputs.shape, 2))}
    scores = make_scores(always, {"parity": stream}, rows)({"parity": jnp.array([0.0, 1.0])})["parity"]
    np.testing.assert_array_equal(scores.right, (sample.targets == 1).sum(1))
    assert scores.count.tolist() == [128] * 5, "whole batches of 64"
    assert commonest(stream, 128, begin=2) == 100 * max(np.mean(sample.targets[2:] == k) for k in (0, 1))


def test_what_a_reader_sees():
    given = np.array([[0.9, 0.1], [0.2, 0.8]])
    said = describe_answers(given, np.array([1, 0]), np.array([0, 0]), np.array([False, True]))
    assert [line.split() for line in said.splitlines()] == [
        ["input", "1", "0"],
        ["right", ".", "0"],
        ["answer", ".", "1"],
    ]
    assert describe_answers(given, np.array([1, 0])).splitlines()[-1].split() == ["p", "0.90", "0.80"]
    marked = describe_answers(np.array([[0.0], [0.71]]), np.array([[0.2, 1.0], [0.5, 1.0]]), np.array([0.0, 0.7]))
    assert marked == "  marked 0.200 + 0.500: answer 0.710, right 0.700"
    scores = StepScores(np.zeros(3), np.array([2, 1, 0]), np.array([2, 2, 2]))
    assert length_table({"parity": scores}, 1, {"parity": 50.0}).splitlines()[1].split() == [
        "parity", "100.00", "25.00", "0.00", "50.00",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: StateSettings(task="parities"), "task='parities'"),
        (lambda: StateSettings(longest=2), "longest=2: expected at least 3"),
        (lambda: StateSettings(test_length=40), "test_length=40: expected more than longest=40"),
        (lambda: StateSettings(curriculum=-1), "curriculum=-1"),
        (lambda: StateSettings(bidirectional=True), "bidirectional=True"),
        (lambda: MemorySettings(task="adding", length=0), "length=0"),
        (lambda: MemorySettings(held_out=0), "held_out=0"),
        (lambda: MemorySettings(task="recall", length=20).streams(KEY, 20), "length=20.*pairs"),
    ],
)
def test_bad_settings_are_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def test_values_and_what_forgetting_leaves():
    parity = StateSettings(task="parity", scaled=True)
    assert parity.value({"parity": 75.0}) == 0.5
    assert StateSettings().value(dict.fromkeys(StateSettings().tasks, 60.0)) == 60.0
    assert MemorySettings(task="copy", length=1000).forgetful == pytest.approx(10 * np.log(8) / 1020)
    assert [MemorySettings(task=task).forgetful for task in ("selective_copy", "recall")] == [12.5, 3.125]
