"""The number of rows of a site, and the size of tables in bytes.

Small numbers are counted, large ones estimated from a few days, because counting all
events of a large site reads its whole index.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from itertools import chain
from typing import NamedTuple

from django.db import connection, models
from django.db.models import Max, Min

from analytics.models import Event, Fact
from analytics.questions.periods import Days

# Up to this many rows are counted exactly, in about 20 ms.
COUNTED = 200_000
# Number of days counted for larger sites, spread evenly over their time.
_SAMPLED_DAYS = 40
# Number of sampled pages of a table or an index of SQLite.
_SAMPLED_PAGES = 256


class Number(NamedTuple):
    value: int
    is_exact: bool = True


class Bytes(NamedTuple):
    """The bytes of a table's rows, and of its indexes with the primary key."""

    rows: int
    indexes: int


def number(rows: type[models.Model], site_id: int) -> Number:
    """The number of rows of a site in a table."""
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
    """The counted number of events on those days."""
    return Event.objects.filter(site_id=site_id, day__within=days).count()


def bytes_of(tables: Sequence[str], rows: int) -> Bytes:
    """The bytes of tables that have this number of rows together.

    On PostgreSQL the size of the files; on SQLite from a sample of the pages, 0 if it
    was built without `dbstat`.
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
    # For a partitioned table, the sum of its partitions.
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
    """The whole database with the configuration, without SQLite's free pages."""
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
