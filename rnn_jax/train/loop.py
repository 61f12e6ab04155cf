"""The one training loop: dispatch several updates, look at the metrics of the dispatch before, evaluate, save."""

import contextlib
import dataclasses
import signal
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from rnn_jax.cells.base import check_size
from rnn_jax.train.agreement import anywhere
from rnn_jax.train.checkpoint import Checkpoints
from rnn_jax.train.console import Console
from rnn_jax.train.diagnosis import Diagnosis
from rnn_jax.train.optimizer import OptimizerSettings, make_optimizer, make_schedule
from rnn_jax.train.parallel import batch_sharding, data_mesh, place
from rnn_jax.train.run import Run
from rnn_jax.train.seeds import check_seed, key_for
from rnn_jax.train.signals import stop_on_signals
from rnn_jax.train.state import Batch, Loss, TrainState, initial_state, kept_params, make_dispatch
from rnn_jax.typing import Carry, Params


@dataclasses.dataclass(frozen=True, kw_only=True)
class FitSettings(OptimizerSettings):
    """How long and how to train. Experiments inherit these fields into their Config.

    Raises:
        ValueError: a value is out of range, or `evaluate_every` is not a multiple of `steps_per_dispatch`.
    """

    seed: int = 0
    """Of everything random: initial values, dropout, batches."""
    steps: int = 1000
    """Updates."""
    steps_per_dispatch: int = 10
    """Updates in one call of the compiled program."""
    evaluate_every: int = 100
    """Updates between two evaluations; each one is followed by a checkpoint."""
    patience: int = 0
    """Stop after so many evaluations without a better one; 0 never does."""
    cpu_devices: int = 2
    """On a CPU, the parts of a batch that cores work on side by side; batch_size is a multiple of it. The environment
    variable JAX_NUM_CPU_DEVICES goes before it."""

    def __post_init__(self):
        super().__post_init__()
        check_seed(self.seed)
        for name in ("steps", "steps_per_dispatch", "evaluate_every", "cpu_devices"):
            check_size(name, getattr(self, name))
        if self.patience < 0:
            raise ValueError(f"patience={self.patience}: expected 0 (never stop early) or more")
        if self.evaluate_every % self.steps_per_dispatch:
            raise ValueError(
                f"evaluate_every={self.evaluate_every}: expected a multiple of "
                f"steps_per_dispatch={self.steps_per_dispatch}"
            )


@dataclasses.dataclass(frozen=True, kw_only=True)
class HoldOutSettings(FitSettings):
    """Training with or without a validation part of its own.

    Raises:
        ValueError: nothing is held out, and yet an update is to be chosen.
    """

    hold_out: bool = True
    """Keep the validation part apart; without, train on it too, by settings chosen before, and take the last update."""

    def __post_init__(self):
        super().__post_init__()
        if not self.hold_out and self.evaluate_every < self.steps:
            raise ValueError(f"hold_out=False leaves nothing to choose an update by: use evaluate_every={self.steps}")


@dataclasses.dataclass(frozen=True)
class Task:
    """What an experiment gives the loop: initial values and pure functions.

    Attributes:
        params: initial parameters.
        loss: `(params, carry, batch, key) -> (loss, (carry, metrics))`.
        batch: the training batch of update i, a dict of NumPy arrays of one shape, as a pure function of i.
        batch_axes: which axis of each array is the batch; None for one that all rows share.
        evaluate: validation metrics of some parameters.
        carry: the initial carry of stateful training, its leaves `[B, ...]`.
        monitor: the validation metric that early stopping and the best checkpoint go by.
        higher_is_better: of that metric.
    """

    params: Params
    loss: Loss
    batch: Callable[[int], Batch]
    batch_axes: dict[str, int | None]
    evaluate: Callable[[Params], dict[str, float]]
    carry: Carry = ()
    monitor: str = "validation_loss"
    higher_is_better: bool = False


