"""The days and visitors of a statement."""

from datetime import date
from typing import Any, NamedTuple

from django.db.models import QuerySet

from analytics.events.event_filters import Compiled
from analytics.models import Event
from analytics.questions.periods import Days

_EVENTS = Event._meta.db_table


class Changed(NamedTuple):
    """Visitors of a day with events above the id `after` and up to the id `end`.

    Their events are read up to the id `up_to`.
    """

    site_id: int
    day: date
    after: int
    end: int
    up_to: int

    @property
    def is_of_some(self) -> bool:
        """Whether it excludes some visitors of the day."""
        return self.after > 0

    def of(self, alias: str) -> Compiled:
        """A condition on the events of a table."""
        day = self.day.isoformat()
        if not self.is_of_some:
            return f"{alias}.id <= %s", [self.up_to]
        return (
            f"{alias}.id <= %s AND {alias}.visitor IN (SELECT visitor FROM {_EVENTS}"  # noqa: S608 - constants
            " WHERE site_id = %s AND day = %s AND id > %s AND id <= %s)",
            [self.up_to, self.site_id, day, self.after, self.end],
        )

    def within(self, events: QuerySet[Event]) -> QuerySet[Event]:
        """The events that meet the condition `of`."""
        found = events.filter(pk__lte=self.up_to)
        if not self.is_of_some:
            return found
        later = Event.objects.filter(
            site_id=self.site_id, day=self.day, pk__gt=self.after, pk__lte=self.end
        )
        return found.filter(visitor__in=later.order_by().values("visitor"))


class Span(NamedTuple):
    """The days of a statement; `is_each`: the current day of `of_each_day`.

    `changed`: only some visitors of a single day.
    """

    days: Days
    is_each: bool = False
    changed: Changed | None = None

    def of(self, alias: str) -> Compiled:
        """A condition on the days of a table."""
        sql, params = f"{alias}.day = each.day::date", list[Any]()
        if not self.is_each:
            sql = f"{alias}.day BETWEEN %s AND %s"
            params = [day.isoformat() for day in self.days]
        if self.changed is not None:
            more, of_changed = self.changed.of(alias)
            sql, params = f"{sql} AND {more}", [*params, *of_changed]
        return sql, params

    @property
    def is_of_some_visitors(self) -> bool:
        return self.changed is not None and self.changed.is_of_some
