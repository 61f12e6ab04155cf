"""Watching: row by row as at once, nothing looks ahead, and what is learned, scored and said of series."""

import jax
import numpy as np
import pytest
from scipy.stats import norm

from experiments.anomaly_detection.data import WatchedSeries
from experiments.anomaly_detection.features import RowScale
from experiments.anomaly_detection.model import Verdict, Watcher, alarms, watch_all
from experiments.anomaly_detection.scores import relative_error, watch_examples, watch_result
from experiments.anomaly_detection.training import Lesson, WatchSettings, lesson_batches
from rnn_jax.data import DataError
from rnn_jax.data.tables import Row

SETTINGS = WatchSettings(hidden_size=4, ahead=3, learn=60, short=5, quiet=10)
START = np.datetime64("2024-01-01T00:00", "us")


def make_series(name: str, rows: int, seed: int = 0, **changes) -> WatchedSeries:
    rng = np.random.default_rng(seed)
    hours = rng.choice([1, 1, 1, 2], rows).cumsum()
    values = 50 + 10 * np.sin(hours * np.pi / 12) + rng.normal(size=rows)
    values[rng.integers(0, rows, 5)] = np.nan
    return WatchedSeries(name, START + hours * np.timedelta64(3600, "s"), values)._replace(**changes)


@pytest.fixture(scope="module")
def watched():
    """Two series of different lengths, the networks, and what is said of them."""
    lessons = [Lesson.of(SETTINGS, make_series("one", 150)), Lesson.of(SETTINGS, make_series("two", 110, seed=1))]
    params, rebuild = SETTINGS.build_networks(2, jax.random.key(0))
    return lessons, params, rebuild, watch_all(SETTINGS, rebuild, params, lessons)


def test_row_by_row_as_all_at_once(watched):
    lessons, params, rebuild, found = watched
    for i, (lesson, whole) in enumerate(zip(lessons, found, strict=True)):
        model = rebuild(jax.tree.map(lambda x, i=i: x[i], params))
        watcher = Watcher(SETTINGS, model, lesson.scale, lesson.learned)
        rows = [watcher(t, float(v)) for t, v in zip(lesson.series.times, lesson.series.values, strict=True)]
        for name in Verdict._fields:
            said = np.array([getattr(row, name) for row in rows])
            np.testing.assert_allclose(said, getattr(whole, name), rtol=1e-4, atol=1e-5, err_msg=name)
        assert not whole.strangeness[: lesson.learned].any() and whole.strangeness.any()
        assert (whole.low < whole.expected).all() and (whole.expected < whole.high).all()


def test_nothing_looks_ahead(watched):
    lessons, params, rebuild, found = watched
    series = lessons[0].series
    values = np.where(np.arange(150) < 100, series.values, -1e4)
    changed = [Lesson.of(SETTINGS, series._replace(values=values)), lessons[1]]
    before = watch_all(SETTINGS, rebuild, params, changed)[0]
    assert changed[0].scale == lessons[0].scale
    for a, b in zip(lesson_batches(changed, 3), lesson_batches(lessons, 3), strict=True):
        jax.tree.map(np.testing.assert_array_equal, a, b)
    for name in Verdict._fields:
        np.testing.assert_array_equal(getattr(before, name)[:100], getattr(found[0], name)[:100])
    np.testing.assert_array_equal(before.expected[100:103], found[0].expected[100:103])  # of what is known 3 rows later
    assert before.strangeness[100] > 1 and abs(before.expected[103] - found[0].expected[103]) > 1000


def test_alarms_in_a_stream_come_with_their_rows(watched):
    lessons, params, rebuild, _ = watched
    model, read = rebuild(jax.tree.map(lambda x: x[0], params)), []

    def rows():
        for i, (time, value) in enumerate(zip(*lessons[0].series[1:3], strict=True)):
            read.append(i)
            yield Row(time.item(), np.array([1234.5 if i == 120 else value]), "")

    said = alarms(Watcher(SETTINGS, model, lessons[0].scale, 115), rows())
    line = next(said)
    assert read[-1] == 120 and line.startswith(f"{str(lessons[0].series.times[120])[:19].replace('T', ' ')}  1234.5, e")


def test_what_is_learned_from_and_validated_on(watched):
    lessons = watched[0]
    train, validation = lesson_batches([lessons[0], lessons[1]._replace(learned=40)], 3)
    for s, n in enumerate((60, 40)):
        known = np.isfinite(lessons[s].series.values[:n])
        for batch, first, last in ((train, 4, 0.8 * n), (validation, 0.8 * n, n)):
            step = np.arange(n)
            np.testing.assert_array_equal(batch["weights"][s, :n], known & (step >= first) & (step < last))
            assert not batch["weights"][s, n:].any()
            rows = np.flatnonzero(batch["weights"][s])
            wanted = [lessons[s].rows[t].value - lessons[s].rows[t].known for t in rows]
            np.testing.assert_allclose(batch["targets"][s, rows], wanted, rtol=1e-6)
            np.testing.assert_array_equal(batch["inputs"][s, rows], [lessons[s].rows[t].inputs for t in rows])


