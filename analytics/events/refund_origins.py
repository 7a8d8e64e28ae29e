"""The sources of refunds whose events retention is about to delete.

A refund has the source of its event, derived when it is queried. Before the event is
deleted, the source is stored with its refunds, also with refunds of later days.
"""

from collections.abc import Mapping, Sequence
from datetime import date

from django.db import transaction
from django.db.models import Exists, OuterRef, Subquery

from analytics.events import copies
from analytics.events.attribution import Attributed
from analytics.events.contexts import Contexts
from analytics.events.writing import lock_sites
from analytics.models import Adjustment, Event
from analytics.questions.labels import ENTRY_PATH, OWN, Filters, Labels
from analytics.questions.periods import Days
from analytics.sources import Rules

_CHUNK = 1_000
_SOURCES = ("last", "first")
_NUMBERS = (*_SOURCES, *OWN, ENTRY_PATH)


def keep(site_id: int, days: Days, rules: Rules) -> None:
    """Store the sources of all refunds of these days' events, in the site's lock."""
    attributed = Attributed(site_id, Filters(), Contexts(site_id, rules))
    origin = Event.objects.filter(site_id=site_id, event_id=OuterRef("refund_of"))
    own = Adjustment.objects.filter(site_id=site_id)
    found = own.annotate(
        origin=Subquery(origin.values("pk")), origin_day=Subquery(origin.values("day"))
    ).filter(origin_day__range=(days.first, days.last))
    last = 0
    while refunds := list(found.filter(pk__gt=last).order_by("pk")[:_CHUNK]):
        day_of = {refund.origin: refund.origin_day for refund in refunds}
        numbers = attributed.numbers_of(day_of, _NUMBERS)
        contexts = _contexts(site_id, numbers)
        for refund in refunds:
            of_event = numbers[refund.origin]
            refund.last_context_id = contexts[_whole(of_event, "last")]
            refund.first_context_id = contexts[_whole(of_event, "first")]
            refund.entry_id = of_event[ENTRY_PATH] or None
        own.bulk_update(refunds, ["last_context", "first_context", "entry"])
        last = refunds[-1].pk


def forget(site_id: int, before: date) -> None:
    """Delete the stored sources of refunds whose events were restored.

    `before` is the retention border: events before it will be deleted again.
    """
    origin = Event.objects.filter(
        site_id=site_id, event_id=OuterRef("refund_of"), day__gte=before
    )
    with transaction.atomic():
        lock_sites([site_id])
        Adjustment.objects.filter(Exists(origin), site_id=site_id).update(
            last_context=None, first_context=None, entry=None
        )


def _whole(numbers: Mapping[str, int], source: str) -> tuple[int, ...]:
    return tuple(numbers[column] for column in (source, *OWN))


def _contexts(
    site_id: int, numbers: Mapping[int, Mapping[str, int]]
) -> dict[tuple[int, ...], int]:
    """By ids of contexts, the id of one context with all their labels."""
    wanted = {
        _whole(of_event, source) for of_event in numbers.values() for source in _SOURCES
    }
    known = copies.labels_of(site_id, {number for whole in wanted for number in whole})
    ordered = sorted(wanted)
    labels = [_merged([known.get(number, Labels()) for number in w]) for w in ordered]
    made = copies.ids_of_contexts(site_id, labels)
    return dict(zip(ordered, made, strict=True))


def _merged(labels: Sequence[Labels]) -> Labels:
    """The source's labels, and the visitor's own labels from the other contexts."""
    source, *own = labels
    values = zip(OWN, own, strict=True)
    return source._replace(**{label: getattr(each, label) for label, each in values})
