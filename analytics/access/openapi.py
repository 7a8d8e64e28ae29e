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
            "description": "An API key: `kr_live_` followed by 43 characters.",
        }


IDEMPOTENCY_KEY = OpenApiParameter(
    idempotency.HEADER,
    {"type": "string", "pattern": idempotency.KEY},
    OpenApiParameter.HEADER,
    description="A unique key of your choice. Requests repeated with the same key are"
    " carried out once.",
)

TOKENS = {
    "list": Operation(
        summary="List API keys", query=TokensQuerySerializer, headers=("Link",)
    ),
    "create": Operation(
        summary="Create an API key", answer=IssuedTokenSerializer, status=201
    ),
    "revoke": Operation(
        summary="Revoke an API key permanently",
        description="A key can revoke itself, whatever its scopes are, and any key"
        " whose scopes it holds itself.",
        query=RevocationQuerySerializer,
        body=None,
        answer=TokenSerializer,
    ),
    "rotate": Operation(
        summary="Rotate an API key's secret",
        description="The old secret stops working immediately, or after"
        " `overlap_hours`.",
        query=RotationQuerySerializer,
        body=None,
        answer=IssuedTokenSerializer,
        status=201,
        errors=(422,),
    ),
}

AUDIT = {
    "list": Operation(
        summary="List the audit trail",
        description="Entries are listed newest first. A key that is restricted to"
        " some sites sees only the entries about these sites.",
        query=trail.AuditQuerySerializer,
        answer=Page[trail.AuditEntryAnswer],
        headers=("Link",),
    ),
}
