"""The way in for language models: `POST /mcp`."""

from typing import ClassVar

from django.conf import settings
from django.http import HttpResponse
from rest_framework.request import Request

from analytics.access.authentication import request_token
from goals.mcp import protocol, tools
from goals.models import Goal
from krafter.rendering import EnvelopeRenderer, encode
from krafter.views import ContractViewSet, check_parameters, raw_body

_INSTRUCTIONS = (
    "Figures of the conversion goals of websites. Begin with list_sites, then"
    " list_goals. Days are those of the site's time zone. Unique visitors are the"
    " distinct visitors of each day, summed over the days. Revenue is in the goal's"
    " currency. Nothing can be changed from here."
)


class McpViewSet(ContractViewSet[Goal]):
    """What fails before there is a JSON-RPC request is answered as anywhere."""

    queryset = Goal.objects.none()
    # Every tool reads; one that did not would need more than this.
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
