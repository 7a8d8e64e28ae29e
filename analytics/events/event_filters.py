"""Filters by the event's own path, name and properties.

As SQL conditions over facts with the alias `made`.
"""

import re
from collections.abc import Iterable
from typing import Any

from django.db import connection
from django.db.models import Q
from django.db.models.functions import Left

from analytics.models import EventName, EventType
from analytics.questions.labels import ENTRY_PATH, PROPS, Where

Compiled = tuple[str, list[Any]]

_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)


def columns(wheres: Iterable[Where]) -> set[str]:
    """The columns of a fact that the conditions use."""
    looked_at = {"path": {"name_id", "page_id"}, "name": {"name_id"}}
    found: set[str] = set()
    for where in wheres:
        found |= looked_at.get(where.label, {"props"})
    return found


def condition(site_id: int, where: Where) -> Compiled:
    """Whether a fact passes a filter by its name, path, entry path or property."""
    if where.label == "name":
        sql, params = _is_named("made.name_id", site_id, where)
    elif where.label == ENTRY_PATH:
        sql, params = _has_entry(site_id, where)
    elif where.label == "path":
        sql, params = _has_path(site_id, where)
    else:
        sql, params = _has_prop(where)
    # A comparison with NULL is NULL, and so is its negation.
    wanted = 0 if where.negated else 1
    return f"CASE WHEN {sql} THEN 1 ELSE 0 END = {wanted}", params


def _is_named(column: str, site_id: int, where: Where, **of: str) -> Compiled:
    """A column has one of the names, of all types or of the types `of`."""
    names = EventName.objects.filter(site_id=site_id, **of).order_by()
    wanted = Q(name__in=[value for value in where.values if value])
    for number, prefix in enumerate(where.prefixes):
        # Not LIKE, which SQLite compares without case.
        head = f"head_{number}"
        names = names.alias(**{head: Left("name", max(len(prefix), 1))})
        wanted |= Q(**{head: prefix}) if prefix else ~Q(name="")
    sql, params = names.filter(wanted).values("pk").query.sql_with_params()
    return f"{column} IN ({sql})", list(params)


def _has_entry(site_id: int, where: Where) -> Compiled:
    parts, params = ["1 = 0"], list[Any]()
    if any(where.values) or where.prefixes:
        sql, params = _is_named("made.entry_path", site_id, where)
        parts.append(sql)
    if "" in where.values:
        parts.append("made.entry_path = 0")
    return " OR ".join(parts), params


def _has_path(site_id: int, where: Where) -> Compiled:
    """Compares the name of a page view, or the page (also a name) of other events."""
    view = {"type": EventType.PAGEVIEW.value}
    parts, params = ["1 = 0"], list[Any]()
    if any(where.values) or where.prefixes:
        for column in ("made.page_id", "made.name_id"):
            sql, more = _is_named(column, site_id, where, **view)
            parts.append(sql)
            params += more
    if "" in where.values:
        anything = Where("path", (), prefixes=("",))
        sql, more = _is_named("made.name_id", site_id, anything, **view)
        parts.append(f"made.page_id IS NULL AND NOT {sql}")
        params += more
    return " OR ".join(f"({part})" for part in parts), params


def _has_prop(where: Where) -> Compiled:
    """A property equals one of the texts, or a number or boolean in that notation."""
    key = where.label.removeprefix(PROPS)
    is_postgresql = connection.vendor == "postgresql"
    text, number = ("text", "number") if is_postgresql else ("value", "value")
    parts, params = ["1 = 0"], list[Any]()
    for value in where.values:
        if value:
            parts.append(f"(is_text AND {text} = %s)")
            params.append(value)
        if _NUMBER.fullmatch(value):
            parts.append(f"(is_number AND {number} = %s)")
            params.append(float(value))
    for prefix in where.prefixes:
        if prefix:
            parts.append(f"(is_text AND SUBSTR({text}, 1, %s) = %s)")
            params += [len(prefix), prefix]
        else:
            parts.append("(is_text OR is_number)")
    passes = " OR ".join(parts)
    unknown = 1 if "" in where.values else 0
    if is_postgresql:
        kind = "COALESCE(JSONB_TYPEOF(made.props -> %s), 'null')"
        sql = f"""(
            SELECT CASE WHEN kind = 'null' THEN {unknown}
                WHEN {passes} THEN 1 ELSE 0 END
            FROM (
                SELECT kind, kind IN ('string', 'boolean') AS is_text, text,
                    kind = 'number' AS is_number,
                    CASE WHEN kind = 'number' THEN LEAST(GREATEST(text::numeric,
                        -1.7976931348623157e308), 1.7976931348623157e308)::float8
                    END AS number
                FROM (SELECT {kind} AS kind, made.props ->> %s AS text) AS told
            ) AS found
        ) = 1"""  # noqa: S608 - constants
        return sql, [*params, key, key]
    sql = f"""COALESCE((
        SELECT CASE WHEN is_null THEN {unknown} WHEN {passes} THEN 1 ELSE 0 END
        FROM (
            SELECT type = 'null' AS is_null,
                type IN ('text', 'true', 'false') AS is_text,
                type IN ('integer', 'real') AS is_number,
                CASE WHEN type IN ('true', 'false') THEN type ELSE value END AS value
            FROM JSON_EACH(made.props) WHERE key = %s
        )
    ), {unknown}) = 1"""  # noqa: S608 - constants
    return sql, [*params, key]
