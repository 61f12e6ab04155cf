"""How well does a recurrent network say what comes next: tomorrow's temperature, the risk of a stock, your own series?

    python -m experiments.forecasting                            temperature at New York's airports, 24 hours ahead
    python -m experiments.forecasting --task stocks              the variance of 20 stocks on the next day
    python -m experiments.forecasting --task returns             their returns: what nobody can forecast
    python -m experiments.forecasting --task beijing             temperature at Beijing; dust: fine dust there
    python -m experiments.forecasting --task beijing --error all --conformal adaptive    over all steps, with sure bands
    python -m experiments.forecasting --task etth1 --segment 24 --season 1 --means ''    a transformer's load, by SegRNN
    python -m experiments.forecasting --csv my.csv --target load --horizon 48    a column of your own table
    python -m experiments.forecasting --csv my.csv --target kW --decimal , --time-format %d.%m.%Y --zone Europe/Berlin
    python -m experiments.forecasting --csv shops.csv --target sales --by shop --known-future price,offer --static kind
    python -m experiments.forecasting forecast RUN               what comes after the end of the data, or of --csv FILE
    python -m experiments.forecasting forecast RUN --paths 100   of --decoding ancestral: whole paths that may come
    python -m experiments.forecasting predict RUN FILES          what comes after the end of new tables, row by row
    python -m experiments.forecasting evaluate RUN
    python -m experiments.forecasting backtest RUN --origins 20 --refit each     from one moment after another
    python -m experiments.forecasting resume RUN                 go on after an interruption

Windows of a series go to the layers, scaled by the training part alone; quantiles, a distribution, a number or a
variance come out for each step ahead (`--output`), at once or one step after the other (`--decoding recursive`, or
`ancestral`, which draws each step given those before it). One model may be of thousands of series, late and short ones
too. The test part is the last in time and scored once, beside persistence, ridge regression on the same windows, GARCH,
GJR-GARCH and HAR, and with `--boosting 200` gradient boosting, which takes minutes. With `--segment` windows are read,
and answered, in segments (SegRNN, Lin et al. 2023).

What is forecast is measured at its last step, or over all steps (`--error all`, `squared`). Differences to simpler
methods have 95 % intervals: a bootstrap over blocks of seven horizons, for one trained model.
"""

from typing import Any

from experiments.common.table_cells import TableConfig
from experiments.common.upgrade import add_fields, drop_other_tasks
from experiments.forecasting.backtest import backtest
from experiments.forecasting.commands import evaluate, forecast, prepare, restore
from experiments.forecasting.predictor import ForecastPredictor
from experiments.forecasting.tasks import TASKS, OwnConfig, WeatherConfig, task_of
from rnn_jax.train import Experiment
from rnn_jax.train.fields import field_types


def upgrade(stored: dict[str, Any]) -> dict[str, Any]:
    """The fields of a config.json of an earlier version as they are today."""
    newer = "segment", "embed_series", "error", "boosting"
    stored = add_fields(WeatherConfig, "conformal", "across", *newer)(stored)  # every task has the fields of this one
    covariates = "known_future", "static", "categorical"
    return drop_other_tasks(TASKS)(add_fields(OwnConfig, *field_types(TableConfig), *covariates)(stored))


EXPERIMENT = Experiment(
    __name__, TASKS, prepare, restore, commands=(evaluate, forecast, backtest), task_of=task_of, upgrade=upgrade,
    predictor=ForecastPredictor, own_data="--csv FILE --target COLUMN",
)  # fmt: skip
