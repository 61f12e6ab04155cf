"""The diagnosis of a training: right about norms, loud about what is wrong, and without influence."""

import itertools
import json
import math

import jax
import numpy as np
import pytest
from flax import nnx

import rnn_jax
from rnn_jax.nnx import Recurrent, functional
from rnn_jax.train import Diverged, Run, fit, key_for
from rnn_jax.train.diagnosis import Diagnosis, draw_diagnosis, update_norms, verdicts
from tests.train import tiny

PLAIN = {"optimizer": "sgd", "momentum": 0.0, "schedule": "constant", "warmup_steps": 0, "learning_rate": 0.1}


def trained(folder, task, settings, diagnose=True, **options):
    run = Run.create(folder, "tiny", "run", settings, **options)
    diagnosis = Diagnosis(task.loss, settings, settings.steps, key_for(settings.seed, "training"), run)
    return fit(task, settings, run, diagnosis=diagnosis if diagnose else None, resume=bool(options)), run


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    settings = tiny.settings(**PLAIN, steps=20, steps_per_dispatch=1, evaluate_every=10, clip_norm=0.5)
    runs = (trained(tmp_path_factory.mktemp("run"), tiny.task(), settings, diagnose) for diagnose in (True, False))
    return settings, *runs


def test_the_training_is_bitwise_the_same(both):
    _, (watched, _), (alone, run) = both
    jax.tree.map(np.testing.assert_array_equal, watched.state, alone.state)
    assert not (run.path / "diagnosis.json").exists()


def test_norms_are_those_of_the_updates(both):
    settings, (_, run), _ = both
    records = json.loads((run.path / "diagnosis.json").read_text())["records"]
    assert [r["step"] for r in records] == [0, 10, 20] and records[0]["updates"] == {}
    logged = [r["grad_norm"] for r in run.records() if "grad_norm" in r]
    groups = records[0]["groups"]
    assert set(groups) == {"cell.input", "cell.recurrent", "readout"}
    # The last of the stacked batches is the one of the first update here, and so are its noise and parameters.
    assert math.hypot(*(norms["gradient"] for norms in groups.values())) == pytest.approx(logged[0], rel=1e-5)
    length = math.hypot(*(norms["update"] for norms in groups.values()))
    assert length == pytest.approx(settings.learning_rate * min(logged[0], 0.5), rel=1e-5)
    updates = records[2]["updates"]
    assert updates["count"] == 10 and updates["clipped"] == np.mean(np.array(logged[10:]) > 0.5)
    assert updates["median"] == pytest.approx(np.median(logged[10:])) and updates["largest"] == max(logged[10:])
    draw_diagnosis(records, 0.5, run.figures / "diagnosis.png")
    assert (run.figures / "diagnosis.png").stat().st_size > 10_000


def test_a_resumed_run_goes_on_with_its_records(both):
    settings, (_, run), _ = both
    before = run.read_json("diagnosis.json")
    again = Diagnosis(tiny.task().loss, settings, 20, jax.random.key(0), run)
    again.resume(10)
    assert again.records == before["records"][:2]
    fit(tiny.task(), settings, run, resume=True, diagnosis=again)
    assert again.records == before["records"]


def test_a_training_that_breaks_off_says_which_clip_would_help(tmp_path):
    task = tiny.task()

    def batch(i):
        return {name: array * (1e30 if i == 8 else 1) for name, array in task.batch(i).items()}

    with pytest.raises(Diverged, match=r"exploding: 1 infinite gradients, .*clip_norm that would help: 0\.\d+ "):
        trained(tmp_path, tiny.task(batch=batch), tiny.settings(steps=10, steps_per_dispatch=10, clip_norm=1e9))


def test_layers_are_seen_through_the_loss(tmp_path):
    params, rebuild = functional(Recurrent(rnn_jax.Elman(2, 4), rngs=nnx.Rngs(0)))
    params["params"]["recurrent"]["kernel"] *= 0.1

    def loss(params, carry, batch, key):
        return (rebuild(params)(batch["xs"]).ys[-1] ** 2).mean(), (carry, {})

    task = tiny.task(params=params, loss=loss, carry=(), evaluate=lambda params: {"validation_loss": 0.0})
    settings = tiny.settings(steps=5, evaluate_every=5)
    (_, run) = trained(tmp_path, task, settings)
    first = run.read_json("diagnosis.json")["records"][0]
    flow = first["flow"]["0 Elman"]
    assert len(flow) == 6 and all(0 < a < 0.2 * b for a, b in itertools.pairwise(flow))
    assert "vanishing: 0 Elman, 6 steps: " in first["says"][0]


def record(norms=(), flow=(), groups=()):
    return {"updates": update_norms(norms, 1.0), "flow": dict(flow), "groups": dict(groups)}


QUIET, SPIKE = [1.0] * 9 + [2.0], [0.1] * 18 + [0.2, 5.0]


@pytest.mark.parametrize(
    ("found", "clip_norm", "said"),
    [
        (record(QUIET, {"0 LSTM": [1.0, 2.0, 3.0]}), 1.0, []),
        (record(SPIKE), 1.0, ["exploding: the largest of 20 gradient norms, 5, is 50 times their median; the clip_norm "
                              "that would help: 0.11 (it is 1)"]),
        (record(SPIKE), 0.1, ["exploding: the largest of 20 gradient norms, 5, is 50 times their median; clip_norm=0.1 "
                              "cuts it"]),
        (record(flow={"1 GRU": [1e3, 1.0, 1.0]}), 1.0, ["exploding: 1 GRU, 3 steps: the gradient grows by 1e+03"]),
        (record(flow={"1 GRU backward": [1e3, 1.0, 1.0]}), 1.0, []),
        (record(flow={"1 GRU backward": [1.0, 1.0, 1e-6]}), 1.0, ["vanishing: 1 GRU backward, 3 steps: 1e-06 of"]),
        (record(groups={"a.b": {"gradient": 0.0}}), 1.0, ["vanishing: no gradient at all in a.b"]),
    ],
)  # fmt: skip
def test_verdicts(found, clip_norm, said):
    heard = verdicts(found, clip_norm)
    assert len(heard) == len(said) and all(h.startswith(s) for h, s in zip(heard, said, strict=True)), heard
