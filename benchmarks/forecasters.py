"""Forecasters of several libraries on the same series: `python -m benchmarks.forecasters NAME CASE.npz FOUND.npz`.

Each is used as its documentation does, with its own defaults where the case says nothing. A case says the series, the
part to train on, window and horizon, hidden size, updates, batch and seed; what is found are the quantiles after each
origin and the seconds of the training, from arrays to a trained model, with whatever is compiled in it.
"""

import contextlib
import logging
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.timing import cores

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
SAMPLES = 200
"""Paths of the forecasters that draw some."""


class Case(NamedTuple):
    """What is trained on what."""

    times: np.ndarray
    """datetime64 `[T]`, hours."""
    values: np.ndarray
    """float64 `[S, T]`, none missing."""
    calendar: np.ndarray
    """float64 `[T, C]`, what is known of each hour in advance."""
    train: int
    """The first step that is not trained on."""
    origins: np.ndarray
    """int `[N]`, the last steps of the windows that are forecast after, for each series."""
    window: int
    horizon: int
    hidden_size: int
    steps: int
    batch_size: int
    seed: int

    @classmethod
    def load(cls, path: Path) -> "Case":
        """From a file that `save` wrote."""
        loaded: dict[str, Any] = {name: array if array.ndim else int(array) for name, array in np.load(path).items()}
        return cls(**loaded)

    def save(self, path: Path) -> None:
        """As a .npz file."""
        np.savez(path, **self._asdict())

    @property
    def windows(self) -> list[tuple[int, slice, slice]]:
        """Each series with the steps of each window, and with those and the horizon after it; origin by origin."""
        return [
            (s, slice(t + 1 - self.window, t + 1), slice(t + 1 - self.window, t + 1 + self.horizon))
            for t in self.origins
            for s in range(len(self.values))
        ]


Forecast = Callable[[], np.ndarray]
"""Quantiles at `LEVELS`: `[N · S, H, Q]`, in the order of `Case.windows`."""


def ours(case: Case, cell: str) -> Forecast:
    """The application `experiments.forecasting` with its defaults, but without recurrent dropout, as none here has."""
    from experiments.forecasting.commands import make_task
    from experiments.forecasting.config import ForecastConfig, ForecasterConfig
    from experiments.forecasting.model import make_forecast
    from experiments.forecasting.panel import Panel
    from experiments.forecasting.windows import Scaling, WindowConfig
    from rnn_jax.train import HoldOutConfig, Run, fit

    names, steps = [f"series {s}" for s in range(len(case.values))], case.steps
    ends = case.train, int(case.origins[0]) + 1  # the last update is taken, whatever the validation part says
    panel = Panel(case.times.astype("datetime64[us]"), case.values, case.values[..., None], ["value"], names, "", *ends)
    means = ",".join(str(n) for n in (1, 2, 3, 4, 6, 9, 12, 16, 20, 24, 48, 96) if n <= case.window)
    config = ForecastConfig(
        task="benchmark",
        batch_size=case.batch_size,
        windows=WindowConfig(horizon=case.horizon, window=case.window, season=1, calendar="day,week"),
        model=ForecasterConfig(cell=cell, hidden_size=case.hidden_size, means=means, recurrent_dropout=0.0),
        fit=HoldOutConfig(
            steps=steps, evaluate_every=steps, seed=case.seed, learning_rate=3e-3, warmup_steps=steps // 10,
            weight_decay=0.1, averaging=0.98,
        ),
    )  # fmt: skip
    windows = config.cut(panel, Scaling.fit(panel, case.train))
    task, rebuild = make_task(config, windows, windows.parts(case.train))
    with tempfile.TemporaryDirectory() as folder:
        outcome = fit(task, config.fit, Run.create(Path(folder), "forecasting", "benchmark", config))
    examples = np.array([(s, before.stop - 1) for s, before, _ in case.windows])

    def forecast() -> np.ndarray:
        found = make_forecast(rebuild, windows, examples)(outcome.params).quantiles
        assert found is not None
        return found

    return forecast


