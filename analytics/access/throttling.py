"""Rate limits: fixed windows of one clock minute.

The count is one row in the shared database, raised by one atomic statement, so the
limit holds over all processes of an installation. With a Redis configured (CACHE_URL)
the count is there instead. While Redis is unavailable nothing is counted and no request
is refused, except for limits that protect secrets: see `spend`.

A `minute` is a number of minutes since 1970.
"""

import hmac
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, cast

import msgspec
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from analytics import rewriting, write_turns
from analytics.models import ApiToken, RateWindow
from krafter import clock, faults, metrics
from krafter.rendering import API_PREFIX

# The item of a request's environment with its quota, for the response headers.
QUOTA = "krafter.quota"
# The item with the minute it was counted in, and its team's count in that minute.
COUNTED = "krafter.counted"


class Quota(NamedTuple):
    """The use of a limit, in requests. `reset` is a Unix time in seconds."""

    limit: int
    used: int
    reset: int

    @property
    def is_spent(self) -> bool:
        return self.used > self.limit

    @property
    def headers(self) -> dict[str, str]:
        return {
            "x-ratelimit-limit": str(self.limit),
            "x-ratelimit-remaining": str(max(0, self.limit - self.used)),
            "x-ratelimit-reset": str(self.reset),
        }


def quota(limit: int, used: int, minute: int) -> Quota:
    return Quota(limit, used, reset=(minute + 1) * 60)


def current_minute() -> int:
    return int(clock.timestamp()) // 60


def counted_minute() -> int | None:
    """Return the current minute if requests of teams are counted in the database.

    None if there is no limit, or Redis counts.
    """
    is_counted = settings.RATE_LIMIT_API and not settings.CACHE_URL
    return current_minute() if is_counted else None


def seconds_left() -> float:
    """Return the seconds until the next minute."""
    return 60 - clock.timestamp() % 60


def anonymous(kind: str, who: str, minute: int) -> str:
    """Return the name of a caller in the counts of one minute.

    It is a keyed hash that includes the minute, so the counts do not show who the
    caller was, or whether the same caller came back.
    """
    message = f"{minute} {who}".encode()
    digest = hmac.digest(settings.SECRET_KEY.encode(), message, "sha256")
    return f"{kind}:{digest.hex()[:40]}"


def spend(caller: str, minute: int, *, guards: bool = False) -> int:
    """Count one request of a caller; return the caller's count in this minute.

    `guards`: the limit protects a secret, so it is counted in the table while Redis is
    unavailable. Other limits then return 1.
    """
    if guards:
        uses = {(caller, minute): 1}
        return (_spend_in_redis(uses) or dict(_in_table(uses)))[caller, minute]
    return spend_all({(caller, minute): 1})[caller, minute]


def spend_all(uses: Mapping[tuple[str, int], int]) -> dict[tuple[str, int], int]:
    """Count requests by (caller, minute); return the new counts by the same keys."""
    if not settings.CACHE_URL:
        return dict(_in_table(uses))
    counts = _spend_in_redis(uses)
    if counts is None:
        metrics.LIMITS_UNCOUNTED.inc(sum(uses.values()))
        return dict(uses)
    return counts


def _spend_in_redis(
    uses: Mapping[tuple[str, int], int],
) -> dict[tuple[str, int], int] | None:
    """Return the new counts; None if Redis is not configured or unavailable."""
    if not settings.CACHE_URL:
        return None
    # Imported here because Redis' client is an optional requirement.
    from analytics.access import shared_counts

    names = {
        f"rate:{caller}:{minute}": amount for (caller, minute), amount in uses.items()
    }
    try:
        counts = shared_counts.add(settings.CACHE_URL, names)
    except shared_counts.Away:
        return None
    return dict(zip(uses, counts, strict=True))


