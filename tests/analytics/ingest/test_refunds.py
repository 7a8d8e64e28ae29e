"""Refunds: POST /sites/:key/events with `refund_of`."""

import threading
from collections import defaultdict
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
import time_machine
from django.db import OperationalError, connection
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics import events
from analytics.models import Adjustment, Event
from analytics.questions.periods import Days
from goals.counting.stats import goal_stats
from goals.models import ExchangeRate
from goals.money.detail import goal_money
from tests.factories import GoalFactory, SiteFactory, store

MONDAY = datetime(2026, 3, 2, 12, tzinfo=UTC)
TUESDAY = datetime(2026, 3, 3, 12, tzinfo=UTC)


@pytest.fixture
def order(site):
    """A purchase of 49.99 dollars on Monday."""
    store(
        site,
        "goal",
        "purchase",
        at=MONDAY,
        amount=49_9900,
        currency="USD",
        event_id="order-1",
        labels=events.Labels(country="DE"),
        page="/cart",
        props={"plan": "pro"},
    )
    return Event.objects.get()


@pytest.fixture
def send(owner, site):
    def send(**body):
        with time_machine.travel(TUESDAY, tick=False):
            return owner("POST", f"/sites/{site.site_key}/events", body)

    return send


@pytest.fixture
def stats(owner, site):
    goal = GoalFactory.create(
        site=site, type="custom", match_value="purchase", currency="USD"
    )

    def stats(query="period=custom&from=2026-03-01&to=2026-03-31"):
        path = f"/sites/{site.site_key}/goals/{goal.id}/stats?{query}"
        # Not later than the refunds: what is over does not change by the clock.
        with time_machine.travel(TUESDAY, tick=False):
            return owner("GET", path).json()["data"]

    return stats


def test_refund_is_stored_beside_its_event(order, send):
    response = send(refund_of="order-1", revenue=10, id="refund-1")
    assert response.status_code == 200
    assert response.json() == {"data": [{"status": "accepted"}]}
    refund = Adjustment.objects.get()
    assert refund.amount == -10_0000
    assert (refund.at, refund.day) == (TUESDAY, date(2026, 3, 3))
    assert (refund.refund_of, refund.event_id) == ("order-1", "refund-1")
    assert str(refund) == "order-1 2026-03-03T12:00:00Z"
    for field in ("name", "visitor", "context", "page", "currency", "props"):
        assert getattr(refund, field) == getattr(order, field)


def test_refund_counts_in_revenue_and_nowhere_else(order, send, stats, owner, site):
    before = stats()
    send(refund_of="order-1", revenue=10)
    assert stats() == {**before, "revenue": 39.99}
    listed = owner("GET", f"/sites/{site.site_key}/events").json()["data"]
    assert [event["id"] for event in listed] == ["order-1"]


def test_refund_counts_on_its_own_day(order, send, stats):
    send(refund_of="order-1", revenue=10)
    assert stats("period=custom&from=2026-03-02&to=2026-03-02")["revenue"] == 49.99
    assert stats("period=custom&from=2026-03-03&to=2026-03-03") == {
        "conversions": 0,
        "unique_conversions": 0,
        "revenue": -10.0,
    }


def test_day_of_a_refund_is_cut_in_the_time_zone_of_the_site(site, order, send):
    site.timezone = "Pacific/Auckland"
    site.save()
    send(refund_of="order-1", revenue=1, timestamp="2026-03-03T11:00:00Z")
    send(refund_of="order-1", revenue=1, timestamp="2026-03-03T10:00:00Z")
    days = Adjustment.objects.order_by("pk").values_list("day", flat=True)
    assert list(days) == [date(2026, 3, 4), date(2026, 3, 3)]


def test_labels_narrow_refunds_as_their_events(order, send, site):
    send(refund_of="order-1", revenue=10)
    names = [order.name_id]
    days = (site.pk, date(2026, 3, 1), date(2026, 3, 31))

    def of_country(code):
        return events.Filters((events.Where("country", (code,)),))

    german = events.Selection(
        *days, events.Filters((events.Where("country", ("DE",)),))
    )
    french = events.Selection(
        *days, events.Filters((events.Where("country", ("FR",)),))
    )
    assert sum(events.amounts(german, names).values()) == Decimal("39.99")
    assert events.amounts(french, names) == {}


def test_everything_may_be_refunded_in_parts_but_no_more(order, send, stats):
    assert send(refund_of="order-1", revenue=49).status_code == 200
    refused = send(refund_of="order-1", revenue=1)
    assert refused.status_code == 422
    assert refused.json() == {
        "error": "Validation failed",
        "details": {"revenue": ["Only 0.99 of the event's is left."]},
    }
    assert send(refund_of="order-1", revenue=0.99).status_code == 200
    assert stats()["revenue"] == 0


