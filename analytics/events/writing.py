"""The one way in: a batch of events, in one transaction."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from itertools import compress
from typing import Any, NamedTuple

import msgspec
from django.db import OperationalError, connection, transaction

from analytics.events import day_versions
from analytics.events.dictionaries import CONTEXTS, NAMES, Key
from analytics.models import Event, EventType
from analytics.questions.labels import Labels
from krafter import clock

_PAGEVIEW = EventType.PAGEVIEW.value
_LOCK_CLASS = 0x6B72  # "kr": apart from other users of advisory locks
_LOCK_NOT_AVAILABLE = "55P03"  # PostgreSQL's state


class NewEvent(NamedTuple):
    """An event that has passed every rule, ready to be stored."""

    site_id: int
    day: date
    at: datetime
    type: str
    name: str
    visitor: int
    labels: Labels = Labels()
    page: str | None = None
    amount: int | None = None
    currency: str | None = None
    props: dict[str, Any] | None = None
    event_id: str | None = None


def append(batch: Sequence[NewEvent], *, is_locked: bool = False) -> list[bool]:
    """Store events in one transaction; whether each was new.

    `is_locked`: in the caller's transaction, which has the locks of the sites.

    One that repeats an `event_id` of its site is not stored again. All
    writers of a site take its lock first, so that ids of its events, names
    and contexts become visible in ascending order: a reader that has seen one
    id has seen all before it, and can go on from there.
    """
    if not batch:
        return []
    # Others of the site wait for the lock: what does not need it comes before.
    names = NAMES.remembered(_names(batch))
    contexts = CONTEXTS.remembered(_contexts(batch))
    rows = _rows(batch, names, contexts) if names and contexts else None
    with transaction.atomic(savepoint=False):
        if not is_locked:
            lock_sites(sorted({event.site_id for event in batch}))
        is_new = _are_new(batch)
        fresh = list(compress(batch, is_new))
        day_versions.note({(e.site_id, e.day) for e in fresh}, now=clock.now())
        if rows is None:
            names, contexts = NAMES.ids(_names(fresh)), CONTEXTS.ids(_contexts(fresh))
            _insert(_rows(fresh, names, contexts))
        else:
            _insert(compress(rows, is_new))
    return is_new


def _names(batch: Iterable[NewEvent]) -> set[Key]:
    """The names and pages of events, as keys of their dictionary."""
    names: set[Key] = {(e.site_id, (e.type, e.name)) for e in batch}
    return names | {
        (e.site_id, (_PAGEVIEW, e.page)) for e in batch if e.page is not None
    }


def _contexts(batch: Iterable[NewEvent]) -> set[Key]:
    return {(e.site_id, e.labels) for e in batch}


def _rows(
    batch: Iterable[NewEvent], names: Mapping[Key, int], contexts: Mapping[Key, int]
) -> list[Any]:
    """What `_insert` takes, in the order of _COLUMNS."""
    encode = _for_copy if connection.vendor == "postgresql" else _for_sqlite
    return [
        encode(
            event,
            names[event.site_id, (event.type, event.name)],
            contexts[event.site_id, event.labels],
            None
            if event.page is None
            else names[event.site_id, (_PAGEVIEW, event.page)],
            msgspec.json.encode(event.props).decode() if event.props else None,
        )
        for event in batch
    ]


def lock_sites(site_ids: list[int]) -> None:
    """Let one transaction at a time write to a site.

    SQLite has one writer anyway. Sorted, so that two batches cannot wait for
    each other.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_advisory_xact_lock(%s, site) FROM unnest(%s::int[]) site",
                [_LOCK_CLASS, site_ids],
            )


