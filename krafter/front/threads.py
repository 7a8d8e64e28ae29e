"""A WSGI application behind the front, in a bounded number of threads.

A thread takes a request when its body is here, and is free again when its answer
is made. Only an answer that is longer than a part keeps its thread while it is
sent, since whoever makes it may be bound to that.
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

from krafter.front.http import Client, Gone, Refusal, Response, Scope, environ

# Up to this size an answer is sent as a whole.
_PART = 64 * 1024
# How many parts may wait for a client to take them.
_PARTS_AHEAD = 2


class Threads:
    """Calls a WSGI application; `max_waiting` requests may wait for a thread."""

    def __init__(
        self,
        application: Callable[..., Iterable[bytes]],
        *,
        threads: int,
        max_waiting: int,
    ) -> None:
        self._application = application
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="wsgi")
        self._most = threads + max_waiting
        self._begun = 0

    async def answer(self, scope: Scope, body: bytes, client: Client) -> Response:
        """Raises Gone if the client leaves before a thread is free."""
        if self._begun >= self._most:
            raise Refusal(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "Too many requests wait, try again",
                {"Retry-After": "1"},
            )
        call = _Call(self._application, _full_environ(scope, body))
        client.gone.add_done_callback(call.notice)
        self._begun += 1
        self._pool.submit(call.run, self._end)
        return await call.head

    def _end(self, _: object) -> None:
        self._begun -= 1


class _Call:
    """One call of the application, in a thread; `head` is its answer's beginning.

    Itself the parts of an answer that is longer than one.
    """

    def __init__(
        self, application: Callable[..., Iterable[bytes]], variables: dict[str, Any]
    ) -> None:
        self._application = application
        self._variables = variables
        self._started: tuple[int, list[tuple[str, str]]] | None = None
        self._is_abandoned = False
        self._loop = asyncio.get_running_loop()
        self.head: asyncio.Future[Response] = self._loop.create_future()
        self._parts: asyncio.Queue[bytes | Exception | None] = asyncio.Queue()
        self._room = threading.Semaphore(_PARTS_AHEAD)

    def abandon(self) -> None:
        """Nobody waits any more: let the thread go."""
        self._is_abandoned = True
        self._room.release()

    def notice(self, left: "asyncio.Future[None]") -> None:
        """The client has left, unless nobody looks any more."""
        if not left.cancelled():
            self.abandon()

    # In the thread

    def run(self, end: Callable[[object], None]) -> None:
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
            self._tell(end, None)

    def _start(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], object]:
        self._started = int(status[:3]), headers
        return self._refuse_to_write

    @staticmethod
    def _refuse_to_write(data: bytes) -> object:
        raise NotImplementedError("write() of WSGI is for servers of before 2003")

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
            # Until the client has taken what is before it, or is given up.
            self._room.acquire()
            if self._is_abandoned:
                raise Gone
            self._tell(self._parts.put_nowait, part)
        self._tell(self._parts.put_nowait, None)

    def _tell(self, act: Callable[[Any], object], what: Any) -> None:
        # A loop that is closed has nobody left who waits.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(act, what)

    # In the loop

    def _begin(self, response: Response) -> None:
        if not self.head.done():
            self.head.set_result(response)

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
        self._room.release()
        return part


def _joined(parts: Iterable[bytes]) -> Iterable[bytes]:
    """The same in parts that are worth a message each."""
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
