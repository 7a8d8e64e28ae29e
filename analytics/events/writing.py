"""The one way in: a batch of events, in one transaction."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

import msgspec
from django.db import connection, transaction

from analytics.events import late
from analytics.events.dimensions import CONTEXTS, NAMES, Labels
from analytics.models import Event, EventType

_PAGEVIEW = EventType.PAGEVIEW.value
_LOCK_CLASS = 0x6B72  # "kr": apart from other users of advisory locks


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


def append(batch: Sequence[NewEvent]) -> list[bool]:
    """Store events in one transaction; whether each was new.

    One that repeats an `event_id` of its site is not stored again. All
    writers of a site take its lock first, so that ids of its events, names
    and contexts become visible in ascending order: a reader that has seen one
    id has seen all before it, and can go on from there.
    """
    if not batch:
        return []
    with transaction.atomic(savepoint=False):
        lock_sites(sorted({event.site_id for event in batch}))
        is_new = _are_new(batch)
        fresh = [event for event, new in zip(batch, is_new, strict=True) if new]
        names = NAMES.ids(
            {(e.site_id, (e.type, e.name)) for e in fresh}
            | {(e.site_id, (_PAGEVIEW, e.page)) for e in fresh if e.page is not None}
        )
        late.note(((e.site_id, e.day) for e in fresh), now=datetime.now(UTC))
        contexts = CONTEXTS.ids({(e.site_id, e.labels) for e in fresh})
        _insert(
            [
                (
                    event.site_id,
                    event.day,
                    event.at,
                    names[event.site_id, (event.type, event.name)],
                    event.visitor,
                    contexts[event.site_id, event.labels],
                    names.get((event.site_id, (_PAGEVIEW, event.page or ""))),
                    event.amount,
                    event.currency,
                    event.props and msgspec.json.encode(event.props).decode(),
                    event.event_id,
                )
                for event in fresh
            ]
        )
    return is_new


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


def _are_new(batch: Sequence[NewEvent]) -> list[bool]:
    wanted = defaultdict(set)
    for event in batch:
        if event.event_id is not None:
            wanted[event.site_id].add(event.event_id)
    seen = {
        (site_id, event_id)
        for site_id, event_ids in wanted.items()
        for event_id in Event.objects.filter(
            site_id=site_id, event_id__in=event_ids
        ).values_list("event_id", flat=True)
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


def _insert(rows: list[tuple[Any, ...]]) -> None:
    table = Event._meta.db_table
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY {table} ({_COLUMNS}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
            return
        adapt = connection.ops.adapt_datetimefield_value
        cursor.executemany(
            f"INSERT INTO {table} ({_COLUMNS}) VALUES"  # noqa: S608 - two constants
            " (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [(row[0], row[1].isoformat(), adapt(row[2]), *row[3:]) for row in rows],
        )
