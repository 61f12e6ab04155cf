"""Hourly series of the literature: weather and fine dust at Beijing, load and oil temperature of transformers."""

import numpy as np
import pandas as pd

from experiments.forecasting.panel import Panel
from rnn_jax.data.download import DataError, fetch
from rnn_jax.data.sources import Dataset, url_files

BEIJING_PM25 = Dataset(
    name="beijing_pm25",
    files=url_files(
        "naogelzc/PM2.5-Data-Mining-in-Beijing",
        "b6415470e125f5ea0338f297ce02d76887deea4a",
        "",
        {
            "PRSA_data_2010.1.1-2014.12.31.csv": (
                "77b185392c567d67bf0ddaa27cf57f6f1198e463a665d86360f3910c313719bd",
                2_006_360,
            ),
        },
    ),
    licence="CC BY 4.0",
    citation="X. Liang et al., Assessing Beijing's PM2.5 pollution: severity, weather impact, APEC and winter heating, "
    "2015; UCI Machine Learning Repository",
    split="by time: 2010 to 2012 / 2013 / 2014",
)

ETT = Dataset(
    name="ett",
    files=url_files(
        "zhouhaoyi/ETDataset",
        "1d16c8f4f943005d613b5bc962e9eeb06058cf07",
        "ETT-small",
        {
            "ETTh1.csv": ("f18de3ad269cef59bb07b5438d79bb3042d3be49bdeecf01c1cd6d29695ee066", 2_589_657),
            "ETTh2.csv": ("a3dc2c597b9218c7ce1cd55eb77b283fd459a1d09d753063f944967dd6b9218b", 2_417_960),
        },
    ),
    licence="CC BY-ND 4.0",
    citation="H. Zhou et al., Informer: beyond efficient transformer for long sequence time-series forecasting, 2021, "
    "arXiv:2012.07436: hourly load and oil temperature of two transformers, July 2016 to July 2018",
    split="by time: 12 / 4 / 4 months of 30 days; the months after them are left out",
)

UNITS = {"TEMP": "°C", "pm2.5": "µg/m³"}
MONTH = 30 * 24  # hours, as in the code of Zhou et al.


def beijing(target: str = "TEMP") -> Panel:
    """The weather of Beijing and its fine dust, every hour from 2010 to 2014; hours are those of Beijing.

    2010 to 2012 are for training, 2013 for validation, 2014 for test. Of 43,824 hours 2,067 have no dust, none lacks
    another value. Wind is the logarithm of its cumulated speed, in the column of its direction.

    Args:
        target: "TEMP", in °C, or "pm2.5", in µg/m³.

    Raises:
        DataError: the data cannot be had (see `fetch`).
    """
    (path,) = fetch(BEIJING_PM25).values()
    table = pd.read_csv(path)
    directions = ["NW", "NE", "SE", "cv"]
    plain = [target, *(one for one in ("TEMP", "pm2.5", "DEWP", "PRES", "Is", "Ir") if one != target)]
    wind = np.log1p(table["Iws"].to_numpy())[:, None] * (table["cbwd"].to_numpy()[:, None] == np.array(directions))
    values = np.concatenate([table[plain].to_numpy(np.float64), wind], axis=1)
    times = pd.to_datetime(table[["year", "month", "day", "hour"]]).to_numpy().astype("datetime64[us]")
    validation, test = (int(np.searchsorted(times, np.datetime64(day))) for day in ("2013-01-01", "2014-01-01"))
    names = [*plain, *(f"log wind {direction}" for direction in directions)]
    return Panel(times, values[None, :, 0], values[None], names, [""], UNITS[target], validation, test)


def transformer(name: str) -> Panel:
    """Six loads of a transformer and the temperature of its oil, every hour: seven series, one model for all.

    As in the literature (Zhou et al. 2021): 12 months of 30 days are for training, 4 for validation, 4 for test, and
    each series is in standard deviations of its training part, so that errors of all count alike.

    Args:
        name: "ETTh1" or "ETTh2".

    Raises:
        DataError: the data cannot be had (see `fetch`).
    """
    table = pd.read_csv(fetch(ETT)[f"{name}.csv"], nrows=20 * MONTH)
    if len(table) < 20 * MONTH:
        raise DataError(f"{name}.csv has {len(table):,} rows: expected at least {20 * MONTH:,}")
    names = ["HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT"]
    values = table[names].to_numpy(np.float64).T
    training = values[:, : 12 * MONTH]
    values = (values - training.mean(axis=1, keepdims=True)) / training.std(axis=1, keepdims=True)
    times = pd.to_datetime(table["date"]).to_numpy().astype("datetime64[us]")
    unit = "standard deviations"
    return Panel(times, values, values[..., None], ["value"], names, unit, 12 * MONTH, 16 * MONTH)
