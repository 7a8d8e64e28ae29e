"""The API of keys."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any, ClassVar

from django.db import transaction
from rest_framework.exceptions import NotFound, PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response

from analytics.access import keys, openapi, tokens, trail
from analytics.access.authentication import HasScope, request_token
from analytics.access.serializers import (
    IssuedTokenSerializer,
    RevocationQuerySerializer,
    RotationQuerySerializer,
    TokenSerializer,
    TokensQuerySerializer,
)
from analytics.models import ApiToken, AuditEntry
from analytics.questions.event_pages import event_page
from krafter.errors import Invalid
from krafter.parsing import uuid_or_404
from krafter.views import ContractViewSet, query


class RevokesItself(BasePermission):
    """Any key may end itself, so that whoever finds one can stop it."""

    def has_permission(self, request: Request, view: Any) -> bool:
        own = str(request_token(request).uuid)
        return bool(view.action == "revoke" and view.kwargs["id"].lower() == own)


class TokenViewSet(ContractViewSet[ApiToken]):
    queryset = ApiToken.objects.none()
    permission_classes = (HasScope | RevokesItself,)
    serializer_class = TokenSerializer
    operations = openapi.TOKENS
    required_scopes: ClassVar = {
        "list": "tokens:read",
        "create": "tokens:write",
        "revoke": "tokens:write",
        "rotate": "tokens:write",
    }

    def list(self, request: Request) -> Response:
        asked = query(TokensQuerySerializer, request)
        rows = self._visible(request).prefetch_related("sites")
        if after := asked.get("after"):
            last = self._visible(request).filter(uuid=after).first()
            if last is None:
                raise Invalid({"after": ["There is no such key."]})
            rows = rows.filter(pk__gt=last.pk)
        limit = asked.get("limit")
        found = list(rows[: limit + 1] if limit else rows)
        shown = found[:limit]
        response = Response(self.get_serializer(shown, many=True).data)
        if len(found) > len(shown):
            # In a header: the body keeps its one key.
            url = f"{request.path}?limit={limit}&after={shown[-1].uuid}"
            response.headers["Link"] = f'<{url}>; rel="next"'
        return response

    def create(self, request: Request) -> Response:
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        values = {"expires_at": None, **serializer.validated_data}
        return self._once(
            partial(keys.issue, team=request_token(request).team, **values)
        )

    def revoke(self, request: Request, id: str) -> Response:
        token, own = self._get(request, id), request_token(request)
        asked = query(RevocationQuerySerializer, request)
        if token != own and not own.holds(token.scopes):
            raise PermissionDenied
        keys.revoke(token, with_made=asked["made"])
        token.refresh_from_db()
        return Response(self.get_serializer(token).data)

    def rotate(self, request: Request, id: str) -> Response:
        """Issue the same key with a new secret, and end the old one."""
        with transaction.atomic():
            old = self._get(request, id, lock=True)
            asked = query(RotationQuerySerializer, request)
            if not request_token(request).covers(
                scopes=old.scopes, expires_at=old.expires_at
            ):
                # The answer would hand out more than the caller holds.
                raise PermissionDenied
            if old.is_revoked:
                raise Invalid({"id": ["This key is revoked."]})
            overlap = timedelta(hours=asked["overlap_hours"])
            return self._once(partial(keys.rotate, old, overlap=overlap))

    def _visible(self, request: Request) -> Any:
        return ApiToken.objects.visible_to(request_token(request)).select_related(
            "team"
        )

    def _get(self, request: Request, id: str, *, lock: bool = False) -> ApiToken:
        uuid = uuid_or_404(id)
        found = self._visible(request).filter(uuid=uuid)
        if lock:
            found = found.select_for_update(of=("self",))
        token: ApiToken | None = found.first()
        if token is None:
            raise NotFound
        return token

    def _once(self, make: Callable[[], tuple[ApiToken, str]]) -> Response:
        """The key with its secret, which nobody may keep on the way."""
        try:
            token, secret = make()
        except keys.TooManyKeys as error:
            raise Invalid({"name": [str(error)]}) from None
        return Response(
            IssuedTokenSerializer(token, context={"secret": secret}).data,
            status=201,
            headers={"Cache-Control": "no-store"},
        )


class AuditViewSet(ContractViewSet[AuditEntry]):
    """Everything of the team that was recorded; of its own sites to a narrowed key."""

    queryset = AuditEntry.objects.none()
    operations = openapi.AUDIT
    required_scopes: ClassVar = {"list": tokens.ALL}

    def list(self, request: Request) -> Response:
        asked = query(trail.AuditQuerySerializer, request)
        find = partial(trail.listing, request_token(request), asked)
        return event_page(request, asked, find, trail.shown)
