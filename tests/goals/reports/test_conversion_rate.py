"""GET /sites/:key/goals/:id/rate, and the arithmetic beneath it."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.events import Labels
from goals.reports.rate import difference, is_too_few_to_compare, rate
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
            "attribution": "last",
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


# Compared with an earlier period


@pytest.mark.parametrize(
    ("now", "before", "low", "high", "verdict"),
    [
        # Newcombe (1998), table II, method 10.
        ((56, 70), (48, 80), 0.0524, 0.3339, "more"),
        ((9, 10), (3, 10), 0.1705, 0.8090, "more"),
        ((6, 7), (2, 7), 0.0582, 0.8062, "more"),
        ((5, 56), (0, 29), -0.0381, 0.1926, "cannot_tell"),
        ((0, 10), (0, 20), -0.1611, 0.2775, "cannot_tell"),
        ((0, 10), (0, 10), -0.2775, 0.2775, "cannot_tell"),
        ((10, 10), (0, 10), 0.6075, 1.0, "more"),
        ((48, 80), (56, 70), -0.3339, -0.0524, "fewer"),
    ],
)
def test_interval_of_a_difference_is_the_published_one(now, before, low, high, verdict):
    found = difference(shares(now), shares(before))
    assert found.low == pytest.approx(low, abs=6e-5)
    assert found.high == pytest.approx(high, abs=6e-5)
    assert found.verdict == verdict


def shares(counts):
    found = rate(*counts)
    assert found
    return found


SHARES = st.integers(1, 5_000).flatmap(
    lambda visitors: st.tuples(st.integers(0, visitors), st.just(visitors))
)


@given(SHARES, SHARES)
def test_difference_lies_in_its_interval_and_turns_around(now, before):
    there = difference(shares(now), shares(before))
    back = difference(shares(before), shares(now))
    apart = now[0] / now[1] - before[0] / before[1]
    assert there.low - 1e-6 <= apart <= there.high + 1e-6
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low), abs=1e-5)
    turned = {"more": "fewer", "fewer": "more", "cannot_tell": "cannot_tell"}
    if min(abs(there.low), abs(there.high)) > 1e-5:
        assert back.verdict == turned[there.verdict]


@pytest.mark.parametrize(
    ("before", "verdict"), [(0, "more"), (9, "cannot_tell"), (20, "fewer")]
)
def test_rate_is_compared_with_an_earlier_one(reader, site, before, verdict):
    goal = GoalFactory.create(site=site)
    days = [datetime(2026, 2, day, 12, tzinfo=UTC) for day in (10, 9)]
    for at, converters in zip(days, (10, before), strict=True):
        for visitor in range(20):
            view(site, visitor, at=at)
            if visitor < converters:
                signup(site, visitor, at=at)
    path = f"/sites/{site.site_key}/goals/{goal.pk}/rate"
    query = "period=custom&from=2026-02-10&to=2026-02-10&compare=previous"
    answer = reader("GET", f"{path}?{query}").json()["data"]
    compared = answer.pop("comparison")
    apart = compared.pop("difference")
    assert compared.pop("verdict") == verdict
    earlier = "period=custom&from=2026-02-09&to=2026-02-09"
    assert compared.pop("until") is None
    assert compared == reader("GET", f"{path}?{earlier}").json()["data"]
    found = difference(shares((10, 20)), shares((before, 20)))
    assert apart == {"level": 0.95, "low": found.low, "high": found.high}


def test_nobody_before_tells_nothing(reader, site):
    goal = GoalFactory.create(site=site)
    view(site, 1, at=datetime(2026, 2, 10, 12, tzinfo=UTC))
    path = f"/sites/{site.site_key}/goals/{goal.pk}/rate"
    query = "period=custom&from=2026-02-10&to=2026-02-10&compare=year"
    compared = reader("GET", f"{path}?{query}").json()["data"]["comparison"]
    assert compared["difference"] is None
    assert compared["verdict"] == "cannot_tell"