def test_repeated_id_is_a_duplicate_whatever_is_left(order, send):
    send(refund_of="order-1", revenue=40, id="refund-1")
    response = send(refund_of="order-1", revenue=40, id="refund-1")
    assert response.json() == {"data": [{"status": "duplicate"}]}
    assert Adjustment.objects.count() == 1


def test_id_of_an_event_does_not_stand_in_a_refunds_way(order, send):
    response = send(refund_of="order-1", revenue=40, id="order-1")
    assert response.json() == {"data": [{"status": "accepted"}]}


def test_type_name_and_currency_may_be_repeated(order, send):
    repeated = {"type": "goal", "name": "purchase", "currency": "USD"}
    assert send(refund_of="order-1", revenue=1, **repeated).status_code == 200


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("refund_of", "order-2", "No such event on this site."),
        ("refund_of", "order\0", "Null characters are not allowed."),
        ("refund_of", 1, "Expected `str`, got `int`."),
        ("currency", "EUR", "The event's is USD."),
        ("type", "event", "The event's is goal."),
        ("name", "signup", "The event's is purchase."),
        ("name", "\0", "Null characters are not allowed."),
        ("id", "", "Must have 1 to 64 characters."),
        ("id", "x" * 65, "Must have 1 to 64 characters."),
        ("revenue", 0, "Must be more than 0, at most 1000000000000."),
        ("revenue", 0.00001, "Must be more than 0, at most 1000000000000."),
        ("revenue", -1, "Must be more than 0, at most 1000000000000."),
        ("revenue", 50, "Only 49.99 of the event's is left."),
        ("timestamp", "2026-03-03T12:00:00", "Must say its offset, such as Z."),
        ("timestamp", "1980-01-01T00:00:00Z", "Must not be before 1990."),
        (
            "timestamp",
            "2026-03-09T12:00:00Z",
            "Must not be more than 24 hours ahead.",
        ),
        ("visitor_id", "someone", "Unknown field."),
    ],
)
def test_wrong_field_is_refused(order, send, field, value, message):
    response = send(**{"refund_of": "order-1", "revenue": 1, field: value})
    assert response.status_code == 422
    assert response.json()["details"] == {field: [message]}
    assert not Adjustment.objects.exists()


def test_refund_needs_an_amount(order, send):
    response = send(refund_of="order-1")
    assert response.json()["details"] == {"revenue": ["This field is required."]}


def test_event_without_an_amount_cannot_be_refunded(site, send):
    store(site, "goal", "purchase", event_id="order-1")
    response = send(refund_of="order-1", revenue=1, currency="USD")
    assert response.json()["details"] == {
        "currency": ["The event's is none."],
        "revenue": ["Only 0.00 of the event's is left."],
    }


def test_event_of_another_site_does_not_exist(send, strangers_site, site):
    other = SiteFactory.create(team=site.team)
    for elsewhere in (strangers_site, other):
        store(elsewhere, "goal", "purchase", amount=10_0000, event_id="order-1")
    response = send(refund_of="order-1", revenue=1)
    assert response.json()["details"] == {"refund_of": ["No such event on this site."]}


def test_null_refund_of_is_an_event(send):
    body = {"type": "goal", "name": "purchase", "visitor_id": "1", "refund_of": None}
    assert send(**body).json() == {"data": [{"status": "accepted"}]}
    assert Event.objects.count() == 1


def test_word_in_the_properties_is_an_event(send):
    body = {"type": "goal", "name": "purchase", "visitor_id": "1"}
    assert send(**body, props={"refund_of": "order-1"}).status_code == 200
    assert Event.objects.count() == 1


def test_batch_may_hold_a_purchase_and_its_refunds(send, stats):
    response = send(
        events=[
            {"refund_of": "order-1", "revenue": 4, "id": "a"},
            {"refund_of": "order-1", "revenue": 4, "id": "a"},
            {"refund_of": "order-1", "revenue": 7},
            {"refund_of": "order-1", "revenue": 6},
            {"refund_of": "order-1"},
            {
                "type": "goal",
                "name": "purchase",
                "visitor_id": "1",
                "id": "order-1",
                "revenue": 10,
            },
        ]
    )
    assert response.json()["data"] == [
        {"status": "accepted"},
        {"status": "duplicate"},
        {
            "status": "rejected",
            "details": {"revenue": ["Only 6.00 of the event's is left."]},
        },
        {"status": "accepted"},
        {"status": "rejected", "details": {"revenue": ["This field is required."]}},
        {"status": "accepted"},
    ]
    assert stats()["revenue"] == 0


