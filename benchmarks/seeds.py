"""Many small runs: eight seeds, each with a learning rate of its own, as one program or one after another.

    python -m benchmarks.seeds

A script as one writes it for a first experiment: an LSTM reads a sequence of noise and says which channel had the
largest sum; Adam. Whole runs from initial weights to the last loss, in turns: all seeds in one program of rnn_jax, the
same with its compilation, seed by seed, and PyTorch seed by seed, each in a process of its own. One program is
`jax.lax.map` over seeds on each device, the cores of a CPU being devices, or `jax.vmap` on one. All get the same data
and, seed by seed, the same initial weights; that they train the same networks is checked on their first losses before
anything is timed.
"""

import dataclasses
import functools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import tyro
from jax.sharding import AxisType, NamedSharding, PartitionSpec

import rnn_jax
from benchmarks.alone import Alone
from benchmarks.results import Results, result_file
from benchmarks.timing import Ratio, cores, in_turns, rows
from rnn_jax.interop.torch import to_torch
from rnn_jax.typing import Params

SEEDS, LENGTH, BATCH, CHANNELS = 8, 50, 32, 10
TOGETHER = "one program, seeds over the devices"
WITH_COMPILATION = f"{TOGETHER}, and its compilation"
BY_VMAP = "one program, vmap on one device"
ONE_BY_ONE = "seed by seed"
TORCH = "PyTorch, seed by seed"
PROGRAMS = (TOGETHER, WITH_COMPILATION, BY_VMAP, ONE_BY_ONE, TORCH)


@dataclasses.dataclass(frozen=True)
class Config:
    """What to measure.

    Attributes:
        hidden_size: H.
        updates: in each run.
        rounds: how often everything is run.
        output: the result file; the device's by default.
        fresh: measure all anew instead of going on.
    """

    hidden_size: int = 64
    updates: int = 100
    rounds: int = 5
    output: Path | None = None
    fresh: bool = False


def main(config: Config) -> None:
    results = Results(config.output or result_file("seeds"), "seeds", config.fresh, processes="own")
    case = f"LSTM, H = {config.hidden_size}, {SEEDS} seeds of {config.updates} updates"
    if case not in results:
        cores_as_devices = {"JAX_NUM_CPU_DEVICES": str(cores())}
        alone = {name: Alone(make_program, config, name, variables=cores_as_devices) for name in PROGRAMS}
        try:
            losses = {}
            for name in PROGRAMS:
                try:
                    losses[name] = alone[name].first()
                except ModuleNotFoundError:
                    print("PyTorch is left out: it is not installed")
                    alone.pop(name).close()
            check_equal(losses)
            times = in_turns({name: one.seconds for name, one in alone.items()}, config.rounds)
        finally:
            for one in alone.values():
                one.close()
        measured = rows(case, times, reference=TOGETHER)
        results.add(row | {"updates_per_second": SEEDS * config.updates / row["median"]} for row in measured)
    print(table(results.stored))


def make_program(config: Config, name: str) -> Callable[[], Any]:
    """One of `PROGRAMS`, compiled: it trains all seeds and gives their losses `[SEEDS, updates]`."""
    cell = rnn_jax.LSTM(CHANNELS, config.hidden_size)
    xs, labels = data(config.updates)
    rates = jnp.geomspace(1e-3, 1e-2, SEEDS)
    starts = jax.vmap(functools.partial(initial, cell))(jax.random.split(jax.random.key(0), SEEDS))
    runs = [jax.tree.map(lambda a, i=i: a[i], (starts, rates)) for i in range(SEEDS)]
    one = functools.partial(train, cell)
    if name == TORCH:
        return in_torch(cell, runs, xs, labels)
    if name == ONE_BY_ONE:
        compiled_one = jax.jit(one).lower(*runs[0], xs, labels).compile()
        return lambda: np.stack([compiled_one(*run, xs, labels) for run in runs])
    if name == BY_VMAP:
        compiled_vmap = jax.jit(jax.vmap(one, (0, 0, None, None))).lower(starts, rates, xs, labels).compile()
        return lambda: compiled_vmap(starts, rates, xs, labels)
    devices = jax.devices()[: math.gcd(SEEDS, jax.device_count())]
    mesh = jax.make_mesh((len(devices),), ("seeds",), axis_types=(AxisType.Auto,), devices=devices)
    seeds, all_of_it = PartitionSpec("seeds"), PartitionSpec()

    @functools.partial(
        jax.shard_map, mesh=mesh, in_specs=(seeds, seeds, all_of_it, all_of_it), out_specs=seeds, check_vma=False
    )
    def together(starts: Params, rates: jax.Array, xs: jax.Array, labels: jax.Array) -> jax.Array:
        return jax.lax.map(lambda run: one(run[0], run[1], xs, labels), (starts, rates))

    over = functools.partial(NamedSharding, mesh)
    spread = jax.device_put((starts, rates, xs, labels), (over(seeds), over(seeds), over(all_of_it), over(all_of_it)))
    if name == TOGETHER:
        compiled_together = jax.jit(together).lower(*spread).compile()
        return lambda: compiled_together(*spread)

    def anew() -> jax.Array:
        jax.clear_caches()
        return jax.jit(together)(*spread)

    return anew


