"""Events of open days, from a given id on.

Ids of a site become visible in ascending order (see `writing.append`): a reader that
has seen an id has seen all lower ones, and can continue from there.
"""

from collections.abc import Collection, Iterator
from datetime import date
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import Min

from analytics.events.by_question import Wanted, pair_table, pairs
from analytics.events.counts import HALF
from analytics.events.lookups import one_of
from analytics.events.statements import as_day, chunked_cursor, chunks
from analytics.models import Event

# A larger range of ids may contain too many events to hold in memory.
_FEW = 10_000
# With more names than this, all events are read and filtered here.
_MAX_NAMES = 10_000


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
        # Makes SQLite use its primary key, the id. It would otherwise scan all events
        # of the days in another index.
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
    is_small = up_to - after <= _FEW
    with connection.cursor() if is_small else chunked_cursor() as cursor:
        cursor.execute(sql, params)
        for id, day, *row in cursor.fetchall() if is_small else chunks(cursor):
            yield Came(id, as_day(day), *row)


class Converted(NamedTuple):
    """The counts of a question for a visitor, or its amounts in a currency.

    `visitor` None: `amount` is the sum in ten-thousandths of `times` amounts.
    """

    question: int
    visitor: int | None
    times: int
    currency: str | None
    amount: int


def converted(
    site_id: int, day: date, wanted: Wanted, *, up_to: int
) -> Iterator[Converted]:
    """The counts of each question on a day, up to the event with the id `up_to`.

    Aggregated by the database, for a reader without earlier counts of the day: there
    are fewer visitors than events.
    """
    names = {name for ids in wanted.values() for name in ids}
    condition, ids = "", list[str]()
    if len(names) <= _MAX_NAMES:
        named, some = one_of("name_id", names)
        condition, ids = f"AND {named}", [some]
    sql = f"""
        WITH selected AS (
            SELECT name_id, visitor, amount, currency FROM {Event._meta.db_table}
            WHERE site_id = %s AND day = %s AND id <= %s {condition}
        ), pairs AS (SELECT question, wanted FROM {pair_table()})
        SELECT question, visitor, COUNT(*), NULL, 0, 0
        FROM selected JOIN pairs ON wanted = name_id GROUP BY question, visitor
        UNION ALL
        SELECT question, NULL, COUNT(*), currency,
            SUM(amount / {HALF}), SUM(amount %% {HALF})
        FROM selected JOIN pairs ON wanted = name_id
        WHERE amount IS NOT NULL GROUP BY question, currency
    """  # noqa: S608 - constants
    params: list[Any] = [site_id, day.isoformat(), up_to, *ids, *pairs(wanted)]
    with chunked_cursor() as cursor:
        cursor.execute(sql, params)
        for question, visitor, times, currency, high, low in chunks(cursor):
            amount = int(high) * HALF + int(low)
            yield Converted(question, visitor, int(times), currency, amount)
