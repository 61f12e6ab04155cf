"""The same work on rnn_jax and on its peers, in turns.

    python -m benchmarks.compare                     # all cells and shapes; goes on where it was stopped
    python -m benchmarks.compare --short             # two minutes: one shape, written to runs/
    python -m benchmarks.compare --cells lstm --shapes 64,128,512,512 --measures training

Every library gets the weights of rnn_jax; outputs and gradients are compared before anything is timed. Measures:

    forward     the outputs, compiled; PyTorch in inference mode
    training    8 updates (loss, gradients of weights and inputs, gradient descent) in one dispatch; PyTorch in a loop
    single      the same 8 updates in 8 dispatches
    streaming   one step of one sequence, waited for; the carry is donated
    compile     tracing and compiling `training`, what its first call costs more than others
    memory      bytes at the peak of `training`, by the compiler's account; PyTorch keeps one on GPUs only
"""

import dataclasses
import functools
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import tyro

import rnn_jax
from benchmarks.compare_table import figure, summary, table
from benchmarks.peers import PEERS, JaxPeer, Peer, Unavailable, build
from benchmarks.results import Results, Row, result_file
from benchmarks.timing import affordable, cores, device_name, interleaved, order, rows
from rnn_jax.typing import Params

UPDATES = 8
STREAMING_CALLS = 100
COMPILATIONS = 3
TOLERANCE = 2e-4
MEASURES = ("forward", "training", "single", "streaming", "compile", "memory")
SHORT = ("forward", "training", "streaming")
SPLIT = ("forward", "training", "single")


class Shape(NamedTuple):
    """The sizes of a case, in the order in which they are given."""

    batch: int
    length: int
    input_size: int
    hidden_size: int

    def __str__(self) -> str:
        return f"B{self.batch} T{self.length} D{self.input_size} H{self.hidden_size}"


SHAPES = (
    Shape(32, 100, 64, 128),
    Shape(32, 100, 128, 256),
    Shape(64, 128, 512, 512),
    Shape(1, 200, 32, 64),
    Shape(128, 784, 1, 128),
    Shape(16, 512, 64, 64),
)


@dataclasses.dataclass(frozen=True)
class Config:
    """What to compare.

    Attributes:
        cells: of lstm, gru, elman.
        shapes: B,T,D,H each.
        measures: which ones.
        peers: which libraries beside rnn_jax.
        seconds: how long about the rounds of one measure of one case take.
        output: the result file; the device's by default.
        fresh: measure all anew instead of going on.
        short: one shape, few rounds, nothing committed.
    """

    cells: tuple[str, ...] = ("lstm", "gru", "elman")
    shapes: tuple[str, ...] = tuple(",".join(map(str, shape)) for shape in SHAPES)
    measures: tuple[str, ...] = MEASURES
    peers: tuple[str, ...] = PEERS[1:]
    seconds: float = 20.0
    output: Path | None = None
    fresh: bool = False
    short: bool = False


def main(config: Config) -> None:
    if config.short:
        output = Path("runs/benchmarks") / f"compare-short-{device_name()}.json"
        config = dataclasses.replace(
            config, shapes=config.shapes[:1], measures=SHORT, seconds=0.5, output=output, fresh=True
        )
    # The same arithmetic on all sides: no TF32, and no compilations from an earlier process.
    jax.config.update("jax_default_matmul_precision", "float32")
    jax.config.update("jax_enable_compilation_cache", False)
    results = Results(config.output or result_file("compare"), "compare", config.fresh)
    for text in config.shapes:
        for name in config.cells:
            _measure(config, results, name, Shape(*map(int, text.split(","))))
    print(table(results.stored))
    figure(results.stored, results.path.with_suffix(".png"))
    print(f"{results.path}\n{results.path.with_suffix('.png')}")


def _measure(config: Config, results: Results, name: str, shape: Shape) -> None:
    """All measures of one cell in one shape that are not in the results yet."""
    cases = {measure: f"{measure} {name} {shape}" for measure in config.measures}
    cases = {measure: case for measure, case in cases.items() if case not in results}
    if not cases:
        return
    cell, params, xs, targets = problem(name, shape)
    peers = available(("rnn_jax", *config.peers), cell, params)
    peers = {name: peer for name, peer in peers.items() if shape.batch % peer.devices == 0}
    check_equal(peers, xs[0], targets)
    for measure, case in cases.items():
        able = {name: peer for name, peer in peers.items() if peer.devices == 1 or measure in SPLIT}
        found = _rows(measure, case, able, xs, targets, config.seconds)
        results.add({**row, "measure": measure, "cell": name, "shape": str(shape)} for row in found)
        print(f"{case}: {summary(found)}", flush=True)


