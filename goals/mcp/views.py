"""`POST /mcp`: the Model Context Protocol endpoint."""

from typing import ClassVar
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpResponse
from django.http.request import validate_host
from rest_framework.request import Request

from analytics.access.authentication import request_token
from analytics.questions.long_questions import long_question
from goals.mcp import calls, openapi, protocol, tools
from goals.models import Goal
from krafter.errors import ErrorBody
from krafter.rendering import EnvelopeRenderer, encode
from krafter.views import ContractViewSet, check_parameters, raw_body

# Of what the tools promise, apart from the package's version.
_VERSION = "1.0.0"
_INSTRUCTIONS = (
    "Statistics of conversion goals of websites. Call list_sites first, then"
    " list_goals. Days are in the time zone of the site. Unique visitors are counted"
    " per day and summed over the days. Revenue is in the currency of the goal."
    " `about` in an answer names site, time zone, goal, currency and period."
)


class McpViewSet(ContractViewSet[Goal]):
    """Errors before a JSON-RPC message is read are answered as in the API."""

    queryset = Goal.objects.none()
    operations = openapi.MCP
    instead_of_array = (
        "Send one JSON-RPC message as an object: batches are no part of MCP"
    )
    # Tools that write need more: see `calls`.
    required_scopes: ClassVar = {"call": "analytics:read"}

    @long_question()
    def call(self, request: Request) -> HttpResponse:
        check_parameters(request, ())
        if not _is_known_origin(request.headers.get("Origin")):
            return _refusal()
        token = request_token(request)
        server = protocol.Server(
            info={
                "name": "krafter",
                "title": settings.SPECTACULAR_SETTINGS["TITLE"],
                "version": _VERSION,
            },
            instructions=_INSTRUCTIONS,
            tools=lambda: [tool.described for tool in tools.for_scopes(token.scopes)],
            call=lambda name, arguments: calls.call(token, name, arguments),
        )
        status, body = protocol.answer(raw_body(request), request.headers, server)
        if body is None:
            response = HttpResponse(status=status)
            del response.headers["Content-Type"]
            return response
        return HttpResponse(
            encode(body), status=status, content_type=EnvelopeRenderer.media_type
        )


def _is_known_origin(origin: str | None) -> bool:
    """Return whether a page may send requests: only one of this service or of
    MCP_ORIGINS.

    Programs send no Origin. A page whose host name was made to resolve to this service
    (DNS rebinding) sends its own name.
    """
    if origin is None or origin in settings.MCP_ORIGINS:
        return True
    try:
        parts = urlsplit(origin)
        host = parts.hostname or ""
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and validate_host(
        f"[{host}]" if ":" in host else host, settings.ALLOWED_HOSTS
    )


def _refusal() -> HttpResponse:
    body = ErrorBody("This Origin is not allowed: see MCP_ORIGINS")
    return HttpResponse(
        encode(body), status=403, content_type=EnvelopeRenderer.media_type
    )
