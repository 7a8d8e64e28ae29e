"""GET /sites/:key/goals/stats."""

from datetime import UTC, datetime

import pytest

from analytics import events
from analytics.events import Labels
from goals.money.rates import store as store_rates
from tests.factories import GoalFactory, store

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
PERIOD = "period=custom&from=2026-03-02&to=2026-03-03"


@pytest.fixture
def ask(reader, site):
    """Ask for the stats of all goals, 2 to 3 March 2026."""

    def ask(query="", **options):
        path = f"/sites/{site.site_key}/goals/stats"
        return reader("GET", f"{path}?{PERIOD}&{query}", **options)

    return ask


def happen(site, type, name, **values):
    store(site, type, name, **{"at": NOON, **values})


def rows(response):
    """The rows as (name, conversions, uniques, revenue)."""
    assert response.status_code == 200, response.content
    return [tuple(row.values())[1:] for row in response.json()["data"]["goals"]]


def make(site, name, type, match_type, value, currency=None):
    return GoalFactory.create(
        site=site,
        name=name,
        type=type,
        match_type=match_type,
        match_value=value,
        currency=currency,
    )


def test_goals_are_answered_in_the_order_of_the_list(ask, site):
    signup = make(site, "B", "event", "exact", "signup")
    buy = make(site, "A", "custom", "regex", "^buy", "EUR")
    happen(site, "event", "signup")
    happen(site, "goal", "buy it", amount=123_400)
    happen(site, "goal", "signup")
    assert ask().json() == {
        "data": {
            "period": {"from": "2026-03-02", "to": "2026-03-03"},
            "attribution": "last",
            "goals": [
                {
                    "id": str(signup.id),
                    "name": "B",
                    "currency": None,
                    "conversions": 1,
                    "unique_conversions": 1,
                    "revenue": None,
                },
                {
                    "id": str(buy.id),
                    "name": "A",
                    "currency": "EUR",
                    "conversions": 1,
                    "unique_conversions": 1,
                    "revenue": 12.34,
                },
            ],
        }
    }


def test_visitor_of_two_matching_names_is_one(ask, site):
    make(site, "All", "pageview", "contains", "/")
    make(site, "Blog", "pageview", "contains", "/blog")
    make(site, "Home", "pageview", "exact", "/")
    for name in ("/", "/blog/1", "/blog/2"):
        happen(site, "pageview", name, visitor=1)
        happen(site, "pageview", name, visitor=1, at=NOON.replace(day=3))
    happen(site, "pageview", "/", visitor=2)
    assert [(row[0], row[2], row[3]) for row in rows(ask())] == [
        ("All", 7, 3),
        ("Blog", 4, 2),
        ("Home", 3, 3),
    ]


def test_revenue_is_in_each_goals_currency(ask, site):
    store_rates({("USD", NOON.date()): "1.25"})
    make(site, "Euro", "custom", "exact", "buy", "EUR")
    make(site, "Dollar", "custom", "exact", "buy", "USD")
    make(site, "Yen", "custom", "exact", "buy", "JPY")
    make(site, "Count", "custom", "exact", "buy")
    happen(site, "goal", "buy", amount=100_000, currency="EUR", event_id="1")
    happen(site, "goal", "buy", amount=100_000, currency="USD")
    happen(site, "goal", "buy", amount=10_000)
    refund = events.NewRefund(NOON.date(), NOON, refund_of="1", amount=50_000)
    events.refund(site.pk, [refund])
    assert [(row[0], row[-1]) for row in rows(ask())] == [
        ("Euro", 14.0),
        ("Dollar", 17.25),
        ("Yen", 1),
        ("Count", None),
    ]


@pytest.mark.parametrize("goals", [1, 40])
def test_number_of_queries_is_that_of_one_goal(ask, site, goals):
    for number in range(goals):
        make(site, str(number), "event", "contains", str(number), "EUR")
    happen(site, "event", "1", amount=10_000)
    assert len(rows(ask())) == goals
    # Key and site, goals, what is kept: the past was counted before.
    assert len(rows(ask(queries=3))) == goals


def test_deleted_goals_and_other_sites_are_left_out(ask, site, strangers_site):
    GoalFactory.create(site=site, deleted_at=NOON)
    GoalFactory.create(site=strangers_site)
    happen(strangers_site, "event", "signup")
    assert rows(ask()) == []


def test_filters_hold_for_all_goals(ask, site):
    make(site, "A", "event", "exact", "signup")
    happen(site, "event", "signup", labels=Labels(country="DE"))
    happen(site, "event", "signup", labels=Labels(country="FR"))
    assert rows(ask("country=DE")) == [("A", None, 1, 1, None)]


def test_wrong_parameter_is_refused(ask):
    response = ask("compare=decade")
    assert response.status_code == 422
    assert list(response.json()["details"]) == ["compare"]
