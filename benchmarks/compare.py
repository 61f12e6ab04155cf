"""The same work on rnn_jax and on its peers, each in a process of its own, in turns.

    python -m benchmarks.compare                     # all cells and shapes; goes on where it was stopped
    python -m benchmarks.compare --short             # two minutes: one shape, written to runs/
    python -m benchmarks.compare --cells lstm --shapes 64,128,512,512 --measures training

Every library gets the weights of rnn_jax; outputs and gradients are compared before anything is timed. rnn_jax is what
a user gets, `method="auto"`; beside it are its methods, and `split`. Measures:

    forward     the outputs, compiled; PyTorch in inference mode
    training    8 updates (loss, gradients of weights and inputs, gradient descent) in one dispatch; PyTorch in a loop
    single      the same 8 updates in 8 dispatches
    streaming   one step of one sequence, waited for; the carry is donated
    compile     tracing and compiling `training`, what its first call costs more than others; the native library of a
                fused loop, which is kept on disk, is there
    memory      bytes at the peak of `training`, by the compiler's account; PyTorch keeps one on GPUs only
"""

import dataclasses
import functools
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import tyro

import rnn_jax
from benchmarks.compare_table import figure, summary, table
from benchmarks.peers import METHODS, PEERS, Unavailable, build
from benchmarks.results import Results, Row, result_file
from benchmarks.timing import PAUSE, device_name, in_turns, rounds_within, rows
from benchmarks.worker import Worker, flat, params_from, store_case
from rnn_jax.typing import Params

