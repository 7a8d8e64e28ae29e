"""The errors of the API as the OpenAPI document describes them.

One response by status, the same for every operation that can answer with it.
"""

from typing import NamedTuple

from krafter.errors import (
    ErrorBody,
    PreconditionFailed,
    TooLarge,
    invalid,
    malformed,
    rate_limited,
    said,
)
from krafter.openapi.operations import Schema


def _header(description: str, type: str = "string") -> Schema:
    return {"description": description, "schema": {"type": type}}


HEADERS: dict[str, Schema] = {
    "ETag": _header(
        "Identifies the version of the body. It changes when the body changes."
    ),
    "Link": _header('The URL of the next page, as `rel="next"`.'),
    "Location": _header("The path of the created object."),
    "X-Request-ID": _header("The id of the request in the service's log."),
    "x-ratelimit-limit": _header("Number of requests allowed per minute.", "integer"),
    "x-ratelimit-remaining": _header(
        "Number of requests left in this minute.", "integer"
    ),
    "x-ratelimit-reset": _header(
        "Time at which the next minute begins, in Unix seconds.", "integer"
    ),
    "Retry-After": _header(
        "Number of seconds to wait before the next request.", "integer"
    ),
    "WWW-Authenticate": _header("The authentication scheme, `Bearer`."),
}
USUAL_HEADERS = (*(name for name in HEADERS if name.startswith("x-")), "X-Request-ID")


class ErrorResponse(NamedTuple):
    """`example` is a body that the service answers with; its type is the schema."""

    name: str
    description: str
    example: ErrorBody
    headers: tuple[str, ...] = ()


def header_references(names: tuple[str, ...]) -> Schema:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


NOT_MODIFIED: Schema = {
    "description": "The object has not changed: its ETag matches `If-None-Match`.",
    "headers": header_references((*USUAL_HEADERS, "ETag")),
}
RESPONSES = {
    400: ErrorResponse(
        "BadRequest",
        "The body is not valid JSON or not an object, or the query string is"
        " malformed.",
        said(400, str(malformed().detail)),
    ),
    401: ErrorResponse(
        "Unauthorized",
        "The API key is missing, malformed, unknown, expired or revoked.",
        said(401),
        headers=("WWW-Authenticate",),
    ),
    403: ErrorResponse("Forbidden", "The API key lacks the required scope.", said(403)),
    404: ErrorResponse(
        "NotFound", "The object does not exist, or belongs to another team.", said(404)
    ),
    406: ErrorResponse(
        "NotAcceptable",
        "The `Accept` header allows none of the available media types.",
        said(406, "Could not satisfy the request Accept header."),
    ),
    409: ErrorResponse(
        "Conflict",
        "The request conflicts with the current state, or would lose data and was not"
        " confirmed.",
        said(409, "Days before 2026-01-01 are sealed. Use confirm=sealed."),
    ),
    412: ErrorResponse(
        "PreconditionFailed",
        "The object has changed: its ETag does not match `If-Match`.",
        said(412, PreconditionFailed.default_detail),
    ),
    413: ErrorResponse(
        "TooLarge", "The body is too large.", said(413, TooLarge.default_detail)
    ),
    415: ErrorResponse(
        "UnsupportedMediaType",
        "The `Content-Type` of the body is not supported.",
        said(415, 'Unsupported media type "text/csv" in request.'),
    ),
    422: ErrorResponse(
        "Invalid",
        "A field or a query parameter is wrong.",
        invalid({"name": ["This field is required."]}),
    ),
    429: ErrorResponse(
        "RateLimited",
        "The rate limit of this minute is used up.",
        rate_limited(23),
        headers=("Retry-After",),
    ),
    500: ErrorResponse(
        "Failed",
        "An internal error of the service.",
        said(500, "Internal Server Error"),
    ),
    503: ErrorResponse(
        "Unavailable",
        "The service is temporarily unavailable. Retry later.",
        said(503, "The database is unavailable; retry"),
        headers=("Retry-After",),
    ),
}
