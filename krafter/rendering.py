"""JSON responses: the envelope `{"data": ...}`, pages, exact decimals.

Errors have no envelope: see `krafter.errors`."""

from collections.abc import Mapping

import msgspec
from rest_framework import renderers

from krafter.answers import Whole

API_PREFIX = "/api/"


# Decimals are written as JSON numbers with all their digits.
encode = msgspec.json.Encoder(decimal_format="number").encode


class EnvelopeRenderer(renderers.BaseRenderer):
    """Wraps data in `{"data": ...}`, unless it is a `Whole`."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self,
        data: object,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, object] | None = None,
    ) -> bytes:
        if data is None:
            return b""
        return encode(data if isinstance(data, Whole) else {"data": data})


class NdjsonRenderer(EnvelopeRenderer):
    """Stands for NDJSON, which a view streams itself."""

    media_type = "application/x-ndjson"
    format = "ndjson"
