"""Page views, visitors and visits of a site.

Every event, of any type, belongs to a visitor and a visit. Visitor ids change at
midnight, so both are counted by day.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from datetime import date, datetime
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import Count, F, Func, IntegerField, Q, QuerySet, Sum, Window
from django.db.models.functions import Lag

from analytics.events.cells import ByDay, DayParts, Group
from analytics.events.label_months import EVERYTHING, Kept
from analytics.events.open_labels import OpenLabels
from analytics.events.selection import Selection
from analytics.events.spans import ALL, Changed, of_all
from analytics.events.standing import Standing
from analytics.events.statements import (
    Compiled,
    Expressed,
    around,
    as_day,
    compiled,
    day_by_day,
)
from analytics.events.visit_ends import SILENCE_SECONDS, second
from analytics.models import Event, EventType
from analytics.questions.time_limits import in_time


class Traffic(NamedTuple):
    pageviews: int
    visitors: int
    visits: int


def traffic_by_day(selection: Selection) -> dict[date, Traffic]:
    """The traffic of each day that had any, in one pass over the events."""
    silences = day_by_day(
        selection, lambda events: _silences(events, selection.site_id)
    )
    with connection.cursor() as cursor:
        cursor.execute(*_counts(of_all(silences)))
        return _by_end(cursor)[ALL]


def _changes(changed: Changed) -> tuple[dict[date, Traffic], dict[date, Traffic]]:
    """The traffic of the changed visitors, with their new events and without them."""
    day = Selection(changed.site_id, changed.day, changed.day)
    silences = changed.of_each_end(
        lambda of: compiled(_silences(of.within(day.events()), changed.site_id))
    )
    with connection.cursor() as cursor:
        cursor.execute(*_counts(silences))
        found = _by_end(cursor)
    return found[changed.end], found[changed.after]


def _silences(events: QuerySet[Event], site_id: int) -> QuerySet[Any, Any]:
    """The seconds before each event in which its visitor sent nothing."""
    before = Window(
        Lag(_Second("at")),
        partition_by=[F("day"), F("visitor")],
        order_by=F("at").asc(),
    )
    return (
        # The condition on the site limits the scan to the site's names.
        events.filter(name__site=site_id)
        .annotate(silence=_Second("at") - before)
        .values_list("day", "name__type", "silence")
    )


def _counts(silences: Compiled) -> Compiled:
    """The columns up_to, day and those of `Traffic`; `up_to`: the last event."""
    # A visitor's first event has no event before it.
    return around(
        silences,
        ("day", "type", "silence", "up_to"),
        """
        SELECT
            up_to,
            day,
            COUNT(CASE WHEN type = %s THEN 1 END),
            COUNT(CASE WHEN silence IS NULL THEN 1 END),
            COUNT(CASE WHEN silence IS NULL OR silence > %s THEN 1 END)
        FROM selected
        GROUP BY up_to, day
        """,
        [EventType.PAGEVIEW.value, SILENCE_SECONDS],
    )


def _by_end(rows: Iterable[tuple[Any, ...]]) -> Mapping[int, dict[date, Traffic]]:
    found: defaultdict[int, dict[date, Traffic]] = defaultdict(dict)
    for up_to, day, *counts in rows:
        found[up_to][as_day(day)] = Traffic(*counts)
    return found


# Used in place of a label. Its one value is "", whose events are the visits.
_VISITS = "visits"
_SEEN = frozenset(("",))


def open_traffic(site_id: int, found: Standing) -> dict[date, Traffic]:
    """The traffic of each open day that had any, in the memory of a process.

    As with labels (see `open_labels`), only the visitors who sent something since the
    last answer are counted again.
    """
    kept = Kept(site_id, EVERYTHING, "event", b"")
    tally = OpenLabels(kept, [_VISITS], found.ends, found.versions)
    behind = tally.behind()
    with in_time() if behind else nullcontext():
        for _, changed in behind:
            tally.add(changed.day, *map(_parts, _changes(changed)))
    return {
        day: Traffic(group.pageviews, parts.visitors[_SEEN], group.times)
        for day, parts in tally.by_day(_VISITS).items()
        for group in parts.groups.values()
    }


def _parts(traffic: dict[date, Traffic]) -> dict[str, ByDay]:
    return {
        _VISITS: {
            day: DayParts({"": Group(visits, pageviews)}, {_SEEN: visitors})
            for day, (pageviews, visitors, visits) in traffic.items()
        }
    }


class _Second(Func):
    """A moment as Unix seconds, without its fraction."""

    output_field = IntegerField()

    def as_sql(self, *args: Any, **context: Any) -> Expressed:
        template = second("\0").replace("%", "%%").replace("\0", "%(expressions)s")
        return super().as_sql(*args, **{**context, "template": template})


class Presence(NamedTuple):
    visitors: int
    pageviews: int


def presence(site_id: int, *, start: datetime, end: datetime) -> Presence:
    """Visitors after `start` and up to `end`, and the pages they viewed."""
    counts = (
        Event.objects.filter(site_id=site_id, at__gt=start, at__lte=end)
        .filter(name__site=site_id)
        .order_by()
        .values("day", "visitor")
        .annotate(views=Count("pk", filter=Q(name__type=EventType.PAGEVIEW)))
        .aggregate(visitors=Count("*"), pageviews=Sum("views", default=0))
    )
    return Presence(**counts)
