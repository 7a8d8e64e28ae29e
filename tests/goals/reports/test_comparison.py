"""`compare`: the earlier numbers beside those of now, in every answer."""

from datetime import UTC, date, datetime

import msgspec
import pytest
import time_machine

from analytics.events import Labels
from analytics.questions.differences import told
from goals.reports import rate
from tests.factories import GoalFactory, store

PERIOD = "period=custom&from=2026-03-03&to=2026-03-04"
BEFORE = {"period": {"from": "2026-03-01", "to": "2026-03-02"}, "until": None}


@pytest.fixture
def goal(site):
    return GoalFactory.create(site=site, match_value="signup", currency="EUR")


@pytest.fixture
def ask(reader, site, goal):
    """Ask about the goal, 3 to 4 March 2026 unless the query says otherwise."""

    def ask(question, query="", period=PERIOD):
        path = f"/sites/{site.site_key}/goals/{goal.pk}/{question}"
        return reader("GET", f"{path}?{period}&{query}")

    return ask


def signup(site, day, **values):
    at = datetime(2026, 3, day, 12, tzinfo=UTC)
    store(site, "event", "signup", **{"at": at, **values})


def verdict(now, before):
    apart, verdict = told(now, before)
    difference = {"level": apart.level, "low": apart.low, "high": apart.high}
    return {"difference": difference, "verdict": verdict}


def test_comparison_appears_only_when_asked_for(ask, site):
    signup(site, 1, visitor=1, amount=100_000)
    signup(site, 2, visitor=1)
    signup(site, 2, visitor=1)
    signup(site, 3, visitor=1)
    now = {"conversions": 1, "unique_conversions": 1, "revenue": 0.0}
    assert ask("stats").json() == {"data": now}
    assert ask("stats", "compare=previous").json() == {
        "data": {
            **now,
            "comparison": {
                **BEFORE,
                "conversions": 3,
                "unique_conversions": 2,
                "revenue": 10.0,
                **verdict(1, 2),
            },
        }
    }


def test_verdict_tells_many_from_few(ask, site):
    for visitor in range(12):
        signup(site, 3, visitor=visitor)
    signup(site, 1)
    found = ask("stats", "compare=previous").json()["data"]["comparison"]
    assert found["verdict"] == "more"
    assert 0 < found["difference"]["low"] < 11 < found["difference"]["high"]
    later = "period=custom&from=2026-03-05&to=2026-03-06"
    found = ask("stats", "compare=previous", later).json()["data"]["comparison"]
    assert found["verdict"] == "fewer"


def test_filters_hold_for_both_periods(ask, site):
    for day in (1, 2, 3, 4):
        signup(site, day, visitor=1, labels=Labels(country="DE"))
        signup(site, day, visitor=2, labels=Labels(country="FR", device="Mobile"))
    signup(site, 4, visitor=3)

    def count(query):
        data = ask("stats", query).json()["data"]
        return data["conversions"], data["comparison"]["conversions"]

    assert count("compare=previous") == (5, 4)
    assert count("compare=previous&country=DE,FR") == (4, 4)
    assert count("compare=previous&country=!DE") == (3, 2)
    assert count("compare=previous&country=(none)") == (1, 0)
    assert count("compare=previous&country=DE&device=Mobile") == (0, 0)


def test_all_goals_are_compared(reader, site, goal):
    other = GoalFactory.create(site=site, match_value="none", currency=None)
    for day in (1, 1, 3):
        signup(site, day)
    path = f"/sites/{site.site_key}/goals/stats?{PERIOD}&compare=previous"
    data = reader("GET", path).json()["data"]
    assert data["comparison"] == BEFORE
    found = {row["id"]: row["comparison"] for row in data["goals"]}
    assert found == {
        str(goal.pk): {
            "conversions": 2,
            "unique_conversions": 1,
            "revenue": 0.0,
            **verdict(1, 1),
        },
        str(other.pk): {
            "conversions": 0,
            "unique_conversions": 0,
            "revenue": None,
            **verdict(0, 0),
        },
    }


# Rows


def rows(answer):
    data = answer.json()["data"]
    return [
        (now["date"], then and then["date"], then and then["conversions"])
        for now, then in zip(
            data["timeseries"], data["comparison"]["timeseries"], strict=True
        )
    ]


def test_days_are_paired_by_day(ask, site):
    signup(site, 1)
    for visitor in range(9):
        signup(site, 3, visitor=visitor)
    answer = ask("timeseries", "compare=previous")
    assert rows(answer) == [
        ("2026-03-03", "2026-03-01", 1),
        ("2026-03-04", "2026-03-02", 0),
    ]
    first, second = answer.json()["data"]["comparison"]["timeseries"]
    assert first == {
        "date": "2026-03-01",
        "conversions": 1,
        "unique_conversions": 1,
        "revenue": 0.0,
        **verdict(9, 1),
    }
    assert second["verdict"] == "cannot_tell"


