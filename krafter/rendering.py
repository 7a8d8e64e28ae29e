"""JSON responses: the envelope `{"data": ...}`, pages, exact decimals.

Errors have no envelope: see `krafter.errors`.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from rest_framework import renderers

API_PREFIX = "/api/"


# Decimals are written as JSON numbers with all their digits.
encode = msgspec.json.Encoder(decimal_format="number").encode


class EnvelopeRenderer(renderers.BaseRenderer):
    """Wraps data in `{"data": ...}`, except errors and pages."""

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
    """A page of a list: a dict with `data` and `next_cursor`."""
