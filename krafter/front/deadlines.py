"""A time limit that is the same for many waits, with one timer for all of them.

A timer for each request, which nearly none needs, took a tenth of its time in the
event loop.
"""

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

_Waiting = TypeVar("_Waiting")


class Deadlines(Generic[_Waiting]):
    """Calls `expire` with what was added and not removed within `seconds`.

    All methods are called in the event loop.
    """

    def __init__(self, seconds: float, expire: Callable[[_Waiting], None]) -> None:
        self._seconds = seconds
        self._expire = expire
        # In order of their deadlines, since the limit is the same for all.
        self._deadlines: dict[_Waiting, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, waiting: _Waiting) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._seconds
        if not self._deadlines:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = loop.call_at(deadline, self._end_overdue, loop)
        self._deadlines[waiting] = deadline

    def remove(self, waiting: _Waiting) -> None:
        self._deadlines.pop(waiting, None)

    def _end_overdue(self, loop: asyncio.AbstractEventLoop) -> None:
        while self._deadlines:
            waiting, deadline = next(iter(self._deadlines.items()))
            if deadline > loop.time():
                self._timer = loop.call_at(deadline, self._end_overdue, loop)
                return
            del self._deadlines[waiting]
            self._expire(waiting)
