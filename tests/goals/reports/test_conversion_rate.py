"""GET /sites/:key/goals/:id/rate, and the arithmetic beneath it."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.events import Labels
from goals.reports.rate import is_too_few_to_compare, rate
from tests.factories import GoalFactory, store

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("converters", "visitors", "low", "high"),
    [
        # R. G. Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_interval_is_the_published_one(converters, visitors, low, high):
    found = rate(converters, visitors)
    assert found
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


@given(
    st.integers(1, 10**12).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
)
def test_rate_lies_in_its_interval_and_that_within_0_and_1(counts):
    found = rate(*counts)
    assert found
    assert 0 <= found.low <= found.rate <= found.high <= 1


def test_all_and_none_reach_the_ends():
    none, all = rate(0, 10**9), rate(10**9, 10**9)
    assert none
    assert all
    assert (none.low, all.high) == (0, 1)


def test_nobody_has_no_rate():
    assert rate(0, 0) is None


@pytest.mark.parametrize(("visitors", "flag"), [(29, True), (30, False)])
def test_fewer_than_30_are_too_few(visitors, flag):
    assert is_too_few_to_compare(visitors) is flag


@pytest.fixture
def ask(reader, site):
    """Ask for the rate of the signups, 1 to 3 March 2026."""
    goal = GoalFactory.create(site=site, match_value="signup")
    path = f"/sites/{site.site_key}/goals/{goal.pk}/rate"
    period = "period=custom&from=2026-03-01&to=2026-03-03"

    def ask(query="", **options):
        return reader("GET", f"{path}?{period}&{query}", **options)

    return ask


def view(site, visitor, **values):
    store(site, "pageview", "/", visitor=visitor, **{"at": NOON, **values})


def signup(site, visitor, **values):
    store(site, "event", "signup", visitor=visitor, **{"at": NOON, **values})


def test_rate_is_of_the_sites_visitors(ask, site):
    for visitor in (1, 1, 2, 3):
        view(site, visitor)
    view(site, 3, at=NOON.replace(day=3))
    for visitor in (3, 3, 4):
        signup(site, visitor)
    ask()
    # Key and site, goal; what is kept of the goal and of the site.
    assert ask(queries=4).json() == {
        "data": {
            "period": {"from": "2026-03-01", "to": "2026-03-03"},
            "numerator": {
                "unique_visitors": 2,
                "meaning": "unique visitors who converted",
            },
            "denominator": {
                "unique_visitors": 5,
                "meaning": "unique visitors of the site",
            },
            "rate": 0.4,
            "interval": {"level": 0.95, "low": 0.117621, "high": 0.769276},
            "too_few_to_compare": True,
        }
    }


def test_rate_among_visitors_of_another_goal(ask, site):
    other = GoalFactory.create(site=site, type="pageview", match_value="/")
    for visitor in (1, 1, 2, 3):
        view(site, visitor)
    for visitor in (2, 2, 4):
        signup(site, visitor)
    # The same number on another day is another visitor.
    signup(site, 3, at=NOON.replace(day=3))
    data = ask(f"of={other.pk}").json()["data"]
    assert data["numerator"] == {
        "unique_visitors": 1,
        "meaning": "unique visitors who satisfied both goals on the same day",
    }
    assert data["denominator"] == {
        "unique_visitors": 3,
        "meaning": "unique visitors who satisfied the other goal",
    }
    assert data["rate"] == 0.333333


def test_filters_hold_for_both_sides(ask, site):
    for visitor, country in enumerate(["DE", "DE", "FR"]):
        view(site, visitor, labels=Labels(country=country))
        signup(site, visitor, labels=Labels(country=country))
    view(site, 9, labels=Labels(country="DE"))
    data = ask("country=DE").json()["data"]
    assert data["numerator"]["unique_visitors"] == 2
    assert data["denominator"]["unique_visitors"] == 3


def test_rate_without_visitors_is_null(ask):
    data = ask().json()["data"]
    assert (data["rate"], data["interval"]) == (None, None)
    assert data["too_few_to_compare"] is True


def test_other_goal_must_be_live_and_of_the_site(ask, strangers_site, site):
    strange = GoalFactory.create(site=strangers_site)
    deleted = GoalFactory.create(site=site, deleted_at=NOON)
    for value in (strange.pk, deleted.pk, "x", ""):
        response = ask(f"of={value}")
        assert response.status_code == 422
        assert list(response.json()["details"]) == ["of"]
