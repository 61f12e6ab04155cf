"""The one training loop: dispatch several updates, look at the metrics of the dispatch before, evaluate, save."""

import dataclasses
import functools
import signal

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from rnn_jax.train.agreement import anywhere
from rnn_jax.train.checkpoint import Checkpoints, Loaded
from rnn_jax.train.config import FitConfig
from rnn_jax.train.diagnosis import Diagnosis
from rnn_jax.train.optimizer import make_optimizer
from rnn_jax.train.parallel import batch_sharding, data_mesh, place
from rnn_jax.train.replica import Clock, Program, Progress, Prune, Replica, Task, by_method, drive
from rnn_jax.train.run import Run
from rnn_jax.train.seeds import key_for
from rnn_jax.train.state import Batch, TrainState, initial_state, kept_params, make_dispatch
from rnn_jax.typing import Carry, Params
from rnn_jax.unroll import methods_taken


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a training ended.

    Attributes:
        params: the best parameters by the monitored metric, on the default device of each process.
        state: the last state.
        progress: best value and step, seconds.
        reason: "finished", "stopped early", "pruned" or "signal".
        exit_code: 0, or 128 + the signal's number.
    """

    params: Params
    state: TrainState
    progress: Progress
    reason: str
    exit_code: int


def fit(
    task: Task,
    config: FitConfig,
    run: Run,
    *,
    resume: bool = False,
    diagnosis: Diagnosis | None = None,
    prune: Prune | None = None,
) -> Outcome:
    """Train until the steps are done, nothing improves any more, `prune` says so, or a signal asks to stop.

    A run that was interrupted in any way and resumed ends bitwise equal to one that was not, on the same machine and
    versions: everything random follows from (seed, step), and every dispatch begins at the same step.

    Args:
        task: what is trained.
        config: how.
        run: where it is written down.
        resume: go on from the newest checkpoint.
        diagnosis: watches the gradients.
        prune: is asked after each evaluation, of its step and scores, whether to stop there. All processes of a run
            must answer the same.

    Raises:
        Diverged: the loss or a gradient is not finite; the last good checkpoint is kept.
        ValueError: the batch cannot be divided by the number of devices.
    """
    task, mesh = by_method(task, config.method), data_mesh()
    optimizer = make_optimizer(config, config.steps)
    copied = batch_sharding(mesh, None)
    fresh = initial_state(task.params, optimizer, task.carry)
    shardings = jax.tree.map(lambda _: copied, fresh)._replace(
        carry=jax.tree.map(lambda _: batch_sharding(mesh, 0), fresh.carry)
    )
    state = jax.tree.map(place, fresh, shardings)
    # The key is an argument: as a constant it would make another program of each seed.
    dispatch = jax.jit(
        lambda key, *rest: make_dispatch(task.loss, optimizer, jax.random.wrap_key_data(key))(*rest),
        donate_argnums=1,
        out_shardings=(shardings, copied),
    )
    key = place(np.asarray(jax.random.key_data(key_for(config.seed, "training"))), copied)
    checkpoints, step = Checkpoints(run.checkpoints), 0
    replica = Replica(task, config, run, diagnosis=diagnosis, prune=prune)
    # A run that was interrupted before its first checkpoint goes on from the beginning.
    if resume and checkpoints.ever_saved:
        loaded = checkpoints.load(state)
        run.check_own(loaded.step, loaded.info)
        state, step, replica.progress = loaded.state, loaded.step, Progress(**loaded.info["progress"])
        best_step = replica.progress.best_step
        if best_step not in (0, step) and checkpoints.load(state, best=True).step != best_step:
            # Of what there is only the last evaluation, if it is over, or a later one is sure to be kept.
            replica.lose_best(step if step >= config.steps else 0)
    run.truncate_log(step)
    if diagnosis and step:
        diagnosis.resume(step)
    clock = Clock(replica.progress.seconds)

    def save(state: TrainState, step: int, best: list[bool]) -> None:
        replica.progress.seconds = clock()
        checkpoints.save(step, state, replica.info, best=best[0])

    program = Program(
        place=lambda batches: place_batches(batches[0], task.batch_axes, mesh),
        advance=functools.partial(dispatch, key),
        # The copy of one device: evaluated on the mesh, every device would do all of the work.
        params=lambda params, _: jax.tree.map(lambda leaf: leaf.addressable_data(0), params),
        metrics=lambda metrics, _: metrics,
        save=save,
        kept=lambda: checkpoints.latest_step,
    )
    state, step, stop = drive([replica], program, state, step, clock, resume)
    if replica.failure is not None:
        raise replica.failure
    stopped = anywhere(stop.requested)
    # A process that had no signal itself stops for the SIGTERM of another.
    exit_code = (stop.exit_code or 128 + signal.SIGTERM) if stopped else 0
    best = kept_params(state)
    if replica.progress.best_step not in (0, step):
        found = checkpoints.load(state, best=True)
        run.check_own(found.step, found.info)
        if found.step != replica.progress.best_step:
            replica.lose_best(found.step)
        best = kept_params(found.state)
    # By way of the host, so that they belong to one process and no longer to the mesh.
    local = jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf)), best)
    ended = "finished" if step >= config.steps else "pruned" if replica.progress.pruned else "stopped early"
    reason = "signal" if stopped else ended
    return Outcome(local, state, replica.progress, reason, exit_code)


def check_task(task: Task, config: FitConfig) -> list[str]:
    """Raise what `fit` would raise before its first update; nothing is computed and nothing written.

    Returns:
        Which method each cell takes, see `rnn_jax.unroll.methods_taken`.

    Raises:
        ValueError: the batch cannot be divided by the number of devices, or whatever the loss refuses.
    """
    make_optimizer(config, config.steps)
    mesh, batch = data_mesh(), task.batch(0)
    jax.tree.map(lambda leaf: place(leaf, batch_sharding(mesh, 0)), task.carry)
    place_batches([batch], task.batch_axes, mesh)
    # The loss alone, without its gradient: the shapes of what it refuses are there on the way forward.
    with methods_taken() as taken:
        loss = by_method(task, config.method).loss
        jax.eval_shape(loss, task.params, task.carry, batch, key_for(config.seed, "training"))
    return list(taken)


def best_params(params: Params, carry: Carry, config: FitConfig, run: Run) -> Params:
    """The best parameters of a run on disk; those of `best_or_next`."""
    return best_or_next(params, carry, config, run)[0]


def best_or_next(params: Params, carry: Carry, config: FitConfig, run: Run) -> tuple[Params, str]:
    """The best parameters of a run on disk, and why they may not be the best that it had; empty if they are.

    Args:
        params: parameters of the same model, for their names, shapes and dtypes.
        carry: the initial carry that the run trained with.
        config: of the run.
        run: the run.

    Where that of the best is damaged, it is the newest one, and a warning says so.

    Raises:
        CheckpointError: there is no intact checkpoint, or the model is another one (the message names the leaves).
    """
    state = initial_state(params, make_optimizer(config, config.steps), carry)
    found = Checkpoints(run.checkpoints, read_only=True).load(state, best=True)
    run.check_own(found.step, found.info)
    return kept_params(found.state), _instead(found)


def _instead(found: Loaded) -> str:
    """Of which step a checkpoint is that stands in for another one."""
    if not found.damaged:
        return ""
    best = found.info["progress"]["best_step"]
    which = f"the best (step {best})" if best in found.damaged else f"step {', '.join(map(str, found.damaged))}"
    return f"of step {found.step}, for {which} is damaged"


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
