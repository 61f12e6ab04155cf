"""Hourly series of the literature: on files in their form, and on the real ones where they are at hand."""

import os

import numpy as np
import pytest

from experiments.forecasting import hourly
from experiments.forecasting.hourly import MONTH, beijing, transformer
from rnn_jax.data import DataError

DUST = """No,year,month,day,hour,pm2.5,DEWP,TEMP,PRES,cbwd,Iws,Is,Ir
1,2012,12,31,22,NA,-21,-11,1021,NW,1.79,0,0
2,2012,12,31,23,129,-16,-4,1020,SE,1.79,0,0
3,2013,12,31,23,148,-15,-4,1020,cv,2.68,0,1
4,2014,1,1,0,159,-11,-5,1021,NE,3.57,2,0
"""
real = pytest.mark.skipif(not os.environ.get("RNN_JAX_DATA"), reason="no data at hand")


def test_dust_has_its_wind_in_the_column_of_its_direction(tmp_path, monkeypatch):
    (tmp_path / "dust.csv").write_text(DUST)
    monkeypatch.setattr(hourly, "fetch", lambda dataset: {"dust.csv": tmp_path / "dust.csv"})
    panel = beijing("pm2.5")
    assert np.isnan(panel.target[0, 0]) and panel.target[0, 1:].tolist() == [129, 148, 159]
    weather = beijing()
    assert weather.target[0].tolist() == [-11, -4, -4, -5] and weather.names[:2] == ["TEMP", "pm2.5"]
    np.testing.assert_array_equal(weather.inputs[..., 0], weather.target)
    wind = panel.inputs[0, :, [panel.names.index(f"log wind {one}") for one in ("NW", "NE", "SE", "cv")]]
    np.testing.assert_allclose(np.expm1(wind).sum(axis=0), [1.79, 1.79, 2.68, 3.57])
    assert [int(column.argmax()) for column in wind.T] == [0, 2, 3, 1] and (wind > 0).sum() == 4
    assert panel.times[2] == np.datetime64("2013-12-31T23:00") and (panel.validation, panel.test) == (2, 3)
    assert panel.inputs[0, 3, panel.names.index("Is")] == 2


def test_a_transformer_has_twenty_months_and_no_more(tmp_path, monkeypatch):
    def write(hours: int) -> None:
        times = np.datetime64("2016-07-01T00:00:00") + np.arange(hours) * np.timedelta64(1, "h")
        lines = [
            f"{str(t).replace('T', ' ')},{-i},{i % 2},{i % 3},{i % 4},{i % 5},{i % 6},{i}" for i, t in enumerate(times)
        ]
        (tmp_path / "ETTh1.csv").write_text("\n".join(["date,HUFL,HULL,MUFL,MULL,LUFL,LULL,OT", *lines]))

    monkeypatch.setattr(hourly, "fetch", lambda dataset: {"ETTh1.csv": tmp_path / "ETTh1.csv"})
    write(20 * MONTH + 5)
    panel = transformer("ETTh1")
    assert panel.target.shape == (7, 20 * MONTH) and panel.series[0] == "HUFL" and panel.series[-1] == "OT"
    assert (panel.validation, panel.test) == (8640, 11520)
    np.testing.assert_allclose(panel.target[:, :8640].mean(axis=1), 0, atol=1e-9)
    np.testing.assert_allclose(panel.target[:, :8640].std(axis=1), 1)
    assert panel.target[6, -1] == pytest.approx((20 * MONTH - 1 - 8639 / 2) / np.arange(8640).std())
    np.testing.assert_allclose(panel.target[0], -panel.target[6])
    write(100)
    with pytest.raises(DataError, match=r"ETTh1.csv has 100 rows: expected at least 14,400"):
        transformer("ETTh1")


@real
def test_the_real_ones_are_whole():
    panel = beijing("pm2.5")
    assert panel.target.shape == (1, 43_824) and np.isnan(panel.target).sum() == 2067
    assert [str(panel.times[row])[:13] for row in (panel.validation, panel.test)] == ["2013-01-01T00", "2014-01-01T00"]
    assert not np.isnan(panel.inputs[..., 1:]).any()
    assert (np.diff(panel.times) == np.timedelta64(1, "h")).all()
    assert not np.isnan(beijing().target).any()
    for name in ("ETTh1", "ETTh2"):
        panel = transformer(name)
        np.testing.assert_allclose(panel.target[:, : 12 * MONTH].std(axis=1), 1)
        assert (np.diff(panel.times) == np.timedelta64(1, "h")).all() and not np.isnan(panel.inputs).any()
