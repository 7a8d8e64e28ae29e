"""The front's ASGI application: routes, reads the body, sends the response."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import NamedTuple, TypeAlias

from krafter.front.bodies import Bodies
from krafter.front.http import (
    Client,
    Gone,
    Message,
    Parts,
    Receive,
    Refusal,
    Response,
    Scope,
    Send,
)

logger = logging.getLogger(__name__)


Handler: TypeAlias = Callable[[Scope, bytes, Client], Awaitable[Response]]


class Route(NamedTuple):
    """The handler of a path, its handler of refusals, and its largest body in bytes."""

    answer: Handler
    refuse: Callable[[Scope, Refusal], Response]
    max_bytes: Callable[[Scope], int]


class Front:
    """The ASGI application. A path without a route is handled by `otherwise`.

    `start()` and `stop()` are called in a thread, once in each process: before the
    first request and after the last response.
    """

    def __init__(
        self,
        *,
        routes: Mapping[str, Route],
        otherwise: Route,
        bodies: Bodies,
        send_seconds: float,
        start: Callable[[], None],
        stop: Callable[[], None],
    ) -> None:
        self._routes = routes
        self._otherwise = otherwise
        self._bodies = bodies
        self._send_seconds = send_seconds
        self._start = start
        self._stop = stop

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._serve(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = self._routes.get(scope["path"], self._otherwise)
        client = Client(receive)
        try:
            response = await self._answer(route, scope, receive, client)
            start = {
                "type": "http.response.start",
                "status": response.status,
                "headers": [
                    (name.lower().encode("latin-1"), value.encode("latin-1"))
                    for name, value in response.headers
                ],
            }
            if isinstance(response.body, bytes):
                await send(start)
                await send({"type": "http.response.body", "body": response.body})
            else:
                await self._stream(start, response.body, client, send)
        except Gone:
            return
        finally:
            client.forget()

    async def _answer(
        self, route: Route, scope: Scope, receive: Receive, client: Client
    ) -> Response:
        try:
            body = await self._bodies.read(scope, receive, route.max_bytes(scope))
            return await route.answer(scope, body, client)
        except Gone:
            raise
        except Refusal as refusal:
            response = route.refuse(scope, refusal)
            if refusal.status < HTTPStatus.INTERNAL_SERVER_ERROR:
                # The body was not read, so the connection cannot be used again.
                response.headers.append(("Connection", "close"))
            return response
        except Exception:
            logger.exception("A request failed")
            error = Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "Internal error")
            return route.refuse(scope, error)

    async def _stream(
        self, start: Message, parts: Parts, client: Client, send: Send
    ) -> None:
        """Send the parts as fast as the client takes them.

        An abandoned response has no final chunk, so that the client can tell that it
        is incomplete.
        """
        try:
            await send(start)
            async for part in parts:
                if client.gone.done():
                    return
                async with asyncio.timeout(self._send_seconds):
                    await send(
                        {"type": "http.response.body", "body": part, "more_body": True}
                    )
            await send({"type": "http.response.body", "body": b""})
        except Gone:
            raise
        except TimeoutError:
            logger.warning("A response was abandoned: the client does not read it")
        except Exception:
            logger.exception("A response failed while it was sent")
        finally:
            parts.abandon()

    async def _live(self, receive: Receive, send: Send) -> None:
        for kind, act in (("startup", self._start), ("shutdown", self._stop)):
            await receive()
            await asyncio.to_thread(act)
            await send({"type": f"lifespan.{kind}.complete"})
