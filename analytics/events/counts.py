"""How often events happened, and to how many visitors."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import Count, F, QuerySet, Sum

from analytics.events.lookups import OneOf
from analytics.events.selection import Selection
from analytics.events.statements import (
    Compiled,
    around,
    as_day,
    day_by_day,
    union,
)
from analytics.models import Adjustment, Event, EventName, Fact


class Counts(NamedTuple):
    """`uniques`: distinct visitors of each day, summed over the days."""

    conversions: int
    uniques: int


def top_names(
    selection: Selection, name_ids: Iterable[int], limit: int
) -> list[tuple[str, int]]:
    """The most frequent of these names, with the number of their events.

    Names with equal counts are in the order in which they were first sent; names
    without events come last.
    """
    ids = sorted(name_ids)
    counted = day_by_day(
        selection.about(ids),
        lambda events: (
            events.filter(OneOf("name", ids))
            .values("day", "name")
            .annotate(times=Count("*"))
            .values_list("name", "times")
        ),
    )
    statement = around(
        counted,
        ("name", "times"),
        """
        SELECT name, CAST(SUM(times) AS bigint) AS times
        FROM selected GROUP BY name ORDER BY times DESC, name LIMIT %s
        """,
        [limit],
    )
    with connection.cursor() as cursor:
        cursor.execute(*statement)
        top = dict(cursor.fetchall())
    for name_id in ids:
        if len(top) == limit:
            break
        top.setdefault(name_id, 0)
    names = EventName.objects.filter(site_id=selection.site_id, pk__in=top)
    texts = dict(names.values_list("pk", "name"))
    return [(texts[name_id], times) for name_id, times in top.items()]


class Amounts(NamedTuple):
    """`times`: the number of amounts in `total`."""

    total: Decimal
    times: int


def amounts(
    selection: Selection, name_ids: Iterable[int]
) -> dict[tuple[date, str | None], Decimal]:
    """Exact sums of the amounts of these events by day and currency.

    None means no currency. Refunds are subtracted on the day they were made.
    """
    name_ids = list(name_ids)
    sums: defaultdict[tuple[date, str | None], Decimal] = defaultdict(Decimal)
    both = union(
        *(
            halves(part, name_ids, facts)
            for facts in (Event, Adjustment)
            for part in selection.parts()
        )
    )
    with connection.cursor() as cursor:
        cursor.execute(*both)
        for day, currency, *parts in cursor:
            sums[as_day(day), currency] += whole(*parts).total
    return dict(sums)


def received(
    selection: Selection, name_ids: Iterable[int]
) -> dict[tuple[date, str | None], Amounts]:
    """The amounts of these events by day and currency, without refunds."""
    return _amounts(halves(selection, list(name_ids), Event))


def refunded(
    selection: Selection, name_ids: Iterable[int]
) -> dict[tuple[date, str | None], Amounts]:
    """The refunds of such events, negative, on the days they were made."""
    return _amounts(halves(selection, list(name_ids), Adjustment))


def _amounts(statement: Compiled) -> dict[tuple[date, str | None], Amounts]:
    with connection.cursor() as cursor:
        cursor.execute(*statement)
        return {(as_day(day), code): whole(*parts) for day, code, *parts in cursor}


def halves(
    selection: Selection, name_ids: list[int], facts: type[Fact], *keys: str
) -> Compiled:
    """`by_halves` of these names, by some keys, the day and the currency."""
    return day_by_day(
        selection.about(name_ids),
        lambda found: by_halves(
            found.filter(OneOf("name", name_ids)), *keys, "day", "currency"
        ),
        facts,
    )


def summed(found: QuerySet[Any], *keys: str) -> Iterator[tuple[Any, ...]]:
    """Exact sums of the amounts of these events by some keys: (*keys, total)."""
    count = len(keys)
    for row in by_halves(found, *keys):
        yield *row[:count], whole(*row[count:]).total


# Summed in two halves: SQLite's SUM fails beyond 64 bits, and anyone can send large
# amounts.
HALF = 1 << 32


def by_halves(found: QuerySet[Any], *keys: str) -> QuerySet[Any, Any]:
    """Rows of the keys, the two halves of their sum, and the number of amounts."""
    rows: QuerySet[Any, Any] = (
        found.filter(amount__isnull=False)
        .values(*keys)
        .annotate(
            high=Sum(F("amount") / HALF),
            low=Sum(F("amount") % HALF),
            times=Count("*"),
        )
        .values_list(*keys, "high", "low", "times")
    )
    return rows


def whole(high: int, low: int, times: int) -> Amounts:
    return Amounts(Decimal(int(high) * HALF + int(low)).scaleb(-4), times)
