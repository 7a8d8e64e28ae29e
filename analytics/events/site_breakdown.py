"""How the traffic of a site is spread over paths and over visitors' labels."""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from django.db import connection

from analytics.events.cells import ByDay, parts
from analytics.events.lookups import one_of_texts
from analytics.events.name_lists import name_numbers
from analytics.events.selection import Selection
from analytics.events.statements import around
from analytics.models import EventName, EventType
from analytics.questions.periods import Days


class SiteBreakdownRow(NamedTuple):
    """What of the traffic has one value, `""` where the label is unknown."""

    value: str
    pageviews: int
    visitors: int


def site_breakdown_by_label(
    days: ByDay, *, limit: int | None
) -> list[SiteBreakdownRow]:
    """The values of a label with the most visitors; without a limit all."""
    rows = [
        SiteBreakdownRow(value, part.pageviews, part.counts.uniques)
        for value, part in parts(days).items()
    ]
    # Equal ones in the order of their characters, the unknown one last.
    rows.sort(key=lambda row: (-row.visitors, not row.value, row.value))
    return rows[:limit]


def site_breakdown_by_path(
    selection: Selection,
    *,
    unkept: Sequence[Days],
    limit: int,
    among: Collection[str] | None = None,
) -> list[SiteBreakdownRow]:
    """The paths viewed by the most visitors, of all or `among` some.

    Only page views count here.

    `unkept`: the days of which the names are counted; those of the others are kept.
    """
    names = EventName._meta.db_table
    # Both databases by code point, as Python sorts.
    collation = '"C"' if connection.vendor == "postgresql" else "BINARY"
    viewed = name_numbers(selection, unkept)
    some, texts = "", list[Any]()
    if among is not None:
        condition, param = one_of_texts("name", among)
        some, texts = f"AND {condition}", [param]
    statement = around(
        viewed,
        ("name_id", "times", "visitors"),
        f"""
        SELECT name, times, visitors
        FROM (
            SELECT name_id, SUM(times) AS times,
                CAST(SUM(visitors) AS bigint) AS visitors
            FROM selected GROUP BY name_id
        ) AS summed JOIN {names} ON {names}.id = name_id
        WHERE {names}.site_id = %s AND {names}.type = %s {some}
        ORDER BY visitors DESC, name COLLATE {collation}
        LIMIT %s
        """,  # noqa: S608 - two constants
        [selection.site_id, EventType.PAGEVIEW.value, *texts, limit],
    )
    with connection.cursor() as cursor:
        cursor.execute(*statement)
        return [
            SiteBreakdownRow(path, int(times), visitors)
            for path, times, visitors in cursor
        ]
