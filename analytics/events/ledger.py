"""Conversions and refunds one by one, newest first, with their sources."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from heapq import merge
from itertools import islice
from typing import NamedTuple, TypeVar

from django.db.models import QuerySet
from django.db.models.expressions import RawSQL

from analytics.events.attribution import Attributed, of_gone
from analytics.events.event_lists import (
    CHUNK,
    COLUMNS,
    Entry,
    entry_of,
    older_than,
    read,
)
from analytics.events.lookups import OneOf
from analytics.events.origins import Source, columns_of, sources_of, told
from analytics.events.selection import Selection
from analytics.models import Adjustment, Event, Fact
from analytics.questions.labels import Labels

_Fact = TypeVar("_Fact", bound=Fact)


class LedgerEntry(NamedTuple):
    """An event or, with `refund_of`, a refund: its negative amount, its own time.

    `refund_of` is the event's `event_id`. The labels of `entry` are those of the
    source. `place` orders entries with the same time.
    """

    place: int
    entry: Entry
    source: Source
    refund_of: str | None

    @property
    def at(self) -> datetime:
        return self.entry.at

    @property
    def pk(self) -> int:
        """The id in a cursor."""
        return self.place


class _Row(NamedTuple):
    """An entry whose source is not known yet.

    `gone`: the stored source of a refund whose event was deleted, see `of_gone`.
    """

    place: int
    entry: Entry
    refund_of: str | None = None
    gone: Mapping[str, int] | None = None


def ledger(
    selection: Selection,
    name_ids: Iterable[int],
    *,
    with_refunds: bool = False,
    before: tuple[datetime, int] | None = None,
    limit: int | None = None,
) -> Iterator[LedgerEntry]:
    """Events of these names newest first, read from the database in parts.

    With their sources by the selection's attribution. `with_refunds`: with the refunds
    made on these days, which have the sources of the refunded events.

    `before`: (at, place) of the last one already seen.
    """
    about = selection.about(name_ids)
    attributed = about.attributed()
    rows = (
        _Row(entry.pk * 2, entry)
        for entry in read(_older(about, Event, _EVENT, before), limit)
    )
    if with_refunds:
        found = _older(about, Adjustment, _REFUND, before)
        refunds = _read_refunds(found, columns_of(attributed), limit)
        both = merge(rows, refunds, key=_newest, reverse=True)
        rows = (row for row in islice(both, limit))
    while some := list(islice(rows, CHUNK)):
        yield from _sourced(attributed, some)


def _newest(row: _Row) -> tuple[datetime, int]:
    return row.entry.at, row.place


# Events and refunds have separate ids. The places of events are even, those of refunds
# odd, so that one cursor works for both.
_EVENT, _REFUND = 0, 1


def _older(
    about: Selection,
    facts: type[_Fact],
    parity: int,
    before: tuple[datetime, int] | None,
) -> QuerySet[_Fact]:
    found = about.of(facts).filter(
        OneOf("name", about.names or ()), at__range=_moments(about)
    )
    if before is None:
        return found
    at, place = before
    return found.filter(older_than(at, (place + 1 - parity) // 2))


def _read_refunds(
    found: QuerySet[Adjustment], columns: Sequence[str], limit: int | None
) -> Iterator[_Row]:
    table = Adjustment._meta.db_table
    gone = {
        f"gone_{column}": RawSQL(of_gone(column, table), ())  # noqa: S611 - constants
        for column in columns
    }
    rows = found.annotate(**gone).order_by("-at", "-pk")
    values = rows.values_list(*COLUMNS, "refund_of", *gone)[:limit]
    for row in values.iterator(chunk_size=CHUNK):
        own, numbers = row[: len(COLUMNS)], row[-len(columns) :]
        entry = entry_of(own, Labels())
        of_gone_event = dict(zip(columns, numbers, strict=True))
        yield _Row(entry.pk * 2 + _REFUND, entry, row[len(COLUMNS)], of_gone_event)


def _sourced(attributed: Attributed, rows: Collection[_Row]) -> Iterator[LedgerEntry]:
    origins = _origins(attributed.site_id, rows)
    sources = sources_of(attributed, dict(origins.values()))
    of_gone_events = told(
        attributed,
        {row.place: row.gone for row in rows if row.gone and row.place not in origins},
    )
    for row in rows:
        if row.place in origins:
            source = sources.get(origins[row.place][0])
        else:
            source = of_gone_events[row.place]
        # Otherwise it was erased after it was read.
        if source is not None:
            entry = row.entry._replace(labels=source.labels)
            yield LedgerEntry(row.place, entry, source, row.refund_of)


def _origins(site_id: int, rows: Collection[_Row]) -> dict[int, tuple[int, date]]:
    """The id and day of the event whose source each has, by place.

    A refund whose event was deleted has none.
    """
    refunded = {row.refund_of for row in rows if row.refund_of is not None}
    known: dict[str | None, tuple[int, date]] = {}
    if refunded:
        found = Event.objects.filter(site_id=site_id, event_id__in=refunded)
        known = {
            event_id: (pk, day)
            for event_id, pk, day in found.values_list("event_id", "pk", "day")
        }
    own = {
        row.place: (row.entry.pk, row.entry.day)
        for row in rows
        if row.refund_of is None
    }
    return own | {
        row.place: known[row.refund_of] for row in rows if row.refund_of in known
    }


def _moments(selection: Selection) -> tuple[datetime, datetime]:
    """A range of times that contains the days in every time zone.

    Lets the database use its index by time without reading all newer events.
    """
    day = timedelta(days=1)
    first = max(selection.first, date.min + day) - day
    last = min(selection.last, date.max - day) + day
    return (
        datetime.combine(first, time.min, UTC),
        datetime.combine(last, time.max, UTC),
    )
