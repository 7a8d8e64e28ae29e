"""How every answer of the API looks: the envelope, and the one shape of errors.

Knows HTTP and DRF, nothing of sites or goals. Success is `{"data": ...}`;
an error is `{"error": "<sentence>"}`, with `details` by field for a 422.
"""

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from django.db import OperationalError, models
from django.http import Http404, HttpRequest, HttpResponse
from rest_framework import exceptions, parsers, renderers, serializers, status
from rest_framework.response import Response

API_PREFIX = "/api/"

# Exact decimals leave as JSON numbers, as the contract says of revenue.
encode = msgspec.json.Encoder(decimal_format="number").encode

Details = dict[str, list[str]]


class Invalid(exceptions.APIException):
    """A field or a query parameter is wrong: 422 with `details` by name."""

    status_code = status.HTTP_422_UNPROCESSABLE_ENTITY

    def __init__(self, details: Details) -> None:
        super().__init__("Validation failed")
        self.details = details


class Unavailable(exceptions.APIException):
    """The answer cannot be given now; the caller may come back: 503."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE

    def __init__(self, message: str, *, retry_after: int = 1) -> None:
        super().__init__(message)
        self.retry_after = retry_after


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


class TooLarge(exceptions.APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = "The body is too large"


def malformed() -> exceptions.ParseError:
    return exceptions.ParseError("Malformed JSON")


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


class _NoCoercion:
    """A field that takes its own JSON type and no other: `1` is not "1"."""

    accepts: type

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, self.accepts):
            self.fail("invalid")  # type: ignore[attr-defined]
        return super().to_internal_value(data)  # type: ignore[misc]


class TextField(_NoCoercion, serializers.CharField):
    accepts = str


class FlagField(_NoCoercion, serializers.BooleanField):
    accepts = bool


class NumberField(_NoCoercion, serializers.IntegerField):
    """A whole number, `1.0` included: JSON does not tell it from `1`."""

    accepts = int

    def to_internal_value(self, data: Any) -> Any:
        is_whole = isinstance(data, float) and data.is_integer()
        return super().to_internal_value(int(data) if is_whole else data)


class DayField(serializers.DateField):
    """`YYYY-MM-DD` and nothing else: Python also reads `20260131`, `2026-W05-6`."""

    def to_internal_value(self, value: Any) -> Any:
        if not isinstance(value, str) or not _DAY.fullmatch(value):
            self.fail("invalid", format="YYYY-MM-DD")
        return super().to_internal_value(value)


_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class _KnownFieldsOnly:
    """Refuse keys that the serializer does not know: a typo must not pass.

    Read-only fields are known and ignored: clients send whole objects back.
    """

    def to_internal_value(self, data: Any) -> Any:
        keys = set(data) if isinstance(data, Mapping) else set()
        unknown = keys - set(self.fields)  # type: ignore[attr-defined]
        errors: Details = {key: ["Unknown field."] for key in sorted(unknown)}
        try:
            value = super().to_internal_value(data)  # type: ignore[misc]
        except serializers.ValidationError as error:
            errors |= flat_details(error.detail)
        if errors:
            raise serializers.ValidationError(errors)
        return value


class StrictSerializer(_KnownFieldsOnly, serializers.Serializer[Any]):
    """The base of every serializer that reads input."""


class StrictModelSerializer(_KnownFieldsOnly, serializers.ModelSerializer[Any]):
    """The same over a model."""

    serializer_field_mapping = {
        **serializers.ModelSerializer.serializer_field_mapping,
        models.CharField: TextField,
        models.TextField: TextField,
        models.BooleanField: FlagField,
    }

    def update(self, instance: Any, validated_data: dict[str, Any]) -> Any:
        """Save only what was sent: two PATCHes of other fields both hold."""
        for name, value in validated_data.items():
            setattr(instance, name, value)
        if validated_data:
            instance.save(update_fields=list(validated_data))
        return instance


def exception_handler(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """DRF's hook: turn whatever a view raised into the contract's error."""
    match error:
        case Http404():
            return Response({"error": "Not found"}, status=404)
        case Invalid(details=details):
            return _invalid(details)
        case serializers.ValidationError(detail=detail):
            return _invalid(flat_details(detail))
        case exceptions.Throttled():
            seconds = max(1, math.ceil(getattr(error, "wait", 1)))
            return Response(
                {"error": "Rate limit exceeded", "retry_after": seconds},
                status=429,
                headers={"Retry-After": str(seconds)},
            )
        case exceptions.APIException():
            return _plain(error)
        case OperationalError():
            return _plain(Unavailable("The store is away, try again"))
    return None


def _plain(error: exceptions.APIException) -> Response:
    headers = {}
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if retry_after := getattr(error, "retry_after", None):
        headers["Retry-After"] = str(retry_after)
    message = _SENTENCES.get(error.status_code, str(error.detail))
    return Response({"error": message}, status=error.status_code, headers=headers)


def _invalid(details: Details) -> Response:
    return Response({"error": "Validation failed", "details": details}, status=422)


_SENTENCES = {
    401: "Invalid or missing API key",
    403: "Insufficient scope",
    404: "Not found",
    405: "Method not allowed",
}


def flat_details(detail: Any, path: str = "") -> Details:
    """DRF's nested error detail as one flat mapping; inner paths get dots."""
    if isinstance(detail, Mapping):
        flat: Details = {}
        for key, value in detail.items():
            flat |= flat_details(value, f"{path}.{key}" if path else str(key))
        return flat
    if isinstance(detail, list):
        if all(isinstance(item, str) for item in detail):
            return {path or "non_field_errors": [str(item) for item in detail]}
        flat = {}
        for index, item in enumerate(detail):
            flat |= flat_details(item, f"{path}.{index}" if path else str(index))
        return flat
    return {path or "non_field_errors": [str(detail)]}


def error_response(
    status_code: int, message: str, *, details: Details | None = None, **headers: str
) -> HttpResponse:
    """An error from outside DRF: the lean ingest path, routing, middleware."""
    body: dict[str, Any] = {"error": message}
    if details is not None:
        body["details"] = details
    return HttpResponse(
        encode(body),
        status=status_code,
        content_type="application/json",
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )


class JsonErrorMiddleware:
    """Give errors that Django itself answers under /api/ the one shape."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        content_type = response.headers.get("Content-Type", "")
        if (
            response.status_code < 400
            or not request.path_info.startswith(API_PREFIX)
            or content_type.startswith("application/json")
        ):
            return response
        message = _SENTENCES.get(response.status_code, response.reason_phrase)
        # In place: Django would log another response as another failure.
        response.content = encode({"error": message})
        response.headers["Content-Type"] = "application/json"
        response.headers["Content-Length"] = str(len(response.content))
        return response


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
