"""The errors of the API as the OpenAPI document describes them: pure data.

One response by status, the same for every operation that can answer with it.
"""

from typing import Any, NamedTuple

Schema = dict[str, Any]


def _integer(description: str) -> Schema:
    return {"description": description, "schema": {"type": "integer"}}


def _text(description: str) -> Schema:
    return {"description": description, "schema": {"type": "string"}}


HEADERS: dict[str, Schema] = {
    "ETag": _text("Changes when the body does."),
    "Link": _text('The address of the next page, `rel="next"`.'),
    "Location": _text("Where it is."),
    "X-Request-ID": _text("The name of the request in the service's log."),
    "x-ratelimit-limit": _integer("Requests a minute."),
    "x-ratelimit-remaining": _integer("How many of them are left."),
    "x-ratelimit-reset": _integer("When the next minute begins, in Unix seconds."),
    "Retry-After": _integer("Seconds to wait."),
    "WWW-Authenticate": _text("`Bearer`."),
}
RATE_LIMIT_HEADERS = ("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset")
USUAL_HEADERS = (*RATE_LIMIT_HEADERS, "X-Request-ID")

_SENTENCE = {"type": "string", "description": "A readable sentence."}


def _object(**properties: Schema) -> Schema:
    return {
        "type": "object",
        "properties": {"error": _SENTENCE, **properties},
        "required": ["error", *properties],
    }


SCHEMAS: dict[str, Schema] = {
    "ApiError": _object(),
    "ValidationError": _object(
        details={
            "type": "object",
            "description": "Messages by the name of the field or parameter.",
            "additionalProperties": {"type": "array", "items": {"type": "string"}},
        }
    ),
    "RateLimitError": _object(
        retry_after={
            "type": "integer",
            "minimum": 1,
            "description": "Seconds to wait.",
        }
    ),
}


class ErrorResponse(NamedTuple):
    """`example` is a body that the service answers with."""

    name: str
    description: str
    example: Schema
    schema: str = "ApiError"
    headers: tuple[str, ...] = ()

    def described(self) -> Schema:
        schema = {"$ref": f"#/components/schemas/{self.schema}"}
        return {
            "description": self.description,
            "headers": header_references((*USUAL_HEADERS, *self.headers)),
            "content": {
                "application/json": {"schema": schema, "example": self.example}
            },
        }


def header_references(names: tuple[str, ...]) -> Schema:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _says(message: str) -> Schema:
    return {"error": message}


NOT_MODIFIED: Schema = {
    "description": "It is still as `If-None-Match` says it was seen.",
    "headers": header_references((*USUAL_HEADERS, "ETag")),
}
RESPONSES = {
    400: ErrorResponse(
        "BadRequest",
        "Broken JSON, no object, or an odd query",
        _says("Malformed JSON"),
    ),
    401: ErrorResponse(
        "Unauthorized",
        "The key is missing, malformed, unknown, expired or revoked.",
        _says("Invalid or missing API key"),
        headers=("WWW-Authenticate",),
    ),
    403: ErrorResponse(
        "Forbidden", "The key lacks the scope.", _says("Insufficient scope")
    ),
    404: ErrorResponse(
        "NotFound", "It does not exist, or belongs to others.", _says("Not found")
    ),
    406: ErrorResponse(
        "NotAcceptable",
        "`Accept` leaves out JSON.",
        _says("Could not satisfy the request Accept header."),
    ),
    412: ErrorResponse(
        "PreconditionFailed",
        "It is not as `If-Match` says it was seen.",
        _says("The resource has changed: its ETag does not match If-Match"),
    ),
    413: ErrorResponse(
        "TooLarge", "The body is too large.", _says("The body is too large")
    ),
    415: ErrorResponse(
        "UnsupportedMediaType",
        "The body is not said to be JSON.",
        _says('Unsupported media type "text/csv" in request.'),
    ),
    422: ErrorResponse(
        "Invalid",
        "A field or a query parameter is wrong.",
        {
            "error": "Validation failed",
            "details": {"name": ["This field is required."]},
        },
        schema="ValidationError",
    ),
    429: ErrorResponse(
        "RateLimited",
        "The limit of this minute is spent.",
        {"error": "Rate limit exceeded", "retry_after": 23},
        schema="RateLimitError",
        headers=("Retry-After",),
    ),
    500: ErrorResponse(
        "Failed", "A fault of the service.", _says("Internal Server Error")
    ),
    503: ErrorResponse(
        "Unavailable",
        "Not now: try again.",
        _says("The database is unavailable; retry"),
        headers=("Retry-After",),
    ),
}
