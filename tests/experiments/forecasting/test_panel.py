"""Series on one grid: gaps, cycles, the last known value, and tables that cannot be forecast."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.common.table_cells import TableConfig
from experiments.common.tables import Table
from experiments.forecasting.data import LEAST_VARIANCE, mean_of_last, own_series, stocks, weather
from experiments.forecasting.panel import calendar, carried_forward, on_grid, parts_of
from rnn_jax.data import DataError


def table(*hours: float, start: str = "2020-01-01") -> Table:
    times = np.datetime64(start, "us") + (np.array(hours) * 3600).astype("timedelta64[s]")
    return Table(times, np.array(hours)[:, None], ["x"])


def test_moments_that_are_left_out_are_missing_on_the_grid_of_all_series():
    times, values = on_grid({"a": table(0, 1, 2, 5, 6), "b": table(-1, 0, 1, 2, 3)}, "t")
    assert (np.diff(times) == np.timedelta64(1, "h")).all() and times[0] == np.datetime64("2019-12-31T23")
    nan = np.nan
    np.testing.assert_array_equal(values[..., 0], [[nan, 0, 1, 2, nan, nan, 5, 6], [-1, 0, 1, 2, 3, nan, nan, nan]])


def test_rows_are_steps_if_gaps_are_not_filled():
    times, values = on_grid({"": table(0, 24, 96, 96.5)}, "t", fill=False)
    assert len(times) == 4 and values[0, :, 0].tolist() == [0, 24, 96, 96.5]
    with pytest.raises(DataError, match="t: the series 'b' has other times than the first one"):
        on_grid({"a": table(0, 1), "b": table(0, 2)}, "t", fill=False)


@pytest.mark.parametrize(
    ("hours", "message"),
    [
        ((0, 1, 2, 3.5, 4), "t: the time 2020-01-01T03:30:00.000000 of 'a' is not on the grid of steps of 1 hour: "),
        ((0, 1, 2, 90), "t: 4 rows on 91 moments, 1 hour apart: correct it, or take rows as steps"),
        ((0,), "t has a single row"),
    ],
)
def test_tables_without_a_grid_are_refused(hours, message):
    with pytest.raises(DataError) as raised:
        on_grid({"a": table(*hours)}, "t")
    assert message in str(raised.value)


def test_a_cycle_closes():
    times = np.datetime64("2021-03-01T05:00") + np.arange(24 * 8) * np.timedelta64(1, "h")
    places = calendar(times, ["day", "week"])
    np.testing.assert_allclose(places[:24, [0, 2]], places[24:48, [0, 2]], atol=1e-9)
    np.testing.assert_allclose(places[:24], places[24 * 7 :], atol=1e-9)
    assert abs(places[24, 1] - places[0, 1]) > 0.1
    monday = calendar(np.array(["2024-01-01T00:00"], "datetime64[us]"), ["day", "week"])
    np.testing.assert_allclose(monday, [[1, 1, 0, 0]], atol=1e-9)
    np.testing.assert_allclose(np.hypot(*calendar(times, ["year"]).T), 1)
    with pytest.raises(ValueError, match="calendar='day,moon': 'moon' is none of day, week, year"):
        calendar(times, ["day", "moon"])


@given(st.lists(st.lists(st.sampled_from([np.nan, 1.0, 2.0]), min_size=5, max_size=5), min_size=1, max_size=4))
def test_the_last_value_is_carried_forward(rows):
    values = np.array(rows)
    wanted = values.copy()
    for t in range(1, 5):
        wanted[:, t] = np.where(np.isnan(wanted[:, t]), wanted[:, t - 1], wanted[:, t])
    np.testing.assert_array_equal(carried_forward(values), wanted)
    np.testing.assert_array_equal(carried_forward(values[..., None])[..., 0], wanted)


def test_means_of_the_past():
    values = np.random.default_rng(0).normal(size=(2, 9))
    for steps in (1, 4):
        wanted = [[row[max(0, t + 1 - steps) : t + 1].mean() for t in range(9)] for row in values]
        np.testing.assert_allclose(mean_of_last(values, steps), wanted)


def test_parts_are_in_order_of_time():
    assert parts_of(10) == (7, 8) and parts_of(8312) == (5818, 6649)


def write(path, text: str):
    (path / "own.csv").write_text(text)
    return path / "own.csv"


def test_a_table_of_ones_own_has_the_target_first(tmp_path):
    rows = [f"2020-01-{day:02d},{day},{day * 2},{'' if day == 4 else day * 3}" for day in range(1, 21) if day != 6]
    panel = own_series(write(tmp_path, "\n".join(["day,a,b,c", *rows])), "c")
    assert (
        panel.names == ["c", "a", "b"]
        and panel.inputs.shape == (1, 20, 3)
        and (panel.validation, panel.test) == (14, 16)
    )
    assert np.flatnonzero(np.isnan(panel.target[0])).tolist() == [3, 5] and panel.series == [""]
    np.testing.assert_array_equal(panel.target, panel.inputs[..., 0])
    assert own_series(tmp_path / "own.csv", "c", ("b",)).names == ["c", "b"]
    assert own_series(tmp_path / "own.csv", "c", fill=False).inputs.shape == (1, 19, 3)
    assert panel.moments(2)[-1] == np.datetime64("2020-01-22")


def test_several_series_of_ones_own(tmp_path):
    rows = [f"{place},2020-01-{day:02d},{day}" for day in range(1, 11) for place in "XY"]
    file = write(tmp_path, "\n".join(["place,day,a", *rows]))
    panel = own_series(file, "a", config=TableConfig(time="day"), by="place")
    assert panel.series == ["X", "Y"] and panel.target.shape == (2, 10)


def test_a_target_that_is_not_there(tmp_path):
    file = write(tmp_path, "day,a,b\n2020-01-01,1,2\n2020-01-02,1,2\n")
    with pytest.raises(DataError, match=r"own\.csv has no column 'd' to forecast: its columns with numbers are a, b"):
        own_series(file, "d")
    with pytest.raises(DataError, match=r"own\.csv has no column 'd': its columns are day, a, b"):
        own_series(file, "d", ("a",))


def test_real_weather(real_data):
    panel = weather()
    assert panel.inputs.shape == (3, 8730, 9) and panel.series == ["EWR", "JFK", "LGA"] and panel.unit == "°F"
    assert panel.times[panel.validation] == np.datetime64("2013-09-01") and panel.times[panel.test] == np.datetime64(
        "2013-11-01"
    )
    assert np.isnan(panel.target).sum() == 76
    wind = panel.inputs[0, 0, 6:]  # 10.357 from the west
    np.testing.assert_allclose(wind, [10.35702, -10.35702, 0], atol=1e-9)
    calm = panel.inputs[..., 6] == 0
    assert calm.any() and (panel.inputs[calm][:, 7:] == 0).all()


def test_real_stocks():
    try:
        panel = stocks()
    except DataError as error:
        pytest.skip(str(error))
    assert panel.target.shape == (20, 8312) and panel.target.min() == LEAST_VARIANCE
    assert not np.isnan(panel.inputs).any() and (panel.validation, panel.test) == (5818, 6649)
    returns = stocks("return")
    np.testing.assert_array_equal(returns.target, returns.inputs[..., 0])
    np.testing.assert_allclose(np.maximum(returns.target**2, LEAST_VARIANCE), panel.target)
    np.testing.assert_allclose(panel.inputs[3, 100, 3], np.log(panel.target[3, 96:101].mean()))
