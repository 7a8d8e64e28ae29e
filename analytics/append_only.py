"""Triggers that keep the rows of a table from being changed, and young ones deleted.

Django's own protections end at its queries. These hold for every client of the
database that may not change the table itself.
"""

from typing import Any

from django.db.migrations import RunPython

_MESSAGE = "the rows of this table are kept as they are"


def append_only(table: str, *, days: int) -> RunPython:
    """An operation of a migration: rows are kept for so many days after `at`.

    TRUNCATE and DROP are not refused: they need the rights of the table's owner.
    """

    def apply(apps: Any, schema_editor: Any) -> None:
        protect(schema_editor.connection, table, days)

    def reverse(apps: Any, schema_editor: Any) -> None:
        unprotect(schema_editor.connection, table)

    return RunPython(apply, reverse)


def protect(connection: Any, table: str, days: int) -> None:
    is_postgresql = connection.vendor == "postgresql"
    statements = _postgresql(table, days) if is_postgresql else _sqlite(table, days)
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def unprotect(connection: Any, table: str) -> None:
    is_postgresql = connection.vendor == "postgresql"
    of_table = f' ON "{table}"' if is_postgresql else ""
    with connection.cursor() as cursor:
        for deed in ("update", "delete"):
            cursor.execute(f'DROP TRIGGER "{table}_no_{deed}"{of_table}')
        if is_postgresql:
            cursor.execute(f'DROP FUNCTION "{table}_refuse"()')


def _postgresql(table: str, days: int) -> list[str]:
    return [
        f"""
        CREATE FUNCTION "{table}_refuse"() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION '{_MESSAGE}'
                USING ERRCODE = 'integrity_constraint_violation';
        END $$
        """,
        f"""
        CREATE TRIGGER "{table}_no_update" BEFORE UPDATE ON "{table}"
        FOR EACH ROW EXECUTE FUNCTION "{table}_refuse"()
        """,
        f"""
        CREATE TRIGGER "{table}_no_delete" BEFORE DELETE ON "{table}"
        FOR EACH ROW WHEN (OLD.at > now() - interval '{days} days')
        EXECUTE FUNCTION "{table}_refuse"()
        """,
    ]


def _sqlite(table: str, days: int) -> list[str]:
    return [
        f"""
        CREATE TRIGGER "{table}_no_update" BEFORE UPDATE ON "{table}"
        BEGIN SELECT RAISE(ABORT, '{_MESSAGE}'); END
        """,
        f"""
        CREATE TRIGGER "{table}_no_delete" BEFORE DELETE ON "{table}"
        WHEN OLD.at > datetime('now', '-{days} days')
        BEGIN SELECT RAISE(ABORT, '{_MESSAGE}'); END
        """,
    ]
