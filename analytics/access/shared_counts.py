"""Counts in Redis, shared by all processes while it answers.

No request waits long for an unavailable Redis: one request in `_PAUSE_SECONDS` tries
it, and the others get Away at once.
"""

import logging
import threading
from collections.abc import Mapping
from functools import lru_cache
from time import monotonic
from typing import cast

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from krafter.logs import LineLimit

# Redis is on the same network, and answers in less than a millisecond.
_ANSWER_SECONDS = 0.1
_PAUSE_SECONDS = 2.0
# A window of one minute, and the difference between the clocks of machines.
_LIFETIME_SECONDS = 120

logger = logging.getLogger(__name__)


class Away(Exception):
    """Redis did not answer, or was not tried because it did not answer just before."""


class _Absence:
    """Whether Redis is unavailable, and when to try it again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_away = False
        self._is_told = False
        self._next_try = 0.0
        self._limit = LineLimit()

    def check(self) -> None:
        """Raises Away, except in the request whose turn it is to try again."""
        if not self._is_away:
            return
        with self._lock:
            if monotonic() < self._next_try:
                raise Away
            self._next_try = monotonic() + _PAUSE_SECONDS

    def note(self, error: redis.RedisError) -> None:
        with self._lock:
            was_away, self._is_away = self._is_away, True
            self._next_try = monotonic() + _PAUSE_SECONDS
            if was_away:
                return
            # Its end is another line: a slow Redis may come and go all the time.
            self._is_told = self._limit.take(lines=2)
        if self._is_told:
            logger.error("Redis is away, limits are not counted: %s", error)

    def end(self) -> None:
        if not self._is_away:
            return
        with self._lock:
            was_told, self._is_told = self._is_told, False
            self._is_away = False
        if was_told:
            logger.warning("Redis is back, limits are counted again")


_absence = _Absence()


@lru_cache(maxsize=1)
def _client(url: str) -> redis.Redis:
    return redis.Redis.from_url(
        url,
        socket_timeout=_ANSWER_SECONDS,
        socket_connect_timeout=_ANSWER_SECONDS,
        # `_Absence` decides about retries, without waiting.
        retry=Retry(NoBackoff(), 0),
    )


def add(url: str, uses: Mapping[str, int]) -> list[int]:
    """Raise the counts of these names; return the new counts, in the same order.

    Uses one exchange with Redis. Raises Away.
    """
    _absence.check()
    try:
        with _client(url).pipeline(transaction=False) as pipeline:
            for name, amount in uses.items():
                pipeline.incrby(name, amount)
                pipeline.expire(name, _LIFETIME_SECONDS)
            answers = pipeline.execute()
    except redis.RedisError as error:
        _absence.note(error)
        raise Away from error
    _absence.end()
    return cast(list[int], answers[::2])


def forget() -> None:
    """Let the next request try Redis."""
    global _absence
    _absence = _Absence()
