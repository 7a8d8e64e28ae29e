"""Reads request bodies, with limits of time, size and number for each client."""

import asyncio
from collections import Counter
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, cast

from krafter.front.deadlines import Deadlines
from krafter.front.http import Receive, Refusal, Scope

# The most memory for large bodies in a worker. Small ones are not counted: they are
# short-lived, and must be accepted even when this limit is reached.
_MAX_HELD = 64 * 1024 * 1024
_LARGE = 64 * 1024


class Bodies:
    """Reads bodies. Counts are for one process.

    `client(address)` returns the client that an address belongs to, or None for a
    proxy, which may have any number of unfinished bodies.
    """

    def __init__(
        self, *, seconds: float, per_client: int, client: Callable[[str], str | None]
    ) -> None:
        self._deadlines = Deadlines[asyncio.Task[Any]](seconds, self._end)
        # Tasks that are cancelled because their body took too long.
        self._ended: set[asyncio.Task[Any]] = set()
        self._per_client = per_client
        self._client = client
        self._unfinished: Counter[str] = Counter()
        self._held = 0

    async def read(self, scope: Scope, receive: Receive, limit: int) -> bytes:
        """The body; at most `limit` bytes. Raises Refusal."""
        length = _length(scope)
        if length == 0:
            return b""
        if length is not None and length > limit:
            raise _too_large()
        who = self._client(scope["client"][0] if scope["client"] else "")
        if who is None:
            return await self._within_time(receive, length, limit)
        if self._unfinished[who] >= self._per_client:
            raise Refusal(
                HTTPStatus.TOO_MANY_REQUESTS,
                "Too many unfinished requests",
                {"Retry-After": "1"},
            )
        self._unfinished[who] += 1
        try:
            return await self._within_time(receive, length, limit)
        finally:
            self._unfinished[who] -= 1
            if not self._unfinished[who]:
                del self._unfinished[who]

    async def _within_time(
        self, receive: Receive, length: int | None, limit: int
    ) -> bytes:
        task = cast(asyncio.Task[Any], asyncio.current_task())
        self._deadlines.add(task)
        try:
            return await self._read(receive, length, limit)
        except asyncio.CancelledError:
            # As asyncio.timeout: a cancellation by others goes on.
            if task in self._ended and task.uncancel() == 0:
                raise Refusal(
                    HTTPStatus.REQUEST_TIMEOUT, "The body took too long"
                ) from None
            raise
        finally:
            self._deadlines.remove(task)
            self._ended.discard(task)

    def _end(self, task: asyncio.Task[Any]) -> None:
        self._ended.add(task)
        task.cancel()

    async def _read(self, receive: Receive, length: int | None, limit: int) -> bytes:
        parts: list[bytes] = []
        size = held = 0
        try:
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    # Granian says the same of a client that is gone and of chunks
                    # that are none; without an answer it would send a 500.
                    raise Refusal(
                        HTTPStatus.BAD_REQUEST, "The body is malformed or incomplete"
                    )
                parts.append(message["body"])
                size += len(message["body"])
                if size > limit:
                    raise _too_large()
                # With a known length, no further message is needed.
                if size == length or not message["more_body"]:
                    return b"".join(parts)
                if size > _LARGE:
                    self._held += size - held
                    held = size
                    if self._held > _MAX_HELD:
                        raise Refusal(
                            HTTPStatus.SERVICE_UNAVAILABLE,
                            "Too many large bodies; retry",
                            {"Retry-After": "1"},
                        )
        finally:
            self._held -= held


def _length(scope: Scope) -> int | None:
    """The length of the body in bytes; None if it is chunked."""
    length = 0
    for name, value in scope["headers"]:
        if name == b"transfer-encoding":
            return None
        if name == b"content-length":
            # The server has refused invalid numbers.
            length = int(value)
    return length


def _too_large() -> Refusal:
    return Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The body is too large")
