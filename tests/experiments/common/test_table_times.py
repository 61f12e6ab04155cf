"""Times of every form, told apart by their whole column; steps of the calendar, and how it goes on."""

import dataclasses
from datetime import datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.common.table_cells import TableConfig
from experiments.common.table_steps import calendar_step, moments_after, moments_between, step_words
from experiments.common.table_times import read_time, read_times, tell_time_form
from experiments.common.tables import parse_tables
from rnn_jax.data import DataError

FORMS = [
    "%d.%m.%Y %H:%M", "%d/%m/%Y %H:%M:%S", "%m/%d/%Y %I:%M %p", "%Y-%m-%d %H:%M", "%Y/%m/%d %H:%M:%S", "%Y%m%d%H%M",
    "%d-%m-%Y %H:%M", "%d %b %Y %H:%M", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S+00:00", "%d.%m.%y %H:%M",
]  # fmt: skip


@given(st.sampled_from(FORMS), st.datetimes(datetime(1971, 1, 1), datetime(2030, 1, 1)))
def test_a_time_is_read_as_it_was_meant(form, start):
    start = start.replace(second=0, microsecond=0)
    times = [start + pd.Timedelta(hours=17 * i) for i in range(50)]
    cells = [time.strftime(form) for time in times]
    told = tell_time_form(cells, "t")
    found, wrong = read_times(cells, told)
    assert wrong is None and found.utc.tolist() == times
    assert [read_time(cell, told)[0] for cell in cells] == times


@pytest.mark.parametrize(
    ("cell", "time"),
    [
        ("1949-01", datetime(1949, 1, 1)),
        ("1949", datetime(1949, 1, 1)),
        ("2013Q3", datetime(2013, 7, 1)),
        ("2013-Q3", datetime(2013, 7, 1)),
        ("Q3 2013", datetime(2013, 7, 1)),
        ("Jan 2013", datetime(2013, 1, 1)),
        ("3-Feb-2013", datetime(2013, 2, 3)),
        ("2013-01-01T00:00:00.100", datetime(2013, 1, 1, 0, 0, 0, 100_000)),
        ("2013-01-01 00:00:00,25", datetime(2013, 1, 1, 0, 0, 0, 250_000)),
        ("2013-01-01T02:00:00+02:00", datetime(2013, 1, 1)),
        ("2013-01-01 02:00:00 +0200", datetime(2013, 1, 1)),
        ("2013-1-5 7:05", datetime(2013, 1, 5, 7, 5)),
        ("1356998400", datetime(2013, 1, 1)),
        ("1356998400.125", datetime(2013, 1, 1, 0, 0, 0, 125_000)),
        ("1356998400125", datetime(2013, 1, 1, 0, 0, 0, 125_000)),
        ("20130102", datetime(2013, 1, 2)),
        ("201301", datetime(2013, 1, 1)),
        ("12/31/2013", datetime(2013, 12, 31)),
        ("31.12.13", datetime(2013, 12, 31)),
    ],
)
def test_forms_of_single_times(cell, time):
    form = tell_time_form([cell], "t")
    assert read_times([cell], form)[0].utc.tolist() == [time] and read_time(cell, form)[0] == time


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (["01/02/2013", "02/02/2013"], "may have the day first or the month: say --time-format %d/%m/%Y or"),
        (["13/02/2013", "02/14/2013"], "has '13/02/2013', the day first, and '02/14/2013', the month first"),
        (["13-01-05"], "which is the year? say --time-format"),
        (["17"], "'17' is no time: expected ISO 8601, such as 2013-01-31 06:00:00, or another common form"),
        (["soon"], "'soon' is no time"),
        ([""], "'' is no time"),
    ],
)
def test_times_that_could_be_others_are_refused(cells, said):
    with pytest.raises(DataError) as raised:
        tell_time_form(cells, "t")
    assert said in str(raised.value)


def test_a_format_that_is_said():
    text = "t,a\n01/02/2013,1\n02/02/2013,2\n"
    for form, wanted in (("%d/%m/%Y", datetime(2013, 2, 2)), ("%m/%d/%Y", datetime(2013, 2, 2))):
        table = parse_tables(text, "x", TableConfig(time_format=form)).tables[""]
        assert table.times.tolist()[1] == wanted
    assert parse_tables("t,a\n5,1\n6,2\n", "x", TableConfig(time_format="s")).tables[""].times.tolist()[0].second == 5


def told(text: str, **options) -> tuple[list[str], list[str]]:
    found = parse_tables(text, "x", TableConfig(**options))
    table = found.tables[""]
    return table.clock.tell(table.times), found.notes


def test_times_are_given_back_as_they_came():
    assert told("t,a\n2013-01-01T00:00:00+02:00,1\n")[0] == ["2013-01-01T00:00:00+02:00"]
    assert told("t,a\n2013-01-01 00:00:00Z,1\n")[0] == ["2013-01-01T00:00:00Z"]
    assert told("t,a\n2013-01-01 00:00:00.5,1\n")[0] == ["2013-01-01T00:00:00.500"]
    assert told("t,a\n1949-01,1\n1949-02,1\n")[0] == ["1949-01", "1949-02"]
    assert told("t,a\n2013Q3,1\n")[0] == ["2013Q3"]
    assert told("t,a\n31.12.2013,1\n")[0] == ["2013-12-31"]


