"""The state for an answer, read in one statement, so that it is consistent.

It contains the stored counts of closed days with their validity, the day of the first
event, the last event of each open day, and the names that were added since the caller
last read them.
"""

from collections.abc import Iterable
from datetime import date
from typing import Any, NamedTuple

from django.db import connection

from analytics.events.counts import whole
from analytics.events.months import Versions, whole_months
from analytics.events.statements import Compiled, as_day
from analytics.models import Adjustment, Event, EventName, LateDay, Seal
from analytics.questions.periods import Days, each_day

# New names returned at most; more are read by a search of their own.
MAX_NAMES = 1_000

# A kind, a day, four numbers, two texts, two sequences of bytes.
_NULLS = (
    "CAST(NULL AS date)",
    *["CAST(NULL AS bigint)"] * 4,
    *["CAST(NULL AS text)"] * 2,
    *["CAST(NULL AS bytea)"] * 2,
)
_KEPT, _LATE, _FIRST, _END, _NAME, _REFUND, _SEAL = range(7)


class Refund(NamedTuple):
    """The refunds of an open day for one name: a negative sum of amounts."""

    day: date
    name_id: int
    currency: str | None
    total: Any


class Standing(NamedTuple):
    """`first`: the day of the site's first event, None without any.

    `sealed_before`: the first unsealed day, `date.min` if no day is sealed. With sealed
    days `first` counts deleted events too. `kept`: the rows of the caller's statement.
    `ends`: the id of the last event of each open day that has events. `names`: (id,
    type, name) in the order of their ids; None if they were not requested, or are more
    than MAX_NAMES.
    """

    first: date | None
    sealed_before: date
    versions: Versions
    kept: list[tuple[Any, ...]]
    ends: dict[date, int]
    names: list[tuple[int, str, str]] | None
    refunds: list[Refund]


def kept_rows(
    table: str,
    *,
    day: str,
    numbers: Iterable[str] = (),
    texts: Iterable[str] = (),
    blobs: Iterable[str] = (),
) -> str:
    """`SELECT ... FROM table` with the columns that `standing` reads as `kept`."""
    columns = [
        *(day,),
        *_filled(numbers, _NULLS[1:5]),
        *_filled(texts, _NULLS[5:7]),
        *_filled(blobs, _NULLS[7:9]),
    ]
    return f"SELECT {_KEPT} AS kind, {', '.join(columns)} FROM {table}"  # noqa: S608 - names of columns


def _filled(given: Iterable[str], nulls: Iterable[str]) -> list[str]:
    given = list(given)
    return [*given, *list(nulls)[len(given) :]]


def _select(kind: int, rest: str, **columns: str) -> str:
    """A SELECT in the order of the columns."""
    names = ("day", "n1", "n2", "n3", "n4", "t1", "t2", "b1", "b2")
    chosen = [columns.get(name, null) for name, null in zip(names, _NULLS, strict=True)]
    return f"SELECT {kind}, {', '.join(chosen)} FROM {rest}"  # noqa: S608 - constants


_EVENTS, _ADJUSTMENTS, _NAMES, _LATE_DAYS, _SEALS = (
    model._meta.db_table for model in (Event, Adjustment, EventName, LateDay, Seal)
)
_BETWEEN = "site_id = %s AND day BETWEEN %s AND %s"
_LATE_SQL = _select(_LATE, f"{_LATE_DAYS} WHERE {_BETWEEN}", day="day", n1="version")
_FIRST_SQL = [
    _select(_FIRST, f"{facts} WHERE site_id = %s", day="MIN(day)")
    for facts in (_EVENTS, _ADJUSTMENTS)
]
_SEAL_SQL = [
    _select(kind, f"{_SEALS} WHERE site_id = %s", day=column)
    for kind, column in ((_FIRST, "first"), (_SEAL, "before"))
]
_END_SQL = _select(
    _END,
    f"{_EVENTS} WHERE site_id = %s AND day = %s",
    day="CAST(%s AS date)",
    n1="MAX(id)",
)
# SQLite has one writer for all sites: all rows up to the newest id are visible.
_END_SQL_SQLITE = _select(_END, _EVENTS, day="%s", n1="MAX(id)")
_NAME_SQL = _select(
    _NAME,
    f"(SELECT id, type, name FROM {_NAMES} WHERE site_id = %s AND id > %s"  # noqa: S608 - constants
    " ORDER BY id LIMIT %s) AS fresh",
    n1="id",
    t1="type",
    t2="name",
)
# In two halves, see `counts.by_halves`.
_REFUND_SQL = _select(
    _REFUND,
    f"{_ADJUSTMENTS} WHERE {_BETWEEN} GROUP BY day, name_id, currency",
    day="day",
    n1="name_id",
    n2="CAST(SUM(amount / 4294967296) AS bigint)",
    n3="CAST(SUM(amount %% 4294967296) AS bigint)",
    t1="currency",
)


def standing(
    site_id: int,
    *,
    closed: Days | None,
    open: Days | None = None,
    kept: Compiled | None = None,
    names_after: int | None = None,
    refunds: bool = False,
) -> Standing:
    """Read the state.

    `names_after`: the last id of the names that the caller knows; None: no names.
    """
    parts: list[str] = []
    params: list[Any] = []
    if closed is not None:
        if kept is not None:
            parts.append(kept[0])
            params += kept[1]
        parts += [_LATE_SQL, *_FIRST_SQL, *_SEAL_SQL]
        wide = whole_months(closed)
        params += [site_id, *_texts(wide), *[site_id] * 4]
    if open is not None:
        # The version is raised when events are erased.
        parts.append(_LATE_SQL)
        params += [site_id, *_texts(open)]
        for day in each_day(open):
            if connection.vendor == "postgresql":
                parts.append(_END_SQL)
                params += [day.isoformat(), site_id, day.isoformat()]
            else:
                parts.append(_END_SQL_SQLITE)
                params.append(day.isoformat())
        if refunds:
            parts.append(_REFUND_SQL)
            params += [site_id, *_texts(open)]
    if names_after is not None:
        parts.append(_NAME_SQL)
        params += [site_id, names_after, MAX_NAMES + 1]
    rows: list[list[tuple[Any, ...]]] = [[] for _ in range(7)]
    if parts:
        with connection.cursor() as cursor:
            cursor.execute(" UNION ALL ".join(parts), params)
            for kind, *row in cursor.fetchall():
                rows[kind].append(tuple(row))
    firsts = [as_day(day) for day, *_ in rows[_FIRST] if day is not None]
    return Standing(
        first=min(firsts, default=None),
        sealed_before=max((as_day(day) for day, *_ in rows[_SEAL]), default=date.min),
        versions=Versions({as_day(day): version for day, version, *_ in rows[_LATE]}),
        kept=rows[_KEPT],
        ends={as_day(day): end for day, end, *_ in rows[_END] if end is not None},
        names=None
        if names_after is None or len(rows[_NAME]) > MAX_NAMES
        else [(row[1], row[5], row[6]) for row in rows[_NAME]],
        refunds=[
            Refund(as_day(day), name, code, whole(high, low, 0).total)
            for day, name, high, low, _, code, *_ in rows[_REFUND]
        ],
    )


def _texts(days: Days) -> list[str]:
    """Days as text: SQLite stores them so, and PostgreSQL can read them."""
    return [day.isoformat() for day in days]
