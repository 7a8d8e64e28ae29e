"""`POST /collect`, the tracker's public endpoint, from request to response.

The hot path of the service. It runs without Django (see `krafter.asgi`), which would
take longer than everything here. Requests may come from any origin, without a
preflight. A 202 is sent after the commit that stored the event or counted its drop,
and is the same for both, so that a page cannot probe the drop rules.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from django.conf import settings

from analytics import events
from analytics.access import throttling
from analytics.ingest import client_address, intake, payloads, visitors, writer
from analytics.ingest.group_commit import Busy, Full
from analytics.ingest.pipeline import Outcome
from analytics.ingest.writer import Stored, Work
from krafter import clock, faults, metrics, request_ids
from krafter.errors import ErrorBody, invalid, rate_limited
from krafter.rendering import encode

PATH = "/api/v1/analytics/collect"
# The tracker's default address: blocklists contain words such as "collect", and a
# proxy forwards the script and this address with one rule.
NEUTRAL_PATH = "/a"
PATHS = (PATH, NEUTRAL_PATH)
MAX_BYTES = 8 * 1024

logger = logging.getLogger(__name__)


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes = b""


_ANY_ORIGIN = {"Access-Control-Allow-Origin": "*"}
_JSON = {**_ANY_ORIGIN, "Content-Type": "application/json"}
_PREFLIGHT = Answer(
    204,
    {
        **_ANY_ORIGIN,
        "Access-Control-Allow-Methods": "POST",
        "Access-Control-Allow-Headers": "Content-Type",
        "Access-Control-Max-Age": "86400",
    },
)
_ACCEPTED = Answer(202, _JSON)


async def answer(environ: Mapping[str, Any], body: bytes) -> Answer:
    """Return the answer to a request, for the server; see `respond`."""
    if (refusal := _refusal(environ, body)) is not None:
        return refusal
    request = _Request(environ, body)
    try:
        return request.answer(await writer.commits.post(request))
    except Exception as error:
        return _failure(error)


def respond(environ: Mapping[str, Any], read: Callable[[int], bytes]) -> Answer:
    """Return the answer to a request; `read(n)` returns up to n bytes of its body.

    Never raises: a failure is logged without the request, and answered with an error.
    If no limit was counted, the headers show an unused one.
    """
    body = read(MAX_BYTES + 1) if environ["REQUEST_METHOD"] == "POST" else b""
    if (refusal := _refusal(environ, body)) is not None:
        return refusal
    request = _Request(environ, body)
    try:
        return request.answer(writer.store(request))
    except Exception as error:
        return _failure(error)


def _refusal(environ: Mapping[str, Any], body: bytes) -> Answer | None:
    """Return the answer to a request without an event; it does not use the limit."""
    match environ["REQUEST_METHOD"]:
        case "POST":
            if len(body) <= MAX_BYTES:
                return None
            return refuse(413, "The body is too large")
        case "OPTIONS":
            return _with_whole_limit(_PREFLIGHT)
    return refuse(405, "Method not allowed", Allow="POST, OPTIONS")


def refuse(status: int, message: str, **headers: str) -> Answer:
    """An error response of a request that was not counted for the limit."""
    return _with_whole_limit(_error(status, message, **headers))


def away(cause: str) -> Answer:
    """503; `cause` is a label of the metrics."""
    metrics.UNAVAILABLE.labels(cause).inc()
    return refuse(503, "The event was not stored; retry", **{"Retry-After": "1"})


def _failure(error: Exception) -> Answer:
    if writer.is_unavailable(error):
        is_busy = isinstance(error, Busy | Full | events.Sealed)
        kind = "busy" if is_busy else faults.kind(error)
        return away(kind)
    logger.error("An event could not be stored", exc_info=error)
    return refuse(500, "Internal error")


def _with_whole_limit(answer: Answer) -> Answer:
    limit: int = settings.RATE_LIMIT_COLLECT
    if not limit:
        return answer
    whole = throttling.quota(limit, 0, throttling.current_minute())
    return answer._replace(headers=whole.headers | answer.headers)


class _Request:
    """A request for the writing thread, which decodes it once."""

    __slots__ = ("_answer", "_body", "_environ", "_limit", "_work", "request_id")

    def __init__(self, environ: Mapping[str, Any], body: bytes) -> None:
        self.request_id = request_ids.current()
        self._environ = environ
        self._body = body
        self._limit: int = settings.RATE_LIMIT_COLLECT
        self._work: Work | None = None
        self._answer: Callable[[Sequence[bool]], Answer] = lambda are_new: _ACCEPTED

    def work(self) -> Work:
        if self._work is None:
            with request_ids.named(self.request_id):
                self._work = self._decode()
        return self._work

    def _decode(self) -> Work:
        address = client_address.client_address(self._environ)
        outcomes, self._answer = _take(self._body, self._environ, address)
        if not self._limit:
            return Work(outcomes)
        minute = throttling.current_minute()
        return Work(outcomes, visitors.caller(address, minute), minute)

    def answer(self, stored: Stored) -> Answer:
        if not self._limit:
            return self._answer(stored.are_new)
        left = throttling.quota(self._limit, stored.used, self.work().minute)
        if left.is_spent:
            metrics.LIMITED.labels("collect").inc()
        answer = _spent(left) if left.is_spent else self._answer(stored.are_new)
        return Answer(answer.status, answer.headers | left.headers, answer.body)


def _take(
    body: bytes, environ: Mapping[str, Any], address: str
) -> tuple[tuple[Outcome, ...], Callable[[Sequence[bool]], Answer]]:
    """What to store and count, and the response to send after the commit.

    All events of a body share one answer.
    """
    try:
        taken = intake.take(body, environ, address=address, now=clock.now())
    except payloads.Malformed as error:
        malformed = _error(400, str(error))
        return (), lambda are_new: malformed
    except payloads.Rejected as rejected:
        wrong = Answer(422, _JSON, encode(invalid(rejected.details)))
        return (), lambda are_new: wrong
    except faults.ERRORS:
        raise
    except Exception as error:
        # A bug in this service. Other requests in the same commit must not fail
        # with it.
        failed = _failure(error)
        return (), lambda are_new: failed
    return taken.outcomes, lambda are_new: Answer(
        _ACCEPTED.status, _ACCEPTED.headers, encode(taken.answer(are_new))
    )


def _spent(left: throttling.Quota) -> Answer:
    seconds = max(1, left.reset - int(clock.timestamp()))
    body = encode(rate_limited(seconds))
    return Answer(429, {**_JSON, "Retry-After": str(seconds)}, body)


def _error(status: int, message: str, **headers: str) -> Answer:
    return Answer(status, _JSON | headers, encode(ErrorBody(message)))
