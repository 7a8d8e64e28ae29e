"""`compare` and the filters of the goal stats."""

from datetime import UTC, date, datetime

import pytest

from analytics.events import Labels
from analytics.questions.periods import Days, PeriodError
from goals.reports.comparison import window
from tests.factories import GoalFactory, store


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
    assert window(kind, days(*asked)) == days(*expected)


@pytest.mark.parametrize("kind", ["previous", "year"])
def test_window_before_the_calendar_is_refused(kind):
    with pytest.raises(PeriodError, match="no such days"):
        window(kind, days("0001-01-01", "0001-01-01"))


@pytest.fixture
def stats(reader, site):
    """Ask for the stats of a goal, 3 to 4 March 2026."""
    goal = GoalFactory.create(site=site, match_value="signup", currency="EUR")
    path = f"/sites/{site.site_key}/goals/{goal.pk}/stats"

    def ask(query):
        period = "period=custom&from=2026-03-03&to=2026-03-04"
        return reader("GET", f"{path}?{period}&{query}")

    return ask


def signup(site, day, **values):
    at = datetime(2026, 3, day, 12, tzinfo=UTC)
    store(site, "event", "signup", at=at, **values)


def test_comparison_appears_only_when_asked_for(stats, site):
    signup(site, 1, visitor=1, amount=100_000)
    signup(site, 2, visitor=1)
    signup(site, 2, visitor=1)
    signup(site, 3, visitor=1)
    now = {"conversions": 1, "unique_conversions": 1, "revenue": 0.0}
    assert stats("").json() == {"data": now}
    assert stats("compare=previous").json() == {
        "data": {
            **now,
            "comparison": {
                "period": {"from": "2026-03-01", "to": "2026-03-02"},
                "conversions": 3,
                "unique_conversions": 2,
                "revenue": 10.0,
            },
        }
    }


def test_filters_hold_for_both_periods(stats, site):
    for day in (1, 2, 3, 4):
        signup(site, day, visitor=1, labels=Labels(country="DE"))
        signup(site, day, visitor=2, labels=Labels(country="FR", device="Mobile"))
    signup(site, 4, visitor=3)

    def count(query):
        data = stats(query).json()["data"]
        return data["conversions"], data["comparison"]["conversions"]

    assert count("compare=previous") == (5, 4)
    assert count("compare=previous&country=DE,FR") == (4, 4)
    assert count("compare=previous&country=!DE") == (3, 2)
    assert count("compare=previous&country=(none)") == (1, 0)
    assert count("compare=previous&country=DE&device=Mobile") == (0, 0)


@pytest.mark.parametrize(
    ("query", "field"),
    [("compare=week", "compare"), ("country=", "country"), ("city=Rome", "city")],
)
def test_wrong_parameter_is_refused(stats, query, field):
    response = stats(query)
    assert response.status_code == 422
    assert list(response.json()["details"]) == [field]
