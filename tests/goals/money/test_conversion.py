"""Amounts: exact sums, and what they are worth in a goal's currency."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics import events
from goals.counting.matched_names import matching_names
from goals.matching import Rule
from goals.models import ExchangeRate
from goals.money import conversion
from goals.money.detail import detail
from goals.money.rates import Rates
from tests.factories import GoalFactory, store

MONDAY, TUESDAY = date(2026, 3, 2), date(2026, 3, 3)


def noon(day):
    return datetime(day.year, day.month, day.day, 12, tzinfo=UTC)


@pytest.mark.django_db
def test_amounts_are_summed_by_day_and_currency(site):
    for day, amount, currency in [
        (MONDAY, 1_000, "USD"),
        (MONDAY, 2_000, "USD"),
        (MONDAY, 3_000, None),
        (TUESDAY, 4_000, "USD"),
        (TUESDAY, None, None),
    ]:
        store(site, "goal", "buy", at=noon(day), amount=amount, currency=currency)
    names = matching_names(site.pk, Rule("custom", "exact", "buy"))
    assert events.amounts(events.Selection(site.pk, MONDAY, TUESDAY), names) == {
        (MONDAY, "USD"): Decimal("0.3"),
        (MONDAY, None): Decimal("0.3"),
        (TUESDAY, "USD"): Decimal("0.4"),
    }


RATES = Rates(
    {
        ("USD", MONDAY): Decimal("1.0800"),
        ("GBP", MONDAY): Decimal("0.8400"),
        ("JPY", MONDAY): Decimal("160.00"),
    }
)


@pytest.mark.parametrize(
    ("amount", "code", "currency", "worth"),
    [
        ("100", "EUR", "USD", "108.00"),
        ("108", "USD", "EUR", "100.00"),
        ("84", "GBP", "USD", "108.00"),
        ("0.01", "EUR", "JPY", "2"),
        # Halves go to the even neighbour, and rounding is the same for refunds.
        ("0.125", "EUR", "USD", "0.14"),
        ("0.003125", "EUR", "JPY", "0"),
        ("0.009375", "EUR", "JPY", "2"),
        ("-0.009375", "EUR", "JPY", "-2"),
        ("100", "XAF", "USD", None),
        ("100", "USD", "XAF", None),
        ("1.2345", None, "USD", "1.2345"),
        ("1.2345", "USD", "USD", "1.2345"),
        # Exact where 28 digits of a quotient would not be.
        ("1000000000000.0001", "EUR", "USD", "1080000000000.00"),
    ],
)
def test_amount_is_converted_with_the_rate_of_the_day(amount, code, currency, worth):
    converted = conversion.convert(
        Decimal(amount), MONDAY, code, currency, RATES.per_euro
    )
    assert converted == (worth and Decimal(worth))
    assert converted is None or str(converted) == worth


def test_total_rounds_each_day_once_and_leaves_out_what_has_no_rate():
    sums = {
        (MONDAY, "EUR"): Decimal("0.0125"),
        (TUESDAY, "EUR"): Decimal("0.0125"),
        (TUESDAY, None): Decimal("1"),
        (TUESDAY, "XAF"): Decimal("5000"),
    }
    assert str(conversion.total(sums, "USD", RATES.per_euro)) == "1.02"


@pytest.mark.django_db
def test_stats_convert_with_the_day_of_the_event(site, reader):
    ExchangeRate.objects.create(day=MONDAY, currency="USD", rate="1.1")
    ExchangeRate.objects.create(day=TUESDAY, currency="USD", rate="1.2")
    for day in (MONDAY, TUESDAY):
        store(site, "goal", "buy", at=noon(day), amount=10_0000, currency="EUR")
    store(site, "goal", "buy", at=noon(TUESDAY), amount=70_0000, currency="GBP")
    goal = GoalFactory.create(
        site=site, type="custom", match_value="buy", currency="USD"
    )
    path = f"/sites/{site.site_key}/goals/{goal.id}/stats"
    response = reader("GET", f"{path}?period=custom&from={MONDAY}&to={TUESDAY}")
    assert response.json() == {
        "data": {"conversions": 3, "unique_conversions": 2, "revenue": 23.0}
    }
    assert b'"revenue":23.00' in response.content


def days_of(site, goal):
    path = f"/sites/{site.site_key}/goals/{goal.id}/stats"
    return f"{path}?period=custom&from={MONDAY}&to={TUESDAY}"


@pytest.mark.django_db
def test_detail_shows_what_revenue_is_made_of(site, reader):
    ExchangeRate.objects.create(day=MONDAY, currency="GBP", rate="0.8400")
    ExchangeRate.objects.create(day=MONDAY, currency="USD", rate="1.0800")
    for number, (day, amount, currency) in enumerate(
        [
            (MONDAY, 20_0000, "USD"),
            (MONDAY, 5_0000, None),
            (MONDAY, 42_0000, "GBP"),
            (TUESDAY, 10_0050, "GBP"),
            (TUESDAY, 655_9570, "XAF"),
            (TUESDAY, 100_0000, "XAF"),
            (TUESDAY, None, None),
        ]
    ):
        store(
            site,
            "goal",
            "buy",
            at=noon(day),
            amount=amount,
            currency=currency,
            event_id=f"order-{number}",
        )
    refunds = [("order-0", 3_0000), ("order-2", 2_0000), ("order-4", 5_9570)]
    for refund_of, amount in refunds:
        new = events.NewRefund(
            day=TUESDAY, at=noon(TUESDAY), refund_of=refund_of, amount=amount
        )
        events.refund(site.pk, [new])
    goal = GoalFactory.create(
        site=site, type="custom", match_value="buy", currency="USD"
    )
    response = reader("GET", days_of(site, goal) + "&detail=money")
    data = response.json()["data"]
    # 20 + 5 + 42 x 1.08 / 0.84 + 10.005 x 1.08 / 0.84, then without 3 and 2 pounds.
    assert data == {
        "conversions": 7,
        "unique_conversions": 2,
        "revenue": 86.29,
        "money": {
            "currency": "USD",
            "gross": 91.86,
            "refunds": 5.57,
            "net": 86.29,
            "subtotals": [
                subtotal(None, (1, 5.0), (0, 0.0), 5.0),
                subtotal("GBP", (2, 52.005), (1, 2.0), 50.005),
                subtotal("USD", (1, 20.0), (1, 3.0), 17.0),
                subtotal("XAF", (2, 755.957), (1, 5.957), 750),
            ],
            "converted": [
                {
                    "day": "2026-03-02",
                    "currency": "GBP",
                    "amount": 42.0,
                    "per_euro": {"GBP": 0.84, "USD": 1.08},
                    "worth": 54.0,
                },
                {
                    "day": "2026-03-03",
                    "currency": "GBP",
                    "amount": 8.005,
                    "per_euro": {"GBP": 0.84, "USD": 1.08},
                    "worth": 10.29,
                },
            ],
            "unconverted": [{"currency": "XAF", "count": 3, "amount": 750}],
        },
    }


def subtotal(currency, payments, refunds, net):
    return {
        "currency": currency,
        "payment_count": payments[0],
        "refund_count": refunds[0],
        "gross": payments[1],
        "refunds": refunds[1],
        "net": net,
    }


@pytest.mark.django_db
def test_detail_of_a_goal_without_a_currency_is_null(site, reader):
    goal = GoalFactory.create(site=site)
    data = reader("GET", days_of(site, goal) + "&detail=money").json()["data"]
    assert data["money"] is None


@pytest.mark.django_db
def test_other_detail_is_refused(site, reader):
    goal = GoalFactory.create(site=site)
    assert reader("GET", days_of(site, goal) + "&detail=all").status_code == 422


def test_currency_that_iso_has_dropped_keeps_two_decimals():
    assert str(conversion.in_minor_units(Decimal("1"), "HRK")) == "1.00"


@given(
    st.lists(
        st.tuples(
            st.sampled_from([MONDAY, TUESDAY]),
            st.sampled_from([None, "USD", "EUR", "GBP", "JPY", "XAF"]),
            st.integers(0, 10**16),
            st.fractions(0, 1),
        ),
        max_size=20,
    ),
    st.sampled_from(["USD", "EUR", "JPY", "XAF"]),
)
def test_gross_less_refunds_is_net_is_revenue(payments, currency):
    received: dict[Any, events.Amounts] = {}
    refunded: dict[Any, events.Amounts] = {}
    for day, code, amount, share in payments:
        for parts, part in ((received, amount), (refunded, -int(amount * share))):
            old = parts.get((day, code), events.Amounts(Decimal(), 0))
            part = Decimal(part).scaleb(-4)
            parts[day, code] = events.Amounts(old.total + part, old.times + 1)
    shown = detail(received, refunded, currency, RATES.per_euro)
    net = {key: part.total + refunded[key].total for key, part in received.items()}
    assert shown.gross - shown.refunds == shown.net
    assert shown.net == conversion.total(net, currency, RATES.per_euro)
    own = [
        subtotal.net
        for subtotal in shown.subtotals
        if subtotal.currency in (None, currency)
    ]
    assert shown.net == sum(own) + sum(row.worth for row in shown.converted)
    counted = sum(
        subtotal.payment_count + subtotal.refund_count for subtotal in shown.subtotals
    )
    assert counted == 2 * len(payments)
