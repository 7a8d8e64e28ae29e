"""Amounts: exact sums, and what they are worth in a goal's currency."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from analytics import events
from goals import money, stats
from goals.matching import Rule
from tests.factories import store

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


def test_total_takes_its_own_currency_and_no_code():
    sums = {
        (MONDAY, "USD"): Decimal("1.10"),
        (TUESDAY, "USD"): Decimal("2"),
        (TUESDAY, None): Decimal("0.9"),
        (TUESDAY, "EUR"): Decimal("100"),
    }
    assert str(money.total(sums, "USD")) == "4.00"
    assert str(money.total({}, "JPY")) == "0"