def darts(case: Case, cell: str) -> Forecast:
    """`RNNModel` of darts with a normal distribution, which is its DeepAR; inputs scaled, as its guide asks for."""
    import pandas as pd
    import torch
    from darts import TimeSeries
    from darts.models import RNNModel
    from darts.utils.likelihood_models.torch import GaussianLikelihood

    torch.set_num_threads(cores())
    mean, std = case.values[:, : case.train].mean(axis=1), case.values[:, : case.train].std(axis=1)

    def series(values: np.ndarray, steps: slice) -> TimeSeries:
        index = pd.DatetimeIndex(case.times[steps])
        return TimeSeries.from_times_and_values(index, values[steps].astype(np.float32))

    model = RNNModel(
        input_chunk_length=case.window, training_length=case.window + case.horizon, model=cell.upper(),
        hidden_dim=case.hidden_size, n_rnn_layers=1, likelihood=GaussianLikelihood(), batch_size=case.batch_size,
        n_epochs=case.steps, random_state=case.seed,
        pl_trainer_kwargs={"max_steps": case.steps, "accelerator": "cpu", "enable_progress_bar": False,
                           "enable_model_summary": False, "logger": False},
    )  # fmt: skip
    scaled, train = (case.values - mean[:, None]) / std[:, None], slice(0, case.train)
    known = series(case.calendar, train)
    model.fit([series(row, train) for row in scaled], future_covariates=[known] * len(scaled))

    def forecast() -> np.ndarray:
        found = model.predict(
            n=case.horizon,
            series=[series(scaled[s], before) for s, before, _ in case.windows],
            future_covariates=[series(case.calendar, ahead) for _, _, ahead in case.windows],
            num_samples=SAMPLES,
        )
        paths = np.stack([one.all_values()[:, 0] for one in found])  # [N · S, H, samples]
        quantiles = np.moveaxis(np.quantile(paths, LEVELS, axis=-1), 0, -1)
        which = np.array([s for s, _, _ in case.windows])
        return quantiles * std[which, None, None] + mean[which, None, None]

    return forecast


def neuralforecast(case: Case, name: str) -> Forecast:
    """LSTM, GRU or DeepAR of neuralforecast; the first two with the loss of quantiles."""
    import pandas as pd
    import torch
    from neuralforecast import NeuralForecast, models
    from neuralforecast.losses.pytorch import DistributionLoss, MQLoss

    torch.set_num_threads(cores())
    known = [f"calendar {c}" for c in range(case.calendar.shape[1])]

    def table(key: str, s: int, steps: slice, *, values: bool = True) -> pd.DataFrame:
        columns = {"unique_id": key, "ds": case.times[steps]} | ({"y": case.values[s, steps]} if values else {})
        return pd.DataFrame(columns | dict(zip(known, case.calendar[steps].T, strict=True)))

    shared = {
        "h": case.horizon, "input_size": case.window, "max_steps": case.steps, "futr_exog_list": known,
        "batch_size": len(case.values), "windows_batch_size": case.batch_size, "random_seed": case.seed,
        "enable_progress_bar": False, "enable_model_summary": False, "logger": False, "accelerator": "cpu",
        "enable_checkpointing": False,
    }  # fmt: skip
    if name == "DeepAR":
        loss = DistributionLoss(distribution="StudentT", level=[50, 90], num_samples=SAMPLES)
        model = models.DeepAR(
            **shared, lstm_n_layers=1, lstm_hidden_size=case.hidden_size, loss=loss, trajectory_samples=SAMPLES
        )
    else:
        loss = MQLoss(quantiles=list(LEVELS))
        sizes = {
            "encoder_n_layers": 1,
            "encoder_hidden_size": case.hidden_size,
            "decoder_hidden_size": case.hidden_size,
        }
        model = getattr(models, name)(**shared, **sizes, loss=loss)
    trained = NeuralForecast(models=[model], freq="h")
    train = [table(f"{s}", s, slice(0, case.train)) for s in range(len(case.values))]
    trained.fit(pd.concat(train, ignore_index=True))

    def forecast() -> np.ndarray:
        keys = [f"{i:06}" for i in range(len(case.windows))]
        before = [table(key, s, steps) for key, (s, steps, _) in zip(keys, case.windows, strict=True)]
        after = [
            table(key, s, slice(steps.stop, ahead.stop), values=False)
            for key, (s, steps, ahead) in zip(keys, case.windows, strict=True)
        ]
        found = trained.predict(
            df=pd.concat(before, ignore_index=True), futr_df=pd.concat(after, ignore_index=True)
        ).sort_values(["unique_id", "ds"])
        columns = [column for column in found.columns if column not in ("unique_id", "ds", name)]
        quantiles = np.sort(found[columns].to_numpy(np.float64), axis=-1)
        return quantiles.reshape(len(keys), case.horizon, len(LEVELS))

    return forecast


FORECASTERS: dict[str, Callable[[Case], Forecast]] = {
    "rnn_jax GRU": lambda case: ours(case, "gru"),
    "rnn_jax LSTM": lambda case: ours(case, "lstm"),
    "darts RNNModel GRU": lambda case: darts(case, "gru"),
    "neuralforecast GRU": lambda case: neuralforecast(case, "GRU"),
    "neuralforecast LSTM": lambda case: neuralforecast(case, "LSTM"),
    "neuralforecast DeepAR": lambda case: neuralforecast(case, "DeepAR"),
}


def main(name: str, case: Path, found: Path) -> None:
    """Train one, forecast with it, and write both down."""
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    loaded = Case.load(case)
    # Imports are no part of the training.
    with contextlib.suppress(ModuleNotFoundError):
        __import__({"darts": "darts.models", "neuralforecast": "neuralforecast"}.get(name.split()[0], "jax"))
    began, worked = time.perf_counter(), time.process_time()
    forecast = FORECASTERS[name](loaded)
    seconds, processor = time.perf_counter() - began, time.process_time() - worked
    np.savez(found, quantiles=forecast(), seconds=seconds, processor=processor)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
