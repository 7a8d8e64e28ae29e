"""What came on a day that is not closed, from one event on.

Ids of a site become visible in ascending order (see `writing.append`): whoever
has seen one has seen all before it, and can go on from there.
"""

from collections.abc import Collection, Iterator
from contextlib import nullcontext
from datetime import date
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import Min

from analytics.events.selection import one_of
from analytics.events.statements import as_day, stream
from analytics.models import Event

# More ids than this may be more events than should be held at once.
_FEW = 10_000


class Came(NamedTuple):
    """`amount` in ten-thousandths."""

    id: int
    day: date
    name_id: int
    visitor: int
    amount: int | None
    currency: str | None


def came(
    site_id: int,
    days: Collection[date],
    *,
    after: int,
    up_to: int,
    name_ids: Collection[int] | None = None,
) -> Iterator[Came]:
    """The events of some days with an id in that range, in the order of their ids.

    `after` out, `up_to` in; `name_ids` None: of all names.
    """
    table = Event._meta.db_table
    if connection.vendor == "sqlite":
        # SQLite's key is the id alone. Left to itself it would go through all
        # of the days in an index that is in another order.
        table += " NOT INDEXED"
        if not after:
            found = Event.objects.filter(site_id=site_id, day__in=days)
            after = (found.aggregate(first=Min("pk"))["first"] or 1) - 1
    sql = (
        f"SELECT id, day, name_id, visitor, amount, currency FROM {table}"  # noqa: S608 - a constant
        f" WHERE site_id = %s AND day IN ({', '.join(['%s'] * len(days))})"
        " AND id > %s AND id <= %s"
    )
    params: list[Any] = [site_id, *(day.isoformat() for day in days), after, up_to]
    if name_ids is not None:
        named, ids = one_of("name_id", name_ids)
        sql += f" AND {named}"
        params.append(ids)
    sql += " ORDER BY id"
    with connection.cursor() if up_to - after <= _FEW else nullcontext() as cursor:
        if cursor is None:
            rows = stream(sql, params)
        else:
            cursor.execute(sql, params)
            rows = iter(cursor.fetchall())
        for id, day, *row in rows:
            yield Came(id, as_day(day), *row)
