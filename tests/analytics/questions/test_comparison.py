"""Which days a period is compared with, and which rows mean the same."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from analytics.questions.comparison import KINDS, window
from analytics.questions.periods import Days, PeriodError, each_day

BERLIN = ZoneInfo("Europe/Berlin")


def days(first, last):
    return Days(date.fromisoformat(first), date.fromisoformat(last))


@pytest.mark.parametrize(
    ("kind", "asked", "expected"),
    [
        ("previous", ("2026-03-01", "2026-03-01"), ("2026-02-28", "2026-02-28")),
        ("previous", ("2026-03-08", "2026-03-14"), ("2026-03-01", "2026-03-07")),
        ("previous", ("2024-01-01", "2024-12-31"), ("2022-12-31", "2023-12-31")),
        ("year", ("2026-03-08", "2026-03-14"), ("2025-03-08", "2025-03-14")),
        ("year", ("2024-02-29", "2024-02-29"), ("2023-02-28", "2023-02-28")),
        ("year", ("2024-02-28", "2024-03-01"), ("2023-02-28", "2023-03-02")),
        ("year", ("2025-02-28", "2025-03-01"), ("2024-02-28", "2024-02-29")),
    ],
)
def test_window_is_as_long_as_the_period(kind, asked, expected):
    assert window(kind, days(*asked)).days == days(*expected)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        # A whole month with a whole one, part of one with the same dates.
        (("2026-03-01", "2026-03-31"), ("2026-02-01", "2026-02-28")),
        (("2026-02-01", "2026-02-28"), ("2026-01-01", "2026-01-31")),
        (("2026-01-01", "2026-01-31"), ("2025-12-01", "2025-12-31")),
        (("2026-03-10", "2026-03-20"), ("2026-02-10", "2026-02-20")),
        (("2026-03-29", "2026-03-30"), ("2026-02-28", "2026-02-28")),
        (("2024-03-29", "2024-03-29"), ("2024-02-29", "2024-02-29")),
    ],
)
def test_previous_month_is_by_the_calendar(asked, expected):
    assert window("previous_month", days(*asked)).days == days(*expected)


@pytest.mark.parametrize(
    ("kind", "asked", "expected"),
    [
        ("previous", ("2026-01-01", "2026-03-31"), ("2025-10-01", "2025-12-31")),
        ("previous", ("2026-03-15", "2026-04-10"), ("2026-02-15", "2026-03-10")),
        ("previous", ("2026-03-31", "2026-04-30"), ("2026-01-31", "2026-02-28")),
        ("previous", ("2025-03-15", "2026-03-15"), ("2024-02-15", "2025-02-15")),
        ("previous_month", ("2026-01-01", "2026-03-31"), ("2025-12-01", "2026-02-28")),
        ("year", ("2025-01-01", "2025-02-28"), ("2024-01-01", "2024-02-29")),
        ("year", ("2024-02-29", "2024-03-31"), ("2023-02-28", "2023-03-31")),
    ],
)
def test_months_are_compared_with_months(kind, asked, expected):
    assert window(kind, days(*asked), "month").days == days(*expected)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("length", range(1, 16))
def test_weeks_are_compared_with_the_same_weekdays(kind, length):
    first = date(2026, 3, 4)
    asked = Days(first, date.fromordinal(first.toordinal() + length - 1))
    found = window(kind, asked, "week").days
    assert found.length == length
    assert found.first.weekday() == first.weekday()
    if kind != "previous_month":
        assert found.last < first


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("interval", ["day", "week", "month"])
def test_days_before_the_calendar_are_refused(kind, interval):
    with pytest.raises(PeriodError, match="no such days"):
        window(kind, days("0001-01-01", "0001-01-01"), interval)


def test_a_date_that_the_month_before_lacks_has_no_pair():
    asked = days("2026-03-26", "2026-03-31")
    found = window("previous_month", asked, "day")
    rows = {day: day for day in each_day(found.days)}
    pairs = [found.pair(day, rows) for day in each_day(asked)]
    assert pairs == [date(2026, 2, day) for day in (26, 27, 28)] + [None] * 3


# Today


def at(text, zone=UTC):
    return datetime.fromisoformat(text).replace(tzinfo=zone)


@pytest.mark.parametrize(
    ("kind", "now", "last", "until"),
    [
        ("previous", "2026-03-08T15:30:00", "2026-03-04", "2026-03-04T14:30:00"),
        ("previous", "2026-03-07T15:30:00", "2026-03-03", "2026-03-03T14:30:00"),
        ("year", "2026-03-08T00:00:00", "2025-03-08", "2025-03-07T23:00:00"),
        ("previous_month", "2026-03-08T09:00:00", "2026-02-08", "2026-02-08T08:00:00"),
        # Over, or still to come.
        ("previous", "2026-03-09T00:00:00", "2026-03-04", None),
        ("previous", "2026-03-04T23:59:59", "2026-03-04", None),
    ],
)
def test_running_period_ends_at_the_same_time_of_day(kind, now, last, until):
    found = window(kind, days("2026-03-05", "2026-03-08"), now=at(now, BERLIN))
    assert found.days.last == date.fromisoformat(last)
    assert found.until == (until and at(until))


def test_time_of_day_is_that_of_the_clock():
    # Clocks were changed on 29 March.
    asked, now = days("2026-03-30", "2026-03-31"), at("2026-03-31T09:00:00", BERLIN)
    found = window("previous", asked, now=now)
    assert found.until == at("2026-03-29T07:00:00")
    found = window("previous", days("2026-03-30", "2026-03-30"), now=now)
    assert found.until is None


def test_month_that_runs_is_not_compared_with_a_whole_one():
    asked, now = days("2026-02-01", "2026-02-28"), at("2026-02-28T12:00:00")
    found = window("previous_month", asked, now=now)
    assert found.days == days("2026-01-01", "2026-01-28")
    assert found.until == at("2026-01-28T12:00:00")


def test_day_that_the_month_before_lacks_has_no_hours_to_compare_with():
    asked, now = days("2026-03-01", "2026-03-31"), at("2026-03-30T12:00:00")
    found = window("previous_month", asked, now=now)
    assert found.days == days("2026-02-01", "2026-02-28")
    assert found.until is None


# Hours


def test_hours_are_those_of_the_clock():
    # In the night to 29 March 2026 Berlin has no 2 o'clock, to 25 October two.
    found = window("previous", days("2026-03-30", "2026-03-30"), now=None)
    rows = {hour: hour for hour in hours("2026-03-28T23:00:00", 23)}
    pairs = [
        found.pair_of_hour(hour, rows, BERLIN)
        for hour in hours("2026-03-29T22:00:00", 24)
    ]
    assert pairs[2] is None
    assert [pair.astimezone(BERLIN).hour for pair in pairs if pair] == [
        *(0, 1),
        *range(3, 24),
    ]
    found = window("previous", days("2026-10-25", "2026-10-25"), now=None)
    rows = {hour: hour for hour in hours("2026-10-23T22:00:00", 24)}
    pairs = [
        found.pair_of_hour(hour, rows, BERLIN)
        for hour in hours("2026-10-24T22:00:00", 25)
    ]
    assert [number for number, pair in enumerate(pairs) if pair is None] == [3]


def test_hours_to_come_have_no_pair():
    asked, now = days("2026-03-08", "2026-03-08"), at("2026-03-08T03:20:00")
    found = window("previous", asked, now=now)
    rows = {hour: hour for hour in hours("2026-03-07T00:00:00", 24)}
    pairs = [
        found.pair_of_hour(hour, rows, ZoneInfo("UTC"))
        for hour in hours("2026-03-08T00:00:00", 24)
    ]
    assert [bool(pair) for pair in pairs] == [True] * 4 + [False] * 20


def hours(start, number):
    first = at(start).timestamp()
    return [datetime.fromtimestamp(first + n * 3_600, UTC) for n in range(number)]
