"""Two short series with gaps, to forecast."""

import numpy as np

from experiments.forecasting.panel import Panel


def make_panel(seed: int = 0, steps: int = 80, missing: float = 0.1) -> Panel:
    """Two series of two inputs, the first of which is the target."""
    rng = np.random.default_rng(seed)
    inputs = rng.normal(3, 2, (2, steps, 2)).cumsum(axis=1) / 3
    inputs[rng.random(inputs.shape) < missing] = np.nan
    times = np.datetime64("2020-01-01T00:00", "us") + np.arange(steps) * np.timedelta64(1, "h")
    return Panel(times, inputs[..., 0], inputs, ["a", "b"], ["X", "Y"], "m", steps * 6 // 10, steps * 8 // 10)
