"""The API of sites, events and keys, and the tracker's public way in."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from rest_framework.exceptions import NotFound, PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from analytics import collect, cursors, events, ingest, sites, wire
from analytics.auth import caller, site_for
from analytics.committer import Full
from analytics.idempotency import HEADER, replayable
from analytics.models import ApiToken, Event, Site
from analytics.serializers import (
    EventQuerySerializer,
    EventSerializer,
    SiteSerializer,
    SiteSettingsSerializer,
    TokenSerializer,
)
from analytics.storing import Work, store
from krafter.api import (
    Invalid,
    Lines,
    LinesParser,
    RawJSONParser,
    Unavailable,
    malformed,
    uuid_or_404,
)
from krafter.views import ContractViewSet, page, query, raw_body


class SiteViewSet(ContractViewSet[Site]):
    queryset = Site.objects.none()
    serializer_class = SiteSerializer
    required_scopes: ClassVar = {
        "list": "analytics:read",
        "create": "analytics:write",
        "retrieve": "analytics:read",
        "partial_update": "analytics:write",
        "destroy": "analytics:write",
    }

    def list(self, request: Request) -> Response:
        visible = Site.objects.visible_to(caller(request))
        return Response(self.get_serializer(visible, many=True).data)

    def create(self, request: Request) -> Response:
        if caller(request).is_narrowed:
            # It could not reach the site that it makes.
            raise PermissionDenied
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        _save_domain(serializer, team=caller(request).team)
        address = f"{request.path}/{serializer.data['site_key']}"
        return Response(serializer.data, status=201, headers={"Location": address})

    def retrieve(self, request: Request, key: str) -> Response:
        return Response(self.get_serializer(site_for(request, key)).data)

    def partial_update(self, request: Request, key: str) -> Response:
        site = site_for(request, key)
        serializer = self.get_serializer(site, data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        _save_domain(serializer)
        sites.forget()
        return Response(serializer.data)

    def destroy(self, request: Request, key: str) -> Response:
        site = site_for(request, key)
        site.deleted_at = timezone.now()
        site.save(update_fields=["deleted_at"])
        sites.forget()
        return Response({"deleted": True})


def _save_domain(serializer: Any, **values: Any) -> None:
    """Save; a domain that another request took meanwhile is a 422 as well."""
    try:
        with transaction.atomic():
            serializer.save(**values)
    except IntegrityError:
        raise Invalid({"domain": ["The team has a site with this domain."]}) from None


class SiteSettingsViewSet(ContractViewSet[Site]):
    queryset = Site.objects.none()
    serializer_class = SiteSettingsSerializer
    required_scopes: ClassVar = {
        "retrieve": "analytics:read",
        "partial_update": "analytics:write",
    }

    def retrieve(self, request: Request, key: str) -> Response:
        return Response(self.get_serializer(site_for(request, key)).data)

    def partial_update(self, request: Request, key: str) -> Response:
        site = site_for(request, key)
        serializer = self.get_serializer(site, data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        serializer.save()
        sites.forget()
        return Response(serializer.data)


class TokenViewSet(ContractViewSet[ApiToken]):
    queryset = ApiToken.objects.none()
    serializer_class = TokenSerializer
    required_scopes: ClassVar = {
        "list": "tokens:read",
        "create": "tokens:write",
        "revoke": "tokens:write",
        "rotate": "tokens:write",
    }

    def list(self, request: Request) -> Response:
        visible = self._visible(request).prefetch_related("sites")
        return Response(self.get_serializer(visible, many=True).data)

    def create(self, request: Request) -> Response:
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        token, secret = ApiToken.issue(
            team=caller(request).team, **serializer.validated_data
        )
        return self._once(token, secret)

    def revoke(self, request: Request, id: str) -> Response:
        token = self._get(request, id)
        token.revoke()
        return Response(self.get_serializer(token).data)

    def rotate(self, request: Request, id: str) -> Response:
        """Issue the same key with a new secret, and end the old one."""
        with transaction.atomic():
            old = self._get(request, id, lock=True)
            if not caller(request).covers(scopes=old.scopes, expires_at=old.expires_at):
                # The answer would hand out more than the caller holds.
                raise PermissionDenied
            if old.is_revoked:
                raise Invalid({"id": ["This key is revoked."]})
            new, secret = ApiToken.issue(
                team=old.team,
                name=old.name,
                scopes=old.scopes,
                sites=list(old.sites.all()) if old.is_narrowed else None,
                expires_at=old.expires_at,
            )
            old.revoke()
        return self._once(new, secret)

    def _visible(self, request: Request) -> Any:
        return ApiToken.objects.visible_to(caller(request)).select_related("team")

    def _get(self, request: Request, id: str, *, lock: bool = False) -> ApiToken:
        uuid = uuid_or_404(id)
        found = self._visible(request).filter(uuid=uuid)
        if lock:
            found = found.select_for_update(of=("self",))
        token: ApiToken | None = found.first()
        if token is None:
            raise NotFound
        return token

    def _once(self, token: ApiToken, secret: str) -> Response:
        """The key with its secret, which nobody may keep on the way."""
        return Response(
            {**self.get_serializer(token).data, "token": secret},
            status=201,
            headers={"Cache-Control": "no-store"},
        )


class EventViewSet(ContractViewSet[Event]):
    queryset = Event.objects.none()
    serializer_class = EventSerializer
    parser_classes = (RawJSONParser, LinesParser)
    required_scopes: ClassVar = {"list": "analytics:read", "create": "analytics:write"}

    def list(self, request: Request, key: str) -> Response:
        site = site_for(request, key)
        asked = query(EventQuerySerializer, request)
        first, last, limit = asked.get("from"), asked.get("to"), asked["limit"]
        found = events.listing(
            site.pk,
            type=asked.get("type"),
            name=asked.get("name"),
            start=site.midnight(first) if first else None,
            end=site.midnight(last, later=1) if last else None,
            before=cursors.read(asked.get("cursor")),
            limit=limit + 1,
        )
        shown = found[:limit]
        more = len(found) > limit
        return page(
            request,
            self.get_serializer(shown, many=True).data,
            cursors.write(shown[-1].at, shown[-1].pk) if more else None,
        )

    @replayable
    def create(self, request: Request, key: str) -> Response:
        """Store one event, or a batch in which a wrong one fails no other."""
        site = site_for(request, key)
        sent = raw_body(request)
        try:
            if isinstance(sent, Lines):
                items, is_batch = wire.split_lines(sent.body), True
            else:
                items, is_batch = wire.split(sent)
        except wire.Malformed:
            raise malformed() from None
        except wire.Rejected as rejected:
            raise Invalid(rejected.details) from None
        # What is remembered for a key is part of that transaction.
        shares_commit = not is_batch and HEADER not in request.headers
        append = _append_with_others if shares_commit else events.append
        answers = _store(items, site, append)
        if not is_batch and "details" in answers[0]:
            raise Invalid(answers[0]["details"])
        return Response(answers)


def _append_with_others(batch: Sequence[events.NewEvent]) -> list[bool]:
    try:
        return [store(Work(event)).is_new for event in batch]
    except Full:
        raise Unavailable("Not stored, try again") from None


def _store(
    items: Sequence[bytes],
    site: Site,
    append: Callable[[Sequence[events.NewEvent]], Sequence[bool]],
) -> list[dict[str, Any]]:
    """Store what is right among the items, and say of each what became of it."""
    answers, accepted, refunds = [], [], []
    now = timezone.now()
    for item in items:
        answer: dict[str, Any] = {"status": "rejected"}
        try:
            match ingest.read(item, site, now=now):
                case events.NewEvent() as event:
                    accepted.append((answer, event))
                case refund:
                    refunds.append((answer, refund))
        except wire.Rejected as rejected:
            answer["details"] = rejected.details
        answers.append(answer)
    stored = append([event for _, event in accepted])
    for (answer, _), is_new in zip(accepted, stored, strict=True):
        answer["status"] = "accepted" if is_new else "duplicate"
    # After the events: a batch may hold a purchase and its refund.
    _store_refunds(site, refunds)
    return answers


def _store_refunds(
    site: Site, refunds: Sequence[tuple[dict[str, Any], events.NewRefund]]
) -> None:
    """Store refunds and write what became of each into its answer."""
    if not refunds:
        return
    outcomes = events.refund(site.pk, [refund for _, refund in refunds])
    for (answer, _), outcome in zip(refunds, outcomes, strict=True):
        if outcome.wrong:
            answer["details"] = outcome.wrong
        else:
            answer["status"] = "accepted" if outcome.is_new else "duplicate"


@csrf_exempt
def collect_view(request: HttpRequest) -> HttpResponse:
    """`collect` where Django is asked first: its own server, the test client."""
    answer = collect.respond(request.META, request.read)
    return HttpResponse(answer.body, status=answer.status, headers=answer.headers)


_TRACKER = Path(__file__).parent / "static" / "analytics" / "a.js"


def tracker(request: HttpRequest) -> HttpResponse:
    """The script that sites put on their pages, at an address that stays."""
    return HttpResponse(
        _TRACKER.read_bytes(),
        content_type="text/javascript; charset=utf-8",
        headers={"Cache-Control": "public, max-age=86400"},
    )
