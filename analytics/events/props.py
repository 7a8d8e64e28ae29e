"""The property of an event that has a given key, the same on every database."""

from typing import Any

import msgspec
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Func, TextField, Value
from django.db.models.sql.compiler import SQLCompiler

from analytics.events.statements import Expressed

# Above it a double cannot represent every whole number.
_LARGEST_WHOLE = 2**53

# Larger numbers become the largest double: PostgreSQL would raise an error.
_NUMBER_ON_POSTGRESQL = """LEAST(
    GREATEST(prop::numeric, -1.7976931348623157e308), 1.7976931348623157e308
)::float8::text"""
_NUMBER_ON_SQLITE = """MIN(
    MAX(CAST(value AS REAL), -1.7976931348623157e308), 1.7976931348623157e308
)"""
_VALUE_ON_POSTGRESQL = f"""
    CASE JSONB_TYPEOF(prop)
        WHEN 'null' THEN NULL
        WHEN 'number' THEN {_NUMBER_ON_POSTGRESQL}
        ELSE prop::text
    END
"""
_VALUE_ON_SQLITE = f"""
    CASE type
        WHEN 'null' THEN NULL
        WHEN 'text' THEN JSON_QUOTE(value)
        WHEN 'true' THEN type
        WHEN 'false' THEN type
        ELSE {_NUMBER_ON_SQLITE}
    END
"""
_ON_POSTGRESQL = f"""(
    SELECT {_VALUE_ON_POSTGRESQL} FROM (SELECT %(expressions)s::text AS prop) AS found
)"""  # noqa: S608 - constants
_ON_SQLITE = f"(SELECT {_VALUE_ON_SQLITE} FROM JSON_EACH(%(expressions)s))"  # noqa: S608 - constants

# The shortest unambiguous form of a number, which PostgreSQL produces by default.
# Percent signs are interpreted twice: by Django's template and by its cursor.
_SPELLED_ON_POSTGRESQL = f"""(
    SELECT CASE JSONB_TYPEOF(prop)
        WHEN 'null' THEN NULL
        WHEN 'number' THEN {_NUMBER_ON_POSTGRESQL}
        ELSE prop #>> ARRAY[]::text[]
    END FROM (SELECT %(expressions)s::text AS prop) AS found
)"""  # noqa: S608 - constants
_SPELLED_ON_SQLITE = f"""(
    SELECT CASE
        WHEN kind = 'null' THEN NULL
        WHEN kind = 'text' THEN value
        WHEN kind IN ('true', 'false') THEN kind
        WHEN value = CAST(value AS INTEGER) AND ABS(value) < 1e15
            THEN CAST(CAST(value AS INTEGER) AS TEXT)
        WHEN CAST(PRINTF('%%%%!.15g', value) AS REAL) = value
            THEN PRINTF('%%%%!.15g', value)
        ELSE PRINTF('%%%%!.17g', value)
    END FROM (
        SELECT type AS kind,
            CASE WHEN type IN ('integer', 'real') THEN {_NUMBER_ON_SQLITE}
                ELSE value END AS value
        FROM JSON_EACH(%(expressions)s)
    )
)"""  # noqa: S608 - constants

# The key, kind and value of each property of the rows `picked`.
EACH_ON_POSTGRESQL = f"""
    SELECT key, JSONB_TYPEOF(prop) AS kind,
        {_VALUE_ON_POSTGRESQL} AS raw
    FROM picked CROSS JOIN LATERAL JSONB_EACH(props) AS pairs (key, prop)
"""  # noqa: S608 - constants
EACH_ON_SQLITE = f"""
    SELECT key, type AS kind, {_VALUE_ON_SQLITE} AS raw
    FROM picked, JSON_EACH(picked.props)
"""  # noqa: S608 - constants
# The names of JSON types in both databases.
KINDS = {
    "string": ("string", "text"),
    "number": ("number", "integer", "real"),
    "boolean": ("boolean", "true", "false"),
    "null": ("null",),
}


class Prop(Func):
    """A property: its JSON text, or a number; NULL if it is null or missing.

    Numbers are doubles, as in the JavaScript that sends them: 1 is 1.0. The key is a
    parameter of the statement and not a path: dots, quotes and dollars are literal.
    """

    output_field = TextField()

    def __init__(self, key: str) -> None:
        super().__init__("props", Value(key))

    def as_postgresql(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper
    ) -> Expressed:
        return self.as_sql(
            compiler, connection, template=_ON_POSTGRESQL, arg_joiner=" -> "
        )

    def as_sqlite(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any
    ) -> Expressed:
        return self.as_sql(
            compiler,
            connection,
            **{"template": _ON_SQLITE, "arg_joiner": ") WHERE (key = ", **context},
        )


class SpelledProp(Prop):
    """A property as a filter writes it: the number 3 and the text "3" are equal.

    NULL if it is null or missing.
    """

    def as_postgresql(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper
    ) -> Expressed:
        return self.as_sql(
            compiler, connection, template=_SPELLED_ON_POSTGRESQL, arg_joiner=" -> "
        )

    def as_sqlite(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any
    ) -> Expressed:
        return super().as_sqlite(
            compiler, connection, template=_SPELLED_ON_SQLITE, **context
        )


def prop(column: str) -> str:
    """The same of a column with properties, as SQL with the key as a parameter."""
    if connection.vendor == "postgresql":
        return _ON_POSTGRESQL % {"expressions": f"{column} -> %s"}
    return _ON_SQLITE % {"expressions": f"{column}) WHERE (key = %s"}


def decode(raw: str | float | None) -> str | int | float | bool | None:
    """The value of a Prop in a database's result."""
    if isinstance(raw, str) and raw[0] in '"tf':
        value: str | bool = msgspec.json.decode(raw)
        return value
    if raw is None:
        return None
    number = float(raw)
    is_whole = number.is_integer() and abs(number) <= _LARGEST_WHOLE
    return int(number) if is_whole else number
