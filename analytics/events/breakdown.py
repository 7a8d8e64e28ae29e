"""What the events of a question have in common: the values of one dimension."""

from collections.abc import Callable, Iterable, Iterator
from datetime import date
from decimal import Decimal
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from django.db.models import Case, Count, F, QuerySet, Value, When
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce, NullIf

from analytics.events.counts import Counts, by_halves, whole
from analytics.events.props import Prop, decode
from analytics.events.selection import Selection
from analytics.events.statements import Compiled, as_day, day_by_day, stream, union
from analytics.models import Adjustment, Event, EventType
from analytics.questions.labels import Labels

DIMENSIONS = ("path", "name", *Labels._fields)
PROPS = "props."


class BreakdownRow(NamedTuple):
    """The events with one value, None where it is not known."""

    value: str | int | float | bool | None
    counts: Counts
    sums: dict[tuple[date, str | None], Decimal]


def breakdown_rows(
    selection: Selection, name_ids: Iterable[int], dimension: str, *, with_amounts: bool
) -> Iterator[BreakdownRow]:
    """Every value of a dimension, in an order that means nothing.

    `dimension`: one of DIMENSIONS, or `props.` and a key, any text at all. A
    value may come from refunds alone, with amounts but without counts.
    """
    name_ids = list(name_ids)
    value = _expression(dimension)

    def valued(found: QuerySet[Any]) -> QuerySet[Any]:
        own: QuerySet[Any] = found.filter(name__one_of=name_ids).annotate(value=value)
        return own

    parts = [_counts(selection, valued)]
    if with_amounts:
        # First: PostgreSQL would take the type of two NULLs to be text.
        parts[:0] = [
            day_by_day(
                selection,
                lambda found: by_halves(valued(found), "value", "day", "currency"),
                facts,
            )
            for facts in (Event, Adjustment)
        ]
    # One statement, so that counts and amounts are of one moment; sorted, so
    # that the values, as many as events perhaps, can pass one by one.
    sql, params = union(*parts)
    rows = stream(f"{sql} ORDER BY 1", params)
    for key, group in groupby(rows, key=itemgetter(0)):
        shown = decode(key) if dimension.startswith(PROPS) else key
        yield _slice(shown, group)


def _expression(dimension: str) -> Combinable:
    if dimension.startswith(PROPS):
        return Prop(dimension.removeprefix(PROPS))
    if dimension == "name":
        return F("name__name")
    if dimension == "path":
        own = Case(When(name__type=EventType.PAGEVIEW, then=F("name__name")))
        return Coalesce(F("page__name"), own)
    return NullIf(F(f"context__{dimension}"), Value(""))


def _counts(
    selection: Selection, valued: Callable[[QuerySet[Any]], QuerySet[Any]]
) -> Compiled:
    """In the columns of `by_halves`; the day that is missing tells them apart."""
    sql, params = day_by_day(
        selection,
        lambda found: (
            valued(found).values("value", "day", "visitor").annotate(times=Count("*"))
        ),
    )
    columns = "SELECT value, NULL, NULL, SUM(times), COUNT(*), 0"
    return f"{columns} FROM ({sql}) AS visitors GROUP BY value", params


def _slice(value: Any, rows: Iterable[tuple[Any, ...]]) -> BreakdownRow:
    counts = Counts(0, 0)
    sums: dict[tuple[date, str | None], Decimal] = {}
    for _, day, currency, first, second, times in rows:
        if day is None:
            counts = Counts(int(first), int(second))
            continue
        key = (as_day(day), currency)
        sums[key] = sums.get(key, Decimal()) + whole(first, second, times).total
    return BreakdownRow(value, counts, sums)
