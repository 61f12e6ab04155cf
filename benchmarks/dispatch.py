"""Is training limited by the device or by Python?

    python -m benchmarks.dispatch

Trains the text generation experiment's model by `fit` and, in turns, runs the same compiled program on batches that
are already in place, with nothing in between. The ratio of the two times per update is the share of the wall time in
which the device works; what is missing is Python: batches, metrics, logs. Evaluation and checkpoints are left out.
"""

import dataclasses
import statistics
import tempfile
import time
from pathlib import Path

import jax
import tyro

from experiments.text_generation.commands import prepare
from experiments.text_generation.config import Config
from rnn_jax.train import FitConfig, Run, fit, initial_state, key_for, make_dispatch, make_optimizer, replace_fields
from rnn_jax.train.loop import place_batches


def main(config: tyro.conf.OmitArgPrefixes[Config] = Config(), repeats: int = 5, dispatches: int = 5) -> None:  # noqa: B008
    """Print the share of the wall time in which the device works.

    Args:
        config: Of the text generation experiment.
        repeats: How often both times are taken, in turns.
        dispatches: Calls of the compiled program that are timed each time.
    """
    count = config.fit.steps_per_dispatch
    steps = count * (dispatches + 1)
    config = replace_fields(config, steps=steps, evaluate_every=steps)
    task = dataclasses.replace(prepare(config).task, evaluate=lambda params: {"validation_loss": 0.0})
    optimizer = make_optimizer(config.fit, steps)
    program = jax.jit(make_dispatch(task.loss, optimizer, key_for(config.fit.seed, "training")), donate_argnums=0)
    batches = place_batches([task.batch(i) for i in range(count)], task.batch_axes)
    ratios = []
    for _ in range(repeats):
        device = _device_seconds(program, initial_state(task.params, optimizer, task.carry), batches, dispatches)
        wall = _wall_seconds(task, config.fit)
        ratios.append(device / wall)
        milliseconds = f"device {1e3 * device / count:.1f} ms, wall {1e3 * wall / count:.1f} ms"
        print(f"per update: {milliseconds}, share {ratios[-1]:.3f}", flush=True)
    print(f"median share of the device in the wall time: {statistics.median(ratios):.3f}")


def _device_seconds(program, state, batches, dispatches: int) -> float:
    """Seconds of one dispatch with the data in place."""
    state, metrics = jax.block_until_ready(program(jax.tree.map(jax.numpy.copy, state), batches))
    began = time.perf_counter()
    for _ in range(dispatches):
        state, metrics = program(state, batches)
    jax.block_until_ready((state, metrics))
    return (time.perf_counter() - began) / dispatches


def _wall_seconds(task, config: FitConfig) -> float:
    """Seconds of one dispatch in `fit`, by its own log, without the first one, which compiles."""
    with tempfile.TemporaryDirectory() as folder:
        run = Run.create(Path(folder), "benchmark", "dispatch", config)
        fit(task, config, run)
        seconds = [record["seconds"] for record in run.records()]
    # A line is written while the dispatch after it runs or, where dispatching waits, when that one is done: either way
    # one dispatch apart. The last two lines follow at once: that of the last dispatch, and the evaluation's.
    periods = seconds[:-2]
    return (periods[-1] - periods[0]) / (len(periods) - 1)


if __name__ == "__main__":
    tyro.cli(main)
