"""Several seeds of one config in one compiled program, side by side.

    vmap  `jax.vmap` over the seeds, which are spread over the devices: the fastest; sums may be taken in another order
          than in a run alone, so that values differ by rounding, which training makes larger
    map   `jax.lax.map` over the seeds, each batch spread over the devices as `fit` does it: bitwise what `fit` gives

Either way each seed has its own initial values, batches, keys, best parameters and early stop.
"""

import dataclasses
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from rnn_jax.checks import check_choice
from rnn_jax.train.checkpoint import Checkpoints
from rnn_jax.train.config import FitConfig
from rnn_jax.train.loop import Outcome
from rnn_jax.train.optimizer import make_optimizer
from rnn_jax.train.parallel import batch_sharding, data_mesh, place
from rnn_jax.train.replica import Clock, Diverged, Program, Progress, Replica, Task, by_method, drive
from rnn_jax.train.run import Run
from rnn_jax.train.seeds import key_for
from rnn_jax.train.state import Batch, TrainState, initial_state, kept_params, make_dispatch

LAYOUTS = ("vmap", "map")


class SeedsDiffer(ValueError):
    """Seeds that cannot share a program: they differ in the shape of what they train, or of a batch, or in the loss."""


def fit_seeds(
    tasks: Sequence[Task],
    configs: Sequence[FitConfig],
    runs: Sequence[Run],
    folder: Path,
    *,
    layout: str = "vmap",
    resume: bool = False,
) -> list[Outcome | Diverged]:
    """Train several seeds side by side; `fit` for each of them, in one program.

    While they train, one checkpoint holds all of them. At the end each run gets the checkpoints of its best and of its
    last update, as if it had been alone. A seed that diverges leaves the others alone. `progress.seconds` of each is
    its share: those of all, divided by their number.

    Args:
        tasks: of the seeds, which may differ in initial values and in the values of batches.
        configs: of the seeds, the same but for `seed`.
        runs: where each is logged.
        folder: of the checkpoints of all.
        layout: vmap or map, see above.
        resume: go on with what is in `folder`.

    Returns:
        For each seed how it ended; with reason "signal" nothing has ended, and `resume` goes on.

    Raises:
        SeedsDiffer: the seeds cannot share a program.
        ValueError: an argument is not of this form, or there are several processes.
    """
    check_choice("layout", layout, LAYOUTS)
    if not len(tasks) == len(configs) == len(runs) > 0:
        raise ValueError(f"{len(tasks)} tasks, {len(configs)} configs, {len(runs)} runs: expected one of each a seed")
    if jax.process_count() > 1:
        raise ValueError(f"{jax.process_count()} processes: seeds are trained side by side in one; use fit")
    if len({dataclasses.replace(one, seed=0) for one in configs}) > 1:
        raise ValueError(f"configs differ in more than the seed: {configs!r:.200}")
    optimizer = make_optimizer(configs[0], configs[0].steps)
    tasks = [by_method(task, configs[0].method) for task in tasks]
    check_same_program(tasks)
    fresh = [initial_state(task.params, optimizer, task.carry) for task in tasks]
    rows = Rows(layout, len(tasks), tasks[0].batch_axes)
    keys = jax.device_put(jnp.stack([key_for(one.seed, "training") for one in configs]), rows.sharding())
    stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *fresh)
    state = jax.tree.map(place, stacked, rows.shardings(stacked))
    best = jax.tree.map(jnp.copy, state)  # a donated state may hold no buffer twice
    replicas = [Replica(*one, name=f"seed {one[1].seed}  ") for one in zip(tasks, configs, runs, strict=True)]
    checkpoints, step, clock = Checkpoints(folder), 0, Clock(0.0)
    if resume := resume and checkpoints.ever_saved:
        loaded = checkpoints.load({"state": state, "best": best})
        state, best, step, clock = (
            loaded.state["state"],
            loaded.state["best"],
            loaded.step,
            Clock(loaded.info["seconds"]),
        )
        for replica, stored in zip(replicas, loaded.info["replicas"], strict=True):
            replica.progress = Progress(**stored["progress"])
            replica.failure = Diverged(stored["failure"]) if stored["failure"] else None
    for run in runs:
        run.truncate_log(step)

    def one_seed(key: jax.Array, going: jax.Array, state: TrainState, batches: Batch) -> Any:
        after, metrics = make_dispatch(tasks[0].loss, optimizer, key)(state, batches)
        return _select(going, after, state), metrics

    dispatch = rows.compile(one_seed, state)
    choose, pick = jax.jit(jax.vmap(_select)), jax.jit(lambda tree, i: jax.tree.map(lambda leaf: leaf[i], tree))

    def own(tree: Any, i: int) -> Any:
        """What seed i has, on the default device."""
        return jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf)), pick(tree, i))

    def advance(state: TrainState, batches: Batch) -> Any:
        going = place(np.array([replica.going for replica in replicas]), rows.sharding())
        return dispatch(keys, going, state, batches)

    def save(state: TrainState, step: int, gained: list[bool]) -> None:
        nonlocal best
        best = choose(np.array(gained), state, best)
        # What is not finite cannot be saved, and is of no use.
        good = choose(np.array([replica.failure is None for replica in replicas]), state, best)
        stored = [
            {"progress": dataclasses.asdict(replica.progress), "failure": replica.failure and str(replica.failure)}
            for replica in replicas
        ]
        checkpoints.save(step, {"state": good, "best": best}, {"replicas": stored, "seconds": clock()})

    program = Program(
        place=rows.batches,
        advance=advance,
        params=own,
        metrics=lambda metrics, i: {name: values[i] for name, values in metrics.items()},
        save=save,
        kept=lambda: checkpoints.latest_step,
    )
    state, step, stop = drive(replicas, program, state, step, clock, resume)
    ended: list[Outcome | Diverged] = []
    for i, replica in enumerate(replicas):
        replica.progress.seconds = clock() / len(replicas)
        last, kept = own(state, i), own(best, i)
        if not stop.requested and replica.progress.best is not None:
            _leave_checkpoints(replica, kept, last)
        if replica.failure is not None:
            ended.append(replica.failure)
            continue
        reason = "finished" if int(last.step) >= configs[i].steps else "stopped early"
        outcome = Outcome(
            kept_params(kept), last, replica.progress, "signal" if stop.requested else reason, stop.exit_code
        )
        ended.append(outcome)
    return ended


