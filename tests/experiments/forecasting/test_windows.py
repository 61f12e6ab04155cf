"""Windows: what a forecast sees, what it must not see, and how missing values are told."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.forecasting.panel import Panel, calendar
from experiments.forecasting.scaling import Scaling
from experiments.forecasting.windows import WindowBatches, Windows
from rnn_jax.data import DataError

NAN = np.nan


def make_panel(seed: int = 0, series: int = 2, steps: int = 60, missing: float = 0.1) -> Panel:
    rng = np.random.default_rng(seed)
    inputs = rng.normal(3, 2, (series, steps, 2)) * [1, 5]
    inputs[rng.random(inputs.shape) < missing] = NAN
    times = np.datetime64("2020-01-01T00:00", "us") + np.arange(steps) * np.timedelta64(1, "h")
    names = [f"series {i}" for i in range(series)]
    return Panel(times, inputs[..., 0], inputs, ["a", "b"], names, "m", int(steps * 0.6), int(steps * 0.8))


def make_windows(panel: Panel, **options) -> Windows:
    return Windows(panel, Scaling.fit(panel, panel.validation), 6, 3, ["day"], **options)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.sampled_from(["validation", "test"]), st.floats(-1e6, 1e6))
def test_what_comes_later_changes_nothing_before_it(seed, part, value):
    panel = make_panel(seed)
    start = getattr(panel, part)
    rng = np.random.default_rng(seed + 1)
    inputs = panel.inputs.copy()
    inputs[:, start:] = np.where(
        rng.random(inputs[:, start:].shape) < 0.3, NAN, value * rng.normal(size=inputs[:, start:].shape)
    )
    changed = dataclasses.replace(panel, inputs=inputs, target=inputs[..., 0])
    ours, theirs = make_windows(panel), make_windows(changed)
    assert ours.scaling.to_json() == theirs.scaling.to_json()
    np.testing.assert_array_equal(ours.features[:, :start], theirs.features[:, :start])
    before = ours.examples(0, start)
    np.testing.assert_array_equal(before, theirs.examples(0, start))
    np.testing.assert_array_equal(ours.inputs(before), theirs.inputs(before))
    np.testing.assert_array_equal(ours.targets(before), theirs.targets(before))
    batches = [WindowBatches(w, before, 4, seed=3).batch(7) for w in (ours, theirs)]
    np.testing.assert_array_equal(batches[0]["inputs"], batches[1]["inputs"])
    assert before[:, 1].max() + 3 < start


def test_windows_are_scaled_and_filled_step_by_step():
    panel = make_panel()
    windows = make_windows(panel)
    (s, t), end = (1, 20), panel.validation
    window = windows.inputs(np.array([[s, t]]))[:, 0]
    assert window.shape == (6, 2 + 2 + 1 + 2) and window.dtype == np.float32
    mean = [[np.nanmean(panel.inputs[i, :end, d]) for d in range(2)] for i in range(2)]
    std = [[np.nanstd(panel.inputs[i, :end, d]) for d in range(2)] for i in range(2)]
    for row, step in zip(window, range(t - 5, t + 1), strict=True):
        known = np.zeros((2, 2))
        for i in range(2):
            for d in range(2):
                values = panel.inputs[i, : step + 1, d]
                values = values[~np.isnan(values)]
                known[i, d] = (values[-1] - mean[i][d]) / std[i][d] if len(values) else 0
        place = calendar(panel.times[step : step + 1], ["day"])[0]
        np.testing.assert_allclose(row, [*known[s], *known.mean(0), np.isnan(panel.target[s, step]), *place], atol=1e-5)


def test_what_comes_after_a_window():
    panel = make_panel(missing=0)
    windows = make_windows(panel)
    examples = windows.examples(panel.test, 60)
    # All of the H steps are in the part; the window before them need not be.
    assert examples[:, 1].min() == panel.test - 1 and examples[:, 1].max() == 60 - 1 - 3 and len(examples) == 2 * 10
    wanted = np.stack([panel.target[s, t + 1 : t + 4] for s, t in examples])
    np.testing.assert_array_equal(windows.targets(examples, scaled=False), wanted)
    shift, factor = windows.scaling.target_shift, windows.scaling.target_factor
    scaled = (wanted - shift[examples[:, :1]]) / factor[examples[:, :1]]
    np.testing.assert_allclose(windows.targets(examples), scaled, rtol=1e-5)
    assert windows.examples(0, 60)[:, 1].min() == 5, "the first window is complete"
    np.testing.assert_array_equal(windows.newest, [[0, 59], [1, 59]])


def test_windows_before_nothing_known_are_left_out():
    panel = make_panel(missing=0)
    panel.target[0, 10:20] = NAN
    last = make_windows(panel).examples(0, 36)
    own = last[last[:, 0] == 0][:, 1].tolist()
    assert own == [5, 6, 7, 8, *range(17, 33)], "a window counts if one of the 3 steps after it is known"


def test_a_window_goes_on_with_what_is_known_of_later_steps():
    panel = make_panel()
    plain, ahead = make_windows(panel), make_windows(panel, ahead=True)
    examples = np.array([[0, 30], [1, 59]])  # after the last step only the calendar goes on
    xs = ahead.inputs(examples)
    assert xs.shape == (6 + 2, 2, 7)
    np.testing.assert_array_equal(xs[:6], plain.inputs(examples))
    for h in (6, 7):
        np.testing.assert_array_equal(xs[h, :, :-2], xs[5, :, :-2])
    np.testing.assert_allclose(xs[6:, 1, -2:], calendar(panel.moments(2)[60:], ["day"]), atol=1e-6)


def test_a_positive_target_is_divided_by_its_mean():
    panel = make_panel(missing=0)
    panel = dataclasses.replace(panel, target=np.abs(panel.target) + 1)
    scaling = Scaling.fit(panel, 36, positive=True)
    np.testing.assert_allclose((panel.target[:, :36] / scaling.target_factor[:, None]).mean(axis=1), 1)
    assert (scaling.target_shift == 0).all()
    again = Scaling.from_json(scaling.to_json())
    np.testing.assert_array_equal(again.shift, scaling.shift)
    panel.target[1, 3] = 0
    with pytest.raises(DataError, match="m of series 1 is 0 at its least: a variance is positive"):
        Scaling.fit(panel, 36, positive=True)


def test_inputs_that_are_constant_or_never_there_are_zero():
    panel = make_panel(missing=0)
    panel.inputs[0, :, 1], panel.inputs[1, :, 1] = 7.0, NAN
    windows = make_windows(panel)
    assert np.all(windows.features[..., 1] == 0) and np.isfinite(windows.features).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda target: np.full_like(target, 5), "m of series 0 is 5 throughout in the 36 steps of the training part"),
        (lambda target: np.full_like(target, NAN), "m of series 0 is missing throughout in the 36 steps"),
    ],
)
def test_a_series_with_nothing_to_learn_is_refused(change, message):
    panel = make_panel()
    panel = dataclasses.replace(panel, target=change(panel.target))
    with pytest.raises(DataError, match=message):
        Scaling.fit(panel, 36)


def test_a_series_shorter_than_the_window_is_refused():
    panel = make_panel(steps=12)
    windows = Windows(panel, Scaling.fit(panel, 7), 14, 3)
    with pytest.raises(DataError, match="the series have 12 steps: expected at least one window of 14"):
        _ = windows.newest
    with pytest.raises(DataError, match="steps 0 to 9 of 12 have no window of 14 steps with a known m in the 3 after"):
        windows.parts(9)
