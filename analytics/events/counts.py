"""How often events happened, and to how many visitors."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from django.db.models import Count, F, Sum

from analytics.events.scope import Scope


class Counts(NamedTuple):
    """`uniques`: distinct visitors of each day, summed over the days."""

    conversions: int
    uniques: int


def count(scope: Scope, name_ids: Iterable[int]) -> Counts:
    """How often events of these names happened."""
    totals = (
        scope.named(name_ids)
        .values("day", "visitor")
        .annotate(times=Count("*"))
        .aggregate(conversions=Sum("times"), uniques=Count("*"))
    )
    return Counts(totals["conversions"] or 0, totals["uniques"])


def amounts(
    scope: Scope, name_ids: Iterable[int]
) -> dict[tuple[date, str | None], Decimal]:
    """Exact sums of the amounts of these events by day and currency.

    None stands for no code.
    """
    # Summed in two halves: SQLite's SUM fails where it leaves 64 bits, and
    # anyone may send large amounts.
    half = 1 << 32
    rows = (
        scope.named(name_ids)
        .filter(amount__isnull=False)
        .values("day", "currency")
        .annotate(high=Sum(F("amount") / half), low=Sum(F("amount") % half))
        .values_list("day", "currency", "high", "low")
    )
    return {
        (day, currency): Decimal(int(high) * half + int(low)).scaleb(-4)
        for day, currency, high, low in rows
    }
