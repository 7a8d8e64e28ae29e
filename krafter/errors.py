"""The shape of every error: `{"error": "<sentence>"}`, plus `details` for a 422."""

import logging
import math
import sys
from collections.abc import Callable, Mapping
from typing import Annotated

from django.http import Http404, HttpRequest, HttpResponse
from django.views import defaults
from msgspec import Meta
from rest_framework import exceptions, serializers, status
from rest_framework.response import Response

from krafter import faults, metrics
from krafter.answers import Whole
from krafter.rendering import API_PREFIX, encode

Details = dict[str, list[str]]

logger = logging.getLogger(__name__)


class ErrorBody(Whole):
    error: Annotated[str, Meta(description="A human-readable message.")]


class ValidationErrorAnswer(ErrorBody):
    details: Annotated[
        Details, Meta(description="Error messages, by field or parameter.")
    ]


class RateLimitError(ErrorBody):
    retry_after: Annotated[
        int,
        Meta(ge=1, description="Number of seconds to wait before the next request."),
    ]


class Invalid(exceptions.APIException):
    """422: a field or query parameter is invalid. `details`: messages by name."""

    status_code = status.HTTP_422_UNPROCESSABLE_ENTITY

    def __init__(self, details: Details) -> None:
        super().__init__("Validation failed")
        self.details = details


class Unavailable(exceptions.APIException):
    """503 with `Retry-After` in seconds."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE

    def __init__(self, message: str, *, retry_after: int = 1) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Conflict(exceptions.APIException):
    """409: the request would lose data and was not confirmed."""

    status_code = status.HTTP_409_CONFLICT


class TooLarge(exceptions.APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = "The body is too large"


class EncodedBody(exceptions.APIException):
    """415: a compressed body. The header says what is taken (RFC 9110, 12.5.3)."""

    status_code = status.HTTP_415_UNSUPPORTED_MEDIA_TYPE
    default_detail = "Send the body without Content-Encoding"


class PreconditionFailed(exceptions.APIException):
    status_code = status.HTTP_412_PRECONDITION_FAILED
    default_detail = "The resource has changed: its ETag does not match If-Match"


def malformed(sentence: str = "Malformed JSON") -> exceptions.ParseError:
    return exceptions.ParseError(sentence)


def exception_handler(
    error: Exception, context: Mapping[str, object]
) -> Response | None:
    """DRF's exception handler: turn an exception into an error response."""
    match error:
        case Http404():
            return Response(said(404), status=404)
        case Invalid(details=details):
            return _invalid(details)
        case serializers.ValidationError(detail=detail):
            return _invalid(flat_details(detail))
        case exceptions.Throttled():
            seconds = max(1, math.ceil(getattr(error, "wait", 1)))
            return Response(
                rate_limited(seconds),
                status=429,
                headers={"Retry-After": str(seconds)},
            )
        case exceptions.APIException():
            if isinstance(error, Unavailable):
                metrics.UNAVAILABLE.labels("busy").inc()
            return _plain(error)
    if faults.is_unavailable(error):
        faults.report(error)
        metrics.UNAVAILABLE.labels(faults.kind(error)).inc()
        return _plain(Unavailable(faults.SENTENCE))
    return None


def _plain(error: exceptions.APIException) -> Response:
    headers = {}
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if retry_after := getattr(error, "retry_after", None):
        headers["Retry-After"] = str(retry_after)
    if isinstance(error, EncodedBody):
        headers["Accept-Encoding"] = "identity"
    body = said(error.status_code, str(error.detail))
    return Response(body, status=error.status_code, headers=headers)


def _invalid(details: Details) -> Response:
    return Response(invalid(details), status=422)


def said(status: int, otherwise: str = "") -> ErrorBody:
    """Return the error body of a status: with its fixed sentence, or else the given
    one.
    """
    return ErrorBody(_SENTENCES.get(status, otherwise))


def invalid(details: Details) -> ValidationErrorAnswer:
    return ValidationErrorAnswer("Validation failed", details)


def rate_limited(seconds: int) -> RateLimitError:
    return RateLimitError("Rate limit exceeded", seconds)


_SENTENCES = {
    401: "Invalid or missing API key",
    403: "Insufficient scope",
    404: "Not found",
    405: "Method not allowed",
}


def flat_details(detail: object, path: str = "") -> Details:
    """Return DRF's nested errors as a flat mapping; keys of inner errors have dots."""
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


def unavailable_response(request: HttpRequest) -> HttpResponse:
    """Return the 503 response for a database error, for the API as well as for the
    admin.
    """
    response = HttpResponse(faults.SENTENCE, status=503, content_type="text/plain")
    if request.path_info.startswith(API_PREFIX):
        response.content = encode(said(503, faults.SENTENCE))
        response.headers["Content-Type"] = "application/json"
    response.headers["Retry-After"] = str(faults.RETRY_SECONDS)
    # Django would log each with its path. `krafter.faults` logs the cause.
    setattr(response, "_has_been_logged", True)  # noqa: B010 - Django's own
    return response


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's `handler500`: errors that no view or middleware has handled."""
    error = sys.exc_info()[1]
    if error is not None and faults.is_unavailable(error):
        faults.report(error)
        metrics.UNAVAILABLE.labels(faults.kind(error)).inc()
        return unavailable_response(request)
    logger.error("A request failed", exc_info=error)
    response = defaults.server_error(request)
    setattr(response, "_has_been_logged", True)  # noqa: B010 - Django's own
    return response


class JsonErrorMiddleware:
    """Gives Django's own error responses under /api/ the shape of API errors."""

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
        # Changed in place: Django would log a new response as a second failure.
        response.content = encode(said(response.status_code, response.reason_phrase))
        response.headers["Content-Type"] = "application/json"
        response.headers["Content-Length"] = str(len(response.content))
        return response
