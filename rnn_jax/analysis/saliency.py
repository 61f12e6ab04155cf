"""Which parts of an input a score rests on, by its gradient along the way from an input that says nothing."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from rnn_jax.analysis.figures import BLUE, INK, ORANGE, SIGNED, draws, facets, panel_width, save_figure, step_ticks
from rnn_jax.typing import Array


def saliency(score: Callable[[jax.Array], jax.Array], inputs: Array) -> jax.Array:
    """How much a score would change with each step: the norm of its gradient, Simonyan et al. 2013, arXiv:1312.6034.

    Args:
        score: from inputs `[T, B, D]` to scores `[B]` (each example's its own), or to one number.
        inputs: float `[T, B, D]`.

    Returns:
        `[T, B]`.
    """
    return jnp.linalg.norm(jax.grad(lambda xs: score(xs).sum())(jnp.asarray(inputs)), axis=-1)


def integrated_gradients(
    score: Callable[[jax.Array], jax.Array], inputs: Array, baseline: Array, *, steps: int = 16
) -> jax.Array:
    """What each input adds to a score: Sundararajan, Taly & Yan 2017, arXiv:1703.01365, equation 1.

    The gradient is averaged along the straight line from the baseline to the inputs (by the midpoint rule) and
    multiplied by their difference. All contributions of an example sum up to score(inputs) − score(baseline), as far as
    the number of steps allows.

    Args:
        score: from inputs `[T, B, D]` to scores `[B]`, each example's its own.
        inputs: float `[T, B, D]`.
        baseline: an input that says nothing, of the same shape or one that is broadcast to it.
        steps: points on the line.

    Returns:
        `[T, B, D]`.
    """
    inputs = jnp.asarray(inputs)
    start = jnp.broadcast_to(jnp.asarray(baseline, inputs.dtype), inputs.shape)
    gradient = jax.grad(lambda xs: score(xs).sum())

    def add(total: jax.Array, share: jax.Array) -> tuple[jax.Array, None]:
        return total + gradient(start + share * (inputs - start)), None

    shares = (jnp.arange(steps, dtype=inputs.dtype) + 0.5) / steps
    total, _ = jax.lax.scan(add, jnp.zeros_like(inputs), shares)
    return (inputs - start) * total / steps


@draws
def draw_contributions(
    contributions: Mapping[str, np.ndarray],
    letters: Sequence[str],
    marks: Mapping[str, Sequence[int]],
    file: Path,
    title: str,
) -> None:
    """Draw which letter at which place speaks for a class (red) or against it (blue): a panel for each class.

    Args:
        contributions: class -> the mean over its sequences, `[T, D]`, such as of `integrated_gradients`.
        letters: the D letters.
        marks: class -> places, from 1 on, where a rule is known; they are framed.
        file: a .png to write.
        title: above the figure.
    """
    length = max(len(values) for values in contributions.values())
    each = 0.5 + 0.16 * len(letters)
    figure, panels = facets(len(contributions), each, columns=1, width=panel_width(length), title=title, sharex=True)
    limit = max(float(np.abs(values).max()) for values in contributions.values()) or 1.0
    for axes, (name, values) in zip(panels, contributions.items(), strict=True):
        extent = (0.5, len(values) + 0.5, len(letters) - 0.5, -0.5)
        image = axes.imshow(values.T, cmap=SIGNED, vmin=-limit, vmax=limit, aspect="auto", extent=extent)
        for place in marks.get(name, ()):
            axes.add_patch(_frame(place, len(letters)))
        axes.set_yticks(range(len(letters)), letters)
        axes.set_ylabel(name)
    panels[-1].set_xlabel("place in the sequence")
    figure.colorbar(image, ax=panels, label="adds to the log-odds of the class")
    save_figure(figure, file)


def _frame(place: int, height: int):
    from matplotlib.patches import Rectangle

    return Rectangle((place - 0.5, -0.5), 1, height, fill=False, edgecolor="black", linewidth=1.5)


@draws
def draw_steps(measures: Mapping[str, np.ndarray], steps: Sequence[str], file: Path, title: str) -> None:
    """Draw what was measured of each step of one sequence: a panel with bars for each measure.

    Args:
        measures: name -> `[T]`, such as `saliency`, or the sum over features of `integrated_gradients`.
        steps: a short text for each step, or none.
        file: a .png to write.
        title: above the figure.
    """
    width = panel_width(max(len(values) for values in measures.values()))
    figure, panels = facets(len(measures), 1.4, columns=1, width=width, title=title, sharex=True)
    for axes, (name, values) in zip(panels, measures.items(), strict=True):
        signed = bool((np.asarray(values) < 0).any())
        axes.bar(range(len(values)), values, width=0.9, color=np.where(np.asarray(values) < 0, BLUE, ORANGE))
        axes.axhline(0, color=INK, linewidth=0.5)
        axes.grid(axis="x", visible=False)
        axes.set_title(f"{name}{': orange raises the score, blue lowers it' * signed}", loc="left")
    step_ticks(panels[-1], steps)
    panels[-1].set_xlabel("step")
    save_figure(figure, file)
