"""Tables as forecasters have them: what is read of each, and what comes after its end."""

import csv
import io

import numpy as np
import pandas as pd
import pytest

from experiments.common.table_cells import TableConfig
from experiments.forecasting.data import own_series
from experiments.forecasting.outputs import Forecast
from experiments.forecasting.panel import Panel
from experiments.forecasting.scaling import Scaling
from experiments.forecasting.scores import forecast_table
from experiments.forecasting.windows import Windows
from rnn_jax.data import DataError

LOAD = 20 + 10 * np.sin(np.arange(60) / 4)


def panel_of(tmp_path, lines: list[str], target: str, *, by: str = "", **options) -> Panel:
    (tmp_path / "own.csv").write_text("\n".join(lines))
    return own_series(tmp_path / "own.csv", target, (), TableConfig(**options), by=by)


def after(panel: Panel, steps: int = 3, add: float = 0.0) -> list[dict[str, str]]:
    """The rows that are printed of a forecast that says the last value again."""
    windows = Windows(panel, Scaling.fit(panel, panel.validation), 4, steps)
    last = np.repeat(np.nan_to_num(panel.target[:, -1:]) + add, steps, axis=1)
    return list(csv.DictReader(io.StringIO(forecast_table(windows, Forecast(last, None)))))


def lines_of(times, values=LOAD, head: str = "when,load") -> list[str]:
    return [head, *(f"{time},{value:.2f}" for time, value in zip(times, values, strict=True))]


def test_trading_days_go_on_with_monday(tmp_path, capsys):
    days = pd.bdate_range("2020-01-01", periods=60).delete([20, 33])  # two holidays
    panel = panel_of(tmp_path, lines_of([f"{day:%Y-%m-%d}" for day in days], LOAD[:58]), "load")
    assert len(panel.times) == 60 and np.isnan(panel.target).sum() == 2
    assert panel.times[-1].astype("datetime64[D]") == np.datetime64("2020-03-24")
    assert [row["time"] for row in after(panel, 5)] == [
        "2020-03-25",
        "2020-03-26",
        "2020-03-27",
        "2020-03-30",
        "2020-03-31",
    ]
    said = capsys.readouterr().err
    assert "own.csv: 58 rows, 1 column (load)" in said
    assert "2020-01-01 to 2020-03-24, steps of 1 day from Monday to Friday, 2 of 60 moments left out" in said
    assert "steps: 42 for training, 6 for validation, 12 for test" in said and "note:" not in said


@pytest.mark.parametrize(
    ("freq", "form", "then"),
    [
        ("MS", "%Y-%m", ["1954-01", "1954-02"]),
        ("MS", "%Y-%m-%d", ["1954-01-01", "1954-02-01"]),
        ("ME", "%d.%m.%Y", ["1954-01-31", "1954-02-28"]),
        ("QE", "%m/%d/%Y", ["1964-03-31", "1964-06-30"]),
        ("YS", "%Y", ["2009", "2010"]),
    ],
)
def test_months_quarters_and_years_go_on(tmp_path, freq, form, then):
    dates = pd.date_range("1949-01-01", periods=61 if freq != "MS" and freq != "ME" else 60, freq=freq)[:60]
    panel = panel_of(tmp_path, lines_of([f"{date:{form}}" for date in dates]), "load")
    assert len(panel.times) == 60 and not np.isnan(panel.target).any()
    assert [row["time"] for row in after(panel, 2)] == then


def test_offsets_from_utc_are_given_back(tmp_path):
    hours = pd.date_range("2013-01-01T00:00+02:00", periods=60, freq="h")
    panel = panel_of(tmp_path, lines_of([hour.isoformat() for hour in hours]), "load")
    assert after(panel)[0]["time"] == "2013-01-03T12:00:00+02:00"
    days = pd.date_range("2013-02-15", periods=60, tz="Europe/Berlin")
    panel = panel_of(tmp_path, lines_of([day.isoformat() for day in days]), "load", zone="Europe/Berlin")
    assert len(panel.times) == 60 and after(panel)[0]["time"] == "2013-04-16T00:00:00+02:00"


