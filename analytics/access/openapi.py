"""The parts of the OpenAPI document on keys and repeated requests."""

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter

from analytics.access import idempotency, trail
from analytics.access.serializers import (
    IssuedTokenSerializer,
    RevocationQuerySerializer,
    RotationQuerySerializer,
    TokenSerializer,
    TokensQuerySerializer,
)
from krafter.answers import Page
from krafter.openapi.operations import Operation, Schema


class BearerScheme(OpenApiAuthenticationExtension):
    target_class = "analytics.access.authentication.TokenAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: AutoSchema) -> Schema:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "An API key: `kr_live_` and 43 characters.",
        }


IDEMPOTENCY_KEY = OpenApiParameter(
    idempotency.HEADER,
    {"type": "string", "pattern": idempotency.KEY},
    OpenApiParameter.HEADER,
    description="Your name for the request: it is done once, however often it comes.",
)

TOKENS = {
    "list": Operation(query=TokensQuerySerializer, headers=("Link",)),
    "create": Operation(answer=IssuedTokenSerializer, status=201),
    "revoke": Operation(
        summary="End a key for good",
        description="Its own key, whatever scopes it has, or one that has no scope"
        " which the caller lacks.",
        query=RevocationQuerySerializer,
        body=None,
        answer=TokenSerializer,
    ),
    "rotate": Operation(
        summary="Give a key a new secret",
        description="The old one is refused at once, or after `overlap_hours`.",
        query=RotationQuerySerializer,
        body=None,
        answer=IssuedTokenSerializer,
        status=201,
        errors=(422,),
    ),
}

AUDIT = {
    "list": Operation(
        summary="Who did what in the team",
        description="Newest first. A key that is narrowed to sites sees what was done"
        " to them.",
        query=trail.AuditQuerySerializer,
        answer=Page[trail.AuditEntryAnswer],
        headers=("Link",),
    ),
}