def test_weeks_are_paired_by_weekday(ask, site):
    # A Wednesday to a Tuesday, ten days before them a Wednesday as well.
    period = "period=custom&from=2026-03-18&to=2026-03-31"
    for day in (4, 8, 9, 17):
        signup(site, day)
    assert rows(ask("timeseries", "interval=week&compare=previous", period)) == [
        ("2026-03-18", "2026-03-04", 2),
        ("2026-03-23", "2026-03-09", 1),
        ("2026-03-30", "2026-03-16", 1),
    ]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("previous_month", [("2026-02-01", 1), ("2026-03-01", 2)]),
        ("year", [("2025-03-01", 0), ("2025-04-01", 0)]),
        ("previous", [("2026-01-01", 0), ("2026-02-01", 1)]),
    ],
)
def test_months_are_paired_by_the_calendar(ask, site, kind, expected):
    period = "period=custom&from=2026-03-01&to=2026-04-30"
    signup(site, 1, at=datetime(2026, 2, 28, 12, tzinfo=UTC))
    signup(site, 1)
    signup(site, 31)
    found = rows(ask("timeseries", f"interval=month&compare={kind}", period))
    assert [row[1:] for row in found] == expected


def test_dates_that_the_month_before_lacks_are_null(ask, site):
    period = "period=custom&from=2026-03-27&to=2026-03-31"
    signup(site, 1, at=datetime(2026, 2, 28, 12, tzinfo=UTC))
    assert rows(ask("timeseries", "compare=previous_month", period)) == [
        ("2026-03-27", "2026-02-27", 0),
        ("2026-03-28", "2026-02-28", 1),
        ("2026-03-29", None, None),
        ("2026-03-30", None, None),
        ("2026-03-31", None, None),
    ]


# Today


@time_machine.travel(datetime(2026, 3, 4, 10, 30, 59, 500, tzinfo=UTC), tick=False)
@pytest.mark.parametrize("query", ["", "&country=DE", "&path=!/x"])
def test_today_is_compared_with_the_same_hours(ask, reader, site, goal, query):
    for day, hour in ((4, 9), (3, 23), (2, 9), (2, 10), (2, 11), (1, 23)):
        at = datetime(2026, 3, day, hour, 20, tzinfo=UTC)
        labels = Labels("google.com", country="DE")
        signup(site, day, at=at, visitor=hour, amount=10_000, labels=labels)
    query = f"compare=previous{query}"
    until = {**BEFORE, "until": "2026-03-02T10:30:59Z"}
    three = {"conversions": 3, "unique_conversions": 3, "revenue": 3.0}
    found = ask("stats", query).json()["data"]["comparison"]
    assert found == {**until, **three, **verdict(2, 3)}
    series = ask("timeseries", query).json()["data"]["comparison"]
    assert [row["conversions"] for row in series["timeseries"]] == [1, 2]
    (row,) = ask("breakdown", f"dimension=referrer&{query}").json()["data"]["breakdown"]
    assert row["comparison"]["conversions"] == row["comparison"]["visitors"] == 3
    for dimension in ("name", "path", "props.plan"):
        data = ask("breakdown", f"dimension={dimension}&{query}").json()["data"]
        (row,) = data["breakdown"]
        assert {key: row["comparison"][key] for key in three} == three
    found = ask("rate", query).json()["data"]["comparison"]
    assert found["denominator"]["unique_visitors"] == 3
    found = ask("rate", f"{query}&of={goal.pk}").json()["data"]["comparison"]
    assert found["numerator"]["unique_visitors"] == 3
    path = f"/sites/{site.site_key}/stats?{PERIOD}&{query}&dimensions=country,path"
    data = reader("GET", path).json()["data"]
    assert data["comparison"]["totals"]["visitors"] == 3
    assert data["breakdowns"]["country"][0]["comparison"]["visitors"] == 3


@time_machine.travel(datetime(2026, 3, 3, 10, 30, tzinfo=UTC), tick=False)
def test_days_to_come_are_compared_with_nothing(ask, site):
    signup(site, 2)
    period = "period=custom&from=2026-03-03&to=2026-03-05"
    assert rows(ask("timeseries", "compare=previous", period)) == [
        ("2026-03-03", "2026-02-28", 0),
        ("2026-03-04", None, None),
        ("2026-03-05", None, None),
    ]
    hours = ask("timeseries", "interval=hour&compare=previous", period).json()["data"]
    told = [row is not None for row in hours["comparison"]["timeseries"]]
    assert told == [True] * 11 + [False] * (72 - 11)


@time_machine.travel(datetime(2026, 3, 4, 12, tzinfo=UTC), tick=False)
def test_hours_of_a_sealed_day_are_not_kept(ask, site):
    site.sealed_before = date(2026, 3, 3)
    site.save()
    response = ask("stats", "compare=previous")
    assert response.status_code == 422
    assert "same time of day" in response.json()["details"]["compare"][0]


# Breakdown