def problem(name: str, shape: Shape, seed: int = 0) -> tuple[Any, Params, jax.Array, jax.Array]:
    """A cell, its parameters, inputs for each update, and targets. No bias is zero, so that none can be mixed up."""
    cell = rnn_jax.CELLS[name](shape.input_size, shape.hidden_size)
    random = np.random.default_rng(seed)
    params = cell.init(jax.random.key(seed))
    biases = jax.tree.map(lambda a: 0.1 * random.normal(size=a.shape).astype(np.float32) * (a.ndim == 1), params)
    params = jax.tree.map(jnp.add, params, biases)
    steps = (shape.length, shape.batch)
    xs = random.normal(size=(UPDATES, *steps, shape.input_size)).astype(np.float32)
    targets = random.normal(size=(*steps, shape.hidden_size)).astype(np.float32)
    return cell, params, jnp.asarray(xs), jnp.asarray(targets)


def available(names: Iterable[str], cell: rnn_jax.Cell, params: Params) -> dict[str, Peer]:
    """The networks of the libraries that are here; why others are not is printed once."""
    peers = {}
    for name in names:
        try:
            peers[name] = build(name, cell, params)
        except Unavailable as reason:
            _say(f"{name} is left out: {reason}")
    return peers


_say = functools.cache(functools.partial(print, flush=True))


def check_equal(peers: dict[str, Peer], xs: jax.Array, targets: jax.Array) -> None:
    """Every network gives the outputs and gradients that rnn_jax gives for the same cell and weights.

    Raises:
        ValueError: one does not; the message names the library and the array, and how far apart they are.
    """
    references: dict[Any, dict[str, np.ndarray]] = {}
    for name, peer in peers.items():
        key = (peer.cell, id(peer.params))  # few libraries compute another cell or lack a weight
        if key not in references:
            references[key] = _flat(build("rnn_jax", peer.cell, peer.params).results(xs, targets))
        wanted, found = references[key], _flat(peer.results(xs, targets))
        held = _flat({"params": peer.params})
        for leaf in sorted(found, key=lambda leaf: leaf != "['ys']"):
            array = found[leaf]
            if leaf in held and not held[leaf].any() and not array.any():
                continue  # a bias that the library does not have
            apart = float(np.max(np.abs(array - wanted[leaf])) / np.max(np.abs(wanted[leaf])))
            if not apart <= TOLERANCE:
                kind = "outputs" if leaf == "['ys']" else f"gradient of {leaf}"
                raise ValueError(
                    f"{name}: {kind} differ from rnn_jax's by {apart:.2g} of the largest, expected at most "
                    f"{TOLERANCE:g}; its weights or its equations are not the same, and nothing was timed"
                )


def _flat(tree: Any) -> dict[str, np.ndarray]:
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in leaves}


def _rows(
    measure: str, case: str, peers: dict[str, Peer], xs: jax.Array, targets: jax.Array, seconds: float
) -> list[Row]:
    if measure == "memory":
        found = {name: peer.memory(xs, targets) for name, peer in peers.items()}
        return [{"case": case, "program": name, "bytes": size} for name, size in found.items() if size is not None]
    if measure == "compile":
        return rows(case, _compile_seconds(peers, xs, targets), "rnn_jax")
    if measure == "streaming":
        programs = {name: peer.streaming(xs[0, 0, :1]) for name, peer in peers.items()}
    elif measure == "forward":
        programs = {name: peer.forward(xs[0]) for name, peer in peers.items()}
    else:
        programs = {name: peer.training(xs, targets, measure == "single") for name, peer in peers.items()}
    calls = STREAMING_CALLS if measure == "streaming" else 1
    rounds = affordable(programs, seconds, calls)
    return rows(case, interleaved(programs, rounds, calls, warm=True), "rnn_jax")


def _compile_seconds(peers: dict[str, Peer], xs: jax.Array, targets: jax.Array) -> dict[str, list[float]]:
    """In rounds as `interleaved`, with nothing left over from earlier ones."""
    compiling = {name: peer for name, peer in peers.items() if isinstance(peer, JaxPeer)}
    seconds: dict[str, list[float]] = {name: [] for name in compiling}
    for turn in range(COMPILATIONS):
        for name in order(list(compiling), turn):
            jax.clear_caches()
            began = time.perf_counter()
            compiling[name].compiled(xs, targets)
            seconds[name].append(time.perf_counter() - began)
    return seconds


if __name__ == "__main__":
    jax.config.update("jax_num_cpu_devices", cores())  # for "split" alone: all others compute on the first
    main(tyro.cli(Config))
