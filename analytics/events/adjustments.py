"""Refunds, which reduce the amount of a stored event."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import NamedTuple

from django.db import transaction
from django.db.models import Sum

from analytics.events import day_versions, seals
from analytics.events.amount_units import from_amount
from analytics.events.writing import lock_sites
from analytics.models import Adjustment, Event
from krafter import clock
from krafter.errors import Details


class NewRefund(NamedTuple):
    """A refund to store. `amount` is positive, in ten-thousandths.

    `type`, `name` and `currency`, if given, must be those of the event.
    """

    day: date
    at: datetime
    refund_of: str
    amount: int
    type: str | None = None
    name: str | None = None
    currency: str | None = None
    event_id: str | None = None


class Outcome(NamedTuple):
    """`wrong`: errors by field. Neither new nor wrong: its id was stored before."""

    is_new: bool = False
    wrong: Details = {}


def refund(site_id: int, batch: Sequence[NewRefund]) -> list[Outcome]:
    """Store refunds of a site's events in one transaction.

    A refund whose `event_id` the site's refunds already have is not stored again.
    The site's lock prevents two requests from refunding the same amount.
    """
    with transaction.atomic():
        lock_sites([site_id])
        border = seals.border(site_id)
        before = date.min if border is None else border.before
        events = _refunded_events(site_id, batch)
        left = _left(site_id, events.values())
        seen = _seen(site_id, batch)
        outcomes, fresh = [], []
        for new in batch:
            if new.event_id in seen:
                outcomes.append(Outcome())
                continue
            if new.day < before:
                reason = seals.reason(before)
                outcomes.append(Outcome(wrong={"timestamp": [reason]}))
                continue
            event = events.get(new.refund_of)
            # An event of a sealed day is about to be deleted, and is no longer counted.
            if event is None or event.day < before:
                outcomes.append(Outcome(wrong=_unknown(before)))
                continue
            wrong = _mismatch(new, event, left[new.refund_of])
            outcomes.append(Outcome(is_new=not wrong, wrong=wrong))
            if not wrong:
                fresh.append(_adjustment(new, event))
                left[new.refund_of] -= new.amount
                seen |= {new.event_id} - {None}
        day_versions.note(((site_id, row.day) for row in fresh), now=clock.now())
        Adjustment.objects.bulk_create(fresh)
    return outcomes


def _unknown(before: date) -> Details:
    reasons = ["No such event on this site."]
    if before > date.min:
        reasons.append(seals.reason(before))
    return {"refund_of": reasons}


def _refunded_events(site_id: int, batch: Iterable[NewRefund]) -> dict[str, Event]:
    found = Event.objects.filter(
        site_id=site_id, event_id__in={new.refund_of for new in batch}
    ).select_related("name")
    return {event.event_id or "": event for event in found}


def _left(site_id: int, events: Iterable[Event]) -> dict[str, int]:
    """The part of each event's amount that is not refunded yet."""
    left = {event.event_id or "": event.amount or 0 for event in events}
    given = (
        Adjustment.objects.filter(site_id=site_id, refund_of__in=left)
        .values("refund_of")
        .annotate(total=Sum("amount"))
        .values_list("refund_of", "total")
        .order_by()
    )
    for event_id, total in given:
        left[event_id] += int(total)
    return left


def _seen(site_id: int, batch: Iterable[NewRefund]) -> set[str | None]:
    wanted = {new.event_id for new in batch} - {None}
    stored = Adjustment.objects.filter(site_id=site_id, event_id__in=wanted)
    return set(stored.values_list("event_id", flat=True))


def _mismatch(new: NewRefund, event: Event, left: int) -> Details:
    wrong: Details = {}
    if new.type not in (None, event.name.type):
        wrong["type"] = [f"The event's is {event.name.type}."]
    if new.name not in (None, event.name.name):
        wrong["name"] = [f"The event's is {event.name.name}."]
    if new.currency not in (None, event.currency):
        wrong["currency"] = [f"The event's is {event.currency or 'none'}."]
    if new.amount > left:
        wrong["revenue"] = [f"Only {from_amount(left)} of the event's is left."]
    return wrong


def _adjustment(new: NewRefund, event: Event) -> Adjustment:
    return Adjustment(
        site_id=event.site_id,
        day=new.day,
        at=new.at,
        name_id=event.name_id,
        visitor=event.visitor,
        context_id=event.context_id,
        page_id=event.page_id,
        amount=-new.amount,
        currency=event.currency,
        props=event.props,
        event_id=new.event_id,
        refund_of=new.refund_of,
    )