class Diverged(RuntimeError):
    """The loss or a gradient is not finite. The checkpoints before are good and stay."""


@dataclasses.dataclass
class Progress:
    """What the loop itself remembers; stored with every checkpoint.

    Attributes:
        best: the best value of the monitored metric.
        best_step: where it was reached.
        without_gain: evaluations since then.
        seconds: spent, all interrupted parts together.
    """

    best: float | None = None
    best_step: int = 0
    without_gain: int = 0
    seconds: float = 0.0

    def gained(self, value: float, step: int, higher_is_better: bool) -> bool:
        """Take note of an evaluation; whether it is the best so far."""
        if self.best is not None and (value <= self.best if higher_is_better else value >= self.best):
            self.without_gain += 1
            return False
        self.best, self.best_step, self.without_gain = value, step, 0
        return True


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a training ended.

    Attributes:
        params: the best parameters by the monitored metric, on the default device of each process.
        state: the last state.
        progress: best value and step, seconds.
        reason: "finished", "stopped early" or "signal".
        exit_code: 0, or 128 + the signal's number.
    """

    params: Params
    state: TrainState
    progress: Progress
    reason: str
    exit_code: int


def fit(
    task: Task, settings: FitSettings, run: Run, *, resume: bool = False, diagnosis: Diagnosis | None = None
) -> Outcome:
    """Train until the steps are done, nothing improves any more, or a signal asks to stop.

    A run that was interrupted in any way and resumed ends bitwise equal to one that was not, on the same machine and
    versions: everything random follows from (seed, step), and every dispatch begins at the same step.

    Raises:
        Diverged: the loss or a gradient is not finite; the last good checkpoint is kept.
        ValueError: the batch cannot be divided by the number of devices.
    """
    mesh = data_mesh()
    optimizer = make_optimizer(settings, settings.steps)
    schedule = make_schedule(settings, settings.steps)
    copied = batch_sharding(mesh, None)
    fresh = initial_state(task.params, optimizer, task.carry)
    shardings = jax.tree.map(lambda _: copied, fresh)._replace(
        carry=jax.tree.map(lambda _: batch_sharding(mesh, 0), fresh.carry)
    )
    state = jax.tree.map(place, fresh, shardings)
    dispatch = jax.jit(
        make_dispatch(task.loss, optimizer, key_for(settings.seed, "training")),
        donate_argnums=0,
        out_shardings=(shardings, copied),
    )
    checkpoints, progress, step = Checkpoints(run.checkpoints), Progress(), 0
    # A run that was interrupted before its first checkpoint goes on from the beginning.
    if resume and checkpoints.ever_saved:
        loaded = checkpoints.load(state)
        state, step, progress = loaded.state, loaded.step, Progress(**loaded.info["progress"])
    run.truncate_log(step)
    if diagnosis and step:
        diagnosis.resume(step)

    began, console, pending = time.monotonic(), Console(settings.steps, step), None
    before = progress.seconds
    if resume:
        console.line(f"going on after step {step}")

    def report() -> None:
        """Log the metrics of the newest dispatch, which has to be done by now or is waited for."""
        nonlocal pending
        if pending is None:
            return
        (last, stacked), pending = pending, None
        host = jax.tree.map(np.asarray, stacked)
        if diagnosis:
            diagnosis.note(host["grad_norm"].tolist())
        bad = ~(np.isfinite(host["loss"]) & np.isfinite(host["grad_norm"]))
        if bad.any():
            where = last - len(bad) + 1 + int(np.argmax(bad))
            raise diverged(f"loss {host['loss'][bad][0]}, gradient norm {host['grad_norm'][bad][0]} in update {where}")
        means = {name: float(values.mean()) for name, values in host.items()}
        run.log({"step": last, **means, "learning_rate": float(np.asarray(schedule(last - 1))), "seconds": elapsed()})
        console.show(last, {"loss": means["loss"]})

    def diverged(what: str) -> Diverged:
        good = checkpoints.latest_step
        kept = "there is no checkpoint yet" if good is None else f"the last good checkpoint is step {good}"
        words = diagnosis.last_words() if diagnosis else ""
        return Diverged(f"{what}: stopped, {kept}. Try a lower learning_rate or clip_norm{words and '; '}{words}")

    def examine() -> None:
        """Say what is wrong with the gradients, where that is asked for."""
        for line in diagnosis.examine(step, state, batches) if diagnosis else ():
            console.line(line)

    def elapsed() -> float:
        return before + time.monotonic() - began

    def save(best: bool) -> None:
        progress.seconds = elapsed()
        checkpoints.save(step, state, {"progress": dataclasses.asdict(progress)}, best=best)

    saved = step
    with stop_on_signals() as stop, contextlib.closing(console):
        while step < settings.steps and not anywhere(stop.requested) and not _patience_over(progress, settings):
            boundary = min(settings.steps, step - step % settings.evaluate_every + settings.evaluate_every)
            count = min(settings.steps_per_dispatch, boundary - step)
            batches = place_batches([task.batch(i) for i in range(step, step + count)], task.batch_axes, mesh)
            if step == 0:
                examine()
            state, metrics = dispatch(state, batches)
            step += count
            report()  # of the dispatch before: the device is already busy with this one
            pending = (step, metrics)
            if step == boundary:
                report()
                # The copy of one device: evaluated on the mesh, every device would do all of the work.
                scores = task.evaluate(jax.tree.map(lambda leaf: leaf.addressable_data(0), kept_params(state)))
                if not np.isfinite(scores[task.monitor]):
                    raise diverged(f"{task.monitor} {scores[task.monitor]} after update {step}")
                best = progress.gained(scores[task.monitor], step, task.higher_is_better)
                run.log({"step": step, **scores, "seconds": elapsed()})
                shown = "  ".join(f"{name} {value:.4f}" for name, value in scores.items())
                console.line(f"step {step}/{settings.steps}  {shown}{'  (best)' if best else ''}")
                examine()
                save(best)
                saved = step
        report()
        if step > saved:
            save(best=False)
        stopped = anywhere(stop.requested)
        reason = "signal" if stopped else "finished" if step >= settings.steps else "stopped early"
        # A process that had no signal itself stops for the SIGTERM of another.
        exit_code = (stop.exit_code or 128 + signal.SIGTERM) if stopped else 0
    best = kept_params(state)
    if progress.best_step not in (0, step):
        best = kept_params(checkpoints.load(state, best=True).state)
    # By way of the host, so that they belong to one process and no longer to the mesh.
    local = jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf)), best)
    return Outcome(local, state, progress, reason, exit_code)


def best_params(params: Params, carry: Carry, settings: FitSettings, run: Run) -> Params:
    """The best parameters of a run on disk.

    Args:
        params: parameters of the same model, for their names, shapes and dtypes.
        carry: the initial carry that the run trained with.
        settings: of the run.
        run: the run.

    Raises:
        CheckpointError: there is no intact checkpoint, or the model is another one (the message names the leaves).
    """
    state = initial_state(params, make_optimizer(settings, settings.steps), carry)
    return kept_params(Checkpoints(run.checkpoints).load(state, best=True).state)


def _patience_over(progress: Progress, settings: FitSettings) -> bool:
    return bool(settings.patience) and progress.without_gain >= settings.patience


def place_batches(batches: list[Batch], axes: dict[str, int | None], mesh: Mesh | None = None) -> Batch:
    """Batches of one shape stacked for one dispatch and spread over a mesh (all devices by default).

    Raises:
        ValueError: the batch axis cannot be divided by the number of devices.
    """
    mesh = mesh or data_mesh()
    placed = {}
    for name, axis in axes.items():
        stacked = np.stack([batch[name] for batch in batches])
        # Stacking has put one axis before the batch axis.
        placed[name] = place(stacked, batch_sharding(mesh, None if axis is None else axis + 1))
    return placed
