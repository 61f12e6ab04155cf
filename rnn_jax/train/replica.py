"""What the training loop drives: one training, a replica, or several side by side that differ in their seed only."""

import contextlib
import dataclasses
import functools
import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
import optax

from rnn_jax.train.agreement import anywhere
from rnn_jax.train.config import FitConfig
from rnn_jax.train.console import Console, rounded
from rnn_jax.train.diagnosis import Diagnosis
from rnn_jax.train.optimizer import make_schedule
from rnn_jax.train.run import Run
from rnn_jax.train.signals import StopRequest, stop_on_signals
from rnn_jax.train.state import Batch, Loss, TrainState, kept_params
from rnn_jax.typing import Carry, Params
from rnn_jax.unroll import automatic

Prune = Callable[[int, dict[str, float]], bool]
"""Of the step and the scores of an evaluation: whether to stop there."""


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


def by_method(task: Task, method: str) -> Task:
    """The task with everything that it computes going through time as `FitConfig.method` says."""

    def within(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def run(*arguments: Any) -> Any:
            with automatic(method):
                return function(*arguments)

        return run

    return dataclasses.replace(task, loss=within(task.loss), evaluate=within(task.evaluate))


FAR_WORSE = 10  # times the loss of the start
BEYOND = 1e6  # times it, or 1: what the first updates alone must not reach


class Diverged(RuntimeError):
    """The loss or a gradient is not finite, or the loss far higher than at the start. Good checkpoints stay."""


@dataclasses.dataclass
class Progress:
    """What the loop itself remembers; stored with every checkpoint.

    Attributes:
        best: the best value of the monitored metric.
        best_step: where it was reached.
        without_gain: evaluations since then.
        seconds: spent, all interrupted parts together.
        pruned: an evaluation was so poor that the rest is not worth its time.
        lost: the value of a better state, whose checkpoint is damaged.
        lost_step: where that was reached.
    """

    best: float | None = None
    best_step: int = 0
    without_gain: int = 0
    seconds: float = 0.0
    pruned: bool = False
    lost: float | None = None
    lost_step: int = 0

    @property
    def note(self) -> str:
        """Why the best state is not the best that there was; empty if it is."""
        return "" if self.lost is None else f"best at {self.lost_step} was damaged; this is {self.best_step}"

    def gained(self, value: float, step: int, higher_is_better: bool) -> bool:
        """Take note of an evaluation; whether it is the best so far."""
        if not _is_better(value, self.best, higher_is_better):
            self.without_gain += 1
            return False
        self.best, self.best_step, self.without_gain = value, step, 0
        if _is_better(value, self.lost, higher_is_better):
            self.lost = None
        return True

    def lose_best(self, step: int, value: float | None, higher_is_better: bool) -> None:
        """Take note that the checkpoint of the best is damaged, and go by that of a step; without a value by none."""
        if self.best is not None and _is_better(self.best, self.lost, higher_is_better):
            self.lost, self.lost_step = self.best, self.best_step
        self.best, self.best_step, self.without_gain = value, step, 0


def _is_better(value: float, than: float | None, higher_is_better: bool) -> bool:
    return than is None or (value > than if higher_is_better else value < than)


@dataclasses.dataclass
class Replica:
    """One training, and where it is written down.

    Attributes:
        task: what is trained.
        config: how.
        run: where it is logged.
        progress: so far.
        name: of the replica in what is shown, with a blank after it; none for one replica.
        failure: why it cannot go on.
        diagnosis: watches its gradients; of a replica that is alone.
        prune: see `fit`.
    """

    task: Task
    config: FitConfig
    run: Run
    progress: Progress = dataclasses.field(default_factory=Progress)
    name: str = ""
    failure: Diverged | None = None
    diagnosis: Diagnosis | None = None
    prune: Prune | None = None

    @functools.cached_property
    def _schedule(self) -> optax.Schedule:
        return make_schedule(self.config, self.config.steps)

    @property
    def info(self) -> dict[str, Any]:
        """What is saved beside a checkpoint."""
        return {"progress": dataclasses.asdict(self.progress), "run": self.run.identity}

    @property
    def going(self) -> bool:
        """Whether it has neither failed nor lost patience, nor been pruned."""
        patience = self.config.patience
        impatient = patience and self.progress.without_gain >= patience
        return not (self.failure or impatient or self.progress.pruned)

    def lose_best(self, step: int) -> None:
        """The checkpoint of the best is damaged: go by that of a step, or with 0 by the next evaluation."""
        scores = [record for record in self.run.records() if record["step"] == step and self.task.monitor in record]
        value = scores[-1][self.task.monitor] if scores else None
        self.progress.lose_best(step, value, self.task.higher_is_better)

    def updated(self, last: int, metrics: dict[str, np.ndarray], seconds: float) -> float:
        """Log the metrics `[n]` of the n updates up to `last`, and give their mean loss.

        Raises:
            Diverged: a loss or a gradient is not finite, or the first updates have made the loss immense.
        """
        if self.diagnosis:
            self.diagnosis.note(metrics["grad_norm"].tolist())
        bad = ~(np.isfinite(metrics["loss"]) & np.isfinite(metrics["grad_norm"]))
        if bad.any():
            where = last - len(bad) + 1 + int(np.argmax(bad))
            raise Diverged(
                f"loss {metrics['loss'][bad][0]}, gradient norm {metrics['grad_norm'][bad][0]} in update {where}"
            )
        if last == len(bad):  # their mean is the start that `conclude` looks back to
            first, now = (float(metrics["loss"][k]) for k in (0, -1))
            if now - first > BEYOND * max(abs(first), 1.0):
                raise Diverged(f"diverged: a loss of {now:.4g} in update {last}, and of {first:.4g} in update 1")
        means = {name: float(values.mean()) for name, values in metrics.items()}
        rate = float(np.asarray(self._schedule(last - 1)))
        self.run.log({"step": last, **means, "learning_rate": rate, "seconds": seconds})
        return means["loss"]

    def conclude(self) -> None:
        """Look back at the whole training: it has failed if its loss is far higher at the end than at the start."""
        losses = [record["loss"] for record in self.run.records() if record.get("loss") is not None]
        if not losses or self.failure or self.progress.pruned:
            return
        first, last = losses[0], float(np.median(losses[-10:]))
        if last - first > (FAR_WORSE - 1) * abs(first):
            best = self.progress.best_step
            self.failure = Diverged(
                f"diverged: worse than at the start by {last - first:.4g}: the loss is {last:.4g}, and was "
                f"{first:.4g}; the best checkpoint is step {best}. Try a lower learning_rate or clip_norm"
            )

    def evaluated(self, step: int, params: Params, seconds: Callable[[], float]) -> tuple[bool, str]:
        """Evaluate and log; whether it is the best so far, and the scores in words.

        Raises:
            Diverged: the monitored metric is not finite.
            ValueError: there is no such metric.
        """
        scores = self.task.evaluate(params)
        if self.task.monitor not in scores:
            raise ValueError(f"monitor={self.task.monitor!r}: expected one of {sorted(scores)}, which evaluate gives")
        value = scores[self.task.monitor]
        if not np.isfinite(value):
            raise Diverged(f"{self.task.monitor} {value} after update {step}")
        best = self.progress.gained(value, step, self.task.higher_is_better)
        self.run.log({"step": step, **scores, "seconds": seconds()})
        self.progress.pruned = self.prune is not None and bool(self.prune(step, scores))
        words = "  ".join(f"{name} {rounded(value)}" for name, value in scores.items())
        return best, f"{self.name}{words}{'  (best)' if best else ''}"


@dataclasses.dataclass(frozen=True)
class Program:
    """How a state of one replica, or of several, is advanced, looked at and saved.

    Attributes:
        place: the batches of each replica, stacked for one dispatch and on the devices.
        advance: the state after one update for each of these batches, and metrics.
        params: the parameters of replica i, on one device.
        metrics: the metrics of replica i, of those of all on the host.
        save: writes state and step; gets which replicas are at their best.
        kept: the newest step that was saved.
    """

    place: Callable[[list[list[Batch]]], Batch]
    advance: Callable[[TrainState, Batch], tuple[TrainState, dict[str, jax.Array]]]
    params: Callable[[Params, int], Params]
    metrics: Callable[[dict[str, np.ndarray], int], dict[str, np.ndarray]]
    save: Callable[[TrainState, int, list[bool]], None]
    kept: Callable[[], int | None]


class Clock:
    """Seconds spent, those of interrupted parts included."""

    def __init__(self, before: float):
        self.start = time.monotonic() - before

    def __call__(self) -> float:
        return time.monotonic() - self.start


def drive(
    replicas: Sequence[Replica], program: Program, state: TrainState, step: int, clock: Clock, resume: bool
) -> tuple[TrainState, int, StopRequest]:
    """Train until the steps are done, no replica is going any more, or a signal asks to stop.

    Every dispatch begins at the same step, however often the training was interrupted. A replica that fails leaves the
    others alone; the state is saved while one is left that has not failed.

    Args:
        replicas: what is trained; they have the same config but for its seed.
        program: how.
        state: of all replicas together.
        step: of that state.
        clock: of the seconds in what is logged.
        resume: say that the training goes on.

    Returns:
        The last state, its step, and whether a signal came.
    """
    config, pending, saved = replicas[0].config, None, step

    def attempt(replica: Replica, action: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return action(*arguments)
        except Diverged as error:
            good = program.kept()
            kept = "there is no checkpoint yet" if good is None else f"the last good checkpoint is step {good}"
            words = replica.diagnosis.last_words() if replica.diagnosis else ""
            replica.failure = Diverged(
                f"{error}: stopped, {kept}. Try a lower learning_rate or clip_norm{words and '; '}{words}"
            )
            return None

    def report() -> None:
        """Log the metrics of the newest dispatch, which has to be done by now or is waited for."""
        nonlocal pending
        if pending is None:
            return
        (last, stacked), pending = pending, None
        host = jax.tree.map(np.asarray, stacked)
        going = [(i, replica) for i, replica in enumerate(replicas) if replica.going]
        losses = [attempt(replica, replica.updated, last, program.metrics(host, i), clock()) for i, replica in going]
        if known := [loss for loss in losses if loss is not None]:
            console.show(last, {"loss": math.fsum(known) / len(known)})

    def evaluate() -> list[bool]:
        best = [False] * len(replicas)
        for i, replica in enumerate(replicas):
            if replica.going and (
                found := attempt(replica, replica.evaluated, step, program.params(kept_params(state), i), clock)
            ):
                best[i], words = found
                console.scores(step, words)
        return best

    def examine() -> None:
        """Say what is wrong with the gradients, where that is asked for."""
        for replica in replicas:
            if replica.diagnosis and replica.failure is None:
                for line in replica.diagnosis.examine(step, state, batches):
                    console.line(line)

    def save(best: list[bool]) -> None:
        nonlocal saved
        if any(replica.failure is None for replica in replicas):
            program.save(state, step, best)
            saved = step

    console = Console(config.steps, step)
    if resume:
        console.line(f"going on after step {step}")
    with stop_on_signals() as stop, contextlib.closing(console):
        while step < config.steps and not anywhere(stop.requested) and any(replica.going for replica in replicas):
            boundary = min(config.steps, step - step % config.evaluate_every + config.evaluate_every)
            count = min(config.steps_per_dispatch, boundary - step)
            batches = program.place(
                [[replica.task.batch(i) for i in range(step, step + count)] for replica in replicas]
            )
            if step == 0:
                examine()
            state, metrics = program.advance(state, batches)
            step += count
            report()  # of the dispatch before: the device is already busy with this one
            pending = (step, metrics)
            if step == boundary:
                report()
                best = evaluate()
                examine()
                save(best)
        report()
        if step > saved:
            save([False] * len(replicas))
    if not anywhere(stop.requested):
        for replica in replicas:
            replica.conclude()
    return state, step, stop
