"""The API of keys."""

from typing import Any, ClassVar

from django.db import transaction
from rest_framework.exceptions import NotFound, PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from analytics.access import openapi
from analytics.access.authentication import request_token
from analytics.access.serializers import NewTokenSerializer, TokenSerializer
from analytics.models import ApiToken
from krafter.errors import Invalid
from krafter.parsing import uuid_or_404
from krafter.views import ContractViewSet


class TokenViewSet(ContractViewSet[ApiToken]):
    queryset = ApiToken.objects.none()
    serializer_class = TokenSerializer
    operations = openapi.TOKENS
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
            team=request_token(request).team, **serializer.validated_data
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
            if not request_token(request).covers(
                scopes=old.scopes, expires_at=old.expires_at
            ):
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

    def _once(self, token: ApiToken, secret: str) -> Response:
        """The key with its secret, which nobody may keep on the way."""
        return Response(
            NewTokenSerializer(token, context={"secret": secret}).data,
            status=201,
            headers={"Cache-Control": "no-store"},
        )
