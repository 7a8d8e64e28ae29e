"""Changing primary keys on PostgreSQL to keys that begin with the site.

Django's primary key stays `id`, and so does SQLite's. Only a PostgreSQL that is
distributed by site needs the site in every unique key. A key is changed while the
service runs: its index is built without a lock that blocks others, and replaces the
old key in a transaction of milliseconds.
"""

import time
from collections.abc import Sequence
from typing import Any

from django.db import OperationalError, transaction
from django.db.migrations import RunPython

# How long an attempt to replace the key waits for others that use the table. Whoever
# comes after it waits as long. A question may use the table for 25 seconds.
LOCK_SECONDS = 0.2
# With a pause after each attempt: ten minutes.
ATTEMPTS = 600
PAUSE_SECONDS = 1.0
_LOCK_NOT_AVAILABLE = "55P03"


def primary_key(table: str, columns: Sequence[str]) -> RunPython:
    """An operation of a migration; it can be reversed, and repeated.

    A migration that is not atomic changes the key while the table is used. In an
    atomic one the table must be new: the key is changed at once, under a lock.
    """

    def apply(apps: Any, schema_editor: Any) -> None:
        change(schema_editor.connection, table, columns)

    def reverse(apps: Any, schema_editor: Any) -> None:
        change(schema_editor.connection, table, ["id"])

    return RunPython(apply, reverse)


def change(connection: Any, table: str, columns: Sequence[str]) -> None:
    """Make the columns the table's primary key. SQLite's key stays as it is.

    Raises OperationalError when the table is never free for LOCK_SECONDS.
    """
    if connection.vendor != "postgresql" or current(connection, table) == [*columns]:
        return
    if connection.in_atomic_block:
        _replace(connection, table, f"PRIMARY KEY ({_listed(columns)})")
        return
    index = _build(connection, table, columns)
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with transaction.atomic(connection.alias):
                _limit_waiting(connection)
                _replace(connection, table, f'PRIMARY KEY USING INDEX "{index}"')
            return
        except OperationalError as error:
            is_busy = getattr(error.__cause__, "sqlstate", "") == _LOCK_NOT_AVAILABLE
            if not is_busy or attempt == ATTEMPTS:
                raise
        time.sleep(PAUSE_SECONDS)


def _build(connection: Any, table: str, columns: Sequence[str]) -> str:
    """Make the unique index, while others read and write; its name."""
    index = f"{table}_{'_'.join(columns)}_key"
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)",
            [index],
        )
        # Left by an earlier run: complete, or interrupted and unusable.
        if (left := cursor.fetchone()) == (True,):
            return index
        if left:
            cursor.execute(f'DROP INDEX CONCURRENTLY "{index}"')
        cursor.execute(
            f'CREATE UNIQUE INDEX CONCURRENTLY "{index}" ON "{table}"'
            f" ({_listed(columns)})"
        )
    return index


def _limit_waiting(connection: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL lock_timeout = '{round(LOCK_SECONDS * 1000)}ms'")


def _replace(connection: Any, table: str, key: str) -> None:
    """Put another primary key in place of the table's, whose index is dropped.

    None of the columns can be null, so an index takes its place without a look at
    the rows. No constraint refers to the old key, and no query needs its index.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            f'ALTER TABLE "{table}" DROP CONSTRAINT "{table}_pkey",'
            f' ADD CONSTRAINT "{table}_pkey" {key}'
        )


def _listed(columns: Sequence[str]) -> str:
    return ", ".join(f'"{column}"' for column in columns)


def current(connection: Any, table: str) -> list[str]:
    """The columns of the table's primary key on PostgreSQL, in its order."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT attname FROM pg_constraint
            CROSS JOIN UNNEST(conkey) WITH ORDINALITY AS key (number, place)
            JOIN pg_attribute ON attrelid = conrelid AND attnum = key.number
            WHERE conrelid = %s::regclass AND contype = 'p' ORDER BY place
            """,
            [table],
        )
        return [name for (name,) in cursor.fetchall()]
