"""The API of events, the tracker's script, and `POST /collect` under Django."""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import ClassVar, NamedTuple

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from rest_framework.request import Request
from rest_framework.response import Response

from analytics import events, write_turns
from analytics.access.authentication import site_for
from analytics.access.idempotency import HEADER, replayable
from analytics.ingest import (
    answers,
    collect,
    country,
    openapi,
    payloads,
    pipeline,
    salts,
    scripts,
)
from analytics.ingest.answers import EventOutcome
from analytics.ingest.group_commit import Busy, Full
from analytics.ingest.serializers import EventQuerySerializer
from analytics.ingest.writer import Work, store
from analytics.models import Event, Site
from analytics.questions.event_pages import event_page
from krafter import clock, metrics, request_ids
from krafter.caching import accepts_gzip
from krafter.errors import Invalid, Unavailable, malformed
from krafter.parsing import Lines, LinesParser, RawJSONParser
from krafter.views import ContractViewSet, query, raw_body


class EventViewSet(ContractViewSet[Event]):
    queryset = Event.objects.none()
    operations = openapi.EVENTS
    parser_classes = (RawJSONParser, LinesParser)
    required_scopes: ClassVar = {"list": "analytics:read", "create": "analytics:write"}

    def list(self, request: Request, key: str) -> Response:
        site = site_for(request, key)
        asked = query(EventQuerySerializer, request)
        first, last = asked.get("from"), asked.get("to")
        find = partial(
            events.listing,
            site.pk,
            type=asked.get("type"),
            name=asked.get("name"),
            start=site.midnight(first) if first else None,
            end=site.midnight(last, later=1) if last else None,
        )
        return event_page(request, asked, find, answers.shown_event)

    @replayable
    def create(self, request: Request, key: str) -> Response:
        """Store one event, or a batch whose events are each accepted or refused."""
        site = site_for(request, key)
        sent = raw_body(request)
        try:
            if isinstance(sent, Lines):
                items, is_batch = payloads.split_lines(sent.body), True
            else:
                items, is_batch = payloads.split(sent)
        except payloads.Malformed as error:
            raise malformed(str(error)) from None
        except payloads.Rejected as rejected:
            raise Invalid(rejected.details) from None
        read = _read(items, site)
        # The response stored for an Idempotency-Key is part of that transaction.
        if is_batch or HEADER in request.headers:
            with write_turns.turn(), transaction.atomic():
                outcomes = _store(read, site, events.append)
            told = Counter(outcome.status for outcome in outcomes)
            metrics.ACCEPTED.inc(told["accepted"])
            metrics.DUPLICATES.inc(told["duplicate"])
        else:
            outcomes = _store(read, site, _append_with_others)
        if not is_batch and outcomes[0].details:
            raise Invalid(outcomes[0].details)
        return Response(outcomes)


def _append_with_others(batch: Sequence[events.NewEvent]) -> list[bool]:
    """Submit a single event to the group commit; None for a batch."""
    try:
        works = [Work((e,), request_id=request_ids.current()) for e in batch]
        return [is_new for work in works for is_new in store(work).are_new]
    except (Full, Busy):
        raise Unavailable("The event was not stored; retry") from None


class _Read(NamedTuple):
    """Items, each with its outcome: all of them, and what of them is to be stored."""

    outcomes: list[EventOutcome]
    accepted: list[tuple[EventOutcome, events.NewEvent]]
    refunds: list[tuple[EventOutcome, events.NewRefund]]


def _read(items: Sequence[bytes], site: Site) -> _Read:
    """Read the items before the transaction, which others wait for."""
    read = _Read([], [], [])
    now = clock.now()
    # Many events have the same address. It is forgotten with the request.
    where = cache(country.of)
    with salts.borrowing():
        for item in items:
            outcome = EventOutcome("rejected")
            try:
                match pipeline.read(item, site, now=now, where=where):
                    case events.NewEvent() as event:
                        read.accepted.append((outcome, event))
                    case refund:
                        read.refunds.append((outcome, refund))
            except payloads.Rejected as rejected:
                outcome.details = rejected.details
            read.outcomes.append(outcome)
    return read


def _store(
    read: _Read,
    site: Site,
    append: Callable[[Sequence[events.NewEvent]], Sequence[bool]],
) -> list[EventOutcome]:
    """Store the valid items; return the outcome of each."""
    stored = append([event for _, event in read.accepted])
    for (outcome, _), is_new in zip(read.accepted, stored, strict=True):
        outcome.status = "accepted" if is_new else "duplicate"
    # After the events: a batch may hold a purchase and its refund.
    _store_refunds(site, read.refunds)
    return read.outcomes


def _store_refunds(
    site: Site, refunds: Sequence[tuple[EventOutcome, events.NewRefund]]
) -> None:
    """Store refunds, and write the result into their outcomes."""
    if not refunds:
        return
    stored = events.refund(site.pk, [refund for _, refund in refunds])
    for (outcome, _), done in zip(refunds, stored, strict=True):
        if done.wrong:
            outcome.details = done.wrong
        else:
            outcome.status = "accepted" if done.is_new else "duplicate"


@csrf_exempt
def collect_view(request: HttpRequest) -> HttpResponse:
    """`collect` under Django's own server and test client."""
    answer = collect.respond(request.META, request.read)
    return HttpResponse(answer.body, status=answer.status, headers=answer.headers)


def script_view(request: HttpRequest) -> HttpResponse:
    """A script under Django's own server and test client."""
    packed = accepts_gzip(request.headers.get("Accept-Encoding"))
    headers, body = scripts.script(request.path, accepts_gzip=packed)
    return HttpResponse(body, headers=headers)
