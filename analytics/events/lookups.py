"""Lookups of Django's queries by many ids, and by the days of a period."""

from collections.abc import Collection
from typing import Any

import msgspec
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import DateField, F, Lookup
from django.db.models.sql.compiler import SQLCompiler

from analytics.questions.periods import Days, each_day

# As many ids as PostgreSQL may look up one by one.
_FEW = 1_000


class OneOf(Lookup):
    """`filter(OneOf(column, ids))` with one parameter, however many ids.

    SQLite allows 32,766 parameters a statement; a site may have more names. Of a
    lookup by keyword, Django would inspect each id four times.
    """

    prepare_rhs = False

    def __init__(self, column: str, ids: Collection[int]) -> None:
        super().__init__(F(column), ids)

    def get_prep_lookup(self) -> Collection[int]:
        return self.rhs if isinstance(self.rhs, Collection) else list(self.rhs)

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> Any:
        column, params = self.process_lhs(compiler, connection)
        sql, ids = one_of(column, self.rhs)
        return f"({sql})", [*params, ids]


def one_of(column: str, ids: Collection[int]) -> tuple[str, str]:
    """SQL for: `column` is one of the ids; and its one parameter.

    A text, because psycopg takes a microsecond for each number of a list.
    """
    text = ",".join(map(str, ids))
    if connection.vendor == "sqlite":
        sql = f"{column} IN (SELECT value FROM JSON_EACH(%s))"  # noqa: S608 - a column
        return sql, f"[{text}]"
    # PostgreSQL hashes the list only if it has the column's type. Otherwise it compares
    # each event with up to all ids.
    sql = f"{column} = ANY(%s::bigint[])"
    if len(ids) > _FEW:
        # Looked up in a hash, without PostgreSQL estimating each of them first,
        # which took half a second for 200,000, or searching an index for each.
        sql = f"CASE WHEN {sql} THEN 1 ELSE 0 END = 1"
    return sql, f"{{{text}}}"


def found_by(column: str, select: str) -> str:
    """SQL for: `column` is one of the few results of `select`, which runs once.

    Without statistics on a table, PostgreSQL would run it for each row.
    """
    if connection.vendor == "sqlite":
        return f"{column} IN ({select})"
    return f"{column} = ANY(ARRAY({select}))"


def one_of_texts(column: str, texts: Collection[str]) -> tuple[str, Any]:
    """SQL for: `column` is one of a few texts; and its one parameter."""
    if connection.vendor == "sqlite":
        sql = f"{column} IN (SELECT value FROM JSON_EACH(%s))"  # noqa: S608 - a column
        return sql, msgspec.json.encode(list(texts)).decode()
    return f"{column} = ANY(%s::text[])", list(texts)


def within(column: str, days: Days) -> tuple[str, list[Any]]:
    """SQL for: `column` is one of the days, including the first and the last.

    A list for PostgreSQL, so that it looks up the names of each day in the covering
    index. Before version 18 it cannot skip in an index: for a range it would read all
    names of all days, or the whole table.
    """
    if connection.vendor == "postgresql":
        return f"{column} = ANY(%s)", [list(each_day(days))]
    return f"{column} BETWEEN %s AND %s", [day.isoformat() for day in days]


@DateField.register_lookup
class Within(Lookup):
    """`column__within=Days`."""

    lookup_name = "within"
    prepare_rhs = False

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> Any:
        column, params = self.process_lhs(compiler, connection)
        sql, days = within(column, self.rhs)
        return sql, [*params, *days]
