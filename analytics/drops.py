"""How many events each drop rule kept out.

Counted in the transaction of the events, so that the numbers hold over all
processes and outlive them.
"""

from collections import Counter
from collections.abc import Iterable

from django.db import connection

from analytics.ingest import Dropped
from analytics.models import DropCount


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
