"""A task small enough to train in a test, with everything that a resumed run could get wrong: a carry and noise.

Run as a program, `python tiny.py RUNS`, it trains or goes on, and writes the final parameters to RUNS/final.npz.
"""

import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

import rnn_jax
from rnn_jax.train import Checkpoints, FitConfig, Run, Task, fit

CELL = rnn_jax.GRU(2, 8)
ROWS = 8


def settings(**changes) -> FitConfig:
    values = {"steps": 40, "steps_per_dispatch": 5, "evaluate_every": 10, "warmup_steps": 5, "learning_rate": 0.03}
    return FitConfig(**(values | changes))


def task(**changes) -> Task:
    """Remember the running mean of a noisy signal."""

    def loss(params, carry, batch, key):
        carry, ys = rnn_jax.unroll(CELL, params["cell"], batch["xs"], carry)
        ys = ys + 0.01 * jax.random.normal(key, ys.shape)
        return jnp.mean((ys @ params["readout"] - batch["targets"]) ** 2), (carry, {"mean": ys.mean()})

    def batch(i):
        xs = np.random.default_rng([7, i]).normal(size=(6, ROWS, 2)).astype(np.float32)
        means = np.cumsum(xs, axis=0)[..., :1] / np.arange(1, 7, dtype=np.float32)[:, None, None]
        return {"xs": xs, "targets": means}

    @jax.jit
    def validation_loss(params):
        held_out = batch(10**6)
        _, ys = rnn_jax.unroll(CELL, params["cell"], held_out["xs"])
        return jnp.mean((ys @ params["readout"] - held_out["targets"]) ** 2)

    values = {
        "params": {"cell": CELL.init(jax.random.key(1)), "readout": jnp.full((8, 1), 0.1)},
        "loss": loss,
        "batch": batch,
        "batch_axes": {"xs": 1, "targets": 1},
        "evaluate": lambda params: {"validation_loss": float(validation_loss(params))},
        "carry": CELL.initial_carry((ROWS,)),
    }
    return Task(**(values | changes))


def main(runs: Path) -> int:
    config = settings(steps=400)  # about a second: long enough to be killed in
    resume = bool(Checkpoints(runs / "tiny" / "run" / "checkpoints").steps())
    run = Run.create(runs, "tiny", "run", config, resume=resume, overwrite=not resume)
    outcome = fit(task(), config, run, resume=resume)
    if outcome.exit_code == 0:
        leaves = jax.tree.leaves(outcome.state)
        np.savez(runs / "final.npz", *[np.asarray(leaf) for leaf in leaves])
    return outcome.exit_code


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
