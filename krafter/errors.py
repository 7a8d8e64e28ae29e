"""The shape of every error: `{"error": "<sentence>"}`, plus `details` for a 422."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from rest_framework import exceptions, serializers, status
from rest_framework.response import Response

from krafter.rendering import API_PREFIX, encode

Details = dict[str, list[str]]


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


class TooLarge(exceptions.APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = "The body is too large"


def malformed() -> exceptions.ParseError:
    return exceptions.ParseError("Malformed JSON")


def exception_handler(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """DRF's exception handler: turn an exception into an error response."""
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
            return _plain(Unavailable("The database is unavailable; retry"))
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
    """DRF's nested errors as one flat mapping; keys of inner errors have dots."""
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
    """An error response outside DRF: ingest, routing, middleware."""
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
    """Gives errors that Django answers under /api/ the shape of API errors."""

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
        # Changed in place: Django would log a new response as a second failure.
        response.content = encode({"error": message})
        response.headers["Content-Type"] = "application/json"
        response.headers["Content-Length"] = str(len(response.content))
        return response
