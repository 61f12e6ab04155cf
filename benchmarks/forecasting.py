"""Forecasters side by side: rnn_jax's, darts' RNNModel, neuralforecast's LSTM, GRU and DeepAR.

    python -m benchmarks.forecasting

The same hourly series, its calendar, window, horizon, hidden size, updates and batch for all, one recurrent layer each;
what else there is to choose is left as each library has it. None chooses an update by validation data. Every training
is a process of its own (`forecasters.py`), in turns, round by round, each round with another seed. Measured are the
seconds of a whole training, with all that is compiled in it, and over many moments of the test part the mean absolute
error of the medians and the CRPS of five quantiles, over all steps ahead. Where others work on the same machine, the
seconds of the processor tell more than those of the clock, and one core (`taskset -c 0 python -m ...`) more than two:
the threads of PyTorch wait for each other spinning.

The other libraries need `pip install -c requirements.lock -e ".[experiments,forecast-peers]"`; those that are not there
are left out, and a line says so.
"""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import tyro

from benchmarks.forecasters import FORECASTERS, LEVELS, Case
from benchmarks.results import Results, Row, result_file
from benchmarks.timing import Ratio, order, rows
from experiments.forecasting.hourly import beijing, transformer
from experiments.forecasting.panel import calendar, carried_forward
from rnn_jax.metrics import mean_absolute_error, quantile_crps

ROOT = Path(__file__).parent.parent
REFERENCE = "rnn_jax GRU"
SERIES = {"ETTh1": lambda: transformer("ETTh1"), "Beijing": beijing}
ONE = {"ETTh1": "OT"}
"""The series that is taken of several."""
APART = 25  # hours between moments, so that they come at all hours of the day


@dataclasses.dataclass(frozen=True)
class Config:
    """What to measure.

    Attributes:
        series: of ETTh1 (oil temperature, in standard deviations) and Beijing (temperature, in °C).
        programs: which forecasters.
        window: steps that a forecast sees.
        horizon: steps ahead.
        hidden_size: H.
        steps: updates.
        batch_size: windows in an update.
        rounds: trainings of each, by other seeds.
        scratch: the folder of what single trainings have found: a benchmark that was stopped goes on there.
        output: the result file; the device's by default.
        fresh: measure all anew instead of going on.
    """

    series: tuple[str, ...] = tuple(SERIES)
    programs: tuple[str, ...] = tuple(FORECASTERS)
    window: int = 96
    horizon: int = 24
    hidden_size: int = 64
    steps: int = 1000
    batch_size: int = 64
    rounds: int = 2
    scratch: Path = Path("runs/benchmarks/forecasting")
    output: Path | None = None
    fresh: bool = False


def main(config: Config) -> None:
    results = Results(config.output or result_file("forecasting"), "forecasting", config.fresh, processes="own")
    for name in config.series:
        case = f"{name}, {config.steps} updates of {config.batch_size} windows, H = {config.hidden_size}"
        if case not in results:
            results.add(measured(config, name, case))
    print(table(results.stored))


def measured(config: Config, name: str, case: str) -> list[Row]:
    """The rows of one data set."""
    programs, seconds, scores = (
        list(config.programs),
        {p: [] for p in config.programs},
        {p: [] for p in config.programs},
    )
    for turn in range(config.rounds):
        problem = make_case(config, name, seed=turn)
        target = np.stack([problem.values[s, ahead][-config.horizon :] for s, _, ahead in problem.windows])
        for program in order(programs, turn):
            if program not in seconds:
                continue
            found = trained(config, problem, name, program)
            if found is None:
                del seconds[program], scores[program]
                continue
            quantiles = found["quantiles"]
            scores[program].append({
                "mae": mean_absolute_error(quantiles[..., len(LEVELS) // 2], target),
                "crps": quantile_crps(quantiles, target, LEVELS),
                "processor": float(found["processor"]),
            })  # fmt: skip
            seconds[program].append(float(found["seconds"]))
            told = ", ".join(f"{score} {value:.4g}" for score, value in scores[program][-1].items())
            print(f"{case}, {program}, seed {turn}: {seconds[program][-1]:.1f} s, {told}", flush=True)
    return [
        row | {score: [one[score] for one in scores[row["program"]]] for score in ("mae", "crps", "processor")}
        for row in rows(case, seconds, REFERENCE)
    ]


def make_case(config: Config, name: str, seed: int) -> Case:
    """A data set up to its validation part to train on, and moments of its test part to forecast after.

    A missing value is the last one before it, for not all libraries can do without one.
    """
    panel = SERIES[name]()
    chosen = [i for i, one in enumerate(panel.series) if one == ONE.get(name, one)]
    values = carried_forward(panel.target[chosen])
    first = int((~np.isnan(values)).all(axis=0).argmax())
    values, times = values[:, first:], panel.times[first:]
    origins = np.arange(panel.test - first - 1, len(times) - config.horizon, APART)
    cycles = calendar(times, ["day", "week"])
    return Case(
        times, values, cycles, panel.validation - first, origins, config.window, config.horizon, config.hidden_size,
        config.steps, config.batch_size, seed,
    )  # fmt: skip


def trained(config: Config, case: Case, name: str, program: str) -> Any:
    """What a training found, from its file or from a process of its own; None where a library is not installed.

    Raises:
        ValueError: the process failed.
    """
    folder = config.scratch.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    sizes = "-".join(str(getattr(case, field)) for field in Case._fields[5:])
    found, problem = folder / f"{name}-{program.replace(' ', '-')}-{sizes}.npz", folder / "case.npz"
    if config.fresh or not found.exists():
        case.save(problem)
        part = found.with_suffix(".part.npz")
        command = [sys.executable, "-m", "benchmarks.forecasters", program, str(problem), str(part)]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        if "ModuleNotFoundError" in done.stderr:
            print(f"{program} is left out: {done.stderr.strip().splitlines()[-1]}")
            return None
        if done.returncode:
            raise ValueError(f"{program} on {name} failed: {done.stderr[-2000:]}")
        part.replace(found)
    return np.load(found)


def table(stored: dict[str, Any]) -> str:
    """Markdown: accuracy and time of each forecaster; its time over that of rnn_jax, by the clock and the processor."""
    lines = ["| series | forecaster | MAE | CRPS | training, s | of the processor, s | over those of rnn_jax |"]
    lines.append("|---|---|---|---|---|---|---|")
    ours = {row["case"]: row for row in stored["rows"] if row["program"] == REFERENCE}
    for row in stored["rows"]:
        mine, program = ours[row["case"]], row["program"]
        ratio = str(Ratio(**mine["ratios"][program])) if program != REFERENCE else "1"
        processor = np.median(row["processor"]) / np.median(mine["processor"])
        scores = " | ".join(f"{np.mean(row[score]):.4g} ± {np.std(row[score]):.2g}" for score in ("mae", "crps"))
        times = f"{row['median']:.1f} ± {row['spread'] / 2:.1f} | {np.median(row['processor']):.1f}"
        lines.append(f"| {row['case']} | {program} | {scores} | {times} | {ratio}; {processor:.2f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main(tyro.cli(Config))
