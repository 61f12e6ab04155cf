"""Hidden states as points in a plane: principal components."""

from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from rnn_jax.analysis.figures import INK, draws, new_figure, save_figure
from rnn_jax.unroll import Trace


class Projection(NamedTuple):
    """Points along the directions in which they differ most."""

    points: np.ndarray
    """`[..., count]`."""
    shares: np.ndarray
    """The part of the variance that lies along each direction `[count]`."""


def state_vectors(trace: Trace) -> np.ndarray:
    """The carries that enter each step, all floating-point parts of one row behind each other, `[T, B, n]`."""
    leaves = [leaf for leaf in jax.tree.leaves(trace.carries) if jnp.issubdtype(leaf.dtype, jnp.floating)]
    flat = [np.asarray(leaf, np.float32).reshape(*leaf.shape[: trace.leading], -1) for leaf in leaves]
    return np.concatenate(flat, axis=-1)


def principal_components(states: np.ndarray, count: int = 2) -> Projection:
    """Project points onto the first principal components (Pearson 1901).

    Args:
        states: `[..., n]`.
        count: of components; the sign of each is such that its largest weight is positive.

    Raises:
        ValueError: there are not so many components.
    """
    flat = np.asarray(states, np.float64).reshape(-1, states.shape[-1])
    if not 1 <= count <= min(flat.shape):
        raise ValueError(f"count={count}: expected 1 to {min(flat.shape)}, for states {list(states.shape)}")
    centred = flat - flat.mean(axis=0)
    _, values, directions = np.linalg.svd(centred, full_matrices=False)
    directions = directions[:count]
    largest = np.take_along_axis(directions, np.abs(directions).argmax(axis=1)[:, None], axis=1)
    points = centred @ (directions * np.where(largest < 0, -1, 1)).T
    total = (values**2).sum()
    shares = values[:count] ** 2 / total if total else np.zeros(count)
    return Projection(points.reshape(*states.shape[:-1], count), shares)


@draws
def draw_states(projection: Projection, colours: np.ndarray, file: Path, title: str, meaning: str) -> None:
    """Draw states as points in a plane, and the way of the first row as a line.

    Args:
        projection: of states `[T, B, n]` to two components.
        colours: a number for each point `[T, B]`.
        file: a .png to write.
        title: above the figure.
        meaning: of the numbers.
    """
    figure = new_figure(4.6, width=6.0, title=title)
    axes: Any = figure.subplots()
    points = projection.points
    axes.plot(points[:, 0, 0], points[:, 0, 1], color=INK, linewidth=0.7, label="the way of the first sequence")
    dots = axes.scatter(points[..., 0].ravel(), points[..., 1].ravel(), c=np.ravel(colours), s=7, cmap="viridis")
    figure.colorbar(dots, label=meaning)
    first, second = (f"component {i + 1}, {share:.0%} of the variance" for i, share in enumerate(projection.shares))
    axes.set(xlabel=first, ylabel=second)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center")
    save_figure(figure, file)
