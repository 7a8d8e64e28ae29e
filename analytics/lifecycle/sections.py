"""The export of one site, in sections, each of which can be resumed.

Events, names and contexts are those of one moment. Stored counts of closed days are
read later: a row counted under a later version than that of the moment is not valid in
the importing installation, and is counted again there.
"""

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from functools import partial
from itertools import islice
from typing import Any

import msgspec
from django.db import models, transaction

from analytics.events import copies, day_versions, months, seals
from analytics.events.copies import Ends, Places
from analytics.events.writing import lock_sites
from analytics.lifecycle import parts
from analytics.lifecycle.parts import SitePart, Values
from analytics.models import (
    Adjustment,
    Context,
    Event,
    EventName,
    Fact,
    KeptMonth,
    LateDay,
    NameDay,
    Site,
)
from krafter import clock

# The position of the last exported line of a section: a number, or the day and id
# of an event.
Key = int | tuple[str, int] | None
Line = tuple[Key, str, Any]
# Columns of a site that the importing installation sets anew.
_OF_THIS_PLACE = ("team_id", "deleted_at", "erasures", "erasure_asked_at")


class Moment(msgspec.Struct):
    """The moment of which a site's events are exported.

    `ends` are the last ids, `open_month` the first month that had not ended,
    `sealed_before` the retention border, `erasures` the number of erasures so far.
    """

    ends: Ends
    open_month: date
    sealed_before: date | None
    erasures: int

    def still_stands(self, site_id: int) -> bool:
        """Return whether border and erasures are unchanged, so no event was deleted."""
        found = Site.objects.undeleted().filter(pk=site_id)
        now = found.values_list("sealed_before", "erasures").first()
        return now == (self.sealed_before, self.erasures)


def begin(site: Site) -> tuple[Moment, Values]:
    """Return the moment of a site's export, and the site's first line."""
    with transaction.atomic():
        # Events and versions of one moment: every event in a count is exported.
        lock_sites([site.pk])
        site.refresh_from_db()
        ends = copies.ends(site.pk)
        late = LateDay.objects.filter(site_id=site.pk).order_by("day")
        versions = [*late.values_list("day", "version")]
        border = seals.border(site.pk)
    closed = day_versions.last_closed(clock.now())
    moment = Moment(
        ends=ends,
        open_month=months.month_of(closed + timedelta(days=1)),
        sealed_before=site.sealed_before,
        erasures=site.erasures,
    )
    return moment, {
        "settings": parts.values_of(site, without=_OF_THIS_PLACE),
        "versions": versions,
        "sealed": border,
    }


class Sections:
    """The sections of a site at a moment, in the order of the export."""

    def __init__(self, site: Site, moment: Moment) -> None:
        self._site_id, self._moment = site.pk, moment
        self._name_at: Callable[[int], int] | None = None
        self._context_at: Callable[[int], int] | None = None
        self.all: list[Callable[[Key], Iterator[Line]]] = [
            *(partial(_part, part, site) for part in parts.of_sites),
            self._names,
            self._contexts,
            # Before the rows that say which name days are valid.
            self._name_days,
            *(partial(self._rows, model) for model in parts.derived()),
            partial(self._facts, "event", Event, moment.ends.events),
            partial(self._facts, "refund", Adjustment, moment.ends.refunds),
        ]

    def _names(self, after: Key) -> Iterator[Line]:
        last = self._moment.ends.names
        for pk, name in copies.names(self._site_id, after=_number(after), last=last):
            yield pk, "name", name

    def _contexts(self, after: Key) -> Iterator[Line]:
        found = copies.contexts(
            self._site_id, after=_number(after), last=self._moment.ends.contexts
        )
        for pk, labels in found:
            yield pk, "context", {k: v for k, v in labels._asdict().items() if v}

    def _name_days(self, after: Key) -> Iterator[Line]:
        found = NameDay.objects.filter(
            site_id=self._site_id,
            pk__gt=_number(after),
            day__lt=self._moment.open_month,
            name_id__lte=self._moment.ends.names,
        ).order_by("pk")
        rows = found.values_list("pk", "day", "name_id", "events", "visitors")
        for pk, day, name_id, events, visitors in rows.iterator(chunk_size=2_000):
            yield pk, "name_day", [day, self._place(name_id), events, visitors]

    def _rows(self, model: type[models.Model], after: Key) -> Iterator[Line]:
        found = model._default_manager.filter(
            site_id=self._site_id, pk__gt=_number(after)
        )
        if issubclass(model, KeptMonth):
            # A month that has not ended may include later events in its counts.
            found = found.filter(month__lt=self._moment.open_month)
        for row in found.order_by("pk").iterator(chunk_size=500):
            values = parts.values_of(row, without=["site_id"])
            yield row.pk, "row", [model._meta.label_lower, values]

    def _facts(
        self, kind: str, facts: type[Fact], last: int, after: Key
    ) -> Iterator[Line]:
        day_told, pk_told = after if isinstance(after, tuple) else ("", 0)
        border = self._moment.sealed_before or date.min
        begun = date.fromisoformat(day_told) if day_told else date.min
        for day in copies.days(facts, self._site_id, first=max(begun, border)):
            text = day.isoformat()
            known = pk_told if text == day_told else 0
            rows = copies.rows(facts, self._site_id, day, after=known, last=last)
            for pk, row in rows:
                yield (text, pk), kind, self._values(row, facts)

    def _values(self, row: copies.Row, facts: type[Fact]) -> list[Any]:
        values = [
            row.day,
            row.at,
            self._place(row.name_id),
            row.visitor,
            self._place_of_context(row.context_id),
            self._place_or_none(row.page_id),
            *(row.amount, row.currency, row.props, row.event_id),
        ]
        if facts is Event:
            return values
        contexts = (row.last_context_id, row.first_context_id)
        return [
            *(*values, row.refund_of),
            *(None if c is None else self._place_of_context(c) for c in contexts),
            self._place_or_none(row.entry_id),
        ]

    def _place_or_none(self, name_id: int | None) -> int | None:
        return None if name_id is None else self._place(name_id)

    def _place(self, name_id: int) -> int:
        if self._name_at is None:
            last = self._moment.ends.names
            self._name_at = Places(EventName, self._site_id, last=last).place
        return self._name_at(name_id)

    def _place_of_context(self, context_id: int) -> int:
        if self._context_at is None:
            last = self._moment.ends.contexts
            self._context_at = Places(Context, self._site_id, last=last).place
        return self._context_at(context_id)


def _number(after: Key) -> int:
    return after if isinstance(after, int) else 0


def _part(part: SitePart, site: Site, after: Key) -> Iterator[Line]:
    told = _number(after)
    values = islice(part.dump(site), told, None)
    for number, value in enumerate(values, start=told + 1):
        yield number, part.kind, value


def first_day(site: Site) -> date | None:
    """Return the day of a site's first event ever, even if it was deleted; or None."""
    if border := seals.border(site.pk):
        return border.first
    return next(copies.days(Event, site.pk), None)
