"""Parsers of request bodies, and of ids in paths."""

from collections.abc import Mapping
from typing import IO, Any, NamedTuple
from uuid import UUID

import msgspec
from rest_framework import exceptions, parsers

from krafter.errors import Details, EncodedBody, Invalid, TooLarge, malformed

# What a decoder takes at most depends on the version of Python (1,000 on 3.11,
# 10,000 on 3.13). Nothing in the API is nested deeper than a few levels.
MAX_DEPTH = 100
_CONTAINERS = (dict, list)
NO_ARRAY = "Send a JSON object, not an array"


class RawJSONParser(parsers.BaseParser):
    """Returns the body as bytes, for views that decode JSON themselves."""

    media_type = "application/json"
    max_bytes = 8 * 1024 * 1024

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, object] | None = None,
    ) -> Any:
        _refuse_encoded((parser_context or {}).get("request"))
        body: bytes = stream.read(self.max_bytes + 1)
        if len(body) > self.max_bytes:
            raise TooLarge
        return body


class Lines(NamedTuple):
    """An NDJSON body: one JSON value per line."""

    body: bytes


class LinesParser(RawJSONParser):
    """Accepts NDJSON, for views that accept it besides JSON."""

    media_type = "application/x-ndjson"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, object] | None = None,
    ) -> Any:
        return Lines(super().parse(stream, media_type, parser_context))


class StrictJSONParser(RawJSONParser):
    """A JSON object as in RFC 8259: no NaN, no lone surrogates, no deep nesting."""

    max_bytes = 1024 * 1024

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, object] | None = None,
    ) -> Any:
        raw = super().parse(stream, media_type, parser_context)
        try:
            try:
                body = msgspec.json.decode(raw)
            except msgspec.ValidationError:
                raise Invalid(numbers_out_of_range(raw)) from None
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise malformed() from None
        if _is_deep(body):
            raise malformed()
        if isinstance(body, list):
            view = (parser_context or {}).get("view")
            raise malformed(getattr(view, "instead_of_array", NO_ARRAY))
        if not isinstance(body, dict):
            raise malformed("The body must be a JSON object")
        return body


class MergePatchParser(StrictJSONParser):
    """The same with the media type of RFC 7396, which every PATCH accepts."""

    media_type = "application/merge-patch+json"


def _refuse_encoded(request: Any) -> None:
    """A compressed body would be called malformed, which helps nobody."""
    if request is None:
        return
    coding = request.headers.get("Content-Encoding", "").strip().lower()
    if coding not in ("", "identity"):
        raise EncodedBody


def numbers_out_of_range(body: bytes) -> Details:
    """Return errors for the fields of an object with a number that Python cannot
    represent.

    JSON allows such numbers, for example 1e400, or one with more than 4,300 digits.
    Decoding an untyped value has no other cause of a ValidationError. Raises
    MsgspecError, UnicodeDecodeError, RecursionError.
    """
    details: Details = {}
    for name, raw in msgspec.json.decode(body, type=dict[str, msgspec.Raw]).items():
        try:
            msgspec.json.decode(raw)
        except msgspec.ValidationError:
            details[name] = ["Number out of range."]
    return details


def _is_deep(value: Any) -> bool:
    """Return whether arrays and objects are nested more than MAX_DEPTH levels deep."""
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [container for container in level if isinstance(container, _CONTAINERS)]
        if not level:
            return False
        level = [
            child
            for container in level
            for child in (
                container.values() if isinstance(container, dict) else container
            )
        ]
    return True


def uuid_or_404(text: str) -> UUID:
    """The UUID in a path. Raises NotFound for a malformed one."""
    try:
        uuid = UUID(text)
    except ValueError:
        raise exceptions.NotFound from None
    # Python also accepts braces, URNs and bare digits: several URLs for one row.
    if str(uuid) != text.lower():
        raise exceptions.NotFound
    return uuid