def test_offsets_that_change_and_a_zone():
    text = "t,a\n2013-03-31T01:00:00+01:00,1\n2013-03-31T03:00:00+02:00,2\n"
    times, notes = told(text)
    assert times == ["2013-03-31T02:00:00+02:00", "2013-03-31T03:00:00+02:00"] and "--zone Europe/Berlin" in notes[0]
    times, notes = told(text, zone="Europe/Berlin")
    assert times == ["2013-03-31T01:00:00+01:00", "2013-03-31T03:00:00+02:00"] and not notes
    local = "t,a\n" + "".join(f"2013-10-27 {hour}:00,{i}\n" for i, hour in enumerate(("01", "02", "02", "03")))
    table = parse_tables(local, "x", TableConfig(zone="Europe/Berlin")).tables[""]
    assert (np.diff(table.times) == np.timedelta64(1, "h")).all()
    with pytest.raises(DataError, match="again: times must rise; keep one of the rows, or say --zone"):
        parse_tables(local, "x")
    once = parse_tables("t,a\n2013-10-27 02:00,1\n2013-10-28 02:00,2\n", "x", TableConfig(zone="Europe/Berlin")).tables[
        ""
    ]
    assert once.clock.tell(once.times)[0] == "2013-10-27T02:00:00+02:00"
    with pytest.raises(DataError, match=r"x: column 't': .*2013-03-31 02:30"):
        parse_tables("t,a\n2013-03-31 02:30,1\n", "x", TableConfig(zone="Europe/Berlin"))


STEPS = [
    ("MS", "1 month"), ("ME", "1 month (its last day)"), ("QS-JAN", "1 quarter"),
    ("QE-DEC", "1 quarter (its last day)"), ("YS-JAN", "1 year"), ("YE-DEC", "1 year (its last day)"),
    ("B", "1 day from Monday to Friday"),
    ("BME", "1 month (its last day from Monday to Friday)"), ("2MS", "2 months"), ("WOM-3FRI", "WOM-3FRI"),
    (pd.DateOffset(months=1), "1 month"),
    (pd.offsets.CustomBusinessDay(weekmask="Sun Mon Tue Wed Thu"), "1 day of Mon, Tue, Wed, Thu, Sun"),
]  # fmt: skip


@pytest.mark.parametrize(("freq", "words"), STEPS, ids=[str(freq) for freq, _ in STEPS])
@pytest.mark.parametrize("gaps", [False, True])
def test_a_calendar_goes_on_as_it_was(freq, words, gaps):
    every = pd.date_range("2000-01-03", periods=64, freq=freq).to_numpy().astype("datetime64[us]")
    known, after = every[:60], every[60:]
    step = calendar_step(np.delete(known, [11, 30]) if gaps and freq != "WOM-3FRI" else known)
    assert step is not None and step_words(step) == words
    np.testing.assert_array_equal(moments_after(known, 4, step), after)
    np.testing.assert_array_equal(moments_between(known[0], known[-1], step), known)


@pytest.mark.parametrize("freq", ["h", "100ms", "D", "7D", "3D", "90min", "30D"])
def test_a_span_of_time_is_no_calendar(freq):
    times = pd.date_range("2000-01-03", periods=40, freq=freq).to_numpy().astype("datetime64[us]")
    assert calendar_step(times) is None
    np.testing.assert_array_equal(moments_after(times[:30], 10, None), times[30:])


@pytest.mark.parametrize("gaps", [[], [3, 40]])
def test_hours_of_trading_go_on_on_the_next_open_day(gaps):
    hours = pd.date_range("2020-01-06 09:30", "2020-02-28", freq="h")
    open_at = (hours.hour >= 9) & (hours.hour < 16) & (hours.day_of_week < 5)
    times = hours[open_at].to_numpy().astype("datetime64[us]")
    known = np.delete(times[:210], gaps)
    step = calendar_step(known)
    assert step is not None and step_words(step) == "1 hour, at 35 moments of the week"
    np.testing.assert_array_equal(moments_after(known, 40, step), times[210:250])
    np.testing.assert_array_equal(moments_between(known[0], known[-1], step), times[:210])


@given(st.sets(st.integers(0, 24 * 60), min_size=30, max_size=400))
def test_moments_at_random_are_no_hours_of_a_week(minutes):
    times = np.datetime64("2020-01-01", "us") + np.array(sorted(minutes)) * np.timedelta64(83, "m")
    if (step := calendar_step(times)) is not None:
        assert len(moments_between(times[0], times[-1], step)) <= len(times) / 0.9


def test_a_clock_of_whole_days_in_a_zone():
    days = pd.date_range("2013-03-29", periods=5, tz="Europe/Berlin")
    text = "t,a\n" + "".join(f"{day.isoformat()},{i}\n" for i, day in enumerate(days))
    clock = parse_tables(text, "x", TableConfig(zone="Europe/Berlin")).tables[""].clock
    local = days.tz_localize(None).to_numpy().astype("datetime64[us]")
    assert dataclasses.replace(clock, local=True).tell(local) == [day.isoformat() for day in days]


def test_a_bad_time_among_offsets_is_named():
    """It has no offset, but that is not what is wrong with it."""
    rows = ["2013-01-01T00:00+02:00,1", "2013-01-01T01:00+02:00,2", "2013-13-01T02:00,3", "2013-01-01T03:00+02:00,4"]
    with pytest.raises(DataError, match=r"x, line 4: column 't': '2013-13-01T02:00' is no time"):
        parse_tables("\n".join(["t,a", *rows]), "x")
    rows[2] = "yesterday,3"
    with pytest.raises(DataError, match=r"x, line 4: column 't': 'yesterday' is no time"):
        parse_tables("\n".join(["t,a", *rows]), "x")
    rows[2] = "2013-01-01T02:00,3"
    with pytest.raises(DataError, match=r"x, line 4: .* either all times have an offset"):
        parse_tables("\n".join(["t,a", *rows]), "x")
