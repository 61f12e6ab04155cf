"""Strokes as inputs: hand-worked drawings, NumPy's interpolation as an oracle, and what must not matter."""

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.common.recordings import Recording
from experiments.handwriting.strokes import (
    StrokeBatches,
    as_features,
    gather,
    lay_out,
    prepare_drawing,
    resample,
    stroke_features,
)
from experiments.handwriting.strokes import vary_strokes as vary

HOOK = np.array([[0, 0], [0, 2], [4, 2]], np.float32)


def drawings(count: int = 20, signs: int = 2) -> list[Recording]:
    rng = np.random.default_rng(0)
    return [
        Recording(
            tuple(rng.normal(size=(5, 2)).astype(np.float32) + 9 * k for k in range(signs)), ("ab"[i % 2],) * signs
        )
        for i in range(count)
    ]


@pytest.mark.parametrize("points", [1, 2, 9])
def test_points_at_equal_distances(points):
    strokes = np.random.default_rng(points).normal(size=(4, points, 2))
    for stroke, found in zip(strokes, resample(strokes, 6), strict=True):
        passed = np.append(0, np.cumsum(np.hypot(*np.diff(stroke, axis=0).T)))
        wanted = [np.interp(np.linspace(0, passed[-1], 6), passed, axis) for axis in stroke.T]
        np.testing.assert_allclose(found, np.stack(wanted, axis=1), atol=1e-6)
    warped = resample(strokes, 7, 0.1)
    np.testing.assert_allclose(warped[:, [0, -1]], strokes[:, [0, -1]], atol=1e-6)  # ends stay
    straight = resample(np.array([[[0, 0], [1, 0.0]]]), 5, 0.1)[0, :, 0]
    np.testing.assert_allclose(straight, np.linspace(0, 1, 5) + 0.1 * np.sin(np.pi * np.linspace(0, 1, 5)), atol=1e-6)


def test_strokes_of_one_sign_are_gathered_from_left_to_right():
    right, bar = HOOK + np.float32([10, 0]), np.array([[2.0, 5], [2, -5]])  # a vertical bar through the first hook
    for strokes in ([HOOK, bar], [bar, HOOK]):  # within a sign in the order in which they were written
        signs = gather([right, *strokes])
        assert [sign.tolist() for sign in signs] == [np.concatenate(strokes).tolist(), right.tolist()]
    assert (
        len(gather([HOOK, HOOK + np.float32([3.5, 0])])) == 2 and len(gather([HOOK, HOOK + np.float32([2.5, 0])])) == 1
    )
    assert len(gather([bar, bar + np.float32([1, 0])])) == 2 and len(gather([bar, bar])) == 1
    drawing = Recording((right, HOOK, bar), ("x", "y"))
    assert [w.shape for w in prepare_drawing(drawing, 7, several=True).segments] == [(7, 2), (7, 2)]
    (one,) = prepare_drawing(Recording((HOOK[:1], HOOK[1:]), ("x",)), 3, several=False).segments
    np.testing.assert_array_equal(one, HOOK)  # of so many points already


def test_features_worked_by_hand():
    one = [[0, 0, 0, 0, 0, 0, 1], [0, 1, 0, 1, 0, 1, 0], [1, 1, 1, 0, 1, 0, 0]]
    np.testing.assert_allclose(stroke_features(HOOK[None], np.array([1]), several=False)[0], one, atol=1e-6)
    strokes = np.stack([HOOK, HOOK + np.float32([6, -2])])  # 4 high in all; the pen goes from (4, 2) to (6, -2)
    (two,) = stroke_features(strokes, np.array([2]), several=True)
    np.testing.assert_allclose(two[:, 0], [0, 0, 1, 0, 0, 1])  # from the left edge of each sign
    np.testing.assert_allclose(two[:, 1], [0.5, 1, 1, 0, 0.5, 0.5])
    np.testing.assert_allclose(two[3, 2:], [0.5, -1, 1 / 5**0.5, -2 / 5**0.5, 1], rtol=1e-6)
    np.testing.assert_array_equal(two[:, 6], [1, 0, 0, 1, 0, 0])


@given(st.floats(0.3, 20), st.floats(0.3, 20), st.floats(-1000, 1000), st.booleans())
@settings(max_examples=25, deadline=None)
def test_neither_place_nor_size_matters(width, height, shift, several):
    strokes = np.concatenate([d.segments for d in drawings(3)]).astype(np.float64)
    signs = np.array([2, 1, 3])
    moved = strokes * (height if several else width, height) + shift
    for a, b in zip(*(stroke_features(s, signs, several) for s in (strokes, moved)), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)


