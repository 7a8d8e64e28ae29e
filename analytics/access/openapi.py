"""What the OpenAPI document says of keys, and of requests that are sent again."""

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter

from analytics.access import idempotency
from analytics.access.serializers import NewTokenSerializer, TokenSerializer
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
    "create": Operation(answer=NewTokenSerializer, status=201),
    "revoke": Operation(
        summary="End a key for good", body=None, answer=TokenSerializer
    ),
    "rotate": Operation(
        summary="Give a key a new secret",
        description="The key with the old one is revoked.",
        body=None,
        answer=NewTokenSerializer,
        status=201,
        errors=(422,),
    ),
}
