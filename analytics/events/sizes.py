"""How many rows a site has, and how many bytes the tables take.

Small numbers are counted, large ones estimated from a few days: a count of all events
of a large site reads its whole index.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from itertools import chain
from typing import NamedTuple

from django.db import connection, models
from django.db.models import Max, Min

from analytics.models import Event, Fact
from analytics.questions.periods import Days

# Up to so many rows are counted one by one: some 20 ms.
COUNTED = 200_000
# Days that are counted of a site with more events, spread evenly over its time.
_SAMPLED_DAYS = 40
# Pages of a table or an index of SQLite that are looked at.
_SAMPLED_PAGES = 256


class Number(NamedTuple):
    value: int
    is_exact: bool = True


class Bytes(NamedTuple):
    """Of a table: its rows, and its indexes with their key."""

    rows: int
    indexes: int


def number(rows: type[models.Model], site_id: int) -> Number:
    """How many rows of one table a site has."""
    found = rows._default_manager.filter(site_id=site_id).order_by()
    if not issubclass(rows, Fact):
        return Number(found.count())
    counted = found.values("pk")[: COUNTED + 1].count()
    if counted <= COUNTED:
        return Number(counted)
    ends = found.aggregate(first=Min("day"), last=Max("day"))
    days = Days(ends["first"], ends["last"])
    sample = _spread(days)
    return Number(
        found.filter(day__in=sample).count() * days.length // len(sample),
        is_exact=len(sample) == days.length,
    )


def _spread(days: Days) -> list[date]:
    """Days in the middle of equal parts of a period."""
    parts = min(days.length, _SAMPLED_DAYS)
    return [
        days.first + timedelta(days=(2 * part + 1) * days.length // (2 * parts))
        for part in range(parts)
    ]


def number_between(site_id: int, days: Days) -> int:
    """How many events happened on those days: counted."""
    return Event.objects.filter(site_id=site_id, day__within=days).count()


def bytes_of(tables: Sequence[str], rows: int) -> Bytes:
    """What tables that have so many rows together take.

    As the file system has it on PostgreSQL; on SQLite from a sample of the pages,
    and 0 where it was built without `dbstat`.
    """
    if connection.vendor == "sqlite" and not _has_dbstat():
        return Bytes(0, 0)
    sizes = [
        _on_postgresql(table)
        if connection.vendor == "postgresql"
        else _on_sqlite(table, rows)
        for table in tables
    ]
    return Bytes(sum(size.rows for size in sizes), sum(size.indexes for size in sizes))


def _on_postgresql(table: str) -> Bytes:
    # Of a table that is partitioned its parts, which hold everything.
    sql = (
        "SELECT SUM(pg_table_size(each))::bigint, SUM(pg_indexes_size(each))::bigint"
        " FROM (SELECT %s::regclass AS each UNION"
        " SELECT relid FROM pg_partition_tree(%s::regclass)) AS parts"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, [table, table])
        return Bytes(*cursor.fetchone())


def _has_dbstat() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT sqlite_compileoption_used('ENABLE_DBSTAT_VTAB')")
        return bool(cursor.fetchone()[0])


def _on_sqlite(table: str, rows: int) -> Bytes:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'index' AND tbl_name = %s",
            [table],
        )
        names = list(chain.from_iterable(cursor.fetchall()))

        def size(name: str) -> int:
            cursor.execute(
                "SELECT COUNT(*), TOTAL(pgsize), TOTAL(ncell) FROM (SELECT pgsize,"
                " ncell FROM dbstat WHERE name = %s AND pagetype = 'leaf' LIMIT %s)",
                [name, _SAMPLED_PAGES],
            )
            pages, taken, cells = cursor.fetchone()
            is_whole = pages < _SAMPLED_PAGES
            return int(taken if is_whole else taken * max(rows / cells, 1))

        return Bytes(size(table), sum(map(size, names)))


def database_bytes() -> int:
    """The whole database, configuration too; without what SQLite's file has free."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT pg_database_size(current_database())")
            return int(cursor.fetchone()[0])
        values = []
        for name in ("page_count", "freelist_count", "page_size"):
            cursor.execute(f"PRAGMA {name}")
            values.append(int(cursor.fetchone()[0]))
        pages, free, size = values
        return (pages - free) * size
