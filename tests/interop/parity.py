"""A parity case: random weights, inputs and states from a seed, run here and by another library ("the peer").

Where the peer is not installed, the arrays that it gave when `write_golden.py` last ran take its place.
"""

import dataclasses
import importlib.util
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import rnn_jax
from rnn_jax.cells import Cell
from rnn_jax.testing import quick_jit

GOLDEN = Path(__file__).parent / "golden"


@dataclasses.dataclass(frozen=True)
class Case:
    """What to run: a layer of the peer and the cell that it should become, both of sizes that the seed gives."""

    name: str
    peer: str
    seed: int
    options: dict[str, Any]
    lengths: bool = False

    def __str__(self) -> str:
        return f"{self.peer} {self.name}"

    @property
    def sizes(self) -> tuple[int, int, int, int]:
        """Time, batch, input and hidden size."""
        return tuple(np.random.RandomState(self.seed).randint((2, 2, 1, 2), (6, 4, 5, 4)).tolist())


@dataclasses.dataclass(frozen=True)
class Draw:
    """The arrays that go in: weights in the peer's layout, and what the results are multiplied with for gradients."""

    weights: Any
    xs: np.ndarray
    carry: list[np.ndarray]
    lengths: np.ndarray | None
    ys_weight: np.ndarray
    carry_weight: list[np.ndarray]


def random_params(cell: Cell, seed: int = 0) -> Any:
    """Float32 params without zeros, which could hide a mistake."""
    random = np.random.RandomState(seed)
    shapes = jax.eval_shape(cell.init, jax.random.key(0))
    return jax.tree.map(lambda leaf: jnp.asarray(random.standard_normal(leaf.shape), jnp.float32), shapes)


def draw(case: Case, peer: Any, dtype: str) -> Draw:
    """Numbers that float32 holds exactly, so that both precisions start from the same ones."""
    random = np.random.RandomState(case.seed + 1000)
    length, batch, *_ = case.sizes
    cell = peer.expected_cell(case)
    weights = jax.eval_shape(lambda key: peer.write(cell, cell.init(key)), jax.random.key(0))
    carry = [leaf.shape for leaf in jax.tree.leaves(jax.eval_shape(lambda: cell.initial_carry((batch,))))]

    def normal(shape):
        return (0.7 * random.standard_normal(shape)).astype("float32").astype(dtype)

    return Draw(
        weights=jax.tree.map(lambda leaf: normal(leaf.shape), weights),
        xs=normal((length, batch, cell.input_size)),
        carry=[normal(shape) for shape in carry],
        lengths=random.permutation(np.arange(batch) % length + 1) if case.lengths else None,
        ys_weight=normal((length, batch, cell.output_size)),
        carry_weight=[normal(shape) for shape in carry],
    )


def run_here(case: Case, peer: Any, drawn: Draw) -> dict[str, Any]:
    """The record of our side, the gradients of the weights in the peer's layout."""
    cell = peer.expected_cell(case)
    structure = jax.tree.structure(jax.eval_shape(cell.initial_carry))

    def run(weights, xs, carry):
        params, carry = peer.read(cell, weights), structure.unflatten(carry)
        carry, ys = rnn_jax.unroll(cell, params, xs, carry, lengths=drawn.lengths)
        return ys, jax.tree.leaves(carry)

    return with_gradients(run, drawn)


def with_gradients(run, drawn: Draw) -> dict[str, Any]:
    """Call `run(weights, xs, carry) -> (ys, carry)` and differentiate the weighted sum of its results."""

    @quick_jit
    def differentiate(*args):
        (ys, carry), pull_back = jax.vjp(run, *args)
        return record(ys, carry, *pull_back((drawn.ys_weight, drawn.carry_weight)))

    return differentiate(drawn.weights, drawn.xs, drawn.carry)


def record(ys, carry, weights_gradient, xs_gradient, carry_gradient) -> dict[str, Any]:
    """What the two sides compare."""
    return {
        "ys": ys,
        "carry": carry,
        "gradient of weights": weights_gradient,
        "gradient of xs": xs_gradient,
        "gradient of carry": carry_gradient,
    }


def installed(peer: str) -> bool:
    return importlib.util.find_spec(peer) is not None


def load_golden(case: Case, like: Any) -> Any:
    """The case's recorded results, in the structure of `like`."""
    with np.load(GOLDEN / f"{case.peer}.npz", allow_pickle=False) as arrays:
        flat = arrays[case.name]
    leaves, structure = jax.tree.flatten(like)
    ends = np.cumsum([leaf.size for leaf in leaves])
    assert flat.size == ends[-1], f"{case.name}: the golden arrays are of another case; run write_golden.py"
    parts = np.split(flat, ends[:-1])
    return structure.unflatten([part.reshape(leaf.shape) for part, leaf in zip(parts, leaves, strict=True)])


def flatten(results: Any) -> np.ndarray:
    """All numbers of a record in one vector, as they are stored."""
    return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(results)])


def assert_close(found: Any, wanted: Any, tolerance: float) -> None:
    """Equal structures, and no error above `tolerance` times the largest number of an array."""
    assert jax.tree.structure(found) == jax.tree.structure(wanted)
    for (path, a), b in zip(jax.tree.leaves_with_path(found), jax.tree.leaves(wanted), strict=True):
        name = jax.tree_util.keystr(path)
        assert a.shape == b.shape, name
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * max(np.abs(b).max(), 1e-3), err_msg=name)


def assert_equal(found: Any, wanted: Any) -> None:
    """The same cells, and arrays bit for bit."""
    assert jax.tree.structure(found) == jax.tree.structure(wanted)
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        if isinstance(b, Cell):
            assert a == b
            continue
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)
