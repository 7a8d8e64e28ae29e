"""The counts of events by the values of one dimension."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from django.db.models import Case, Count, F, QuerySet, When
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce

from analytics.events.cells import ByDay, parts
from analytics.events.counts import Counts, by_halves, whole
from analytics.events.lookups import OneOf
from analytics.events.props import Prop, decode
from analytics.events.selection import Selection
from analytics.events.statements import (
    Compiled,
    as_day,
    chunked_cursor,
    chunks,
    day_by_day,
    union,
)
from analytics.models import Adjustment, Event, EventType
from analytics.questions.filters import LABELS

DIMENSIONS = ("path", "name", *LABELS)
PROPS = "props."


class BreakdownRow(NamedTuple):
    """The events with one value, None if it is unknown."""

    value: str | int | float | bool | None
    counts: Counts
    sums: dict[tuple[date, str | None], Decimal]


@contextmanager
def breakdown_rows(
    selection: Selection,
    name_ids: Iterable[int],
    dimension: str,
    *,
    with_amounts: bool,
) -> Iterator[Iterator[BreakdownRow]]:
    """Every value of a dimension of events, in any order.

    `dimension`: `path`, `name`, or `props.` and any key. A value may have only refunds:
    amounts without counts. There may be as many values as events; they are read from
    the database while the context is open.
    """
    name_ids = list(name_ids)
    selection = selection.about(name_ids)
    value = _expression(dimension)

    def valued(found: QuerySet[Any]) -> QuerySet[Any]:
        own: QuerySet[Any] = found.filter(OneOf("name", name_ids)).annotate(value=value)
        return own

    statements = [_counts(part, valued) for part in selection.parts()]
    if with_amounts:
        # First: PostgreSQL would take the type of two NULLs to be text.
        statements[:0] = [
            day_by_day(
                part,
                lambda found: by_halves(valued(found), "value", "day", "currency"),
                facts,
            )
            for facts in (Event, Adjustment)
            for part in selection.parts()
        ]
    # One statement, so that counts and amounts are consistent; sorted, so that
    # the values can be read one by one.
    sql, params = union(*statements)
    with chunked_cursor() as cursor:
        cursor.execute(f"{sql} ORDER BY 1", params)
        yield (
            _slice(decode(key) if dimension.startswith(PROPS) else key, group)
            for key, group in groupby(chunks(cursor), key=itemgetter(0))
        )


def visitors_by_own_value(
    selection: Selection, dimension: str
) -> Iterator[tuple[str | int | float | bool | None, int]]:
    """The unique visitors who have an event with each value, one by one.

    `dimension` as for `breakdown_rows`. A last day that ends early repeats values.
    """
    value = _expression(dimension)

    def valued(found: QuerySet[Any]) -> QuerySet[Any]:
        # The condition on the site limits the scan to the site's names.
        own: QuerySet[Any] = found.filter(name__site=selection.site_id).annotate(
            value=value
        )
        return own

    sql, params = union(*(_counts(part, valued) for part in selection.parts()))
    with chunked_cursor() as cursor:
        cursor.execute(sql, params)
        for key, _, _, _, visitors, _ in chunks(cursor):
            yield decode(key) if dimension.startswith(PROPS) else key, visitors


def label_rows(days: ByDay) -> list[BreakdownRow]:
    """Every value of a label; a value with only refunds has only amounts."""
    return [
        BreakdownRow(value or None, part.counts, part.sums)
        for value, part in parts(days).items()
    ]


def visitors_by_value(days: ByDay) -> dict[str | None, int]:
    """The unique visitors of each value of a label, None if unknown."""
    return {value or None: part.counts.uniques for value, part in parts(days).items()}


def _expression(dimension: str) -> Combinable:
    if dimension.startswith(PROPS):
        return Prop(dimension.removeprefix(PROPS))
    if dimension == "name":
        return F("name__name")
    own = Case(When(name__type=EventType.PAGEVIEW, then=F("name__name")))
    return Coalesce(F("page__name"), own)


def _counts(
    selection: Selection, valued: Callable[[QuerySet[Any]], QuerySet[Any]]
) -> Compiled:
    """In the columns of `by_halves`, with NULL for the day, as a marker of counts."""
    sql, params = day_by_day(
        selection,
        lambda found: (
            valued(found).values("value", "day", "visitor").annotate(times=Count("*"))
        ),
    )
    columns = "SELECT value, NULL, NULL, SUM(times), COUNT(*), 0"
    return f"{columns} FROM ({sql}) AS visitors GROUP BY value", params


def _slice(value: Any, rows: Iterable[tuple[Any, ...]]) -> BreakdownRow:
    conversions = uniques = 0
    sums: dict[tuple[date, str | None], Decimal] = {}
    for _, day, currency, first, second, times in rows:
        if day is None:
            conversions += int(first)
            uniques += int(second)
            continue
        key = (as_day(day), currency)
        sums[key] = sums.get(key, Decimal()) + whole(first, second, times).total
    return BreakdownRow(value, Counts(conversions, uniques), sums)
