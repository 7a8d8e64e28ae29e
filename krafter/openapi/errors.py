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
    "ETag": _header("Changes when the body does."),
    "Link": _header('The address of the next page, `rel="next"`.'),
    "Location": _header("Where it is."),
    "X-Request-ID": _header("The name of the request in the service's log."),
    "x-ratelimit-limit": _header("Requests a minute.", "integer"),
    "x-ratelimit-remaining": _header("How many of them are left.", "integer"),
    "x-ratelimit-reset": _header(
        "When the next minute begins, in Unix seconds.", "integer"
    ),
    "Retry-After": _header("Seconds to wait.", "integer"),
    "WWW-Authenticate": _header("`Bearer`."),
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
    "description": "It is still as `If-None-Match` says it was seen.",
    "headers": header_references((*USUAL_HEADERS, "ETag")),
}
RESPONSES = {
    400: ErrorResponse(
        "BadRequest",
        "Broken JSON, no object, or an odd query",
        said(400, str(malformed().detail)),
    ),
    401: ErrorResponse(
        "Unauthorized",
        "The key is missing, malformed, unknown, expired or revoked.",
        said(401),
        headers=("WWW-Authenticate",),
    ),
    403: ErrorResponse("Forbidden", "The key lacks the scope.", said(403)),
    404: ErrorResponse(
        "NotFound", "It does not exist, or belongs to others.", said(404)
    ),
    406: ErrorResponse(
        "NotAcceptable",
        "`Accept` leaves out JSON.",
        said(406, "Could not satisfy the request Accept header."),
    ),
    409: ErrorResponse(
        "Conflict",
        "Something would be lost, and that was not confirmed.",
        said(409, "Days before 2026-01-01 are sealed. Use confirm=sealed."),
    ),
    412: ErrorResponse(
        "PreconditionFailed",
        "It is not as `If-Match` says it was seen.",
        said(412, PreconditionFailed.default_detail),
    ),
    413: ErrorResponse(
        "TooLarge", "The body is too large.", said(413, TooLarge.default_detail)
    ),
    415: ErrorResponse(
        "UnsupportedMediaType",
        "The body is not said to be JSON.",
        said(415, 'Unsupported media type "text/csv" in request.'),
    ),
    422: ErrorResponse(
        "Invalid",
        "A field or a query parameter is wrong.",
        invalid({"name": ["This field is required."]}),
    ),
    429: ErrorResponse(
        "RateLimited",
        "The limit of this minute is spent.",
        rate_limited(23),
        headers=("Retry-After",),
    ),
    500: ErrorResponse(
        "Failed", "A fault of the service.", said(500, "Internal Server Error")
    ),
    503: ErrorResponse(
        "Unavailable",
        "Not now: try again.",
        said(503, "The database is unavailable; retry"),
        headers=("Retry-After",),
    ),
}
