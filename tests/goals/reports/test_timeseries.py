"""GET /sites/:key/goals/:id/timeseries."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from analytics import events
from analytics.events import Labels
from analytics.questions.periods import Days, each_day
from goals.reports.intervals import hours, start_of, stretches
from tests.factories import GoalFactory, store


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.fixture
def series(reader, site):
    """Ask for a goal's series from one day to another."""
    goal = GoalFactory.create(site=site, match_value="signup", currency="EUR")
    path = f"/sites/{site.site_key}/goals/{goal.pk}/timeseries"

    def ask(first, last, query="", **options):
        period = f"period=custom&from={first}&to={last}&{query}"
        return reader("GET", f"{path}?{period}", **options)

    return ask


def signup(site, text, **values):
    store(site, "event", "signup", at=at(text), **values)


def rows(response):
    """The rows as (start, conversions, uniques, revenue)."""
    assert response.status_code == 200, response.content
    return [tuple(row.values()) for row in response.json()["data"]["timeseries"]]


def test_days_are_filled_with_zeros(series, site):
    signup(site, "2026-03-02T00:00:00", visitor=1, amount=123_400)
    signup(site, "2026-03-02T23:59:59", visitor=1, amount=100_000, currency="EUR")
    signup(site, "2026-03-04T12:00:00", visitor=2)
    store(site, "event", "other", at=at("2026-03-04T12:00:00"))
    series("2026-03-01", "2026-03-04")
    assert series("2026-03-01", "2026-03-04", queries=3).json() == {
        "data": {
            "period": {"from": "2026-03-01", "to": "2026-03-04"},
            "interval": "day",
            "timeseries": [
                day("2026-03-01", 0, 0, 0),
                day("2026-03-02", 2, 1, 22.34),
                day("2026-03-03", 0, 0, 0),
                day("2026-03-04", 1, 1, 0),
            ],
            "attribution": "last",
        }
    }


def day(date, conversions, uniques, revenue):
    return {
        "date": date,
        "conversions": conversions,
        "unique_conversions": uniques,
        "revenue": revenue,
    }


def test_weeks_begin_on_monday_and_the_ends_are_cut_off(series, site):
    for text in ("2026-02-27", "2026-02-28", "2026-03-01", "2026-03-02", "2026-03-09"):
        signup(site, f"{text}T12:00:00", visitor=1)
    assert rows(series("2026-02-28", "2026-03-09", "interval=week")) == [
        ("2026-02-28", 2, 2, 0.0),
        ("2026-03-02", 1, 1, 0.0),
        ("2026-03-09", 1, 1, 0.0),
    ]


def test_month_counts_the_visitors_of_each_day(series, site):
    signup(site, "2026-01-31T12:00:00", visitor=1)
    for text in ("2026-03-01T12:00:00", "2026-03-01T13:00:00", "2026-03-02T12:00:00"):
        signup(site, text, visitor=1)
    assert rows(series("2026-01-31", "2026-03-30", "interval=month")) == [
        ("2026-01-31", 1, 1, 0.0),
        ("2026-02-01", 0, 0, 0.0),
        ("2026-03-01", 3, 2, 0.0),
    ]


def test_hours_are_those_of_the_sites_zone(series, site):
    site.timezone = "Asia/Kathmandu"  # 5 hours and 45 minutes ahead
    site.save()
    signup(site, "2026-03-01T18:14:59.999999", visitor=1)
    signup(site, "2026-03-01T18:15:00", visitor=1, amount=10_000)
    signup(site, "2026-03-01T19:14:59.999999", visitor=1)
    signup(site, "2026-03-01T19:14:59.999999", visitor=2)
    signup(site, "2026-03-02T18:14:59.999999", visitor=1)
    signup(site, "2026-03-02T18:15:00", visitor=1)
    answered = rows(series("2026-03-02", "2026-03-02", "interval=hour"))
    assert len(answered) == 24
    assert [row for row in answered if row[1]] == [
        ("2026-03-01T18:15:00Z", 3, 2, 1.0),
        ("2026-03-02T17:15:00Z", 1, 1, 0.0),
    ]


@pytest.mark.parametrize(
    ("zone", "day", "length", "last"),
    [
        ("Europe/Berlin", "2026-03-29", 23, "2026-03-29T21:00:00+00:00"),
        ("Europe/Berlin", "2026-10-25", 25, "2026-10-25T22:00:00+00:00"),
        ("Europe/Berlin", "2026-03-30", 24, "2026-03-30T21:00:00+00:00"),
        # Half an hour is skipped, or lived twice.
        ("Australia/Lord_Howe", "2026-10-04", 24, "2026-10-04T12:30:00+00:00"),
        ("Australia/Lord_Howe", "2026-04-05", 25, "2026-04-05T13:00:00+00:00"),
        # Midnight is skipped; a whole day was.
        ("Africa/Cairo", "2026-04-24", 23, "2026-04-24T20:00:00+00:00"),
        ("Pacific/Apia", "2011-12-30", 0, None),
    ],
)
def test_day_has_the_hours_it_has(zone, day, length, last):
    only = date.fromisoformat(day)
    parts = stretches(Days(only, only), ZoneInfo(zone))
    starts = [hour for part in parts for hour in hours(*part)]
    assert len(starts) == length
    assert last is None or starts[-1].isoformat() == last