def test_tracker_cannot_refund(order, anyone, site):
    body = {"site": site.site_key, "type": "goal", "name": "x", "refund_of": "order-1"}
    response = anyone.post(
        "/api/v1/analytics/collect", body, content_type="application/json"
    )
    assert response.status_code == 422
    assert response.json()["details"] == {"refund_of": ["Unknown field."]}


@pytest.mark.skipif(
    connection.vendor == "sqlite", reason="one writer at a time, and in memory here"
)
@pytest.mark.django_db(transaction=True)
def test_two_refunds_at_once_cannot_give_back_more_than_there_is(site):
    store(site, "goal", "purchase", amount=10_0000, event_id="order-1")
    outcomes = []

    def give_back():
        new = events.NewRefund(
            day=TUESDAY.date(), at=TUESDAY, refund_of="order-1", amount=6_0000
        )
        try:
            outcomes.extend(events.refund(site.pk, [new]))
        finally:
            connection.close()

    threads = [threading.Thread(target=give_back) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [outcome.is_new for outcome in outcomes].count(True) == 1
    assert Adjustment.objects.count() == 1


def test_request_without_a_body_is_malformed(owner, site):
    response = owner("POST", f"/sites/{site.site_key}/events")
    assert response.status_code == 400
    assert response.json() == {"error": "Malformed JSON"}


DAYS = st.sampled_from([date(2026, 3, 2), date(2026, 3, 3), date(2026, 3, 4)])
CODES = st.sampled_from([None, "USD", "EUR", "GBP", "XAF"])
CENTS = st.integers(0, 500_0000)


@pytest.mark.django_db
@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(DAYS, CODES, CENTS, st.lists(st.tuples(DAYS, CENTS), max_size=3)),
        max_size=6,
    )
)
def test_revenue_equals_a_recount(orders):
    site = SiteFactory.create()
    per_euro = {"USD": Fraction(11, 10), "GBP": Fraction(7, 8), "EUR": Fraction(1)}
    for code in ("USD", "GBP"):
        ExchangeRate.objects.update_or_create(
            day=date(2026, 3, 1),
            currency=code,
            defaults={"rate": str(float(per_euro[code]))},
        )
    sums: defaultdict[Any, Fraction] = defaultdict(Fraction)
    for number, (day, code, amount, refunds) in enumerate(orders):
        at = datetime(day.year, day.month, day.day, tzinfo=UTC)
        store(
            site,
            "goal",
            "buy",
            at=at,
            amount=amount,
            currency=code,
            event_id=str(number),
        )
        sums[day, code] += Fraction(amount, 10_000)
        left = amount
        for when, back in refunds:
            if not back:
                continue
            new = events.NewRefund(
                day=when, at=at, refund_of=str(number), amount=back, currency=code
            )
            (outcome,) = events.refund(site.pk, [new])
            assert outcome.is_new == (back <= left)
            if back <= left:
                left -= back
                sums[when, code] -= Fraction(back, 10_000)
    expected = Fraction()
    for (_, code), total in sums.items():
        if code in (None, "USD"):
            expected += total
        elif code in per_euro:
            cents = total * per_euro["USD"] / per_euro[code] * 100
            expected += Fraction(round(cents), 100)
    goal = GoalFactory.create(
        site=site, type="custom", match_value="buy", currency="USD"
    )
    days = Days(date(2026, 3, 2), date(2026, 3, 4))
    answer = goal_stats(goal, days)
    assert Fraction(answer.revenue or 0) == expected
    assert answer.conversions == len(orders)
    money = goal_money(goal, days)
    assert money is not None
    assert money.net == answer.revenue


def test_batch_whose_refund_fails_stores_nothing(owner, site, order, monkeypatch):
    def fail(*arguments):
        raise OperationalError("the store went away")

    monkeypatch.setattr(events, "refund", fail)
    batch = [
        {"type": "goal", "name": "purchase", "visitor_id": "a", "id": "order-2"},
        {"refund_of": "order-1", "revenue": 1},
    ]
    path = f"/sites/{site.site_key}/events"
    assert owner("POST", path, {"events": batch}).status_code == 503
    assert Event.objects.get() == order
    monkeypatch.undo()
    answer = owner("POST", path, {"events": batch}).json()["data"]
    assert [item["status"] for item in answer] == ["accepted", "accepted"]
