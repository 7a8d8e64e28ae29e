"""The counts of events by hour."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Count, Func, IntegerField, QuerySet
from django.db.models.sql.compiler import SQLCompiler

from analytics.events.counts import Counts, summed
from analytics.events.lookups import OneOf
from analytics.events.selection import Selection
from analytics.events.statements import Expressed
from analytics.models import Adjustment, Event, Fact

_HOUR = timedelta(hours=1)
# A stored day is in the site's zone at that time; zones differ by at most this.
_APART = timedelta(days=2)


def hourly(
    selection: Selection, name_ids: Iterable[int], *, start: datetime, end: datetime
) -> dict[datetime, Counts]:
    """Counts of the hours that have events, 60 minutes each from `start` on.

    `start` is included, `end` is not; both are whole seconds. The time of an event
    decides, not its stored day. A visitor counts once in each hour.
    """
    rows = (
        _between(Event, selection, name_ids, start, end)
        .values("hour")
        .annotate(times=Count("*"), uniques=Count("visitor", distinct=True))
        .values_list("hour", "times", "uniques")
    )
    return {start + hour * _HOUR: Counts(*counts) for hour, *counts in rows}


def hourly_amounts(
    selection: Selection, name_ids: Iterable[int], *, start: datetime, end: datetime
) -> dict[datetime, dict[tuple[date, str | None], Decimal]]:
    """Exact sums by day and currency, like `amounts`, of each of those hours."""
    name_ids = list(name_ids)
    sums: defaultdict[datetime, defaultdict[tuple[date, str | None], Decimal]]
    sums = defaultdict(lambda: defaultdict(Decimal))
    for facts in (Event, Adjustment):
        found = _between(facts, selection, name_ids, start, end)
        for hour, day, currency, total in summed(found, "hour", "day", "currency"):
            sums[start + hour * _HOUR][day, currency] += total
    return {hour: dict(parts) for hour, parts in sums.items()}


def _between(
    facts: type[Fact],
    selection: Selection,
    name_ids: Iterable[int],
    start: datetime,
    end: datetime,
) -> QuerySet[Any, Any]:
    name_ids = list(name_ids)
    wide = selection.about(name_ids)._replace(
        first=selection.first - _APART, last=selection.last + _APART
    )
    return (
        wide.of(facts)
        .filter(OneOf("name", name_ids), at__gte=start, at__lt=end)
        .annotate(hour=_HoursSince(start))
    )


class _HoursSince(Func):
    """Whole hours from a moment to an event after it."""

    output_field = IntegerField()

    def __init__(self, start: datetime) -> None:
        self._start = int(start.timestamp())
        super().__init__("at")

    def as_postgresql(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper
    ) -> Expressed:
        seconds = "EXTRACT(EPOCH FROM %(expressions)s)"
        template = f"FLOOR(({seconds} - {self._start}) / 3600)::int"
        return self.as_sql(compiler, connection, template=template)

    def as_sqlite(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any
    ) -> Expressed:
        """Without the fraction of a second: SQLite would round .9999 up."""
        seconds = "STRFTIME('%%%%s', SUBSTR(%(expressions)s, 1, 19))"
        template = f"({seconds} - {self._start}) / 3600"
        return self.as_sql(compiler, connection, template=template, **context)
