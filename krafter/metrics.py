"""The Prometheus metrics of `/metrics`.

Each worker writes its values into files in a folder that the main process made
(`krafter.server`); the worker that answers adds up those of all. Without that folder
(commands, tests) they are those of one process. Labels have few values each: never a
site, a path or anything else that a client chose.
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
DUPLICATES = Counter("krafter_events_duplicate", "Events whose id was stored before.")
DROPPED = Counter("krafter_events_dropped", "Events that a rule dropped.", ["rule"])
UNAVAILABLE = Counter("krafter_unavailable", "Answers 503, by cause.", ["cause"])
DATABASE_ERRORS = Counter("krafter_database_errors", "Failures, by kind.", ["kind"])
LIMITED = Counter("krafter_limited", "Requests over a limit (429).", ["limit"])
LIMITS_IN_MEMORY = Counter(
    "krafter_limits_in_memory",
    "Uses of limits counted in memory: the database was read-only.",
)
LIMITS_UNCOUNTED = Counter(
    "krafter_limits_uncounted", "Uses of limits not counted: Redis was unavailable."
)
QUESTIONS_REFUSED = Counter(
    "krafter_questions_refused",
    "Long questions and exports answered 503, by the limit reached (worker, team).",
    ["of"],
)
FOLDED = Counter(
    "krafter_folded",
    "Events stored with (other) in place of a name or label.",
    ["kind"],
)
COMMIT_REQUESTS = Histogram(
    "krafter_commit_requests",
    "Requests written by one commit.",
    buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000),
)
COMMIT_SECONDS = Histogram(
    "krafter_commit_seconds",
    "Duration of a commit.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
LAST_COMMIT = Gauge(
    "krafter_last_commit_timestamp_seconds",
    "When events or drops were last stored.",
    multiprocess_mode="max",
)
POOL_WAITS = Counter("krafter_pool_waits", "Requests that waited for a connection.")
POOL_WAIT_SECONDS = Counter(
    "krafter_pool_wait_seconds", "Total time that requests waited for a connection."
)
QUESTION_SECONDS = Histogram(
    "krafter_question_seconds",
    "Time until a route of the API began to answer.",
    ["route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25),
)
CACHED = Counter(
    "krafter_cache_requests",
    "Conditional requests (http) and closed days (days) served from a cache or not.",
    ["cache", "result"],
)
OLDEST_SALT = Gauge(
    "krafter_oldest_salt_timestamp_seconds",
    "When the day of the oldest salt began; 0 without any.",
    multiprocess_mode="mostrecent",
)
DATABASE_UP = Gauge(
    "krafter_database_up",
    "1 if every worker reaches the database, else 0.",
    multiprocess_mode="livemin",
)
# Until a new worker has checked the database, so that starts raise no alarm.
DATABASE_UP.set(1)
DATABASE_BYTES = Gauge(
    "krafter_database_bytes",
    "What the database takes.",
    multiprocess_mode="mostrecent",
)
DATABASE_FREE = Gauge(
    "krafter_database_free_bytes",
    "What it may still take; -1: not known.",
    multiprocess_mode="mostrecent",
)
DATABASE_GROWTH = Gauge(
    "krafter_database_growth_bytes",
    "By how much it grows a day, at the rate of the last week.",
    multiprocess_mode="mostrecent",
)
DATABASE_FULL_DAYS = Gauge(
    "krafter_database_full_days",
    "In how many days nothing is free at that rate; +Inf: never, or not known.",
    multiprocess_mode="mostrecent",
)
EVENTS = Gauge(
    "krafter_events_stored",
    "Events of all sites, of large ones estimated.",
    multiprocess_mode="mostrecent",
)
CLOCK_JUMPS = Counter(
    "krafter_clock_jumps", "Readings at which the database's clock had jumped."
)


def count_days(asked: int, missing: int) -> None:
    """Count the closed days of a question: kept ones as hits, the others as misses."""
    CACHED.labels("days", "hit").inc(max(0, asked - missing))
    CACHED.labels("days", "miss").inc(missing)


def text() -> bytes:
    """The metrics of all workers in Prometheus's text format."""
    registry = _OWN
    if getattr(ValueClass, "_multiprocess", False):
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call] # no types
    return generate_latest(registry)


class QuestionTimesMiddleware:
    """Measures the time of API routes; of a streamed response until it begins."""

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
