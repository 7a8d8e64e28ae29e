"""Request bodies, and the ids in paths."""

from collections.abc import Mapping
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from rest_framework import exceptions, parsers

from krafter.errors import TooLarge, malformed


class RawJSONParser(parsers.BaseParser):
    """A JSON body as its bytes, for a view that decodes into its own types."""

    media_type = "application/json"
    max_bytes = 8 * 1024 * 1024

    def parse(
        self,
        stream: Any,
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        body: bytes = stream.read(self.max_bytes + 1)
        if len(body) > self.max_bytes:
            raise TooLarge
        return body


class Lines(NamedTuple):
    """A body that is one JSON text a line."""

    body: bytes


class LinesParser(RawJSONParser):
    """NDJSON, for a view that reads it besides JSON."""

    media_type = "application/x-ndjson"

    def parse(
        self,
        stream: Any,
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        return Lines(super().parse(stream))


class StrictJSONParser(RawJSONParser):
    """JSON as RFC 8259 has it: no NaN, no lone surrogates, no deep nesting."""

    max_bytes = 1024 * 1024

    def parse(
        self,
        stream: Any,
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        try:
            body = msgspec.json.decode(super().parse(stream))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise malformed() from None
        if not isinstance(body, dict):
            raise exceptions.ParseError("The body must be a JSON object")
        return body


def uuid_or_404(text: str) -> UUID:
    """An id from a path; a malformed one cannot exist, so 404."""
    try:
        uuid = UUID(text)
    except ValueError:
        raise exceptions.NotFound from None
    # Python also reads braces, URNs and bare digits: more addresses of a thing.
    if str(uuid) != text.lower():
        raise exceptions.NotFound
    return uuid