def check_same_program(tasks: Sequence[Task]) -> None:
    """Compare the tasks of several seeds: only values of parameters, carries and batches may differ.

    Raises:
        SeedsDiffer: there is more. The losses are compared as lowered programs, constants included, so that a loss
            which closes over something of its own seed is found.
    """
    known: dict[str, Any] = {}
    for task in tasks:
        arguments = (task.params, task.carry, task.batch(0), key_for(0, "training"))
        shapes = jax.tree.map(lambda leaf: f"{leaf.dtype}{list(leaf.shape)}", arguments)
        for name, found in zip(("parameters", "the carry", "the first batch"), shapes, strict=False):
            if known.setdefault(name, found) != found:
                raise SeedsDiffer(f"{name} of the seeds differ in their shapes")
        if known.setdefault("axes", task.batch_axes) != task.batch_axes:
            raise SeedsDiffer("the batches of the seeds have their batch axes in different places")
        if known.setdefault("loss", text := jax.jit(task.loss).lower(*arguments).as_text()) != text:
            raise SeedsDiffer("the losses of the seeds are different programs, or hold different constants")


class Rows:
    """Arrays of several seeds, a row for each, and where they lie.

    Args:
        layout: vmap or map.
        count: of the seeds.
        axes: the batch axis of each array of a batch of one seed.
    """

    def __init__(self, layout: str, count: int, axes: dict[str, int | None]):
        self.layout, self.axes = layout, axes
        devices = jax.devices()[: math.gcd(count, jax.device_count())]
        self.mesh = data_mesh()
        if layout == "vmap":
            self.mesh = jax.make_mesh((len(devices),), ("batch",), axis_types=(AxisType.Auto,), devices=devices)

    def sharding(self, batch_axis: int | None = None) -> NamedSharding:
        """Of an array whose batch axis, in one seed, is this one: over the seeds (vmap) or over the batch (map)."""
        if self.layout == "vmap":
            return batch_sharding(self.mesh, 0)
        return batch_sharding(self.mesh, None if batch_axis is None else batch_axis + 1)

    def shardings(self, state: TrainState) -> TrainState:
        """Of a state; the batch axis of a carry is the first one."""
        shardings = jax.tree.map(lambda _: self.sharding(), state)
        return shardings._replace(carry=jax.tree.map(lambda _: self.sharding(0), state.carry))

    def batches(self, batches: list[list[Batch]]) -> Batch:
        """The batches of one dispatch, of each seed, stacked to `[S, n, ...]` and spread.

        Raises:
            SeedsDiffer: they are of different shapes.
        """
        placed = {}
        for name, axis in self.axes.items():
            arrays = [np.stack([batch[name] for batch in own]) for own in batches]
            if len({array.shape for array in arrays}) > 1:
                raise SeedsDiffer(f"batches of the seeds differ in shape: {name} {sorted({a.shape for a in arrays})}")
            placed[name] = place(np.stack(arrays), self.sharding(None if axis is None else axis + 1))
        return placed

    def compile(self, update: Callable[..., Any], state: TrainState) -> Callable[..., Any]:
        """A function `(key, going, state, batches) -> (state, metrics)` of one seed as a program for all of them."""
        if self.layout == "vmap":
            seeds = PartitionSpec("batch")
            spread = jax.shard_map(
                jax.vmap(update), mesh=self.mesh, in_specs=(seeds,) * 4, out_specs=seeds, check_vma=False
            )
            return jax.jit(spread, donate_argnums=2)
        return jax.jit(
            lambda *rows: jax.lax.map(lambda row: update(*row), rows),
            donate_argnums=2,
            out_shardings=(self.shardings(state), self.sharding()),
        )


def _leave_checkpoints(replica: Replica, best: TrainState, last: TrainState) -> None:
    """What `fit` would have left in the run; nothing that is there already, should this be done again."""
    checkpoints = Checkpoints(replica.run.checkpoints)
    states = [best] if replica.failure is not None or int(best.step) == int(last.step) else [best, last]
    for state in states:
        if int(state.step) not in checkpoints.steps():
            checkpoints.save(int(state.step), state, replica.info, best=state is best)


def _select(condition: jax.Array, first: Any, second: Any) -> Any:
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), first, second)