UPDATES = 8
STREAMING_CALLS = 100
COMPILATIONS = 3
TOLERANCES = {"float32": 2e-4, "bfloat16": 0.1}
"""How far apart outputs and gradients may be, in parts of the largest number."""
MEASURES = ("forward", "training", "single", "streaming", "compile", "memory")
SHORT = ("forward", "training", "streaming")
SPLIT = ("forward", "training", "single")
"""What `split` does."""
LOOPS = tuple(measure for measure in MEASURES if measure != "streaming")
"""What differs by method."""


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
        peers: which libraries and methods beside rnn_jax.
        dtype: float32 or bfloat16, of weights and inputs; not all libraries compute with the second.
        seconds: how long about the rounds of one measure of one case take.
        output: the result file; the device's by default.
        fresh: measure all anew instead of going on.
        short: one shape, few rounds, nothing committed.
    """

    cells: tuple[str, ...] = ("lstm", "gru", "elman")
    shapes: tuple[str, ...] = tuple(",".join(map(str, shape)) for shape in SHAPES)
    measures: tuple[str, ...] = MEASURES
    peers: tuple[str, ...] = PEERS[1:]
    dtype: str = "float32"
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
    jax.config.update("jax_default_matmul_precision", "float32")
    own = result_file("compare" if config.dtype == "float32" else config.dtype)
    results = Results(config.output or own, "compare", config.fresh, processes="own")
    for text in config.shapes:
        for name in config.cells:
            shape = Shape(*map(int, text.split(",")))
            left = [measure for measure in config.measures if case_of(config, measure, name, shape) not in results]
            for found in measured(config, left, name, shape):
                results.add(found)
                print(f"{found[0]['case']}: {summary(found)}", flush=True)
    print(table(results.stored))
    figure(results.stored, results.path.with_suffix(".png"))
    print(f"{results.path}\n{results.path.with_suffix('.png')}")


def case_of(config: Config, measure: str, name: str, shape: Shape) -> str:
    return " ".join([measure, name, str(shape), *([] if config.dtype == "float32" else [config.dtype])])


def measured(config: Config, measures: Iterable[str], name: str, shape: Shape) -> Iterator[list[Row]]:
    """The rows of one cell in one shape, measure by measure, in processes that live as long."""
    if not measures:
        return
    cell, params, xs, targets = problem(name, shape)
    with tempfile.TemporaryDirectory() as folder:
        store_case(Path(folder), cell, config.dtype, params=params, xs=xs, targets=targets)
        workers = [Worker(name, Path(folder)) for name in ("rnn_jax", *config.peers)]
        try:
            able = ready(workers, cell, xs[0], targets, TOLERANCES[config.dtype])
            for measure in measures:
                found = _rows(measure, case_of(config, measure, name, shape), able, config.seconds)
                yield [{**row, "measure": measure, "cell": name, "shape": str(shape)} for row in found]
        finally:
            for worker in workers:
                worker.close()


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


Able = dict[Worker, dict[str, Any]]


def ready(workers: list[Worker], cell: rnn_jax.Cell, xs: jax.Array, targets: jax.Array, tolerance: float) -> Able:
    """The processes that compute what rnn_jax does, with what they say of themselves."""
    references: dict[Any, dict[str, np.ndarray]] = {}
    able: Able = {}
    for worker in workers:
        about = _asked(worker, worker.answer)
        if about is not None and xs.shape[1] % about["devices"] == 0:
            same = getattr(rnn_jax, about["cell"])(cell.input_size, cell.hidden_size)
            arrays = dict(np.load(worker.folder / f"{worker.name}.npz"))
            check_equal(worker.name, same, arrays, xs, targets, references, tolerance)
            able[worker] = about
    return able


def check_equal(
    name: str,
    cell: rnn_jax.Cell,
    arrays: dict[str, np.ndarray],
    xs: jax.Array,
    targets: jax.Array,
    references: dict[Any, dict[str, np.ndarray]],
    tolerance: float = TOLERANCES["float32"],
) -> None:
    """A network gives the outputs and gradients that rnn_jax gives, step by step, for the same cell and weights.

    Args:
        name: the library's.
        cell: what it computes; of few libraries it is another one than was asked for.
        arrays: "params", zero where the library has no such weight, and what it "found", by their paths.
        xs: the inputs.
        targets: the targets.
        references: what was computed for earlier libraries.
        tolerance: how far apart they may be, in parts of the largest number.

    Raises:
        ValueError: one does not; the message names the library and the array, and how far apart they are.
    """
    params = params_from(arrays, cell)
    key = (cell, *(array.tobytes() for array in flat(params).values()))
    if key not in references:
        references[key] = flat(build("sequential", cell, params).results(xs, targets))
    wanted, held = references[key], flat({"params": params})
    found = {leaf.removeprefix("['found']"): array for leaf, array in arrays.items() if leaf.startswith("['found']")}
    for leaf in sorted(found, key=lambda leaf: leaf != "['ys']"):
        array = found[leaf]
        if leaf in held and not held[leaf].any() and not array.any():
            continue  # a bias that the library does not have
        apart = float(np.max(np.abs(array - wanted[leaf])) / np.max(np.abs(wanted[leaf])))
        if not apart <= tolerance:
            kind = "outputs" if leaf == "['ys']" else f"gradient of {leaf}"
            raise ValueError(
                f"{name}: {kind} differ from rnn_jax's by {apart:.2g} of the largest, expected at most "
                f"{tolerance:g}; its weights or its equations are not the same, and nothing was timed"
            )


def _rows(measure: str, case: str, able: Able, seconds: float) -> list[Row]:
    """The rows of one measure; a process that fails in it is `able` no more."""
    workers = [worker for worker, about in able.items() if _takes_part(worker.name, measure, about)]
    if measure == "memory":
        found = {worker.name: size for worker, size in _each(able, workers, "bytes", "memory") if size is not None}
        return [{"case": case, "program": name, "bytes": size} for name, size in found.items()]
    if measure == "compile":
        return rows(case, _turns(able, workers, COMPILATIONS, "compile"), "rnn_jax")
    calls = STREAMING_CALLS if measure == "streaming" else 1
    once = dict(_each(able, workers, "seconds", "program", measure=measure))
    rounds = rounds_within(seconds, sum(calls * time + PAUSE for time in once.values()))
    return rows(case, _turns(able, list(once), rounds, "turn", calls=calls), "rnn_jax")


def _takes_part(name: str, measure: str, about: dict[str, Any]) -> bool:
    if name == "split":
        return measure in SPLIT
    return measure in LOOPS if name in METHODS and name != "rnn_jax" else measure != "compile" or about["compiles"]


def _each(able: Able, workers: Iterable[Worker], wanted: str, do: str, **question: Any) -> list[tuple[Worker, Any]]:
    """The answers of those that have one."""
    answers = [(worker, _asked(worker, functools.partial(worker.ask, do, **question), able)) for worker in workers]
    return [(worker, answer[wanted]) for worker, answer in answers if answer is not None]


def _turns(able: Able, workers: list[Worker], repeats: int, do: str, **question: Any) -> dict[str, list[float]]:
    """Seconds of each round, of those that answered in all."""

    def timer(worker: Worker) -> Callable[[], float]:
        def seconds() -> float:
            if worker not in able:
                return float("nan")  # it failed in an earlier round
            answer = _asked(worker, functools.partial(worker.ask, do, **question), able)
            return float("nan") if answer is None else answer["seconds"]

        return seconds

    found = in_turns({worker.name: timer(worker) for worker in workers}, repeats)
    return {name: seconds for name, seconds in found.items() if not np.isnan(seconds).any()}


def _asked(worker: Worker, ask: Callable[[], dict[str, Any]], able: Able | None = None) -> dict[str, Any] | None:
    """An answer, or None where there is none: why is printed once, and its process is not asked again."""
    try:
        return ask()
    except Unavailable as reason:
        if worker.name == "rnn_jax":
            raise RuntimeError(f"rnn_jax, which all are compared with: {reason}") from None
        _say(f"{worker.name} is left out: {reason}")
        if able is not None:
            del able[worker]
        return None


_say = functools.cache(functools.partial(print, flush=True))


if __name__ == "__main__":
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # all processes share the memory of a GPU
    main(tyro.cli(Config))
