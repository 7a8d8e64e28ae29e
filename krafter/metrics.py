"""What is counted for a monitor: the names behind `/metrics`.

Each worker writes its numbers into files of a folder that the main process made
(`krafter.server`); whichever worker is asked adds up those of all. Without that folder
(a command, a test) they are those of one process. Labels have a handful of values each:
never a site, a path or anything that a client chose.
"""

from collections.abc import Callable
from time import monotonic

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client import REGISTRY as _OWN
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.values import ValueClass

CONTENT_TYPE = CONTENT_TYPE_LATEST

ACCEPTED = Counter("krafter_events_accepted", "Events that were stored.")
DUPLICATES = Counter("krafter_events_duplicate", "Events whose id was there before.")
DROPPED = Counter("krafter_events_dropped", "Events that a rule dropped.", ["rule"])
UNAVAILABLE = Counter("krafter_unavailable", "Answers 503, by cause.", ["cause"])
DATABASE_ERRORS = Counter("krafter_database_errors", "Failures, by kind.", ["kind"])
LIMITED = Counter("krafter_limited", "Requests over a limit (429).", ["limit"])
LIMITS_IN_MEMORY = Counter(
    "krafter_limits_in_memory", "Uses of limits that could not be written."
)
COMMIT_REQUESTS = Histogram(
    "krafter_commit_requests",
    "Requests that shared a commit.",
    buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000),
)
COMMIT_SECONDS = Histogram(
    "krafter_commit_seconds",
    "Time of a commit.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
LAST_COMMIT = Gauge(
    "krafter_last_commit_timestamp_seconds",
    "When events or drops were last stored.",
    multiprocess_mode="max",
)
POOL_WAITS = Counter("krafter_pool_waits", "Requests that waited for a connection.")
POOL_WAIT_SECONDS = Counter(
    "krafter_pool_wait_seconds", "Time that requests waited for a connection."
)
QUESTION_SECONDS = Histogram(
    "krafter_question_seconds",
    "Time until the answer of a route of the API began.",
    ["route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25),
)
CACHED = Counter(
    "krafter_cache_requests",
    "Answers that were unchanged (http), and days that were kept (days).",
    ["cache", "result"],
)
OLDEST_SALT = Gauge(
    "krafter_oldest_salt_timestamp_seconds",
    "When the oldest salt was made; 0: there is none.",
    multiprocess_mode="mostrecent",
)
DATABASE_UP = Gauge(
    "krafter_database_up",
    "Whether every worker reaches it.",
    multiprocess_mode="livemin",
)
CLOCK_JUMPS = Counter("krafter_clock_jumps", "Readings of a clock that had jumped.")


def count_days(asked: int, missing: int) -> None:
    """Count the closed days of a question that were kept, and those missing."""
    CACHED.labels("days", "hit").inc(max(0, asked - missing))
    CACHED.labels("days", "miss").inc(missing)


def text() -> bytes:
    """All of it in Prometheus's format, of all workers."""
    registry = _OWN
    if getattr(ValueClass, "_multiprocess", False):
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call] # no types
    return generate_latest(registry)


class QuestionTimesMiddleware:
    """Measure routes of the API; an answer that is streamed until it begins."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        began = monotonic()
        response = self.get_response(request)
        if (match := request.resolver_match) is not None and match.route.startswith(
            "api/"
        ):
            QUESTION_SECONDS.labels(match.route).observe(monotonic() - began)
        if response.status_code == 304:
            CACHED.labels("http", "hit").inc()
        elif response.has_header("ETag"):
            CACHED.labels("http", "miss").inc()
        return response
