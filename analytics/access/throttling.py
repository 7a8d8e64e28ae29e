"""How often a caller may ask: fixed windows of one clock minute.

The count is one row in the shared database, raised by one atomic statement,
so that the limit holds over all processes of an installation. With a shared
cache configured (CACHE_URL) the count lives there instead.
"""

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, cast

from django.conf import settings
from django.core.cache import cache
from django.db import DatabaseError, connection
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from analytics.models import ApiToken, RateWindow
from krafter import clock, faults, metrics
from krafter.rendering import API_PREFIX

# Where in a request's environment its quota is noted for the headers.
QUOTA = "krafter.quota"
# Where the minute is noted in which it was counted, and what its team has used.
COUNTED = "krafter.counted"


class Quota(NamedTuple):
    """What is left of a limit; `reset` in Unix seconds."""

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
    """This minute, if the requests of teams are counted in the database."""
    is_counted = settings.RATE_LIMIT_API and not settings.SHARED_CACHE
    return current_minute() if is_counted else None


def spend(caller: str, minute: int) -> int:
    """Count one request of a caller; how many it has now made in this minute."""
    return spend_all({(caller, minute): 1})[caller, minute]


def spend_all(uses: Mapping[tuple[str, int], int]) -> dict[tuple[str, int], int]:
    """Count requests of several (caller, minute); the counts with them."""
    if settings.SHARED_CACHE:
        return {key: _spend_in_cache(*key, amount) for key, amount in uses.items()}
    # Sorted, so that two batches cannot wait for each other.
    minutes = sorted({minute for _, minute in uses})
    return {
        (caller, minute): used
        for minute in minutes
        for caller, used in _spend_in_table(
            minute, sorted((c, n) for (c, m), n in uses.items() if m == minute)
        )
    }


def _spend_in_cache(caller: str, minute: int, amount: int) -> int:
    key = f"rate:{caller}:{minute}"
    cache.add(key, 0, timeout=120)
    return cache.incr(key, amount)


def _spend_in_table(
    minute: int, uses: Sequence[tuple[str, int]]
) -> list[tuple[str, int]]:
    """By one statement for all callers: what each has used of the minute."""
    rows = ", ".join(["(%s, %s, %s)"] * len(uses))
    values = [value for caller, amount in uses for value in (caller, minute, amount)]
    with connection.cursor() as cursor:
        cursor.execute(SPEND_SQL.format(f"VALUES {rows}"), values)
        return list(cursor.fetchall())


_TABLE = RateWindow._meta.db_table
# A process that comes late, with the minute before, counts for the newer one: going
# back would forget what is used of it. A minute that is further ahead is a wrong
# clock's, and would not be over for as long as that was wrong.
SPEND_SQL = (
    f"INSERT INTO {_TABLE} AS kept (caller, minute, used)"
    " {} ON CONFLICT (caller) DO UPDATE SET used = excluded.used"
    " + CASE WHEN kept.minute BETWEEN excluded.minute AND excluded.minute + 1"
    " THEN kept.used ELSE 0 END, minute = CASE WHEN kept.minute = excluded.minute + 1"
    " THEN kept.minute ELSE excluded.minute END"
    " RETURNING caller, used"
)


def purge() -> int:
    """Delete the counts of minutes that are over."""
    now = current_minute()
    is_over = Q(minute__lt=now) | Q(minute__gt=now + 1)
    return RateWindow.objects.filter(is_over).delete()[0]


class _Memory:
    """The counts of this minute in this process.

    For a database that can be read and not written: questions are answered, and
    the limit holds for each worker apart.
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


# Teams alone are counted there: as many as there are.
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
        if used > limit:
            metrics.LIMITED.labels("api").inc()
        request.META[QUOTA] = quota(limit, used, minute)
        return used <= limit

    def wait(self) -> float:
        return 60 - clock.timestamp() % 60


class RateLimitHeadersMiddleware:
    """Put the limit's headers on every answer of the API.

    One that no limit was counted for (a 401, an unknown route) shows a whole one.
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
