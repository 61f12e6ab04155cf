"""Online handwriting, strokes of a pen: brought to one form, varied for training, and turned into features."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from experiments.common.recordings import Recording, RecordingBatches

FEATURES = ("x", "y", "step in x", "step in y", "cosine", "sine", "pen lifted before")
"""What stands in the columns of `stroke_features`."""


def resample(strokes: np.ndarray, count: int, warp: np.ndarray | float = 0.0) -> np.ndarray:
    """Points at equal distances along strokes, the first and the last point of each among them.

    Args:
        strokes: float `[S, n, 2]`, n ≥ 1.
        count: how many points, at least 2.
        warp: how far along a stroke the points in its middle move, as a part of its length; `[S, 1]` or one for all.

    Returns:
        float32 `[S, count, 2]`.
    """
    strokes = np.asarray(strokes, np.float64)
    length = np.hypot(*np.moveaxis(np.diff(strokes, axis=1, prepend=strokes[:, :1]), -1, 0)).cumsum(axis=1)  # [S, n]
    positions = np.linspace(0, 1, count)[None]
    positions = (positions + warp * np.sin(math.pi * positions)) * length[:, -1:]
    last = strokes.shape[1] - 1
    after = (length[:, None, :] < positions[:, :, None]).sum(axis=2).clip(min(1, last), last)
    before = np.maximum(after - 1, 0)
    start, end = (np.take_along_axis(length, index, axis=1) for index in (before, after))
    share = ((positions - start) / np.maximum(end - start, 1e-12)).clip(0, 1)[..., None]
    left, right = (np.take_along_axis(strokes, index[..., None], axis=1) for index in (before, after))
    return (left + share * (right - left)).astype(np.float32)


def gather(strokes: Sequence[np.ndarray], share: float = 1 / 3) -> list[np.ndarray]:
    """Strokes that belong to one sign as one, from left to right: a 4 is often written in two.

    Two strokes belong together where the widths they cover overlap by a share of the narrower one.

    Args:
        strokes: float `[n, 2]` each.
        share: of the narrower width.
    """
    groups: list[list[int]] = []
    for i in sorted(range(len(strokes)), key=lambda i: strokes[i][:, 0].min()):
        low, high = strokes[i][:, 0].min(), strokes[i][:, 0].max()
        if groups:
            before = np.concatenate([strokes[k][:, 0] for k in groups[-1]])
            overlap = min(before.max(), high) - max(before.min(), low)
            if overlap >= max(0.0, share * min(high - low, before.max() - before.min())):
                groups[-1].append(i)
                continue
        groups.append([i])
    return [np.concatenate([strokes[k] for k in sorted(group)]) for group in groups]


def prepare_drawing(drawing: Recording, points: int, several: bool) -> Recording:
    """A drawing as models read it: one stroke of so many points for each sign.

    Args:
        drawing: its segments are strokes `[n, 2]`.
        points: of each sign, at least 2. A stroke of just so many points stays as it is.
        several: it shows several signs, told apart by `gather`; else all strokes are one sign.
    """
    strokes = gather(drawing.segments) if several else [np.concatenate(drawing.segments)]
    prepared = tuple(s.astype(np.float32) if len(s) == points else resample(s[None], points)[0] for s in strokes)
    return dataclasses.replace(drawing, segments=prepared)


def stroke_features(strokes: np.ndarray, signs: np.ndarray, several: bool) -> list[np.ndarray]:
    """Where the pen is and how it moves, of each drawing float32 `[t, 7]`: the columns are `FEATURES`.

    A single sign is stretched to width and height 1, as in PenDigits. A drawing of several has height 1, and x counts
    from the left edge of each sign. A step begins at the point before, in whichever stroke it is; cosine and sine are
    its direction.

    Args:
        strokes: float `[S, n, 2]`, the strokes of all drawings, one for each sign.
        signs: int `[B]`, how many of them are in each drawing.
        several: drawings show several signs.
    """
    firsts = np.cumsum(signs) - signs
    low, high = (
        ufunc.reduceat(reduced, firsts)
        for ufunc, reduced in ((np.minimum, strokes.min(axis=1)), (np.maximum, strokes.max(axis=1)))
    )
    size = (high - low).astype(np.float64)
    least = np.maximum(1e-3 * size.max(axis=1, keepdims=True), 1e-9)
    size = np.maximum(size[:, 1:] if several else size, least)
    points = (strokes - np.repeat(low, signs, axis=0)[:, None]) / np.repeat(size, signs, axis=0)[:, None]
    flat = points.reshape(-1, 2)
    steps = np.diff(flat, axis=0, prepend=flat[:1])
    steps[firsts * strokes.shape[1]] = 0
    directions = steps / np.maximum(np.hypot(*steps.T), 1e-9)[:, None]
    lifted = np.zeros((len(flat), 1))
    lifted[:: strokes.shape[1]] = 1
    points[..., 0] -= points[..., 0].min(axis=1, keepdims=True)
    columns = np.hstack([points.reshape(-1, 2), steps, directions, lifted]).astype(np.float32)
    return np.split(columns, firsts[1:] * strokes.shape[1])


def vary_strokes(rng: np.random.Generator, strokes: np.ndarray, signs: np.ndarray, strength: float = 1.0) -> np.ndarray:
    """Another hand: turned, slanted and scaled, points at other places along the strokes, and a little shaken.

    At strength 1 a drawing is turned by up to 12 degrees, slanted by up to 0.25 and scaled by up to 1.2 in either axis,
    each of its strokes alone by half as much; points move along a stroke by up to 6 % of its length, and anywhere by
    1.5 % of its size (standard deviation).

    Args:
        rng: of all draws.
        strokes: float32 `[S, n, 2]`, of all drawings.
        signs: int `[B]`, how many of them are in each drawing.
        strength: scales every change; 0 for none.

    Returns:
        float32 `[S, n, 2]`.
    """
    if not strength:
        return strokes
    shared = np.repeat(_affine(rng, len(signs), strength), signs, axis=0)
    own = shared @ _affine(rng, len(strokes), strength / 2)
    centre = (strokes.min(axis=1, keepdims=True) + strokes.max(axis=1, keepdims=True)) / 2
    moved = resample(strokes, strokes.shape[1], strength * rng.uniform(-0.06, 0.06, (len(strokes), 1))) - centre
    shaken = rng.normal(size=strokes.shape) * 0.015 * strength * np.ptp(strokes, axis=1).max(axis=1)[:, None, None]
    return (centre @ np.swapaxes(shared, 1, 2) + moved @ np.swapaxes(own, 1, 2) + shaken).astype(np.float32)


def _affine(rng: np.random.Generator, count: int, strength: float) -> np.ndarray:
    """So many turns, slants and scales in one: `[count, 2, 2]`."""
    angle, slant, *scales = rng.uniform(-strength, strength, (4, count))
    angle, slant, zero, one = math.radians(12) * angle, 0.25 * slant, np.zeros(count), np.ones(count)

    def matrix(*rows: np.ndarray) -> np.ndarray:
        return np.stack(rows, axis=-1).reshape(-1, 2, 2)

    turned = matrix(np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle))
    return turned @ matrix(one, slant, zero, one) @ matrix(1.2 ** scales[0], zero, zero, 1.2 ** scales[1])


def lay_out(rng: np.random.Generator, strokes: np.ndarray) -> np.ndarray:
    """Signs side by side as on a line of paper, whatever their sizes were before.

    Each gets a height of 1 and a width of 0.7, both changed by up to 1.25 either way, a place up to 0.1 above or below
    the line, and a gap of 0.1 to 0.5 before it.

    Args:
        rng: of all draws.
        strokes: float32 `[S, n, 2]`, one for each sign.

    Returns:
        float32 `[S, n, 2]`.
    """
    sizes = np.array([0.7, 1.0]) * 1.25 ** rng.uniform(-1, 1, (len(strokes), 2))
    gaps, heights = rng.uniform((0.1, -0.1), (0.5, 0.1), (len(strokes), 2)).T
    corners = np.stack([np.cumsum(gaps + sizes[:, 0]) - sizes[:, 0], heights], axis=1)
    units = (strokes - strokes.min(axis=1, keepdims=True)) / np.maximum(np.ptp(strokes, axis=1), 1e-9)[:, None]
    return (corners[:, None] + units * sizes[:, None]).astype(np.float32)


@dataclasses.dataclass(frozen=True, eq=False)
class StrokeBatches(RecordingBatches):
    """Endless training batches of prepared drawings, their strokes varied; inputs are the features `[T, B, 7]`.

    Attributes:
        variation: of the strokes, see `vary_strokes`; 0 for none.
        several: see `stroke_features`.
    """

    variation: float = 1.0
    several: bool = False

    def variants(self, rng: np.random.Generator, recordings: Sequence[Recording]) -> list[np.ndarray]:
        strokes = np.stack([stroke for drawing in recordings for stroke in drawing.segments])
        signs = np.array([len(drawing.segments) for drawing in recordings])
        return stroke_features(vary_strokes(rng, strokes, signs, self.variation), signs, self.several)


def as_features(drawings: Sequence[Recording], several: bool) -> list[Recording]:
    """Drawings with their features in the place of their strokes, for scoring; all strokes of one are equally long."""
    one = [stroke_features(np.stack(d.segments), np.array([len(d.segments)]), several) for d in drawings]
    return [dataclasses.replace(d, segments=(xs,)) for d, (xs,) in zip(drawings, one, strict=True)]