def test_each_network_has_the_likelihood_of_its_own_series(watched):
    lessons, params, rebuild, found = watched
    batch = lesson_batches(lessons, 3)[1]
    losses = jax.jit(lambda params: SETTINGS.losses(rebuild, params, batch))(params)
    for s, (lesson, of) in enumerate(zip(lessons, found, strict=True)):
        rows = np.flatnonzero(batch["weights"][s])
        mean, high = (np.array([lesson.scale.to_unit(x) for x in xs[rows]]) for xs in (of.expected, of.high))
        values = [lesson.rows[t].value for t in rows]
        wanted = -norm.logpdf(values, mean, (high - mean) / 1.645).mean()
        np.testing.assert_allclose(losses[s], wanted, rtol=1e-4)
    first = jax.jit(jax.grad(lambda params: SETTINGS.losses(rebuild, params, batch, jax.random.key(0))[0]))
    gradient = first(params)
    assert all(np.asarray(leaf[0]).any() and not np.asarray(leaf[1]).any() for leaf in jax.tree.leaves(gradient))


@pytest.mark.parametrize(
    ("rows", "changes", "message"),
    [
        (300, {"learn": 0}, "short: 45 rows to learn from: expected 50 at least for ahead=20; give a series longer"),
        (100, {"learn": 100}, "short has 100 rows: expected values after the first 100, to watch"),
        (100, {"learn": 60, "gone": slice(60, None)}, "short has 100 rows: expected values after the first 60"),
        (100, {"learn": 60, "gone": slice(0, 59)}, "short: the first 60 rows have 1 values: expected two at least"),
    ],
)
def test_series_that_cannot_be_watched(rows, changes, message):
    values = np.arange(rows, dtype=float)
    values[changes.pop("gone", slice(0))] = np.nan
    with pytest.raises(DataError, match=message):
        Lesson.of(WatchSettings(**changes), make_series("short", rows, values=values))


def test_settings_out_of_range_are_refused():
    for name, value in (("ahead", 0), ("learn", -1), ("beta", 2.0), ("noise", -0.1), ("short", 0), ("layers", 0)):
        with pytest.raises(ValueError, match=f"{name}={value}"):
            WatchSettings(**{name: value})


def verdict(strangeness, expected=0.0) -> Verdict:
    return Verdict(np.full(len(strangeness), expected), *np.ones((2, len(strangeness))), np.asarray(strangeness))


def test_scores_of_labelled_series():
    lessons = [
        Lesson.of(SETTINGS, make_series(name, 150, values=np.zeros(150), windows=((100, 119),))) for name in "abcd"
    ]
    strange = np.zeros((4, 150))
    strange[:, 100] = [2.0, 2.0, 2.0, 0.5]  # the last window is found with the lowest threshold only
    strange[0, 80] = 3.0  # a false alarm before all windows
    result = watch_result(SETTINGS, lessons, [verdict(s) for s in strange])
    assert result["value"] == result["scores"]["standard"] == pytest.approx(100 * (8 - 0.11) / 8)
    assert [result["scores"][n] for n in ("windows", "windows found", "false alarms", "threshold")] == [4, 4, 1, 0.5]
    assert result["scores"]["standard, alarms from 1 on"] == pytest.approx(100 * (6 - 0.11) / 8)
    assert result["scores"]["standard, other half"] == pytest.approx(50), "the half has chosen 2 as the threshold"
    text = watch_examples(lessons, [verdict(s) for s in strange], 1.0, quiet=10).splitlines()
    marks = ["a", "FALSE", "right", "b", "right", "c", "right", "d", "MISSED"]
    assert [line.split()[0] for line in text] == marks
    strange[0, 101:104] = 4.0
    text = watch_examples(lessons[:1], [verdict(strange[0])], 1.0, quiet=10)
    assert text.splitlines()[3:] == ["          and as it grows 3 more"]


def test_errors_are_compared_with_those_of_the_last_known_value():
    series = make_series("rising", 100, values=np.arange(100.0))
    lesson = Lesson.of(SETTINGS, series)
    assert relative_error(lesson, verdict(np.zeros(100), expected=100.0)) == pytest.approx((20.5) / 3)
    result = watch_result(SETTINGS, [lesson], [verdict([0.0] * 98 + [1.0, 2.0], expected=100.0)])
    assert (result["value"], result["scores"]["alarms, rising"]) == (pytest.approx(20.5 / 3), 2)
    constant = Lesson.of(SETTINGS, make_series("constant", 100, values=np.full(100, 7.0)))
    assert constant.scale == RowScale(7.0, 1.0, 1.0) and relative_error(constant, verdict(np.zeros(100), 7.0)) == 0
