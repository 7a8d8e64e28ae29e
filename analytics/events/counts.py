"""How often events happened, and to how many visitors."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import Count, F, QuerySet, Sum

from analytics.events.scope import Scope
from analytics.models import Adjustment, Event, EventName


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


def top_names(
    scope: Scope, name_ids: Iterable[int], limit: int
) -> list[tuple[str, int]]:
    """The names that happened most often, of these, and how often.

    The one that the site sent first comes first among equals, those that did
    not happen come last.
    """
    ids = sorted(name_ids)
    counted = (
        scope.named(ids)
        .values("name")
        .annotate(times=Count("*"))
        .order_by("-times", "name_id")
        .values_list("name", "times")
    )
    top = dict(counted[:limit])
    for name_id in ids:
        if len(top) == limit:
            break
        top.setdefault(name_id, 0)
    texts = dict(EventName.objects.filter(pk__in=top).values_list("pk", "name"))
    return [(texts[name_id], times) for name_id, times in top.items()]


class Amounts(NamedTuple):
    """`times`: how many amounts the `total` is made of."""

    total: Decimal
    times: int


def amounts(
    scope: Scope, name_ids: Iterable[int]
) -> dict[tuple[date, str | None], Decimal]:
    """Exact sums of the amounts of these events by day and currency.

    None stands for no code. Refunds are taken off on the day they were made.
    """
    name_ids = list(name_ids)
    sums: defaultdict[tuple[date, str | None], Decimal] = defaultdict(Decimal)
    taken, given = (
        by_halves(scope.of(facts).filter(name__one_of=name_ids), "day", "currency")
        for facts in (Event, Adjustment)
    )
    for day, currency, *halves in taken.union(given, all=True):
        sums[day, currency] += whole(*halves).total
    return dict(sums)


def received(
    scope: Scope, name_ids: Iterable[int]
) -> dict[tuple[date, str | None], Amounts]:
    """The amounts of these events by day and currency, refunds not taken off."""
    return _amounts(scope.of(Event).filter(name__one_of=name_ids))


def refunded(
    scope: Scope, name_ids: Iterable[int]
) -> dict[tuple[date, str | None], Amounts]:
    """The refunds of such events, negative, on the days they were made."""
    return _amounts(scope.of(Adjustment).filter(name__one_of=name_ids))


def refunds_by_name(scope: Scope) -> dict[tuple[int, date, str | None], Decimal]:
    """The refunds of all of the site's events by name, day and currency."""
    rows = summed(scope.of(Adjustment), "name", "day", "currency")
    return {(name, day, currency): total for name, day, currency, total in rows}


def _amounts(found: QuerySet[Any]) -> dict[tuple[date, str | None], Amounts]:
    rows = by_halves(found, "day", "currency")
    return {(day, currency): whole(*halves) for day, currency, *halves in rows}


def summed(found: QuerySet[Any], *keys: str) -> Iterator[tuple[Any, ...]]:
    """Exact sums of the amounts of these events by some keys: (*keys, total)."""
    count = len(keys)
    for row in by_halves(found, *keys):
        yield *row[:count], whole(*row[count:]).total


# Summed in two halves: SQLite's SUM fails where it leaves 64 bits, and anyone
# may send large amounts.
_HALF = 1 << 32


def by_halves(found: QuerySet[Any], *keys: str) -> QuerySet[Any, Any]:
    """Rows of the keys, the halves of their sum, and how many it is made of."""
    rows: QuerySet[Any, Any] = (
        found.filter(amount__isnull=False)
        .values(*keys)
        .annotate(
            high=Sum(F("amount") / _HALF),
            low=Sum(F("amount") % _HALF),
            times=Count("*"),
        )
        .values_list(*keys, "high", "low", "times")
    )
    return rows


def whole(high: int, low: int, times: int) -> Amounts:
    return Amounts(Decimal(int(high) * _HALF + int(low)).scaleb(-4), times)
