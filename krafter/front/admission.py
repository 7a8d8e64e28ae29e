"""Limits how many long requests are worked on at once, in all and for each caller.

Further requests wait as coroutines, for a limited time. The caller with the fewest
requests at work comes first, so that a caller with many requests delays only itself.
All functions run in the event loop.
"""

import asyncio
from collections import Counter
from http import HTTPStatus

from krafter.front.http import Client, Gone, Refusal


class Admission:
    """`total` and `each`: requests at work at once, in all and of one caller.

    `each_open`: requests of a caller that wait, are at work, or whose responses are
    not sent completely. A request is refused after waiting for `wait_seconds`.
    """

    def __init__(
        self, *, total: int, each: int, each_open: int, wait_seconds: float
    ) -> None:
        self._total = total
        self._each = each
        self._each_open = each_open
        self._wait_seconds = wait_seconds
        self._working: Counter[str] = Counter()
        self._open: Counter[str] = Counter()
        self._waiting: dict[asyncio.Future[None], str] = {}

    async def enter(self, caller: str, client: Client) -> "Place":
        """Raises Refusal (503), and Gone if the client leaves meanwhile."""
        if self._open[caller] >= self._each_open:
            raise _refusal("Too many of your requests are open; retry")
        self._open[caller] += 1
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[turn] = caller
        self._admit()
        try:
            if not turn.done():
                await asyncio.wait(
                    {turn, client.gone},
                    timeout=self._wait_seconds,
                    return_when=asyncio.FIRST_COMPLETED,
                )
            if not turn.done():
                raise (
                    Gone
                    if client.gone.done()
                    else _refusal("Too many long requests; retry")
                )
        except BaseException:
            if self._waiting.pop(turn, None) is None:
                self._end_work(caller)
            self._close(caller)
            raise
        return Place(self, caller)

    def _admit(self) -> None:
        while sum(self._working.values()) < self._total:
            fitting = [
                turn
                for turn, caller in self._waiting.items()
                if self._working[caller] < self._each
            ]
            if not fitting:
                return
            turn = min(fitting, key=lambda each: self._working[self._waiting[each]])
            self._working[self._waiting.pop(turn)] += 1
            turn.set_result(None)

    def _end_work(self, caller: str) -> None:
        _lower(self._working, caller)
        self._admit()

    def _close(self, caller: str) -> None:
        _lower(self._open, caller)


class Place:
    """An admitted request. Call `end_work` and `close` when each is over."""

    def __init__(self, admission: Admission, caller: str) -> None:
        self._admission = admission
        self._caller = caller
        self._works = self._is_open = True

    def end_work(self) -> None:
        if self._works:
            self._works = False
            self._admission._end_work(self._caller)

    def close(self) -> None:
        """The response is sent or abandoned."""
        if self._is_open:
            self._is_open = False
            self._admission._close(self._caller)


def _lower(counts: "Counter[str]", caller: str) -> None:
    """Subtract one, and remove counts of zero."""
    counts[caller] -= 1
    if counts[caller] <= 0:
        del counts[caller]


def _refusal(message: str) -> Refusal:
    return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, message, {"Retry-After": "5"})
