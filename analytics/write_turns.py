"""Turns of the threads of one process that write to SQLite.

It has one writer at a time. Who waits for it sleeps, up to a tenth of a second each
time, and finds it taken again by a thread that never sleeps: a request waited for 1.3 s
while strangers sent events. Threads wait for their turn here instead, in their order.
"""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection


class _Turns:
    """A lock that goes to whoever has waited longest."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[threading.Lock] = deque()
        self._is_taken = False

    def take(self, seconds: float) -> bool:
        """Wait for so long at most; whether it is one's turn."""
        with self._lock:
            if not self._is_taken:
                self._is_taken = True
                return True
            mine = threading.Lock()
            mine.acquire()
            self._waiting.append(mine)
        if mine.acquire(timeout=seconds):  # when `leave` hands the turn over
            return True
        with self._lock:
            if mine in self._waiting:
                self._waiting.remove(mine)
                return False
        return True

    def leave(self) -> None:
        with self._lock:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._is_taken = False


_turns = _Turns()
# After that one waits as SQLite does, up to 2 s: both together stay below 3 s.
_SECONDS = 0.5


@contextmanager
def turn() -> Iterator[None]:
    """Wait until no other thread is in its turn. On PostgreSQL nothing.

    Nor in a transaction, which has the database already: whose turn it is waits for it.
    """
    if connection.vendor != "sqlite" or connection.in_atomic_block:
        yield
        return
    is_taken = _turns.take(_SECONDS)
    try:
        yield
    finally:
        if is_taken:
            _turns.leave()
