"""How an answer becomes JSON: the envelope, pages, exact decimals.

Success is `{"data": ...}`; an error carries its own body (see `krafter.errors`).
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from rest_framework import renderers

API_PREFIX = "/api/"


# Exact decimals leave as JSON numbers, as the contract says of revenue.
encode = msgspec.json.Encoder(decimal_format="number").encode


class EnvelopeRenderer(renderers.BaseRenderer):
    """Wrap what a view returns in `data`, except errors and whole pages."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        if data is None:
            return b""
        response = (renderer_context or {})["response"]
        if response.status_code >= 400 or isinstance(data, Page):
            return encode(data)
        return encode({"data": data})


class Page(dict[str, Any]):
    """A paged list, which carries its own envelope: `data`, `next_cursor`."""