def test_drawings_together_and_alone_and_degenerate_ones():
    strokes = np.concatenate([d.segments for d in drawings(3)])
    together = stroke_features(strokes, np.array([1, 3, 2]), several=True)
    for found, part in zip(together, np.split(strokes, [1, 4]), strict=True):
        (alone,) = stroke_features(part, np.array([len(part)]), several=True)
        np.testing.assert_allclose(found, alone, atol=1e-6)
    dot, line = np.zeros((1, 4, 2)), np.stack([np.arange(4.0), np.zeros(4)], axis=1)[None]
    for stroke in (dot, line):
        for several in (False, True):
            assert np.isfinite(stroke_features(stroke, np.array([1]), several)[0]).all()


def test_variants():
    strokes = np.concatenate([d.segments for d in drawings()])
    signs = np.full(20, 2)
    rng = np.random.default_rng
    assert vary(rng(0), strokes, signs, 0.0) is strokes
    varied, again, other = (vary(rng(seed), strokes, signs) for seed in (0, 0, 1))
    np.testing.assert_array_equal(varied, again)
    assert varied.dtype == np.float32 and (np.abs(varied - other).max(axis=(1, 2)) > 0.01).all()
    # A long thin bar shows what is done to all of a drawing: its angle and its length.
    bar = np.stack([np.linspace(-50, 50, 5), np.zeros(5)], axis=1)[None].repeat(500, axis=0).astype(np.float32)
    ends = vary(rng(0), bar, np.full(500, 1))[:, -1] - vary(rng(0), bar, np.full(500, 1))[:, 0]
    angle, length = np.degrees(np.arctan2(ends[:, 1], ends[:, 0])), np.hypot(*ends.T) / 100
    assert 10 < np.abs(angle).max() < 12 + 6 + 5 and 1.2 < length.max() < 1.2**1.5 + 0.15
    # Two bars of one drawing are turned alike, but for half as much of their own.
    pairs = np.concatenate([bar, bar + np.float32([0, 20])]).reshape(2, 500, 5, 2).swapaxes(0, 1).reshape(-1, 5, 2)
    steps = np.diff(vary(rng(0), pairs.astype(np.float32), np.full(500, 2)), axis=1).sum(axis=1)
    angles = np.degrees(np.arctan2(steps[:, 1], steps[:, 0])).reshape(500, 2)
    assert np.corrcoef(angles.T)[0, 1] > 0.5


def test_signs_are_laid_out_on_a_line():
    laid = lay_out(np.random.default_rng(0), np.stack([HOOK] * 200)).astype(np.float64)
    low, high = laid.min(axis=1), laid.max(axis=1)
    gaps = low[1:, 0] - high[:-1, 0]
    assert (gaps > 0.0999).all() and (gaps < 0.5001).all() and np.ptp(gaps) > 0.35
    assert (np.abs(low[:, 1]) <= 0.1001).all()
    sizes = (high - low) / [0.7, 1.0]
    assert sizes.min() > 1 / 1.2501 and sizes.max() < 1.2501
    np.testing.assert_allclose(
        (laid - low[:, None]) / (high - low)[:, None], np.stack([HOOK / [4, 2]] * 200), atol=1e-4
    )


def test_batches_follow_from_seed_and_number():
    batches = StrokeBatches(drawings(), ["a", "b"], batch_size=4, seed=3, group=2, several=True)
    batch = batches.batch(5)
    jax.tree.map(
        np.testing.assert_array_equal, StrokeBatches(drawings(), ["a", "b"], 4, 3, 2, several=True).batch(5), batch
    )
    assert batch["inputs"].shape == (10, 4, 7) and batch["inputs"].dtype == np.float32
    assert batch["lengths"].tolist() == [10] * 4 and batch["labels"].shape == (4, 2)
    plain = StrokeBatches(drawings(), ["a", "b"], 20, 3, variation=0.0, several=True).batch(0)
    rows = {r.signal.tobytes(): r.words for r in as_features(drawings(), several=True)}
    for row, labels in zip(np.swapaxes(plain["inputs"], 0, 1), plain["labels"], strict=True):
        assert rows.pop(np.ascontiguousarray(row).tobytes()) == tuple("ab"[label - 1] for label in labels)
    assert not rows