def take_locks(
    site_ids: list[int],
    *,
    wait_seconds: float | None,
    lock_seconds: float,
    statement_seconds: float,
) -> Collection[int]:
    """Begin a transaction that may write to those of the sites that are free.

    Takes their locks: `wait_seconds` long for all of them, and none if one does
    not come free; None: at once, without those that somebody holds. No later
    statement takes longer than `statement_seconds`, nor waits longer than
    `lock_seconds` for another lock. SQLite's one lock is taken by now.
    """
    if connection.vendor != "postgresql":
        return site_ids
    with connection.cursor() as cursor:
        if wait_seconds is None:
            free = (
                "SELECT site FROM unnest(%s::int[]) site"
                " WHERE pg_try_advisory_xact_lock(%s, site)"
            )
            cursor.execute(
                f"SELECT {_SET_LIMITS}, array({free})",
                [*_limits(statement_seconds, lock_seconds), site_ids, _LOCK_CLASS],
            )
            return set(cursor.fetchone()[2])
        cursor.execute(
            f"SELECT {_SET_LIMITS}", _limits(statement_seconds, wait_seconds)
        )
        try:
            with transaction.atomic():
                lock_sites(site_ids)
        except OperationalError as error:
            if getattr(error.__cause__, "sqlstate", None) == _LOCK_NOT_AVAILABLE:
                return ()
            raise
        cursor.execute(
            f"SELECT {_SET_LIMITS}", _limits(statement_seconds, lock_seconds)
        )
    return site_ids


_SET_LIMITS = (
    "set_config('statement_timeout', %s, true), set_config('lock_timeout', %s, true)"
)


def _limits(statement_seconds: float, lock_seconds: float) -> list[str]:
    return [f"{statement_seconds * 1_000:.0f}ms", f"{lock_seconds * 1_000:.0f}ms"]


def known_ids(site_id: int, event_ids: Iterable[str]) -> set[str]:
    """Those of the ids that events of the site already have."""
    found = Event.objects.filter(site_id=site_id, event_id__in=event_ids)
    return {event_id or "" for event_id in found.values_list("event_id", flat=True)}


def _are_new(batch: Sequence[NewEvent]) -> list[bool]:
    wanted = defaultdict(set)
    for event in batch:
        if event.event_id is not None:
            wanted[event.site_id].add(event.event_id)
    seen: set[tuple[int, str | None]] = {
        (site_id, event_id)
        for site_id, event_ids in wanted.items()
        for event_id in known_ids(site_id, event_ids)
    }
    is_new = []
    for event in batch:
        key = (event.site_id, event.event_id)
        is_new.append(key not in seen)
        if event.event_id is not None:
            seen.add(key)
    return is_new


_COLUMNS = (
    "site_id, day, at, name_id, visitor, context_id, page_id, amount, currency,"
    " props, event_id"
)


def _insert(rows: Iterable[Any]) -> None:
    table = Event._meta.db_table
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # COPY's errors come as psycopg's own: make them Django's, like all others.
            with (
                connection.wrap_database_errors,
                cursor.copy(f"COPY {table} ({_COLUMNS}) FROM STDIN") as copy,
            ):
                copy.write("".join(rows))
            return
        cursor.executemany(
            f"INSERT INTO {table} ({_COLUMNS}) VALUES"  # noqa: S608 - two constants
            " (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            list(rows),
        )


def _for_copy(
    event: NewEvent, name: int, context: int, page: int | None, props: str | None
) -> str:
    """A line of COPY's text format: psycopg would make it while others wait."""
    return (
        f"{event.site_id}\t{event.day}\t{event.at}\t{name}\t{event.visitor}\t{context}"
        f"\t{_number(page)}\t{_number(event.amount)}\t{_text(event.currency)}"
        f"\t{_text(props)}\t{_text(event.event_id)}\n"
    )


def _number(value: int | None) -> str:
    return r"\N" if value is None else str(value)


def _text(value: str | None) -> str:
    return r"\N" if value is None else value.translate(_ESCAPED)


# What would end a field or a line, and the sign that escapes it.
_ESCAPED = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})


def _for_sqlite(
    event: NewEvent, name: int, context: int, page: int | None, props: str | None
) -> tuple[Any, ...]:
    return (
        event.site_id,
        event.day.isoformat(),
        connection.ops.adapt_datetimefield_value(event.at),
        name,
        event.visitor,
        context,
        page,
        event.amount,
        event.currency,
        props,
        event.event_id,
    )
