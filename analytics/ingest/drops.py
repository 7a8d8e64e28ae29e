"""How many events each drop rule dropped, by site and day.

Also how many events were stored with a name or label replaced by `(other)`, which
`events` counts.

The counts are written in the transaction of the events, so that they hold over all
processes and restarts.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Annotated, NamedTuple

import msgspec
from django.db import connection
from django.db.models import Sum
from msgspec import Meta

from analytics import events
from analytics.ingest.pipeline import RULES, Dropped
from analytics.models import DropCount, DroppedHost
from analytics.questions.period_query import DaysAnswer
from analytics.questions.periods import Days

# Of a site and day, and in an answer.
MAX_HOSTS = 20
_HOSTS_KEPT = timedelta(days=35)
# Events with an unknown site key are counted under this id.
_RULES_OF_SITES = [rule for rule in RULES if rule != "unknown_site"]


def count(dropped: Iterable[Dropped]) -> None:
    """Raise the counts, with one statement for each count that changes."""
    dropped = list(dropped)
    added = Counter((drop.site_id, drop.day, drop.rule) for drop in dropped)
    # Sorted, so that two batches cannot wait for each other.
    for key in sorted(added):
        with connection.cursor() as cursor:
            cursor.execute(_RAISE, [*key, added[key]])
    _count_hosts(Counter(_Host(d.site_id, d.day, d.host) for d in dropped if d.host))


class _Host(NamedTuple):
    site_id: int
    day: date
    host: str


def _count_hosts(added: Counter[_Host]) -> None:
    """Count dropped events by host, at most MAX_HOSTS hosts per day and per call.

    The limits are needed because anyone can send any text as a host.
    """
    often = sorted(key for key, _ in added.most_common(MAX_HOSTS))
    # Deleted here and not by housekeeping, whose statement would cover all sites.
    for site_id, day in sorted({(key.site_id, key.day) for key in often}):
        old = DroppedHost.objects.filter(site_id=site_id, day__lt=day - _HOSTS_KEPT)
        old.delete()
    for key in often:
        with connection.cursor() as cursor:
            of_day = (key.site_id, key.day)
            cursor.execute(_RAISE_HOST, (*key, added[key], *key, *of_day, MAX_HOSTS))


_HOSTS = DroppedHost._meta.db_table
_RAISE_HOST = f"""
    INSERT INTO {_HOSTS} AS kept (site_id, day, host, count)
    SELECT %s, %s, %s, %s
    WHERE EXISTS (
        SELECT 1 FROM {_HOSTS} WHERE site_id = %s AND day = %s AND host = %s
    ) OR (SELECT COUNT(*) FROM {_HOSTS} WHERE site_id = %s AND day = %s) < %s
    ON CONFLICT (site_id, day, host)
    DO UPDATE SET count = kept.count + excluded.count
"""  # noqa: S608 - constants


_RAISE = (
    f"INSERT INTO {DropCount._meta.db_table} AS kept (site_id, day, rule, count)"  # noqa: S608 - a constant
    " VALUES (%s, %s, %s, %s) ON CONFLICT (site_id, day, rule)"
    " DO UPDATE SET count = kept.count + excluded.count"
)


class Drop(msgspec.Struct):
    rule: str
    count: int


class Host(msgspec.Struct):
    host: Annotated[str, Meta(description="Host of the page that sent the event.")]
    count: int


class Folded(msgspec.Struct):
    kind: Annotated[str, Meta(extra_json_schema={"enum": events.GROWTH_KINDS})]
    count: int


class Drops(msgspec.Struct):
    period: DaysAnswer
    drops: list[Drop]
    foreign_hosts: Annotated[
        list[Host],
        Meta(description="The hosts whose events `foreign_host` dropped most often."),
    ]
    folded: Annotated[
        list[Folded],
        Meta(
            description="Number of events stored with `(other)` in"
            " place of a value, by kind of value."
        ),
    ]


def drops(site_id: int, days: Days) -> Drops:
    """Return how many events each rule dropped on those days, in rule order."""
    found = DropCount.objects.filter(site_id=site_id, day__range=days)
    counts = dict(found.values_list("rule").annotate(Sum("count")))
    return Drops(
        DaysAnswer(*days),
        [Drop(rule, counts.get(rule, 0)) for rule in _RULES_OF_SITES],
        _foreign_hosts(site_id, days),
        [Folded(*each) for each in events.folded(site_id, days).items()],
    )


def _foreign_hosts(site_id: int, days: Days) -> list[Host]:
    found = DroppedHost.objects.filter(site_id=site_id, day__range=days)
    rows = found.values_list("host").annotate(total=Sum("count"))
    return [Host(*row) for row in rows.order_by("-total", "host")[:MAX_HOSTS]]
