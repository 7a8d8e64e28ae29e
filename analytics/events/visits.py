"""How much a site was visited: page views, visitors, visits.

Every event makes a visitor and belongs to a visit, whatever its type. Visitors
change their ids at midnight, so both are counted day by day.
"""

from datetime import date, datetime
from typing import Any, NamedTuple

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Count, F, Func, IntegerField, Q, Sum, Window
from django.db.models.functions import Lag
from django.db.models.sql.compiler import SQLCompiler

from analytics.events.selection import Selection
from analytics.events.statements import Expressed, around, as_day, day_by_day
from analytics.models import Event, EventType

# A visit ends when its visitor is silent for longer than this. Whole seconds
# are compared, since the API shows no finer times.
SILENCE_SECONDS = 30 * 60


class Traffic(NamedTuple):
    pageviews: int
    visitors: int
    visits: int


def traffic_by_day(selection: Selection) -> dict[date, Traffic]:
    """The traffic of each day that had any, in one pass over the events."""
    before = Window(
        Lag(_Second("at")),
        partition_by=[F("day"), F("visitor")],
        order_by=F("at").asc(),
    )
    silences = day_by_day(
        selection,
        # The site said of the names too: only its own are looked through.
        lambda events: (
            events.filter(name__site=selection.site_id)
            .annotate(silence=_Second("at") - before)
            .values_list("day", "name__type", "silence")
        ),
    )
    # The first event of a visitor has no silence before it.
    statement = around(
        silences,
        ("day", "type", "silence"),
        """
        SELECT
            day,
            COUNT(CASE WHEN type = %s THEN 1 END),
            COUNT(CASE WHEN silence IS NULL THEN 1 END),
            COUNT(CASE WHEN silence IS NULL OR silence > %s THEN 1 END)
        FROM selected
        GROUP BY day
        """,
        [EventType.PAGEVIEW.value, SILENCE_SECONDS],
    )
    with connection.cursor() as cursor:
        cursor.execute(*statement)
        return {as_day(day): Traffic(*counts) for day, *counts in cursor}


class _Second(Func):
    """A moment as Unix seconds, without its fraction."""

    output_field = IntegerField()

    def as_postgresql(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper
    ) -> Expressed:
        # A float is exact to a quarter of a microsecond here. EXTRACT gives a
        # decimal, which made the whole question 40 % slower.
        template = "FLOOR(DATE_PART('epoch', %(expressions)s))"
        return self.as_sql(compiler, connection, template=template)

    def as_sqlite(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any
    ) -> Expressed:
        # Cut from the text, since SQLite rounds .9996 up to the next second.
        template = "CAST(STRFTIME('%%%%s', SUBSTR(%(expressions)s, 1, 19)) AS integer)"
        return self.as_sql(compiler, connection, template=template, **context)


class Presence(NamedTuple):
    visitors: int
    pageviews: int


def presence(site_id: int, *, start: datetime, end: datetime) -> Presence:
    """Who was there after `start` and up to `end`, and what they looked at."""
    counts = (
        Event.objects.filter(site_id=site_id, at__gt=start, at__lte=end)
        .filter(name__site=site_id)
        .order_by()
        .values("day", "visitor")
        .annotate(views=Count("pk", filter=Q(name__type=EventType.PAGEVIEW)))
        .aggregate(visitors=Count("*"), pageviews=Sum("views", default=0))
    )
    return Presence(**counts)
