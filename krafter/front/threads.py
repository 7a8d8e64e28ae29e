"""Runs a WSGI application in a bounded number of threads.

A thread is called when the body of a request is complete, and is free again when the
response is produced: what the client has not taken by then is in a file. A thread waits
for its client only when those files take all the disk space they may.
"""

import asyncio
import io
import sys
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http import HTTPStatus
from itertools import chain
from typing import Any

from krafter.front.admission import Place
from krafter.front.http import Client, Gone, Refusal, Response, Scope, environ
from krafter.front.spool import Disk, Piece, Spool

# Up to this size a response is sent as a whole.
_PART = 64 * 1024
# The most parts in memory that wait for a client to take them.
_PARTS_AHEAD = 2


class Threads:
    """Calls a WSGI application; `max_waiting` requests may wait for a thread.

    `prepare()` is called once in each thread. `disk` is the space for responses.
    """

    def __init__(
        self,
        application: Callable[..., Iterable[bytes]],
        *,
        threads: int,
        max_waiting: int,
        disk: Disk,
        prepare: Callable[[], None] = lambda: None,
    ) -> None:
        self._application = application
        self._disk = disk
        self._pool = ThreadPoolExecutor(
            threads, thread_name_prefix="wsgi", initializer=prepare
        )
        self._most = threads + max_waiting
        self._begun = 0

    async def answer(
        self, scope: Scope, body: bytes, client: Client, place: Place | None = None
    ) -> Response:
        """Raises Gone if the client disconnects before a thread is free.

        `place.end_work()` is called when the thread is free, `place.close()` when the
        response is sent.
        """
        if self._begun >= self._most:
            if place is not None:
                place.end_work()
                place.close()
            raise Refusal(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "Too many waiting requests; retry",
                {"Retry-After": "1"},
            )
        variables = _full_environ(scope, body)
        call = _Call(self._application, variables, Spool(self._disk), place)
        client.gone.add_done_callback(call.notice)
        self._begun += 1
        self._pool.submit(call.run, self._end)
        return await call.head

    def _end(self, call: "_Call") -> None:
        self._begun -= 1
        call.end()


class _Call:
    """One call of the application in a thread; `head` is a future of its response.

    It is itself the iterator of the parts of a streamed response.
    """

    def __init__(
        self,
        application: Callable[..., Iterable[bytes]],
        variables: dict[str, Any],
        spool: Spool,
        place: Place | None,
    ) -> None:
        self._application = application
        self._variables = variables
        self._spool = spool
        self._place = place
        self._started: tuple[int, list[tuple[str, str]]] | None = None
        self._is_abandoned = False
        self._is_streamed = False
        self._loop = asyncio.get_running_loop()
        self.head: asyncio.Future[Response] = self._loop.create_future()
        self._parts: asyncio.Queue[bytes | Piece | Exception | None] = asyncio.Queue()
        self._room = threading.Semaphore(_PARTS_AHEAD)

    def abandon(self) -> None:
        """The response is no longer needed: release the thread."""
        self._is_abandoned = True
        self._room.release()
        self._spool.close()
        if self._place is not None:
            self._place.close()

    def notice(self, left: "asyncio.Future[None]") -> None:
        """Callback of `Client.gone`: the client has disconnected."""
        if not left.cancelled():
            self.abandon()

    # In the thread

    def run(self, end: "Callable[[_Call], None]") -> None:
        try:
            if self._is_abandoned:
                raise Gone
            result = self._application(self._variables, self._start)
            try:
                self._hand_over(iter(result))
            finally:
                if hasattr(result, "close"):
                    result.close()
        except Exception as error:
            self._tell(self._fail, error)
        finally:
            self._tell(end, self)

    def _start(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], object]:
        self._started = int(status[:3]), headers
        return self._refuse_to_write

    @staticmethod
    def _refuse_to_write(data: bytes) -> object:
        raise NotImplementedError("The write() callable of WSGI is not supported")

    def _hand_over(self, parts: "Iterable[bytes]") -> None:
        parts = iter(parts)
        begun, size = [], 0
        for part in parts:
            begun.append(part)
            size += len(part)
            if size > _PART:
                following = next(parts, None)
                if following is not None:
                    self._stream(b"".join(begun), chain([following], parts))
                    return
        assert self._started is not None  # noqa: S101 - WSGI promises it
        self._tell(self._begin, Response(*self._started, b"".join(begun)))

    def _stream(self, first: bytes, parts: Iterable[bytes]) -> None:
        assert self._started is not None  # noqa: S101 - WSGI promises it
        self._tell(self._begin, Response(*self._started, self))
        for part in chain([first], _joined(parts)):
            kept: bytes | Piece = part
            if not self._room.acquire(blocking=False):
                kept = self._kept(part)
            if self._is_abandoned:
                raise Gone
            self._tell(self._parts.put_nowait, kept)
        self._tell(self._parts.put_nowait, None)

    def _kept(self, part: bytes) -> bytes | Piece:
        """Put a part into the file; without space, wait for the client instead."""
        piece = self._spool.put(part)
        if piece is not None:
            return piece
        self._room.acquire()
        return part

    def _tell(self, act: Callable[[Any], object], what: Any) -> None:
        # The loop may be closed already; then nothing waits for the result.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(act, what)

    # In the loop

    def _begin(self, response: Response) -> None:
        if not self.head.done():
            self._is_streamed = response.body is self
            self.head.set_result(response)
        else:
            # The waiting coroutine was cancelled.
            self.abandon()

    def end(self) -> None:
        """The thread is free."""
        if self._place is not None:
            self._place.end_work()
        if not self._is_streamed:
            self.abandon()

    def _fail(self, error: Exception) -> None:
        if self.head.done():
            self._parts.put_nowait(error)
        else:
            self.head.set_exception(error)

    def __aiter__(self) -> "_Call":
        return self

    async def __anext__(self) -> bytes:
        part = await self._parts.get()
        if part is None:
            raise StopAsyncIteration
        if isinstance(part, Exception):
            raise part
        if isinstance(part, Piece):
            # Usually in the page cache. If not, only this response waits for the disk.
            return await asyncio.to_thread(self._spool.read, part)
        self._room.release()
        return part


def _joined(parts: Iterable[bytes]) -> Iterable[bytes]:
    """Join small parts, so that each message has about `_PART` bytes."""
    begun: list[bytes] = []
    size = 0
    for part in parts:
        begun.append(part)
        size += len(part)
        if size >= _PART:
            yield b"".join(begun)
            begun, size = [], 0
    if begun:
        yield b"".join(begun)


def _full_environ(scope: Scope, body: bytes) -> dict[str, Any]:
    host, port = scope["server"] or ("", 0)
    return environ(scope, len(body)) | {
        "SERVER_NAME": host,
        "SERVER_PORT": str(port),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
