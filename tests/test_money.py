"""Amounts: exact sums, and what they are worth in a goal's currency."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from analytics import events
from goals import money, stats
from goals.matching import Rule
from goals.models import ExchangeRate
from goals.rates import Rates
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
    names = stats.matching_names(site.pk, Rule("custom", "exact", "buy"))
    assert events.amounts(events.Scope(site.pk, MONDAY, TUESDAY), names) == {
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
    converted = money.convert(Decimal(amount), MONDAY, code, currency, RATES.per_euro)
    assert converted == (worth and Decimal(worth))
    assert converted is None or str(converted) == worth


def test_total_rounds_each_day_once_and_leaves_out_what_has_no_rate():
    sums = {
        (MONDAY, "EUR"): Decimal("0.0125"),
        (TUESDAY, "EUR"): Decimal("0.0125"),
        (TUESDAY, None): Decimal("1"),
        (TUESDAY, "XAF"): Decimal("5000"),
    }
    assert str(money.total(sums, "USD", RATES.per_euro)) == "1.02"


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
