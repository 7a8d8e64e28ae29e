"""Appending events: a batch in one transaction."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import cache
from itertools import compress
from typing import Any, NamedTuple

import msgspec
from django.db import OperationalError, connection, transaction

from analytics.events import day_versions, dictionaries, growth, planner, seals
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

    An event whose `event_id` its site already has is not stored again. All
    writers of a site take its lock first, so that ids of its events, names
    and contexts become visible in ascending order: a reader that has seen an
    id has seen all lower ones, and can continue from there.

    Raises Sealed for an event of a sealed day.
    """
    if not batch:
        return []
    # Prepared before taking the lock, which other writers of the site wait for.
    rows = _rows_of_remembered(batch)
    with transaction.atomic(savepoint=False):
        if not is_locked:
            lock_sites(sorted({event.site_id for event in batch}))
        is_new = _are_new(batch)
        fresh = list(compress(batch, is_new))
        now = clock.now()
        days = {(event.site_id, event.day) for event in fresh}
        ended = day_versions.last_ended(now)
        seals.refuse((site_id, day) for site_id, day in days if day <= ended)
        day_versions.note(days, now=now)
        if rows is None:
            names, contexts = (
                NAMES.known(_names(fresh).keys()),
                CONTEXTS.known(_contexts(fresh).keys()),
            )
            fresh = _bounded(fresh, names, contexts)
            names |= NAMES.made([key for key in _names(fresh) if key not in names])
            contexts |= CONTEXTS.made(
                [key for key in _contexts(fresh) if key not in contexts]
            )
            insert(_rows(fresh, names, contexts))
        else:
            insert(compress(rows, is_new))
    return is_new


def _names(batch: Iterable[NewEvent]) -> dict[Key, None]:
    """The (site, (type, name)) of the events' names and pages.

    The keys of a dict, in the order of the events, so that ids ascend in that order.
    """
    names: dict[Key, None] = {}
    for event in batch:
        names[event.site_id, (event.type, event.name)] = None
        if event.page is not None:
            names[event.site_id, (_PAGEVIEW, event.page)] = None
    return names


def _contexts(batch: Iterable[NewEvent]) -> dict[Key, None]:
    """The (site, labels) of the events, in the same way."""
    return {(event.site_id, event.labels): None for event in batch}


def _bounded(
    batch: list[NewEvent], names: dict[Key, int], contexts: dict[Key, int]
) -> list[NewEvent]:
    """The events with `(other)` for names and labels over their day's limit.

    `names` and `contexts` are the existing ones; the `(other)` ones are added.
    """
    budget, new_names, new_contexts = growth.Budget(), set(names), set(contexts)

    @cache
    def reserved() -> set[Key]:
        return dictionaries.reserved(_names(batch).keys() - names.keys())

    def folds(event: NewEvent, type: str, name: str) -> bool:
        key = growth.Key(event.site_id, event.day, growth.kind_of(type))
        named: Key = (event.site_id, (type, name))
        if named in new_names:
            return False
        if budget.take(key) or named in reserved():
            new_names.add(named)
            return False
        budget.fold(key)
        return True

    def folded(event: NewEvent) -> Labels:
        key = growth.Key(event.site_id, event.day, growth.LABELS)
        # Twice the limit, so that an attack with texts does not affect other labels.
        for labels, times in ((event.labels, 1), (growth.fold_texts(event.labels), 2)):
            if (event.site_id, labels) in new_contexts or budget.take(key, times=times):
                break
        else:
            labels = growth.fold_all(event.labels)
        new_contexts.add((event.site_id, labels))
        if labels != event.labels:
            budget.fold(key)
        return labels

    bounded = []
    for event in batch:
        if folds(event, event.type, event.name):
            event = event._replace(name=growth.OTHER)
        if event.page is not None and folds(event, _PAGEVIEW, event.page):
            event = event._replace(page=growth.OTHER)
        bounded.append(event._replace(labels=folded(event)))
    budget.save()
    if bounded != batch:
        names |= NAMES.known(_names(bounded).keys() - names.keys())
        contexts |= CONTEXTS.known(_contexts(bounded).keys() - contexts.keys())
    return bounded


