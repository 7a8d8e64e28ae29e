"""`POST /collect`: the tracker's public way in, from request to answer.

The hot path of the service. It runs beneath Django (see `krafter.wsgi`), which
would cost more than all that is done here. From any origin and without a
preflight; a 202 is sent after the commit that stored the event or counted its
drop, and is the same for both, so that a page cannot probe the rules.
"""

import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from django.conf import settings
from django.db import InterfaceError, OperationalError

from analytics import events
from analytics.access import throttling
from analytics.ingest import payloads, pipeline, visitors
from analytics.ingest.answers import CollectedAnswer
from analytics.ingest.group_commit import Full
from analytics.ingest.writer import Work, store
from krafter.errors import ApiError, invalid, rate_limited
from krafter.rendering import encode

PATH = "/api/v1/analytics/collect"
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
_ACCEPTED = Answer(202, _JSON, encode(CollectedAnswer(ok=True)))


def respond(environ: Mapping[str, Any], read: Callable[[int], bytes]) -> Answer:
    """The answer to a request; `read(n)` gives up to n bytes of its body.

    Never raises: a failure is logged, without the request, and answered. One
    that no limit was counted for shows a whole one.
    """
    answer = _respond(environ, read)
    limit: int = settings.RATE_LIMIT_COLLECT
    if not limit or "x-ratelimit-limit" in answer.headers:
        return answer
    whole = throttling.quota(limit, 0, throttling.current_minute())
    return answer._replace(headers=whole.headers | answer.headers)


def _respond(environ: Mapping[str, Any], read: Callable[[int], bytes]) -> Answer:
    try:
        match environ["REQUEST_METHOD"]:
            case "POST":
                return _collect(environ, read)
            case "OPTIONS":
                return _PREFLIGHT
        return _error(405, "Method not allowed", Allow="POST, OPTIONS")
    except (Full, OperationalError, InterfaceError):
        return _error(503, "The event was not stored; retry", **{"Retry-After": "1"})
    except Exception:
        logger.exception("An event could not be stored")
        return _error(500, "Internal error")


def _collect(environ: Mapping[str, Any], read: Callable[[int], bytes]) -> Answer:
    body = read(MAX_BYTES + 1)
    if len(body) > MAX_BYTES:
        return _error(413, "The body is too large")
    outcome, answer = _take(body, environ)
    minute = throttling.current_minute()
    limit: int = settings.RATE_LIMIT_COLLECT
    if not limit:
        if outcome is not None:
            store(Work(outcome))
        return answer
    who = visitors.caller(visitors.client_ip(environ), minute)
    stored = store(Work(outcome, who, minute))
    left = throttling.quota(limit, stored.used, minute)
    if left.is_spent:
        answer = _spent(left)
    return answer._replace(headers=answer.headers | left.headers)


def _take(
    body: bytes, environ: Mapping[str, Any]
) -> tuple[events.NewEvent | pipeline.Dropped | None, Answer]:
    """What to store or to count, if any, and what to answer once that is done."""
    try:
        event, dropped = pipeline.from_tracker(body, environ, now=datetime.now(UTC))
    except payloads.Malformed:
        return None, _error(400, "Malformed JSON")
    except payloads.Rejected as rejected:
        return None, Answer(422, _JSON, encode(invalid(rejected.details)))
    if "debug=1" in environ.get("QUERY_STRING", "").split("&"):
        told = encode(CollectedAnswer(ok=True, dropped=dropped and dropped.rule))
        return event or dropped, _ACCEPTED._replace(body=told)
    return event or dropped, _ACCEPTED


def _spent(left: throttling.Quota) -> Answer:
    seconds = max(1, left.reset - int(time.time()))
    body = encode(rate_limited(seconds))
    return Answer(429, {**_JSON, "Retry-After": str(seconds)}, body)


def _error(status: int, message: str, **headers: str) -> Answer:
    return Answer(status, _JSON | headers, encode(ApiError(message)))