def test_parts_of_a_second(tmp_path):
    times = pd.date_range("2013-01-01", periods=60, freq="100ms")
    panel = panel_of(tmp_path, lines_of([time.isoformat(timespec="milliseconds") for time in times]), "load")
    assert len(panel.times) == 60
    assert [row["time"] for row in after(panel)] == [f"2013-01-01T00:00:06.{tenth}00" for tenth in (0, 1, 2)]


def test_all_digits_of_large_and_of_small_numbers(tmp_path):
    days = pd.date_range("2013-01-01", periods=60)
    volume = [f"{day:%Y-%m-%d},{28_379_111 + 1_234_567 * (i % 7)},{0.001 * i}" for i, day in enumerate(days)]
    panel = panel_of(tmp_path, ["when,volume,share", *volume], "volume")
    assert after(panel, 1)[0]["forecast"] == str(28_379_111 + 1_234_567 * 3)
    panel = panel_of(tmp_path, ["when,volume,share", *volume], "share")
    assert after(panel, 1, add=1.23456e-5)[0]["forecast"] == "0.0590123"


def test_names_with_commas_come_back_in_quotes(tmp_path):
    hours = [f"{hour:%Y-%m-%d %H:%M}" for hour in pd.date_range("2013-01-01", periods=60, freq="h")]
    rows = [
        f'{hour},"{place}",{load:.2f}' for hour, load in zip(hours, LOAD, strict=True) for place in ("B, Mitte", "R")
    ]
    panel = panel_of(tmp_path, ['when,store,"load, kW"', *rows], "load, kW", by="store")
    found = after(panel, 1)
    assert [row["series"] for row in found] == ["B, Mitte", "R"] and found[0]["forecast"] == f"{LOAD[-1]:.2f}"
    assert panel.names == ["load, kW"]


def test_semicolons_decimal_commas_and_the_day_first(tmp_path):
    hours = pd.date_range("2013-01-01", periods=60, freq="h")
    lines = [f"{hour:%d.%m.%Y %H:%M};{load:.2f}".replace(".", ",", 0) for hour, load in zip(hours, LOAD, strict=True)]
    lines = [f"{line.rpartition('.')[0]},{line.rpartition('.')[2]}" for line in lines]
    panel = panel_of(tmp_path, ["Datum;Leistung, kW", *lines], "Leistung, kW")
    np.testing.assert_allclose(panel.target[0], LOAD, atol=0.006)
    assert after(panel, 1)[0]["time"] == "2013-01-03T12:00:00"


def test_marks_of_missing_values_and_mixed_thousands(tmp_path, capsys):
    hours = [f"{hour:%Y-%m-%d %H:%M}" for hour in pd.date_range("2013-01-01", periods=60, freq="h")]
    values = np.where(np.arange(60) % 20 == 7, -999, LOAD)
    panel_of(tmp_path, lines_of(hours, values), "load")
    said = capsys.readouterr().err
    assert "note: 3 values of load are -999, far from all others (10" in said and "say --missing -999" in said
    panel = panel_of(tmp_path, lines_of(hours, values), "load", missing="-999")
    assert np.isnan(panel.target).sum() == 3 and "missing values: load 3" in capsys.readouterr().err
    thousands = ["when,load", *(f'{hour},"{900 + 20 * i:,}"'.replace(",", ".", 0) for i, hour in enumerate(hours))]
    thousands = [line.replace(",", "#", 1).replace(",", ".").replace("#", ",") for line in thousands]
    with pytest.raises(DataError, match=r"own\.csv: column 'load' has '1\.000' beside '900', which may be 1000 or 1"):
        panel_of(tmp_path, thousands, "load")
    assert panel_of(tmp_path, thousands, "load", decimal=",").target[0, [0, 5]].tolist() == [900, 1000]