def test_values_of_both_periods_are_rows(ask, site):
    for visitor in range(9):
        signup(site, 3, visitor=visitor, labels=Labels("google.com"), amount=10_000)
    signup(site, 1, visitor=1, labels=Labels("google.com"))
    for visitor in range(2, 9):
        signup(site, 1, visitor=visitor, labels=Labels("bing.com"), amount=20_000)
    store(site, "pageview", "/", at=datetime(2026, 3, 1, 12, tzinfo=UTC), visitor=99)
    data = ask("breakdown", "dimension=referrer&compare=previous").json()["data"]
    assert data["comparison"] == BEFORE
    assert data["total_values"] == 2
    google, bing = data["breakdown"]
    assert (google["value"], google["conversions"], google["visitors"]) == (
        "Google",
        9,
        9,
    )
    found = google["comparison"]
    apart, _ = rate.told(rate.rate(9, 9), rate.rate(1, 1))
    assert found.pop("rate_difference") == msgspec.to_builtins(apart)
    assert found == {
        "conversions": 1,
        "unique_conversions": 1,
        "revenue": 0.0,
        **verdict(9, 1),
        "visitors": 1,
        "rate": 1.0,
        "rate_verdict": "cannot_tell",
    }
    assert (bing["value"], bing["conversions"], bing["visitors"]) == ("Bing", 0, 0)
    assert bing["comparison"]["revenue"] == 14.0
    assert bing["comparison"]["verdict"] == "fewer"
    assert bing["comparison"]["rate_difference"] is None
    one = ask("breakdown", "dimension=referrer&compare=previous&limit=1").json()["data"]
    assert one["breakdown"] == [
        google | {"comparison": one["breakdown"][0]["comparison"]}
    ]
    assert one["other"]["comparison"] == {"conversions": 7, "revenue": 14.0}
    with_all = "dimension=referrer&compare=previous&include=visitors"
    rows = ask("breakdown", with_all).json()["data"]["breakdown"]
    assert [row["value"] for row in rows] == ["Google", "Bing", None]
    assert rows[-1]["comparison"]["visitors"] == 1


def test_properties_of_all_types_are_compared(ask, site):
    for value in (1, "1", True, None):
        signup(site, 1, props={"plan": value})
        signup(site, 3, props={"plan": value})
    signup(site, 1, props={"plan": "gone"})
    data = ask("breakdown", "dimension=props.plan&compare=previous").json()["data"]
    assert [
        (row["value"], row["conversions"], row["comparison"]["conversions"])
        for row in data["breakdown"]
    ] == [("1", 1, 1), (1, 1, 1), (True, 1, 1), (None, 1, 1), ("gone", 0, 1)]


# What ends a statement early spoils the transaction around it on PostgreSQL.
@pytest.mark.django_db(transaction=True)
def test_too_many_values_are_refused(ask, site, monkeypatch):
    monkeypatch.setattr("goals.reports.breakdown_before._MAX_COMPARED", 1)
    for value in (1, 2):
        signup(site, 1, props={"plan": value})
    response = ask("breakdown", "dimension=props.plan&compare=previous")
    assert response.status_code == 422
    assert list(response.json()["details"]) == ["compare"]


# Site


def test_site_is_compared(reader, site):
    for visitor in range(9):
        view(site, "/a", 3, visitor)
    view(site, "/a", 1, 1)
    view(site, "/b", 1, 2)
    path = f"/sites/{site.site_key}/stats?{PERIOD}&compare=previous"
    data = reader("GET", f"{path}&dimensions=path,device").json()["data"]
    found = data["comparison"]
    assert found.pop("timeseries") == [
        {
            "date": "2026-03-01",
            "pageviews": 2,
            "visitors": 2,
            "visits": 2,
            **verdict(9, 2),
        },
        {
            "date": "2026-03-02",
            "pageviews": 0,
            "visitors": 0,
            "visits": 0,
            **verdict(0, 0),
        },
    ]
    totals = {"pageviews": 2, "visitors": 2, "visits": 2}
    assert found == {**BEFORE, "totals": totals, **verdict(9, 2)}
    (row,) = data["breakdowns"]["path"]
    assert row["comparison"] == {"pageviews": 1, "visitors": 1, **verdict(9, 1)}
    (row,) = data["breakdowns"]["device"]
    assert row["comparison"] == {"pageviews": 2, "visitors": 2, **verdict(9, 2)}


def view(site, path, day, visitor):
    at = datetime(2026, 3, day, 12, tzinfo=UTC)
    store(site, "pageview", path, at=at, visitor=visitor)


@pytest.mark.parametrize(
    ("query", "field"),
    [("compare=week", "compare"), ("country=", "country"), ("city=Rome", "city")],
)
def test_wrong_parameter_is_refused(ask, query, field):
    for question in ("stats", "timeseries", "breakdown", "rate"):
        response = ask(question, query)
        assert response.status_code == 422
        assert list(response.json()["details"]) == [field]
