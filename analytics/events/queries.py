"""What Django's queries leave out: statements around them, read in parts."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.db import connection
from django.db.models import QuerySet

_CHUNK = 2_000


def compiled(found: QuerySet[Any, Any]) -> tuple[str, tuple[Any, ...]]:
    return found.query.sql_with_params()


def around(
    selected: QuerySet[Any, Any],
    columns: Sequence[str],
    sql: str,
    params: Sequence[Any] = (),
) -> list[tuple[Any, ...]]:
    """Rows of `sql`, a statement over `selected` and its columns by these names.

    For few rows: PostgreSQL plans what is streamed for a quick first row.
    """
    inner, inner_params = compiled(selected)
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH selected ({', '.join(columns)}) AS ({inner}) {sql}",
            [*inner_params, *params],
        )
        return list(cursor.fetchall())


def stream(sql: str, params: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
    """Rows as they come: never all of them in memory at once."""
    with connection.chunked_cursor() as cursor:
        cursor.execute(sql, params)
        while rows := cursor.fetchmany(_CHUNK):
            yield from rows
