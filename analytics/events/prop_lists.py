"""The properties of the newest events: keys with their types and values."""

from typing import Any, NamedTuple

from django.db import connection

from analytics.events.props import EACH_ON_POSTGRESQL, EACH_ON_SQLITE, KINDS, decode
from analytics.models import Event
from analytics.questions.periods import Days


class SentProp(NamedTuple):
    """`types`: the number of values of each occurring JSON type.

    `values`: the most frequent values, with their numbers of events.
    """

    key: str
    events: int
    types: dict[str, int]
    values: list[tuple[str | int | float | bool | None, int]]
    total_values: int


class SentProps(NamedTuple):
    """`looked_at`: the number of events with properties that were read."""

    looked_at: int
    props: list[SentProp]
    total_keys: int


def props_sent(
    site_id: int,
    days: Days,
    *,
    name_id: int | None = None,
    newest: int,
    keys: int,
    values: int,
) -> SentProps:
    """Read the `newest` events with properties of these days, of all names or of one.

    Returns the most frequent `keys`, each with its most frequent `values`. Equal ones
    are sorted by code point.
    """
    of_name = "" if name_id is None else "AND name_id = %s"
    is_postgresql = connection.vendor == "postgresql"
    # Both databases sort by code point.
    collation = '"C"' if is_postgresql else "BINARY"
    raw = f"raw COLLATE {collation}" if is_postgresql else "raw"
    counts = ", ".join(
        f"SUM(CASE WHEN kind IN ({', '.join(map(repr, words))}) THEN times ELSE 0 END)"
        f" OVER of_key AS {name}s"
        for name, words in KINDS.items()
    )
    # `both`: 1 and 1.0 are one number.
    statement = f"""
        WITH picked AS (
            SELECT props FROM {Event._meta.db_table}
            WHERE site_id = %s AND day BETWEEN %s AND %s AND props IS NOT NULL {of_name}
            ORDER BY day DESC, id DESC LIMIT %s
        ),
        pairs AS ({EACH_ON_POSTGRESQL if is_postgresql else EACH_ON_SQLITE}),
        counted AS (
            SELECT key, MIN(kind) AS kind, raw, COUNT(*) AS times
            FROM pairs GROUP BY key, raw
        ),
        ranked AS (
            SELECT key, raw, times,
                SUM(times) OVER of_key AS total,
                COUNT(*) OVER of_key AS total_values,
                {counts},
                ROW_NUMBER() OVER (
                    PARTITION BY key ORDER BY times DESC, kind, {raw}
                ) AS place
            FROM counted
            WINDOW of_key AS (PARTITION BY key)
        ),
        placed AS (
            SELECT *, DENSE_RANK() OVER (
                ORDER BY total DESC, key COLLATE {collation}
            ) AS key_place
            FROM ranked
        )
        SELECT key, total, total_values, {", ".join(f"{name}s" for name in KINDS)},
            raw, times,
            (SELECT MAX(key_place) FROM placed), (SELECT COUNT(*) FROM picked)
        FROM placed
        WHERE key_place <= %s AND place <= %s
        ORDER BY key_place, place
    """  # noqa: S608 - constants
    params: list[Any] = [site_id, *(day.isoformat() for day in days)]
    names = [] if name_id is None else [name_id]
    found: dict[str, SentProp] = {}
    total_keys = looked_at = 0
    with connection.cursor() as cursor:
        cursor.execute(statement, [*params, *names, newest, keys, values])
        for key, total, total_values, *rest in cursor:
            *of_types, raw_value, times, total_keys, looked_at = rest
            prop = found.get(key)
            if prop is None:
                types = dict(zip(KINDS, map(int, of_types), strict=True))
                types = {kind: number for kind, number in types.items() if number}
                prop = found[key] = SentProp(key, int(total), types, [], total_values)
            prop.values.append((decode(raw_value), times))
    return SentProps(looked_at, list(found.values()), total_keys)
