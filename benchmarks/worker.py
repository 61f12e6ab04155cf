"""A library in a process of its own: `python -m benchmarks.worker` is that process, `Worker` is it from outside.

Threads that go on spinning after their work, as PyTorch's do, take the cores from any other library in their process.
The process reads a case from a folder and answers over a pipe, in lines of JSON; arrays go through the folder as .npz:

    at once                              its network is built; NAME.npz has its weights, outputs and gradients
    {"do": "program", "measure": ...}    a program is compiled and called twice; the seconds of the second call
    {"do": "turn", "calls": 100}         the seconds of one call, of so many in a row
    {"do": "compile"}                    the seconds of tracing and compiling, with nothing left over
    {"do": "memory"}                     bytes

Where it cannot, it answers {"unavailable": REASON}. It answers when its threads rest, so that the next one's turn is
its alone.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import rnn_jax
from benchmarks.peers import JaxPeer, Peer, Unavailable, build
from benchmarks.timing import Program, cores, seconds_of
from rnn_jax.cells.base import param_shapes

ROOT = Path(__file__).parent.parent
SHORT_TURN = 0.05
"""Seconds up to which a turn begins with calls that are not counted: they wake the threads."""


class Worker:
    """A library's process, with a case from a folder.

    Attributes:
        name: the library's, in `PEERS`.
        flags: XLA_FLAGS of the process, beside those of this one.
    """

    def __init__(self, name: str, folder: Path, flags: str = ""):
        self.name, self.folder, self.log = name, folder, folder / f"{name}.log"
        # The cores are devices of their own for "split" alone. All processes share the memory of a GPU.
        variables = {
            "JAX_NUM_CPU_DEVICES": str(cores() if name == "split" else 1),
            "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
            "XLA_FLAGS": f"{os.environ.get('XLA_FLAGS', '')} {flags}".strip(),
        }
        with self.log.open("w") as log:
            self.process: Any = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.worker", name, str(folder.resolve())],
                cwd=ROOT,
                env=os.environ | variables,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def ask(self, do: str, **question: Any) -> dict[str, Any]:
        """The answer to a question.

        Raises:
            Unavailable: it has none, or its process ended; the message says why.
        """
        with contextlib.suppress(BrokenPipeError):  # why it ended is told below
            self.process.stdin.write(json.dumps({"do": do} | question) + "\n")
            self.process.stdin.flush()
        return self.answer()

    def answer(self) -> dict[str, Any]:
        """What it says next; the first answer comes unasked. Raises as `ask`."""
        line = self.process.stdout.readline()
        answer = json.loads(line) if line else {"unavailable": self._end()}
        if "unavailable" in answer:
            raise Unavailable(answer["unavailable"])
        return answer

    def close(self) -> None:
        """End the process."""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()

    def _end(self) -> str:
        code = self.process.wait()
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        last = self.log.read_text(errors="replace").strip().splitlines()[-1:]
        return f"its process ended with {how}" + "".join(f": {line}" for line in last)


def store_case(folder: Path, cell: rnn_jax.Cell, dtype: str = "float32", **trees: Any) -> None:
    """Write what every library's process reads: the cell's name and sizes, and arrays, which it takes in that dtype."""
    sizes = {"input_size": cell.input_size, "hidden_size": cell.hidden_size}
    (folder / "case.json").write_text(json.dumps({"cell": type(cell).__name__, "dtype": dtype} | sizes))
    np.savez(folder / "case.npz", **flat(trees))


def flat(tree: Any) -> dict[str, Any]:
    """The leaves of a tree by their paths, in float32: files of NumPy know no bfloat16."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(path): np.asarray(leaf, np.float32) for path, leaf in leaves}


def params_from(arrays: Any, cell: rnn_jax.Cell) -> Any:
    """The parameters of a cell among arrays that `flat` gave for `{"params": params}`."""
    paths = jax.tree_util.tree_leaves_with_path({"params": param_shapes(cell)})
    leaves = [jnp.asarray(arrays[jax.tree_util.keystr(path)]) for path, _ in paths]
    return jax.tree.unflatten(jax.tree.structure(param_shapes(cell)), leaves)


def main(name: str, folder: Path) -> None:
    """Answer until nobody asks."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is no answer

    def tell(answer: dict[str, Any]) -> None:
        rest()
        answers.write(json.dumps(answer) + "\n")
        answers.flush()

    # The same arithmetic on all sides: no TF32, and no compilations from an earlier process.
    jax.config.update("jax_default_matmul_precision", "float32")
    jax.config.update("jax_enable_compilation_cache", False)
    try:
        case = json.loads((folder / "case.json").read_text())
        cell = getattr(rnn_jax, case["cell"])(case["input_size"], case["hidden_size"])
        arrays = {name: jnp.asarray(array, case["dtype"]) for name, array in np.load(folder / "case.npz").items()}
        peer = build(name, cell, params_from(arrays, cell))
        library = Library(peer, arrays["['xs']"], arrays["['targets']"])
        first = {"cell": type(peer.cell).__name__, "devices": peer.devices, "compiles": isinstance(peer, JaxPeer)}
        found = {"found": peer.results(library.xs[0], library.targets), "params": peer.params}
        np.savez(folder / f"{name}.npz", **flat(found))
    except Unavailable as reason:
        return tell({"unavailable": str(reason)})
    tell(first)
    for line in sys.stdin:
        question = json.loads(line)
        try:
            tell(getattr(library, question.pop("do"))(**question))
        except Exception as error:  # of any library
            tell({"unavailable": f"{type(error).__name__}: {error}"})
    return None


class Library:
    """What a process does when it is asked."""

    def __init__(self, peer: Peer, xs: jax.Array, targets: jax.Array):
        self.peer, self.xs, self.targets = peer, xs, targets
        self.called: Program = lambda: None
        self.once = 0.0

    def program(self, measure: str) -> dict[str, float]:
        if measure == "streaming":
            self.called = self.peer.streaming(self.xs[0, 0, :1])
        elif measure == "forward":
            self.called = self.peer.forward(self.xs[0])
        else:
            self.called = self.peer.training(self.xs, self.targets, measure == "single")
        seconds_of(self.called, 1)
        self.once = seconds_of(self.called, 1)
        return {"seconds": self.once}

    def turn(self, calls: int) -> dict[str, float]:
        if calls * self.once < SHORT_TURN:
            seconds_of(self.called, calls)
        return {"seconds": seconds_of(self.called, calls)}

    def compile(self) -> dict[str, float]:
        jax.clear_caches()
        began = time.perf_counter()
        self.peer.compiled(self.xs, self.targets)
        return {"seconds": time.perf_counter() - began}

    def memory(self) -> dict[str, int | None]:
        return {"bytes": self.peer.memory(self.xs, self.targets)}


def rest(most: float = 2.0) -> None:
    """Wait until no thread of this process works, or so many seconds."""
    ends = time.perf_counter() + most
    while time.perf_counter() < ends:
        before = time.process_time()
        time.sleep(0.005)
        if time.process_time() - before < 0.001:
            return


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