def data(updates: int) -> tuple[jax.Array, jax.Array]:
    """Noise `[updates, T, B, CHANNELS]`, and the channel with the largest sum `[updates, B]`."""
    xs = np.random.default_rng(0).normal(size=(updates, LENGTH, BATCH, CHANNELS)).astype(np.float32)
    return jnp.asarray(xs), jnp.asarray(xs.sum(1).argmax(-1))


def initial(cell: rnn_jax.LSTM, key: jax.Array) -> Params:
    """An LSTM, and a dense layer on its last output."""
    return {"lstm": cell.init(key), "kernel": jnp.zeros((cell.hidden_size, CHANNELS)), "bias": jnp.zeros(CHANNELS)}


def train(cell: rnn_jax.LSTM, params: Params, rate: jax.Array, xs: jax.Array, labels: jax.Array) -> jax.Array:
    """The losses of one run."""
    optimizer = optax.adam(rate)

    def loss(params: Params, xs: jax.Array, labels: jax.Array) -> jax.Array:
        last = rnn_jax.unroll(cell, params["lstm"], xs).carry.hidden
        logits = last @ params["kernel"] + params["bias"]
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()

    def update(state: Any, batch: Any) -> tuple[Any, jax.Array]:
        params, moments = state
        value, gradients = jax.value_and_grad(loss)(params, *batch)
        changes, moments = optimizer.update(gradients, moments)
        return (optax.apply_updates(params, changes), moments), value

    return jax.lax.scan(update, (params, optimizer.init(params)), (xs, labels))[1]


def in_torch(cell: rnn_jax.LSTM, runs: list[Any], xs: jax.Array, labels: jax.Array) -> Callable[[], Any]:
    """The same in PyTorch, on all cores or on one, whichever is faster."""
    import torch

    from benchmarks.peers.torch_threads import on_fastest_threads

    inputs, wanted = torch.tensor(np.asarray(xs)), torch.tensor(np.asarray(labels), dtype=torch.int64)

    def one(params: Params, rate: jax.Array) -> list[float]:
        lstm, head = torch.nn.LSTM(CHANNELS, cell.hidden_size), torch.nn.Linear(cell.hidden_size, CHANNELS)
        lstm.load_state_dict(to_torch(cell, params["lstm"]))
        lstm.bias_hh_l0.requires_grad_(False)  # the second bias would double the step of their sum
        head.load_state_dict({"weight": torch.tensor(np.asarray(params["kernel"].T)), "bias": torch.zeros(CHANNELS)})
        optimizer = torch.optim.Adam([*lstm.parameters(), *head.parameters()], lr=float(rate))
        losses = []
        for batch, labels in zip(inputs, wanted, strict=True):
            optimizer.zero_grad()
            _, (last, _) = lstm(batch)
            loss = torch.nn.functional.cross_entropy(head(last[0]), labels)
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
        return torch.stack(losses).tolist()

    on_fastest_threads(lambda: one(*runs[0]))
    return lambda: [one(*run) for run in runs]


def check_equal(losses: dict[str, Any], count: int = 10, tolerance: float = 1e-4) -> None:
    """The first losses of every program are those of the first program.

    Raises:
        ValueError: they are not: the programs do not train the same networks.
    """
    (first, wanted), *others = ((name, np.asarray(values)[:, :count]) for name, values in losses.items())
    for name, found in others:
        apart = np.abs(found - wanted).max()
        if not apart <= tolerance:
            raise ValueError(f"{name}: its first {count} losses differ from those of {first} by {apart:.2g}")


def table(stored: dict[str, Any]) -> str:
    """Markdown: whole runs, updates per second, and what one program gains."""
    lines = ["| work | how | whole runs, s | updates per second | its time over that of one program |"]
    lines.append("|---|---|---|---|---|")
    ratios: dict[str, Any] = {}
    for row in stored["rows"]:
        ratios |= row.get("ratios", {})
        gain = Ratio(**ratios[row["program"]]) if row["program"] in ratios else 1
        seconds = f"{row['median']:.3g} ± {row['spread'] / 2:.2g}"
        lines.append(f"| {row['case']} | {row['program']} | {seconds} | {row['updates_per_second']:.4g} | {gain} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main(tyro.cli(Config))
