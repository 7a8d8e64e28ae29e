"""`POST /mcp`: the Model Context Protocol endpoint."""

from typing import ClassVar

from django.conf import settings
from django.http import HttpResponse
from rest_framework.request import Request

from analytics.access.authentication import request_token
from goals.mcp import openapi, protocol, tools
from goals.models import Goal
from krafter.rendering import EnvelopeRenderer, encode
from krafter.views import ContractViewSet, check_parameters, raw_body

_INSTRUCTIONS = (
    "Statistics of conversion goals of websites. Call list_sites first, then"
    " list_goals. Days are in the time zone of the site. Unique visitors are counted"
    " per day and summed over the days. Revenue is in the currency of the goal. All"
    " tools are read-only."
)


class McpViewSet(ContractViewSet[Goal]):
    """Errors before a JSON-RPC message is read are answered as in the API."""

    queryset = Goal.objects.none()
    operations = openapi.MCP
    # All tools only read.
    required_scopes: ClassVar = {"call": "analytics:read"}

    def call(self, request: Request) -> HttpResponse:
        check_parameters(request, ())
        token = request_token(request)
        server = protocol.Server(
            info={
                "name": "krafter-analytics",
                "title": settings.SPECTACULAR_SETTINGS["TITLE"],
                "version": settings.SPECTACULAR_SETTINGS["VERSION"],
            },
            instructions=_INSTRUCTIONS,
            tools=[tool.described() for tool in tools.TOOLS.values()],
            call=lambda name, arguments: tools.call(token, name, arguments),
        )
        status, body = protocol.answer(raw_body(request), request.headers, server)
        return HttpResponse(
            b"" if body is None else encode(body),
            status=status,
            content_type=EnvelopeRenderer.media_type,
        )