def _rows_of_remembered(batch: Iterable[NewEvent]) -> list[Any] | None:
    """The rows for `insert`; None unless all ids are cached."""
    try:
        return _rows(batch, NAMES.remembered, CONTEXTS.remembered)
    except KeyError:
        return None


def _rows(
    batch: Iterable[NewEvent], names: Mapping[Key, int], contexts: Mapping[Key, int]
) -> list[Any]:
    """The rows for `insert`."""
    encode = encoder()
    return [
        encode(
            event,
            names[event.site_id, (event.type, event.name)],
            contexts[event.site_id, event.labels],
            None
            if event.page is None
            else names[event.site_id, (_PAGEVIEW, event.page)],
        )
        for event in batch
    ]


def encoder() -> Callable[[NewEvent, int, int, int | None], Any]:
    """Return a function that makes a row for `insert` of an event and its ids."""
    # Read once for many events: `connection` looks up its thread each time.
    return _for_copy if connection.vendor == "postgresql" else _for_sqlite


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
    """Begin a transaction and take the locks of the sites; return those taken.

    `wait_seconds`: wait this long for all locks, and take none if one is not
    released; None: do not wait, and leave out locks that are held. Later
    statements may take `statement_seconds` and wait `lock_seconds` for other locks.
    SQLite's only lock is already taken.
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
    """The ids that events of the site already have."""
    found = Event.objects.filter(site_id=site_id, event_id__in=event_ids)
    return {event_id or "" for event_id in found.values_list("event_id", flat=True)}


def _are_new(batch: Sequence[NewEvent]) -> list[bool]:
    if all(event.event_id is None for event in batch):
        return [True] * len(batch)
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


def insert(rows: Iterable[Any], *, ids: Sequence[int] | None = None) -> None:
    """`ids`: the former ids of events that are restored. In a transaction."""
    table, columns = Event._meta.db_table, _COLUMNS
    rows = list(rows)
    if ids is not None:
        columns = f"id, {columns}"
        is_text = connection.vendor == "postgresql"
        rows = [
            f"{pk}\t{row}" if is_text else (pk, *row)
            for pk, row in zip(ids, rows, strict=True)
        ]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # COPY raises psycopg's errors: convert them to Django's, like all others.
            with (
                connection.wrap_database_errors,
                cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy,
            ):
                copy.write("".join(rows))
            planner.note_stored(len(rows))
            return
        places = ", ".join(["%s"] * (len(columns.split(","))))
        cursor.executemany(
            f"INSERT INTO {table} ({columns}) VALUES ({places})",  # noqa: S608 - constants
            rows,
        )


def _for_copy(event: NewEvent, name: int, context: int, page: int | None) -> str:
    """A line of COPY's text format: psycopg would make it while the lock is held."""
    return (
        f"{event.site_id}\t{event.day.isoformat()}\t{event.at.isoformat()}"
        f"\t{name}\t{event.visitor}\t{context}"
        f"\t{_number(page)}\t{_number(event.amount)}\t{_text(event.currency)}"
        f"\t{_text(_props(event))}\t{_text(event.event_id)}\n"
    )


def _props(event: NewEvent) -> str | None:
    return msgspec.json.encode(event.props).decode() if event.props else None


def _number(value: int | None) -> str:
    return r"\N" if value is None else str(value)


def _text(value: str | None) -> str:
    return r"\N" if value is None else value.translate(_ESCAPED)


# Characters that end a field or a line, and the escape character.
_ESCAPED = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})


def _for_sqlite(
    event: NewEvent, name: int, context: int, page: int | None
) -> tuple[Any, ...]:
    return (
        event.site_id,
        event.day.isoformat(),
        # In UTC, as Django reads it.
        str(event.at.astimezone(UTC).replace(tzinfo=None)),
        name,
        event.visitor,
        context,
        page,
        event.amount,
        event.currency,
        _props(event),
        event.event_id,
    )
