"""How many events each drop rule kept out: what an owner who misses some asks.

Counted in the transaction of the events, so that the numbers hold over all
processes and outlive them.
"""

from collections import Counter
from collections.abc import Iterable

import msgspec
from django.db import connection
from django.db.models import Sum

from analytics.ingest.pipeline import DROP_RULES, Dropped
from analytics.models import DropCount
from analytics.questions.period_query import DaysAnswer
from analytics.questions.periods import Days

# No site has events with a key that no site has.
_RULES_OF_SITES = [rule for rule, _ in DROP_RULES if rule != "unknown_site"]


def count(dropped: Iterable[Dropped]) -> None:
    """Raise the counts: one statement for each that changes, none for no drop."""
    added = Counter(dropped)
    # Sorted, so that two batches cannot wait for each other.
    for drop in sorted(added):
        with connection.cursor() as cursor:
            cursor.execute(_RAISE, [*drop, added[drop]])


_RAISE = (
    f"INSERT INTO {DropCount._meta.db_table} AS kept (site_id, day, rule, count)"  # noqa: S608 - a constant
    " VALUES (%s, %s, %s, %s) ON CONFLICT (site_id, day, rule)"
    " DO UPDATE SET count = kept.count + excluded.count"
)


class Drop(msgspec.Struct):
    rule: str
    count: int


class Drops(msgspec.Struct):
    period: DaysAnswer
    drops: list[Drop]


def drops(site_id: int, days: Days) -> Drops:
    """What each rule dropped on those days, in the order of the rules."""
    found = DropCount.objects.filter(site_id=site_id, day__range=days)
    counts = dict(found.values_list("rule").annotate(Sum("count")))
    return Drops(
        DaysAnswer(*days),
        [Drop(rule, counts.get(rule, 0)) for rule in _RULES_OF_SITES],
    )
