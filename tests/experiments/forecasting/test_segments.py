"""Windows read and answered in segments: the equations of SegRNN, what it sees, and lengths that do not fit."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from experiments.forecasting import EXPERIMENT
from experiments.forecasting.model import Forecaster
from experiments.forecasting.scaling import Scaling
from experiments.forecasting.segments import SegmentReader
from experiments.forecasting.windows import Windows
from rnn_jax.nnx import Recurrent, functional
from rnn_jax.train import flatten
from tests.experiments.forecasting.small_panel import make_panel

WINDOW, HORIZON, SEGMENT, HIDDEN = 12, 8, 4, 6
FIELDS = {
    "task": "etth1", "window": WINDOW, "horizon": HORIZON, "segment": SEGMENT, "hidden_size": HIDDEN, "season": 1,
    "means": "", "calendar": "", "across": False, "dropout": 0.0, "recurrent_dropout": 0.0,
}  # fmt: skip
RNG = np.random.default_rng(0)


def config_of(**changes):
    return EXPERIMENT.configure(FIELDS | changes)


def built(windows: Windows, **changes) -> Forecaster:
    """A model, all parameters off their initial values."""
    params, rebuild = functional(config_of(**changes).forecaster(windows.layout, jax.random.key(0)))
    moved = jax.tree.map(lambda leaf: leaf + 0.3 * RNG.normal(size=leaf.shape).astype(np.float32), params)
    return rebuild(moved)


def windows_of(**options) -> Windows:
    panel = make_panel(missing=0.0)
    return Windows(panel, Scaling.fit(panel, panel.validation), WINDOW, HORIZON, across=False, **options)


def gru(params, h, x):
    """A GRU step as of PyTorch, gates r, z, n, whose second bias is of n alone."""
    recur = h @ params["recurrent"]["kernel"]
    put = x @ params["input"]["kernel"] + params["input"]["bias"]
    (r, z, n), (hr, hz, hn) = np.split(put, 3, axis=-1), np.split(recur, 3, axis=-1)
    r, z = 1 / (1 + np.exp(-r - hr)), 1 / (1 + np.exp(-z - hz))
    return (1 - z) * np.tanh(n + r * (hn + params["recurrent"]["bias"])) + z * h


def reference(model, inputs, series, *, centred: bool = True, size: int = 1):
    """Equations of `SegmentReader` in float64, window by window and segment by segment: `[B, H, K]`."""
    p = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), nnx.to_pure_dict(nnx.state(model)))
    head, answers = p["head"], []
    cell = head["layer"]["params"]["layer_0"]
    for b in range(inputs.shape[1]):
        xs = np.asarray(inputs[:, b], np.float64)
        last = xs[-1, 0]
        xs[:, 0] -= last if centred else 0
        h = np.zeros(HIDDEN)
        for begin in range(0, WINDOW, SEGMENT):
            z = xs[begin : begin + SEGMENT].reshape(-1) @ head["embed"]["kernel"] + head["embed"]["bias"]
            h = gru(cell, h, np.maximum(z, 0))
        channel = [] if series is None else p["tables"][0]["embedding"][series[b]]
        rows = []
        for place in head["places"]:
            g = gru(cell, h, np.concatenate([place, channel]))
            rows.append((g @ head["score"]["kernel"] + head["score"]["bias"]).reshape(SEGMENT, size))
        answers.append(np.concatenate(rows) + (last if centred else 0))
    return np.stack(answers)


@pytest.mark.exhaustive(but=1)
@pytest.mark.parametrize(
    ("named", "output", "season"), [(True, "point", 1), (False, "quantile", 1), (True, "point", 0)]
)
def test_it_is_the_equations_of_the_paper(named, output, season):
    windows = windows_of(named=named)
    model = built(windows, embed_series=named, output=output, season=season)
    examples = windows.examples(0, 40)[::7]
    read = windows.read(examples)
    assert ("codes" in read) == named
    size = {"point": 1, "quantile": 5}[output]
    wanted = reference(model, read["inputs"], examples[:, 0] if named else None, centred=season > 0, size=size)
    np.testing.assert_allclose(model(**read), wanted, rtol=2e-5, atol=2e-5)


def test_it_begins_as_the_last_value():
    windows = windows_of()
    model = config_of(output="point").forecaster(windows.layout, jax.random.key(0))
    read = windows.read(windows.examples(0, 40)[:5])
    np.testing.assert_allclose(model(**read)[..., 0], np.repeat(read["inputs"][-1, :, :1], HORIZON, axis=1), rtol=1e-6)


def test_series_differ_by_their_embeddings_alone():
    windows = windows_of(named=True)
    model = built(windows, embed_series=True, output="point")
    one = windows.read(windows.examples(0, 40)[:1])
    other = np.asarray(model(one["inputs"], np.where(one["codes"] == 1, 2, 1)))
    assert np.abs(other - np.asarray(model(**one))).max() > 1e-3
    same = np.asarray(model(one["inputs"], one["codes"].copy()))
    np.testing.assert_array_equal(same, model(**one))


def test_series_are_the_first_words_with_numbers_from_one():
    windows = windows_of(named=True)
    assert windows.layout.vocabularies == (2,)
    examples = np.array([[0, 20], [1, 30]])
    np.testing.assert_array_equal(windows.read(examples)["codes"][..., 0], np.broadcast_to([1, 2], (WINDOW, 2)))
    known = {"series": ["X", "Y"], "names": ["a", "b"]}
    assert config_of(embed_series=True).windows.layout(known, windows.scaling) == windows.layout


@pytest.mark.exhaustive
def test_dropout_is_of_training_alone():
    windows = windows_of()
    model = built(windows, dropout=0.5)
    read = windows.read(windows.examples(0, 40)[:4])
    still = np.asarray(model(**read))
    np.testing.assert_array_equal(still, model(**read))
    assert np.abs(np.asarray(model(**read, key=jax.random.key(1))) - still).max() > 1e-3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"segment": 5}, r"segment=5: expected a divisor of window=12"),
        ({"segment": 6}, r"segment=6: expected a divisor of horizon=8"),
        ({"segment": -4}, r"segment=-4"),
        ({"model": "transformer"}, r"segment=4: expected model='recurrent'.*not model='transformer'"),
        ({"decoding": "recursive"}, r"decoding='recursive'"),
        ({"input_dropout": 0.1}, r"input_dropout=0.1; or segment=0"),
        ({"error": "first"}, r"error='first'"),
    ],
)
def test_what_does_not_fit_is_named(changes, message):
    with pytest.raises(ValueError, match=message):
        config_of(**changes)


def test_series_of_other_tables_have_no_embedding():
    own = {"csv": "a.csv", "target": "b", "by": "c", "embed_series": True}
    with pytest.raises(ValueError, match=r"embed_series=True: a model of a table with --by"):
        EXPERIMENT.configure(own)
    with pytest.raises(ValueError, match=r"segment=24: what is known ahead"):
        EXPERIMENT.configure({"csv": "a.csv", "target": "b", "known_future": "d", "segment": 24, "horizon": 24})


def test_words_leave_room_for_places():
    layer = Recurrent(config_of().model.stack(HIDDEN), rngs=nnx.Rngs(0))
    sizes = {"segment": 4, "window": 12, "horizon": 8, "size": 1}
    with pytest.raises(ValueError, match=r"hidden_size=6: embedded words have 6 features"):
        SegmentReader(layer, 9, words=6, rngs=nnx.Rngs(0), **sizes)
    with pytest.raises(ValueError, match=r"segment=4: expected a divisor of window=10"):
        SegmentReader(layer, 3, rngs=nnx.Rngs(0), **(sizes | {"window": 10}))


def test_earlier_runs_read_step_by_step():
    before = {
        n: v for n, v in flatten(EXPERIMENT.configure({})).items() if n not in ("segment", "embed_series", "error")
    }
    assert EXPERIMENT.configure(EXPERIMENT.today(before)) == EXPERIMENT.configure({})
    assert "segments of 4" in config_of().title and "segments" not in EXPERIMENT.configure({}).title
    assert jnp.isfinite(config_of().forecaster(1, jax.random.key(0))(jnp.zeros((WINDOW, 1, 1)))).all()
