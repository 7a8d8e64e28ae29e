"""Requests and responses, as the front and its applications see them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from functools import lru_cache
from http import HTTPStatus
from typing import Any, NamedTuple, Protocol, TypeAlias
from urllib.parse import unquote_to_bytes

# As in the ASGI specification.
Scope: TypeAlias = Mapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]


class Parts(Protocol):
    """The parts of a streamed response; `abandon()` stops producing them."""

    def __aiter__(self) -> AsyncIterator[bytes]: ...

    def abandon(self) -> None: ...


class Response(NamedTuple):
    """`body`: complete, or its parts."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes | Parts = b""


class Refusal(Exception):
    """A request that is refused: status, message and headers."""

    def __init__(
        self, status: HTTPStatus, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = dict(headers or {})


class Gone(Exception):
    """The client has disconnected."""


class Client:
    """The client of a request; `receive` returns the rest of the request's messages."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._watch: asyncio.Task[None] | None = None

    @property
    def gone(self) -> "asyncio.Task[None]":
        """A task that is done when the client has disconnected.

        There is one task for a request: Granian reports a disconnect when a wait is
        cancelled and started again.
        """
        if self._watch is None:
            self._watch = asyncio.ensure_future(self._wait())
        return self._watch

    async def _wait(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass

    def forget(self) -> None:
        """Call it after the last use of `gone`."""
        if self._watch is not None:
            self._watch.cancel()


def environ(scope: Scope, body_length: int = 0) -> dict[str, Any]:
    """The WSGI environ of a request, without the keys of the body and the server.

    A header whose name has an underscore is left out: WSGI's names cannot tell
    `X_Forwarded_For` from `X-Forwarded-For`, which a proxy sets.
    """
    found: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(scope["raw_path"]).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "REMOTE_ADDR": scope["client"][0] if scope["client"] else "",
        "CONTENT_LENGTH": str(body_length),
    }
    for name, value in scope["headers"]:
        # What is longer is no known header, and would fill the memory of names.
        variable = (_variable if len(name) <= _LONGEST else _named)(name)
        if variable is None:
            continue
        text = value.decode("latin-1")
        if variable in found:
            separator = "; " if variable == "HTTP_COOKIE" else ","
            text = f"{found[variable]}{separator}{text}"
        found[variable] = text
    return found


def _named(name: bytes) -> str | None:
    if b"_" in name:
        return None
    variable = name.decode("latin-1").upper().replace("-", "_")
    match variable:
        case "CONTENT_TYPE":
            return variable
        # They describe how the body was sent. It is complete here.
        case "CONTENT_LENGTH" | "TRANSFER_ENCODING":
            return None
    return f"HTTP_{variable}"


_LONGEST = 64
_variable = lru_cache(maxsize=1_024)(_named)


def header(scope: Scope, name: bytes) -> bytes | None:
    """The first header of that name, which is in lower case."""
    for key, value in scope["headers"]:
        if key == name:
            return bytes(value)
    return None
