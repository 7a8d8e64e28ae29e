"""Events one by one, newest first."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import Max, Min, Q, QuerySet

from analytics.events.dictionaries import named, names
from analytics.events.lookups import OneOf
from analytics.models import Event, EventType, Site
from analytics.questions.labels import Labels
from analytics.questions.periods import Days
from analytics.sources import rules_of

# Rows held in memory at once.
CHUNK = 500
# The maximum number of names that are looked up one by one.
_MANY = 1_000


class Entry(NamedTuple):
    """An event with texts instead of ids."""

    pk: int
    event_id: str | None
    type: str
    name: str
    day: date
    at: datetime
    visitor: int
    page: str | None
    amount: int | None
    currency: str | None
    props: dict[str, Any] | None
    labels: Labels


COLUMNS = (
    *("pk", "event_id", "name__type", "name__name", "day", "at"),
    *("visitor", "page__name", "amount", "currency", "props"),
)


def listing(
    site_id: int,
    *,
    type: str | None = None,
    name: str | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    before: tuple[datetime, int] | None = None,
    limit: int,
) -> Iterator[Entry]:
    """Events newest first; `start` in, `end` out.

    `before`: (at, id) of the last event already seen.
    """
    found = Event.objects.filter(site_id=site_id)
    if name is not None:
        types = [type] if type else EventType.values
        ids = [pk for pk, _, _ in named(site_id, [(each, name) for each in types])]
        found = _of_names(found, site_id, ids)
    elif type is not None:
        ids = [pk for pk, _ in names(site_id, type, limit=_MANY)]
        if len(ids) < _MANY:
            found = _of_names(found, site_id, ids)
        else:
            # With so many names, scanning by time soon finds the newest events.
            found = found.filter(name__site=site_id, name__type=type)
    if start is not None:
        found = found.filter(at__gte=start)
    if end is not None:
        found = found.filter(at__lt=end)
    if before is not None:
        found = found.filter(older_than(*before))
    return _named(site_id, read(found, limit))


def _named(site_id: int, entries: Iterator[Entry]) -> Iterator[Entry]:
    """The entry with the name of its referrer, `""` for the site's own hosts."""
    rules = rules_of(Site.objects.get(pk=site_id))
    for entry in entries:
        referrer = rules.referrer(entry.labels.referrer)
        yield entry._replace(labels=entry.labels._replace(referrer=referrer))


def _of_names(found: QuerySet[Event], site_id: int, ids: list[int]) -> QuerySet[Event]:
    found = found.filter(OneOf("name", ids))
    if connection.vendor != "postgresql":
        return found
    # Each name is looked up on each existing day, see `lookups.Within`.
    days = Event.objects.filter(site_id=site_id).aggregate(Min("day"), Max("day"))
    first, last = days["day__min"], days["day__max"]
    return found.filter(day__within=Days(first, last)) if first else found.none()


def read(found: QuerySet[Event], limit: int | None) -> Iterator[Entry]:
    labels = (f"context__{label}" for label in Labels._fields)
    rows = found.order_by("-at", "-pk").values_list(*COLUMNS, *labels)[:limit]
    columns = len(COLUMNS)
    for row in rows.iterator(chunk_size=CHUNK):
        yield entry_of(row[:columns], Labels(*row[columns:]))


def entry_of(row: Sequence[Any], labels: Labels) -> Entry:
    """The entry with these COLUMNS. The page of a page view is its name."""
    entry = Entry._make((*row, labels))
    is_page_view = entry.type == EventType.PAGEVIEW
    return entry._replace(page=entry.name) if is_page_view else entry


def older_than(at: datetime, pk: int) -> Q:
    return Q(at=at, pk__lt=pk) | Q(at__lt=at)


def visitor_text(visitor: int) -> str:
    """The visitor's number of that day, as the API shows it."""
    return f"{visitor & 0xFFFF_FFFF_FFFF_FFFF:016x}"
