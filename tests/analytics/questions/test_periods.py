"""Which days a period means: lengths, month ends, leap days, refusals."""

from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.questions.periods import MAX_DAYS, NAMES, PeriodError, midnight, resolve

TODAY = date(2026, 2, 18)


@pytest.mark.parametrize(
    ("period", "today", "first"),
    [
        # The product's own sample of 7d: both ends included.
        ("7d", "2026-02-18", "2026-02-11"),
        ("7d", "2026-03-01", "2026-02-22"),
        ("7d", "2024-03-01", "2024-02-23"),
        ("7d", "2026-01-03", "2025-12-27"),
        ("30d", "2026-02-18", "2026-01-19"),
        ("30d", "2026-03-01", "2026-01-30"),
        ("30d", "2024-03-01", "2024-01-31"),
        ("30d", "2026-01-30", "2025-12-31"),
        ("12mo", "2026-02-18", "2025-02-18"),
        ("12mo", "2026-03-31", "2025-03-31"),
        ("12mo", "2024-02-29", "2023-02-28"),
        ("12mo", "2025-02-28", "2024-02-28"),
        ("12mo", "2025-03-01", "2024-03-01"),
        ("12mo", "2026-01-01", "2025-01-01"),
        ("12mo", "2026-12-31", "2025-12-31"),
    ],
)
def test_period_ends_today(period, today, first):
    today = date.fromisoformat(today)
    assert resolve(period, today=today) == (date.fromisoformat(first), today)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2026-02-18", "2026-02-18"),
        ("2024-02-29", "2024-02-29"),
        ("2024-02-28", "2024-03-01"),
        ("2025-12-31", "2026-01-01"),
        ("2015-05-17", "2015-05-20"),
        ("2030-01-01", "2030-12-31"),
        ("0001-01-01", "0001-01-01"),
        ("9999-12-31", "9999-12-31"),
    ],
)
def test_custom_is_the_days_it_names(start, end):
    days = date.fromisoformat(start), date.fromisoformat(end)
    assert resolve("custom", today=TODAY, start=days[0], end=days[1]) == days


def test_custom_has_a_longest_length():
    end = TODAY + timedelta(days=MAX_DAYS - 1)
    assert MAX_DAYS == 1_830
    assert resolve("custom", today=TODAY, start=TODAY, end=end) == (TODAY, end)
    with pytest.raises(PeriodError, match="At most 1830 days"):
        resolve("custom", today=TODAY, start=TODAY, end=end + timedelta(days=1))


@pytest.mark.parametrize(
    ("period", "start", "end", "parameter"),
    [
        ("custom", None, None, "from"),
        ("custom", None, TODAY, "from"),
        ("custom", TODAY, None, "to"),
        ("custom", TODAY, TODAY - timedelta(days=1), "to"),
        ("custom", date.min, date.max, "to"),
        ("7d", TODAY, None, "from"),
        ("30d", None, TODAY, "to"),
        ("12mo", TODAY, TODAY, "from"),
        ("90d", None, None, "period"),
        ("90d", TODAY, TODAY, "period"),
        ("7D", None, None, "period"),
        ("7d ", None, None, "period"),
        ("12m", None, None, "period"),
        ("", None, None, "period"),
    ],
)
def test_wrong_question_names_its_parameter(period, start, end, parameter):
    with pytest.raises(PeriodError) as refused:
        resolve(period, today=TODAY, start=start, end=end)
    assert refused.value.parameter == parameter
    assert refused.value.message


@given(
    st.sampled_from([name for name in NAMES if name != "custom"]),
    st.dates(min_value=date(1990, 1, 1), max_value=date(2100, 12, 31)),
)
def test_period_of_any_day_has_its_length(period, today):
    days = resolve(period, today=today)
    length = (days.last - days.first).days
    assert days.last == today
    assert length in {"7d": {7}, "30d": {30}, "12mo": {365, 366}}[period]


@pytest.mark.parametrize(
    ("day", "zone", "later", "expected"),
    [
        ("2026-03-01", "UTC", 0, "2026-03-01T00:00:00+00:00"),
        ("2026-03-01", "Europe/Berlin", 0, "2026-02-28T23:00:00+00:00"),
        ("2026-02-28", "Europe/Berlin", 1, "2026-02-28T23:00:00+00:00"),
        ("2026-03-29", "Europe/Berlin", 1, "2026-03-29T22:00:00+00:00"),
        # Clocks there go from 24:00 to 01:00.
        ("2026-04-24", "Africa/Cairo", 0, "2026-04-23T22:00:00+00:00"),
        ("0001-01-01", "Asia/Tokyo", 0, "0001-01-01T00:00:00+00:00"),
        ("9999-12-31", "UTC", 1, "9999-12-31T23:59:59.999999+00:00"),
    ],
)
def test_midnight_is_that_of_the_zone(day, zone, later, expected):
    start = midnight(date.fromisoformat(day), ZoneInfo(zone), later=later)
    assert start.isoformat() == expected
