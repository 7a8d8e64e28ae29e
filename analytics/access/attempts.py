"""Limits on wrong guesses of secrets: keys, passwords and codes.

They are counted like all limits, and in the table while Redis is unavailable. The
callers that are over a limit are held in memory, so that their further attempts cost no
writes.
"""

import logging
import threading
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from rest_framework.exceptions import Throttled
from rest_framework.request import Request

from analytics.access import throttling
from analytics.ingest import client_address
from krafter import metrics

# Callers held in memory for a minute; the count in the table applies to all.
_MAX_REMEMBERED = 10_000

logger = logging.getLogger(__name__)


class _Spent:
    """The callers that have used up a limit in the current minute."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._minute = 0
        self._callers: set[str] = set()

    def has(self, caller: str, minute: int) -> bool:
        return minute == self._minute and caller in self._callers

    def add(self, caller: str, minute: int) -> None:
        with self._lock:
            if minute != self._minute:
                self._minute, self._callers = minute, set()
            if len(self._callers) < _MAX_REMEMBERED:
                self._callers.add(caller)


_spent = _Spent()


def is_refused(kind: str, who: str, limit: int, minute: int) -> bool:
    """Count an attempt; return whether it exceeds the limit.

    `limit` is a number of attempts per minute, `minute` the minutes since 1970. A limit
    of 0 is off: nothing is counted or refused.
    """
    if not limit:
        return False
    caller = throttling.anonymous(kind, who, minute)
    if not _spent.has(caller, minute):
        used = throttling.spend(caller, minute, guards=True)
        if used <= limit:
            return False
        _spent.add(caller, minute)
        # Once a minute per caller and process. A log must not identify the caller.
        logger.warning("Too many attempts (%s), refused until the next minute", kind)
    metrics.LIMITED.labels(kind).inc()
    return True


def check_unknown_key(request: Request) -> None:
    """Count an unknown API key against its sender's address. Raises Throttled."""
    limit = settings.RATE_LIMIT_UNKNOWN_KEYS
    minute = throttling.current_minute()
    if is_refused("unknown_key", address(request.META), limit, minute):
        request.META[throttling.QUOTA] = throttling.quota(limit, limit + 1, minute)
        raise Throttled(wait=throttling.seconds_left())


def address(environ: Mapping[str, Any]) -> str:
    return client_address.household(client_address.client_address(environ))


def forget() -> None:
    global _spent
    _spent = _Spent()