def _in_table(
    uses: Mapping[tuple[str, int], int],
) -> Iterator[tuple[tuple[str, int], int]]:
    # Sorted, so that two batches cannot deadlock.
    for minute in sorted({minute for _, minute in uses}):
        of_minute = sorted((c, n) for (c, m), n in uses.items() if m == minute)
        for caller, used in _spend_in_table(minute, of_minute):
            yield (caller, minute), used


def _spend_in_table(
    minute: int, uses: Sequence[tuple[str, int]]
) -> list[tuple[str, int]]:
    """Count the uses in one statement; return each caller's count in the minute."""
    # One parameter for all: psycopg takes longer for three each than the database.
    amounts = msgspec.json.encode(dict(uses)).decode()
    with write_turns.turn(), connection.cursor() as cursor:
        cursor.execute(_SPEND_ALL, [minute, amounts])
        return list(cursor.fetchall())


_TABLE = RateWindow._meta.db_table
# A process that is late, with the minute before, counts in the newer minute: going
# back would lose what was used of it. A minute further ahead comes from a wrong
# clock, and is overwritten; it would otherwise stay until that time.
SPEND_SQL = (
    f"INSERT INTO {_TABLE} AS kept (caller, minute, used)"
    " {} ON CONFLICT (caller) DO UPDATE SET used = excluded.used"
    " + CASE WHEN kept.minute BETWEEN excluded.minute AND excluded.minute + 1"
    " THEN kept.used ELSE 0 END, minute = CASE WHEN kept.minute = excluded.minute + 1"
    " THEN kept.minute ELSE excluded.minute END"
    " RETURNING caller, used"
)
# In the order of the object. `WHERE`: SQLite would read ON CONFLICT as a join's.
_SPEND_ALL = SPEND_SQL.format(
    "SELECT key, %s, CAST(CAST(value AS text) AS integer) FROM json_each(%s) WHERE true"
)


def purge() -> int:
    """Destroy the counts of past minutes; return how many.

    They are destroyed, not just deleted: with the secret key, all addresses could be
    tried against the names.
    """
    now = current_minute()
    is_over = Q(minute__lt=now) | Q(minute__gt=now + 1)
    return rewriting.destroy(RateWindow, is_over)


class _Memory:
    """The counts of the current minute in this process.

    For a read-only database: queries are still answered, and the limit applies to each
    worker separately.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._minute = 0
        self._used: Counter[str] = Counter()

    def spend(self, caller: str, minute: int) -> int:
        with self._lock:
            if minute != self._minute:
                self._minute = minute
                self._used.clear()
            self._used[caller] += 1
            return self._used[caller]


# Only teams are counted here, so there is one entry per team at most.
_in_memory = _Memory()


class TeamRateThrottle(BaseThrottle):
    """Authenticated routes: all keys of a team share one limit."""

    def allow_request(self, request: Request, view: Any) -> bool:
        limit = settings.RATE_LIMIT_API
        if not limit:
            return True
        # The statement that found the key may have counted the request.
        minute, used = cast(
            tuple[int, int | None],
            request.META.get(COUNTED, (current_minute(), None)),
        )
        if used is None:
            caller = f"team:{cast(ApiToken, request.auth).team_id}"
            try:
                used = spend(caller, minute)
            except DatabaseError as error:
                if not faults.is_read_only(error):
                    raise
                used = _in_memory.spend(caller, minute)
                metrics.LIMITS_IN_MEMORY.inc()
        request.META[QUOTA] = quota(limit, used, minute)
        if used > limit:
            metrics.LIMITED.labels("api").inc()
        return used <= limit

    def wait(self) -> float:
        return seconds_left()


class RateLimitHeadersMiddleware:
    """Add the rate-limit headers to every answer of the API.

    An answer for which no limit was counted (a 401, an unknown route) shows a full
    limit.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if request.path_info.startswith(API_PREFIX):
            shown = request.META.get(QUOTA)
            if shown is None and settings.RATE_LIMIT_API:
                shown = quota(settings.RATE_LIMIT_API, 0, current_minute())
            if shown is not None:
                for name, value in shown.headers.items():
                    response.headers.setdefault(name, value)
        return response
