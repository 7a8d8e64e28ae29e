"""Visitors' ways to their first conversion of a day."""

from collections import Counter
from collections.abc import Collection, Iterable
from typing import Any, NamedTuple

from django.db import connection

from analytics.events.attribution import BITS, MASK
from analytics.events.lookups import OneOf
from analytics.events.selection import Selection
from analytics.events.spans import Span
from analytics.events.visit_ends import second
from analytics.models import EventName, EventType

_NAMES = EventName._meta.db_table
# The number of pages before a conversion in the answer.
PAGES = 3
# The kind of a row: seconds, entry pages, ways, or pages; to the last kind the number
# of pages between them and the conversion is added.
_SECONDS, _ENTRY, _WAY, _BEFORE = range(4)
_PICKS = {"last": "MAX", "first": "MIN"}

Pages = Counter[str | None]


class Ways(NamedTuple):
    """The numbers of visitors' ways, one way for each visitor and day.

    `seconds`: their duration, from the arrival of the conversion, or without one from
    the first event of its visit. `entries`: the page on which the visit began.
    `before`: the last pages before the conversion, the latest first; None for a missing
    one. `ways`: the most frequent sequences of these pages.
    """

    seconds: Counter[int]
    entries: Pages
    before: list[Pages]
    ways: dict[tuple[str, ...], int]


def ways(selection: Selection, name_ids: Iterable[int], *, limit: int) -> Ways:
    """Read all numbers in one statement, so they are consistent. `limit`: of `ways`."""
    with connection.cursor() as cursor:
        cursor.execute(*_statement(selection, list(name_ids), limit))
        rows = [(kind, own, times) for kind, *own, times in cursor.fetchall()]
    found = Ways(Counter(), Counter(), [Counter() for _ in range(PAGES)], {})
    seen = {pk for kind, own, _ in rows if kind != _SECONDS for pk in own if pk}
    names = EventName.objects.filter(OneOf("pk", seen), site_id=selection.site_id)
    paths: dict[int | None, str] = dict(names.values_list("pk", "name"))
    for kind, own, times in rows:
        if kind == _SECONDS:
            found.seconds[own[0]] = times
        elif kind == _WAY:
            way = tuple(paths[pk] for pk in reversed(own) if pk)
            found.ways[way] = times
        else:
            pages = found.entries if kind == _ENTRY else found.before[kind - _BEFORE]
            pages[paths.get(own[0])] = times
    return found


def _statement(
    selection: Selection, name_ids: Collection[int], limit: int
) -> tuple[str, list[Any]]:
    attributed = selection.attributed()
    walks, params = attributed.walks(
        Span(selection.days),
        name_ids,
        carried=("day", "visitor", "n", "at", "name_id", "visit", "arrival"),
    )
    pick = _PICKS.get(selection.filters.attribution)
    arrived = f"{pick}(CASE WHEN arrival IS NOT NULL THEN moment END) OVER path"
    places = range(PAGES)
    joins = "".join(
        f"""
        LEFT JOIN views AS view_{place} ON view_{place}.day = firsts.day
            AND view_{place}.visitor = firsts.visitor
            AND view_{place}.number = firsts.number - {place}
        """
        for place in places
    )
    pages = ", ".join(f"view_{place}.view AS page_{place}" for place in places)
    way = ", ".join(f"page_{place}" for place in places)
    # Databases sort NULL differently.
    order = ", ".join(f"COALESCE(page_{place}, 0)" for place in places)
    nothing = ", NULL" * (PAGES - 1)
    single = {
        _SECONDS: "seconds",
        _ENTRY: "entry",
        **{_BEFORE + place: f"page_{place}" for place in places},
    }
    counted = " UNION ALL ".join(
        f"SELECT {kind}, {column}{nothing}, COUNT(*) FROM told GROUP BY {column}"  # noqa: S608 - constants
        for kind, column in single.items()
    )
    sql = f"""
        WITH walks AS ({walks}), steps AS (
            SELECT walks.*, {second("walks.at")} AS moment,
                CASE WHEN names.type = %s THEN walks.name_id END AS view
            FROM walks JOIN {_NAMES} AS names
                ON names.site_id = %s AND names.id = walks.name_id
        ), placed AS (
            SELECT steps.*, COUNT(view) OVER path AS number,
                COALESCE(
                    {arrived if pick else "NULL"}, MIN(moment) OVER visits
                ) AS began,
                MIN((n << {BITS}) | view) OVER visits & {MASK} AS entry
            FROM steps
            WINDOW path AS (PARTITION BY day, visitor ORDER BY n),
                visits AS (PARTITION BY day, visitor, visit)
        ), views AS (
            SELECT day, visitor, number, view FROM placed WHERE view IS NOT NULL
        ), firsts AS (
            SELECT day, visitor, moment - began AS seconds, entry,
                number - CASE WHEN view IS NULL THEN 0 ELSE 1 END AS number
            FROM (
                SELECT placed.*,
                    ROW_NUMBER() OVER (PARTITION BY day, visitor ORDER BY n) AS turn
                FROM placed WHERE passes = 1
            ) AS turns WHERE turn = 1
        ), told AS (SELECT seconds, entry, {pages} FROM firsts {joins})
        SELECT * FROM (
            SELECT {_WAY}, {way}, COUNT(*) AS times FROM told
            GROUP BY {way} ORDER BY times DESC, {order} LIMIT %s
        ) AS most
        UNION ALL {counted}
    """  # noqa: S608 - constants
    return sql, [*params, EventType.PAGEVIEW.value, selection.site_id, limit]
