"""The traffic of a site by path, name, property or label."""

from collections.abc import Collection, Sequence
from typing import Any

from django.db import connection
from django.db.models import Count, F, Q

from analytics.events import closed_sums
from analytics.events.cells import ByDay, DayParts, Group, numbers_by_value
from analytics.events.closed_sums import ClosedDays, State
from analytics.events.lookups import OneOf, one_of, one_of_texts
from analytics.events.name_lists import name_numbers
from analytics.events.props import SpelledProp
from analytics.events.ranked import Ranked, SiteBreakdown, SiteBreakdownRow
from analytics.events.selection import Selection
from analytics.events.statements import Compiled, around, day_by_day, union
from analytics.models import EventName, EventType
from analytics.questions.labels import PROPS
from analytics.questions.periods import Days

_NAMES = EventName._meta.db_table
_NONE = Ranked({})


def site_breakdown_by_label(
    days: ByDay, *, closed: Ranked = _NONE, limit: int | None
) -> SiteBreakdown:
    """The values of a label with the most visitors; without a limit all."""
    return closed.first(numbers_by_value(days), limit=limit)


def site_breakdown_by_path(
    selection: Selection,
    *,
    unkept: Sequence[Days],
    closed: Days | None = None,
    state: State | None = None,
    limit: int,
    among: Collection[str | None] | None = None,
) -> SiteBreakdown:
    """The paths viewed by the most visitors, of all or `among` some.

    Only page views count here.

    `unkept`: the days whose names are not stored, and are counted. `closed` days are
    all stored and valid for that state: their sums are cached.
    """
    known = closed and state and _closed_paths(selection.within(closed), state)
    if not known:
        return _most(_paths(selection, unkept), limit, among)
    more: dict[str | None, tuple[int, int]] = {}
    for stretch in unkept:
        for path, *numbers in _rows(_paths(selection.within(stretch), [stretch])):
            before = more.get(path, (0, 0))
            more[path] = before[0] + int(numbers[0]), before[1] + int(numbers[1])
    return known.ranked.first(more, limit=limit, among=among)


def _closed_paths(selection: Selection, state: State) -> ClosedDays | None:
    """The paths of closed days, all stored; None if there are too many to cache."""
    key = ("path", selection.site_id, selection.days)
    known = closed_sums.recall({"path": key})["path"].at(state)
    if known is None:
        views = EventName.objects.filter(
            site_id=selection.site_id, type=EventType.PAGEVIEW
        )
        most = closed_sums.MAX_VALUES // 2
        if views[: most + 1].count() > most:
            return None
        parts = DayParts({}, {})
        for path, pageviews, visitors in _rows(_paths(selection, [])):
            parts.groups[path] = Group(int(pageviews), int(pageviews))
            parts.visitors[frozenset((path,))] = int(visitors)
        known = ClosedDays({selection.first: parts})
        closed_sums.remember(key, state, known)
    return known


def _paths(selection: Selection, unkept: Sequence[Days]) -> Compiled:
    return _of_each_name(selection, unkept, "type = %s", [EventType.PAGEVIEW.value])


def _rows(statement: Compiled) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(*statement)
        return list(cursor)


def site_breakdown_by_name(
    selection: Selection,
    *,
    unkept: Sequence[Days],
    limit: int,
    among: Collection[str | None] | None = None,
) -> SiteBreakdown:
    """The same for the names of all events: paths, and names of events and goals.

    A text may be a name of several types. Its visitors are counted from the events,
    because the stored counts of the types do not add up.
    """
    shared = _of_several_types(selection.site_id)
    condition, ids = one_of("name_id", shared)
    counted = _of_each_name(selection, unkept, f"NOT ({condition})", [ids])
    if shared:
        own = day_by_day(
            selection.about(shared),
            lambda events: (
                events.filter(OneOf("name", shared))
                .annotate(value=F("name__name"))
                .values("value", "day", "visitor")
                .annotate(views=_VIEWS)
                .values_list("value", "views")
            ),
        )
        parts = (counted, around(own, ("value", "views"), _SUMMED))
        # SQLite takes no WITH within a UNION.
        counted = union(
            *((f"SELECT * FROM ({sql}) AS part", params) for sql, params in parts)  # noqa: S608 - compiled
        )
    return _most(counted, limit, among)


def site_breakdown_by_prop(
    selection: Selection,
    dimension: str,
    *,
    limit: int,
    among: Collection[str | None] | None = None,
) -> SiteBreakdown:
    """The same for the values of a property, written as in filters.

    `dimension`: `props.` and any key.
    """
    value = SpelledProp(dimension.removeprefix(PROPS))
    counted = day_by_day(
        selection,
        # The condition on the site limits the scan to the site's names.
        lambda events: (
            events.filter(name__site=selection.site_id)
            .annotate(value=value)
            .values("value", "day", "visitor")
            .annotate(views=_VIEWS)
            .values_list("value", "views")
        ),
    )
    return _most(around(counted, ("value", "views"), _SUMMED), limit, among)


# Of the rows of each visitor and day.
_VIEWS = Count("pk", filter=Q(name__type=EventType.PAGEVIEW))
_SUMMED = (
    "SELECT value, SUM(views) AS pageviews, COUNT(*) AS visitors"
    " FROM selected GROUP BY value"
)


def _of_each_name(
    selection: Selection, unkept: Sequence[Days], condition: str, params: list[Any]
) -> Compiled:
    """The columns value, pageviews, visitors of the names that meet a condition."""
    return around(
        name_numbers(selection, unkept),
        ("name_id", "times", "visitors"),
        f"""
        SELECT name AS value, CASE WHEN type = %s THEN times ELSE 0 END AS pageviews,
            visitors
        FROM (
            SELECT name_id, CAST(SUM(times) AS bigint) AS times,
                CAST(SUM(visitors) AS bigint) AS visitors
            FROM selected GROUP BY name_id
        ) AS summed JOIN {_NAMES} ON {_NAMES}.id = name_id
        WHERE {_NAMES}.site_id = %s AND {condition}
        """,  # noqa: S608 - constants
        [EventType.PAGEVIEW.value, selection.site_id, *params],
    )


def _of_several_types(site_id: int) -> list[int]:
    """The names whose text is also that of a name of another type."""
    names = EventName.objects.filter(site_id=site_id).order_by()
    several = names.values("name").annotate(types=Count("*")).filter(types__gt=1)
    return list(
        names.filter(name__in=several.values("name")).values_list("pk", flat=True)
    )


def _most(
    counted: Compiled, limit: int, among: Collection[str | None] | None
) -> SiteBreakdown:
    """The values with the most visitors, all or only `among`."""
    sql, params = counted
    some, texts = "", list[Any]()
    if among is not None:
        condition, param = one_of_texts("value", [v for v in among if v is not None])
        unknown = " OR value IS NULL" if None in among else ""
        some, texts = f"WHERE {condition}{unknown}", [param]
    # Both databases sort by code point, like Python.
    collation = '"C"' if connection.vendor == "postgresql" else "BINARY"
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT value, pageviews, visitors, COUNT(*) OVER (),
                SUM(pageviews) OVER ()
            FROM ({sql}) AS counted {some}
            ORDER BY visitors DESC, value IS NULL, value COLLATE {collation}
            LIMIT %s
            """,  # noqa: S608 - constants, and what is compiled
            [*params, *texts, limit],
        )
        found = cursor.fetchall()
    rows = [
        SiteBreakdownRow(value, int(views), int(n)) for value, views, n, *_ in found
    ]
    values, pageviews = found[0][3:] if found else (0, 0)
    return SiteBreakdown(rows, values, int(pageviews))
