"""SQL around a queryset, for what Django cannot say: groups of groups.

What is selected stays with the Scope; only the arithmetic after it is SQL.
"""

from collections.abc import Sequence
from typing import Any

from django.db import connection
from django.db.models import QuerySet


def around(
    selected: QuerySet[Any, Any],
    columns: Sequence[str],
    sql: str,
    params: Sequence[Any] = (),
) -> list[tuple[Any, ...]]:
    """Rows of `sql`, a statement over `selected` and its columns by these names."""
    inner, inner_params = selected.query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH selected ({', '.join(columns)}) AS ({inner}) {sql}",
            [*inner_params, *params],
        )
        return list(cursor.fetchall())
