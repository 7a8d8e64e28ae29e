"""Events one by one, newest first."""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import Max, Min, Q, QuerySet

from analytics.events.dictionaries import named, names
from analytics.events.selection import Selection
from analytics.models import Event, EventType
from analytics.questions.labels import Labels
from analytics.questions.periods import Days

_CHUNK = 2_000
# As many names of a type as are looked up one by one.
_MANY = 1_000


class Entry(NamedTuple):
    """An event with its texts in place of numbers."""

    pk: int
    event_id: str | None
    type: str
    name: str
    at: datetime
    visitor: int
    page: str | None
    amount: int | None
    currency: str | None
    props: dict[str, Any] | None
    labels: Labels


_COLUMNS = (
    *("pk", "event_id", "name__type", "name__name", "at", "visitor", "page__name"),
    *("amount", "currency", "props"),
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
            # So many happen often: the newest are soon found by their time.
            found = found.filter(name__site=site_id, name__type=type)
    if start is not None:
        found = found.filter(at__gte=start)
    if end is not None:
        found = found.filter(at__lt=end)
    if before is not None:
        found = found.filter(_older_than(*before))
    return _read(found, limit)


def _of_names(found: QuerySet[Event], site_id: int, ids: list[int]) -> QuerySet[Event]:
    found = found.filter(name__one_of=ids)
    if connection.vendor != "postgresql":
        return found
    # Each name is looked up on each day there is, see `selection.Within`.
    days = Event.objects.filter(site_id=site_id).aggregate(Min("day"), Max("day"))
    first, last = days["day__min"], days["day__max"]
    return found.filter(day__within=Days(first, last)) if first else found.none()


def entries(
    selection: Selection,
    name_ids: Iterable[int],
    *,
    before: tuple[datetime, int] | None = None,
    limit: int | None = None,
) -> Iterator[Entry]:
    """Events of these names newest first, read from the database in parts.

    `before`: (at, id) of the last event already seen.
    """
    found = selection.named(name_ids).filter(at__range=_moments(selection))
    if before is not None:
        found = found.filter(_older_than(*before))
    return _read(found, limit)


def _read(found: QuerySet[Event], limit: int | None) -> Iterator[Entry]:
    labels = (f"context__{label}" for label in Labels._fields)
    rows = found.order_by("-at", "-pk").values_list(*_COLUMNS, *labels)[:limit]
    columns = len(_COLUMNS)
    for row in rows.iterator(chunk_size=_CHUNK):
        entry = Entry._make((*row[:columns], Labels(*row[columns:])))
        is_page_view = entry.type == EventType.PAGEVIEW
        yield entry._replace(page=entry.name) if is_page_view else entry


def _older_than(at: datetime, pk: int) -> Q:
    return Q(at=at, pk__lt=pk) | Q(at__lt=at)


def _moments(selection: Selection) -> tuple[datetime, datetime]:
    """Between these lie all events of the days, in whatever time zone.

    For the database, which finds the newest event of a site by its time, and
    would otherwise pass all that came after the days.
    """
    day = timedelta(days=1)
    first = max(selection.first, date.min + day) - day
    last = min(selection.last, date.max - day) + day
    return (
        datetime.combine(first, time.min, UTC),
        datetime.combine(last, time.max, UTC),
    )


def visitor_text(visitor: int) -> str:
    """The number that stands for a visitor on one day, as it is shown."""
    return f"{visitor & 0xFFFF_FFFF_FFFF_FFFF:016x}"
