"""The days and visitors of a statement."""

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import QuerySet
from django.db.models.expressions import RawSQL

from analytics.events.event_filters import Compiled
from analytics.models import Event
from analytics.questions.periods import Days

_EVENTS = Event._meta.db_table


# In place of the id of the last event: all of them.
ALL = 0


def of_all(statement: tuple[str, Sequence[Any]]) -> Compiled:
    """The rows of a statement, with the column `up_to` as in `Changed.of_each_end`."""
    sql, params = statement
    return f"SELECT of_all.*, {ALL} AS up_to FROM ({sql}) AS of_all", [*params]  # noqa: S608 - a constant and a statement


class Changed(NamedTuple):
    """Visitors of a day with events above the id `after` and up to the id `end`.

    Their events are read up to the id `up_to`; None: up to `each.up_to`.
    """

    site_id: int
    day: date
    after: int
    end: int
    up_to: int | None = None

    @property
    def is_of_some(self) -> bool:
        """Whether it excludes some visitors of the day."""
        return self.after > 0

    @property
    def ends(self) -> list[int]:
        """With the new events, and if there were others, without them."""
        return [self.end, self.after] if self.after else [self.end]

    def of_each_end(
        self, select: "Callable[[Changed], tuple[str, Sequence[Any]]]"
    ) -> Compiled:
        """The rows of a statement for each of `ends`, with the column `up_to`.

        PostgreSQL plans it once for both: planning takes longer than running.
        """
        if connection.vendor == "postgresql":
            sql, params = select(self)
            rows = ", ".join(["(%s::date, %s::bigint)"] * len(self.ends))
            each = f"(VALUES {rows}) AS each (day, up_to)"
            return (
                f"SELECT of_end.*, each.up_to FROM {each}, LATERAL ({sql}) AS of_end",  # noqa: S608 - constants
                [*(value for end in self.ends for value in (self.day, end)), *params],
            )
        parts = [(end, *select(self._replace(up_to=end))) for end in self.ends]
        return (
            " UNION ALL ".join(
                f"SELECT of_end.*, {end} AS up_to FROM ({sql}) AS of_end"  # noqa: S608 - constants
                for end, sql, _ in parts
            ),
            [param for _, _, params in parts for param in params],
        )

    def of(self, alias: str) -> Compiled:
        """A condition on the events of a table."""
        end, params = ("each.up_to", []) if self.up_to is None else ("%s", [self.up_to])
        is_read = f"{alias}.id <= {end}"
        if not self.is_of_some:
            return is_read, params
        return (
            f"{is_read} AND {alias}.visitor IN (SELECT visitor FROM {_EVENTS}"  # noqa: S608 - constants
            " WHERE site_id = %s AND day = %s AND id > %s AND id <= %s)",
            [*params, self.site_id, self.day.isoformat(), self.after, self.end],
        )

    def within(self, events: QuerySet[Event]) -> QuerySet[Event]:
        """The events that meet the condition `of`."""
        found = events.filter(
            pk__lte=RawSQL("each.up_to", ()) if self.up_to is None else self.up_to
        )
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