def test_hour_twice_on_the_clock_is_two_hours(series, site):
    site.timezone = "Europe/Berlin"
    site.save()
    signup(site, "2026-10-25T00:30:00", visitor=1)  # 2:30 in summer
    signup(site, "2026-10-25T01:30:00", visitor=1)  # 2:30 in winter
    answered = rows(series("2026-10-25", "2026-10-25", "interval=hour"))
    assert [row[:3] for row in answered if row[1]] == [
        ("2026-10-25T00:00:00Z", 1, 1),
        ("2026-10-25T01:00:00Z", 1, 1),
    ]


def test_half_an_hour_of_the_clock_begins_a_new_stretch():
    days = Days(date(2026, 10, 3), date(2026, 10, 6))
    parts = list(stretches(days, ZoneInfo("Australia/Lord_Howe")))
    ends = [tuple(f"{at:%d %H:%M}" for at in part) for part in parts]
    assert ends == [("02 13:30", "04 13:00"), ("04 13:00", "06 13:00")]


def test_moment_decides_the_hour_after_a_change_of_zone(series, site):
    moment = at("2026-03-01T23:30:00")
    event = {"type": "event", "name": "signup", "visitor": 1, "site_id": site.pk}
    events.append([events.NewEvent(day=date(2026, 3, 3), at=moment, **event)])
    answered = rows(series("2026-03-01", "2026-03-01", "interval=hour"))
    assert [row[:2] for row in answered if row[1]] == [("2026-03-01T23:00:00Z", 1)]


def test_refund_is_taken_off_when_it_was_made(series, site):
    signup(site, "2026-03-01T12:00:00", amount=500_000, event_id="order-1")
    moment = at("2026-03-02T15:30:00")
    refund = events.NewRefund(moment.date(), moment, "order-1", amount=200_000)
    events.refund(site.pk, [refund])
    assert rows(series("2026-03-01", "2026-03-02")) == [
        ("2026-03-01", 1, 1, 50.0),
        ("2026-03-02", 0, 0, -20.0),
    ]
    answered = rows(series("2026-03-02", "2026-03-02", "interval=hour"))
    assert answered[15] == ("2026-03-02T15:00:00Z", 0, 0, -20.0)


def test_filters_and_comparison_hold(series, site):
    for text in ("2026-02-28", "2026-03-01", "2026-03-02"):
        signup(site, f"{text}T12:00:00", labels=Labels(country="DE"))
        signup(site, f"{text}T12:00:00", labels=Labels(country="FR"))
    data = series("2026-03-01", "2026-03-02", "country=DE&compare=previous").json()
    comparison = data["data"].pop("comparison")
    assert [row["conversions"] for row in data["data"]["timeseries"]] == [1, 1]
    for row in comparison["timeseries"]:
        del row["difference"], row["verdict"]
    assert comparison == {
        "period": {"from": "2026-02-27", "to": "2026-02-28"},
        "until": None,
        "interval": "day",
        "timeseries": [day("2026-02-27", 0, 0, 0), day("2026-02-28", 1, 1, 0)],
    }


@pytest.mark.parametrize(
    ("first", "last", "query", "field"),
    [
        ("2026-03-01", "2026-03-02", "interval=minute", "interval"),
        ("2026-03-01", "2026-04-01", "interval=hour", "interval"),
        ("0001-01-01", "0001-01-02", "interval=hour", "interval"),
        ("9999-12-31", "9999-12-31", "interval=hour", "interval"),
        ("0002-01-01", "0002-01-02", "interval=hour&compare=year", "interval"),
        ("0001-01-01", "0001-01-02", "compare=previous", "compare"),
        ("2026-03-01", "2026-03-02", "limit=5", "limit"),
    ],
)
def test_wrong_parameter_is_refused(series, first, last, query, field):
    response = series(first, last, query)
    assert response.status_code == 422
    assert list(response.json()["details"]) == [field]


@pytest.mark.parametrize("interval", ["day", "week", "month"])
@pytest.mark.parametrize("day", [date.min, date.max])
def test_ends_of_the_calendar_are_days_like_others(interval, day):
    days = Days(day, day)
    assert [start_of(interval, each, day) for each in each_day(days)] == [day]
