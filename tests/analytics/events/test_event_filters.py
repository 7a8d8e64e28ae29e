"""Filters by path, name and properties, over the API."""

from datetime import UTC, datetime
from itertools import count
from typing import Any
from urllib.parse import quote

import pytest

from analytics.events import Labels
from tests.factories import GoalFactory, store

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
PERIOD = "period=custom&from=2026-03-01&to=2026-03-03"

EVENTS: list[dict[str, Any]] = [
    {"name": "signup", "page": "/blog/a", "props": {"plan": "pro", "seats": 3}},
    {"name": "signup", "page": "/blog/b", "props": {"plan": "Pro", "seats": 3.0}},
    {"name": "signup", "page": "/Blog/c", "props": {"plan": "1", "paid": True}},
    {"name": "signin", "page": "/", "props": {"plan": 1, "paid": False}},
    {"name": "sign*", "page": "/a*b", "props": {"plan": None, "seats": 1e300}},
    {"name": "sign", "page": None, "props": None},
]


@pytest.fixture
def ask(reader, site):
    """Events by three visitors, of a goal that all of them are conversions of."""
    goal = GoalFactory.create(
        site=site, type="event", match_type="contains", match_value="sign"
    )
    number = count()
    for values in EVENTS:
        at = NOON.replace(minute=next(number))
        store(site, "event", at=at, visitor=next(number) % 3, **values)
    store(site, "pageview", "/blog/a", at=NOON.replace(hour=11), visitor=1)

    def ask(query, of="goal"):
        where = f"goals/{goal.pk}/stats" if of == "goal" else "stats"
        response = reader("GET", f"/sites/{site.site_key}/{where}?{PERIOD}&{query}")
        assert response.status_code == 200, response.content
        return response.json()["data"]

    return ask


@pytest.mark.parametrize(
    ("query", "conversions"),
    [
        ("path=/blog/a", 1),
        ("path=/blog/*", 2),
        ("path=/blog/*,/", 3),
        ("path=!/blog/*", 4),
        ("path=(none)", 1),
        ("path=!(none)", 5),
        ("path=*", 5),
        ("path=!*", 1),
        ("path=/a\\*b", 1),
        ("path=/a*", 1),
        ("path=/BLOG/*", 0),
        ("path=nowhere", 0),
        ("name=signup", 3),
        ("name=SIGNUP", 0),
        ("name=sign*", 6),
        ("name=sign\\*", 1),
        ("name=!signup,signin", 2),
        ("name=signup&path=/blog/a", 1),
        ("props.plan=pro", 1),
        ("props.plan=pr*", 1),
        ("props.plan=pro,Pro", 2),
        ("props.plan=1", 2),
        ("props.plan=!1", 4),
        ("props.plan=(none)", 2),
        ("props.plan=*", 4),
        ("props.plan=!*", 2),
        ("props.seats=3", 2),
        ("props.seats=3.00", 2),
        ("props.seats=1e300", 1),
        ("props.seats=1e400", 0),
        ("props.paid=true", 1),
        ("props.paid=false", 1),
        ("props.paid=True", 0),
        ("props.nothing=(none)", 6),
        ("props.plan=pro&props.seats=3", 1),
        ("props.plan=pro&path=/", 0),
    ],
)
def test_events_are_selected_by_what_they_have(ask, query, conversions):
    query = quote(query, safe="=&")
    assert ask(query)["conversions"] == conversions
    assert ask(f"{query}&country=(none)")["conversions"] == conversions
    assert ask(f"{query}&attribution=event")["conversions"] == conversions


def test_page_views_have_a_path_as_well(ask):
    assert ask("path=/blog/*", of="site")["totals"] == {
        "pageviews": 1,
        "visitors": 2,
        "visits": 3,
    }


@pytest.mark.parametrize("key", ["a.b", "a'b", 'a"b', "$", "%", "é"])
def test_key_of_a_property_may_be_any_text(ask, site, key):
    store(site, "event", "sign", at=NOON, props={key: "x"})
    assert ask(f"props.{quote(key)}=x")["conversions"] == 1


def test_source_filters_are_of_the_arrival_and_paths_of_the_event(ask, site):
    labels = Labels(referrer="www.google.com")
    store(site, "pageview", "/", at=NOON, visitor=9, labels=labels)
    store(site, "event", "signup", at=NOON.replace(hour=13), visitor=9, page="/x")
    assert ask("referrer=google&path=/x")["conversions"] == 1
    assert ask("referrer=google&path=/")["conversions"] == 0
    assert ask("channel=search&path=/x&props.a=(none)")["conversions"] == 1


def test_refund_has_the_properties_of_its_event(reader, writer, site):
    goal = GoalFactory.create(
        site=site, type="custom", match_value="buy", currency="EUR"
    )
    at = "2026-03-02T12:00:00Z"
    sale = {"type": "goal", "name": "buy", "visitor_id": "a", "timestamp": at}
    path = f"/sites/{site.site_key}"
    for plan in ("pro", "free"):
        event = {**sale, "revenue": 10, "id": plan, "props": {"plan": plan}}
        assert writer("POST", f"{path}/events", event).status_code == 200
    back = {"refund_of": "pro", "revenue": 4, "timestamp": at}
    assert writer("POST", f"{path}/events", back).status_code == 200

    def revenue(query):
        question = f"{path}/goals/{goal.pk}/stats?{PERIOD}&{query}"
        return reader("GET", question).json()["data"]["revenue"]

    assert revenue("props.plan=pro") == 6
    assert revenue("props.plan=free") == 10
    assert revenue("props.plan=pro&referrer=(none)") == 6
    assert revenue("path=(none)&name=buy") == 16
