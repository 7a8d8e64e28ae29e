"""Counts in Redis that all processes share, for as long as it answers.

Nobody waits long for a Redis that is away: one request in `_PAUSE_SECONDS` asks it
again, and the others are told at once.
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

# It is near, and answers in less than a millisecond.
_ANSWER_SECONDS = 0.1
_PAUSE_SECONDS = 2.0
# A window of a minute, and the clocks of several machines.
_LIFETIME_SECONDS = 120

logger = logging.getLogger(__name__)


class Away(Exception):
    """Redis did not answer, or was not asked because it did not just now."""


class _Absence:
    """Since when Redis is away, and when to ask it again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_away = False
        self._next_try = 0.0

    def check(self) -> None:
        """Raises Away, but for the one whose turn it is to ask again."""
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
        if not was_away:
            logger.error("Redis is away, limits are not counted: %s", error)

    def end(self) -> None:
        if self._is_away:
            self._is_away = False
            logger.warning("Redis is back, limits are counted again")


_absence = _Absence()


@lru_cache(maxsize=1)
def _client(url: str) -> redis.Redis:
    return redis.Redis.from_url(
        url,
        socket_timeout=_ANSWER_SECONDS,
        socket_connect_timeout=_ANSWER_SECONDS,
        # Trying again is what `_Absence` does, without anybody waiting.
        retry=Retry(NoBackoff(), 0),
    )


def add(url: str, uses: Mapping[str, int]) -> list[int]:
    """Raise the counts of these names; what each is then, in their order.

    In one exchange. Raises Away.
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
    """Ask Redis again at once."""
    global _absence
    _absence = _Absence()
