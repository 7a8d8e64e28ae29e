"""How the traffic of a site is spread over paths and over visitors' labels."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from django.db import connection
from django.db.models import BigAutoField, Count, Q

from analytics.events.selection import OneOf, Selection
from analytics.events.statements import Compiled, around, day_by_day
from analytics.models import Context, EventName, EventType

# The contexts of a question are looked up by their ids, however many.
BigAutoField.register_lookup(OneOf)


class SiteBreakdownRow(NamedTuple):
    """What of the traffic has one value, `""` where the label is unknown."""

    value: str
    pageviews: int
    visitors: int


class _Group(NamedTuple):
    """Visitors with the same set of contexts, or the page views in one."""

    contexts: list[int]
    pageviews: int
    visitors: int


def site_breakdown_by_label(
    selection: Selection, labels: Sequence[str], *, limit: int
) -> dict[str, list[SiteBreakdownRow]]:
    """The values of each label with the most visitors.

    One pass over the events for all labels: each day's visitors are grouped
    by the set of contexts they were seen with, and there are few distinct
    sets. Of those the labels are looked at.
    """
    with connection.cursor() as cursor:
        cursor.execute(*_by_contexts(selection))
        groups = [
            _Group([int(pk) for pk in contexts.split()], int(pageviews), visitors)
            for contexts, pageviews, visitors in cursor
        ]
    seen = {pk for group in groups for pk in group.contexts}
    own = Context.objects.filter(site_id=selection.site_id)
    contexts = own.filter(pk__one_of=seen).values("pk", *labels)
    return {
        label: _largest(groups, {row["pk"]: row[label] for row in contexts}, limit)
        for label in labels
    }


def _by_contexts(selection: Selection) -> Compiled:
    """The columns of _Group, contexts as a text of ids."""
    seen = day_by_day(
        selection,
        lambda events: (
            events.filter(name__site=selection.site_id)
            .values("context", "day", "visitor")
            .annotate(views=Count("pk", filter=Q(name__type=EventType.PAGEVIEW)))
            .values_list("context", "day", "visitor", "views")
        ),
    )
    join = "STRING_AGG" if connection.vendor == "postgresql" else "GROUP_CONCAT"
    return around(
        seen,
        ("context", "day", "visitor", "pageviews"),
        f"""
        SELECT contexts, 0, COUNT(*)
        FROM (
            SELECT {join}(CAST(context AS text), ' ') AS contexts
            FROM selected
            GROUP BY day, visitor
        ) AS visitors
        GROUP BY contexts
        UNION ALL
        SELECT CAST(context AS text), SUM(pageviews), 0 FROM selected GROUP BY context
        """,  # noqa: S608 - a constant
    )


def _largest(
    groups: Iterable[_Group], value_of: Mapping[int, str], limit: int
) -> list[SiteBreakdownRow]:
    pageviews: Counter[str] = Counter()
    visitors: Counter[str] = Counter()
    for group in groups:
        # A set: who was seen twice with one value is one visitor.
        for value in {value_of[pk] for pk in group.contexts}:
            pageviews[value] += group.pageviews
            visitors[value] += group.visitors
    # Equal ones in the order of their characters, the unknown one last.
    largest = sorted(visitors, key=lambda value: (-visitors[value], not value, value))
    return [
        SiteBreakdownRow(value, pageviews[value], visitors[value])
        for value in largest[:limit]
    ]


def site_breakdown_by_path(
    selection: Selection, *, limit: int
) -> list[SiteBreakdownRow]:
    """The paths viewed by the most visitors; only page views count here."""
    names = EventName._meta.db_table
    # Both databases by code point, as Python sorts.
    collation = '"C"' if connection.vendor == "postgresql" else "BINARY"
    viewed = day_by_day(
        selection,
        # In the order of the covering index, which answers it by itself.
        lambda events: (
            events.values("day", "name", "visitor")
            .annotate(times=Count("*"))
            .values_list("name", "times")
        ),
    )
    statement = around(
        viewed,
        ("name_id", "times"),
        f"""
        SELECT name, SUM(times), COUNT(*) AS visitors
        FROM selected JOIN {names} ON {names}.id = name_id
        WHERE {names}.site_id = %s AND {names}.type = %s
        GROUP BY name
        ORDER BY visitors DESC, name COLLATE {collation}
        LIMIT %s
        """,  # noqa: S608 - two constants
        [selection.site_id, EventType.PAGEVIEW.value, limit],
    )
    with connection.cursor() as cursor:
        cursor.execute(*statement)
        return [
            SiteBreakdownRow(path, int(times), visitors)
            for path, times, visitors in cursor
        ]
