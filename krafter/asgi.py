"""The application that is served: what goes where, and with which limits.

Django and what it serves is behind a number of threads. What must not wait for
one of those is answered beside it: the tracker's events and its script, and
whether the service is alive and ready.
"""

import asyncio
import hmac
import os
import sys
from concurrent.futures import ThreadPoolExecutor

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "krafter.settings")
_django = get_wsgi_application()

# They need Django set up.
from django.conf import settings  # noqa: E402
from django.db import connections  # noqa: E402

from analytics import housekeeping  # noqa: E402
from analytics.access import throttling  # noqa: E402
from analytics.ingest import (  # noqa: E402
    client_address,
    collect,
    country,
    scripts,
    writer,
)
from krafter import health, metrics, request_ids  # noqa: E402
from krafter.caching import accepts_gzip  # noqa: E402
from krafter.front.application import Front, Route  # noqa: E402
from krafter.front.bodies import Bodies  # noqa: E402
from krafter.front.http import (  # noqa: E402
    Client,
    Refusal,
    Response,
    Scope,
    environ,
    header,
)
from krafter.front.threads import Threads  # noqa: E402
from krafter.parsing import RawJSONParser, StrictJSONParser  # noqa: E402
from krafter.rendering import API_PREFIX, encode  # noqa: E402
from krafter.watch import watch  # noqa: E402

READY_SECONDS = 1.0
# Forms of the admin.
_MAX_FORM_BYTES = 1024 * 1024
# For another request's lock.
_LOCK_SECONDS = 2.0
# Requests that wait for a thread: what comes later would wait for seconds.
_MAX_WAITING = 500


# The tracker's way in


async def _collect(scope: Scope, body: bytes, client: Client) -> Response:
    if watch.trouble is not None:
        return _named(scope, collect.away("away"))
    name = _name(scope)
    with request_ids.named(name):
        answer = await collect.answer(environ(scope), body)
    return _named(scope, answer, name)


def _refuse_collect(scope: Scope, refusal: Refusal) -> Response:
    answer = collect.refuse(refusal.status, refusal.message, **refusal.headers)
    return _named(scope, answer)


def _named(scope: Scope, answer: collect.Answer, name: str = "") -> Response:
    headers = [*answer.headers.items(), (request_ids.HEADER, name or _name(scope))]
    return Response(answer.status, headers, answer.body)


def _name(scope: Scope) -> str:
    return request_ids.name((header(scope, b"x-request-id") or b"").decode("latin-1"))


async def _script(scope: Scope, body: bytes, client: Client) -> Response:
    if scope["method"] not in ("GET", "HEAD"):
        return _json(405, {"error": "Method not allowed"}, Allow="GET, HEAD")
    packed = accepts_gzip((header(scope, b"accept-encoding") or b"").decode("latin-1"))
    headers, content = scripts.script(scope["path"], accepts_gzip=packed)
    return Response(200, [*headers.items()], content)


# Whether it works


async def _healthz(scope: Scope, body: bytes, client: Client) -> Response:
    return _json(200, {"status": "alive"})


class _Readiness:
    """One look at a time, however many ask, and none waits longer than a second."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="readyz")
        self._look: asyncio.Future[dict[str, list[str]]] | None = None

    async def answer(self, scope: Scope, body: bytes, client: Client) -> Response:
        if self._look is None or self._look.done():
            loop = asyncio.get_running_loop()
            self._look = loop.run_in_executor(self._thread, health.problems)
        try:
            async with asyncio.timeout(READY_SECONDS):
                found = await asyncio.shield(self._look)
        except TimeoutError:
            found = {"database": ["No answer within a second"]}
        if not found:
            return _json(200, {"status": "ready"})
        return _json(503, {"error": "Not ready", "details": found})


class _Metrics:
    """For who has the key or comes from one of the networks; for others there is none.

    Other workers' numbers are read from files: by a thread, one at a time.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="metrics")

    async def answer(self, scope: Scope, body: bytes, client: Client) -> Response:
        if not self._may(scope):
            return _json(404, {"error": "Not found"})
        loop = asyncio.get_running_loop()
        text = await loop.run_in_executor(self._thread, metrics.text)
        return Response(200, [("Content-Type", metrics.CONTENT_TYPE)], text)

    def _may(self, scope: Scope) -> bool:
        given = header(scope, b"authorization") or b""
        key = settings.METRICS_KEY
        if key and hmac.compare_digest(given, b"Bearer " + key.encode()):
            return True
        address = client_address.client_address(environ(scope))
        allowed = tuple(settings.METRICS_NETWORKS)
        return bool(allowed) and client_address.is_within(address, allowed)


# Everything else


def _max_bytes(scope: Scope) -> int:
    path = scope["path"]
    if not path.startswith(API_PREFIX):
        return _MAX_FORM_BYTES
    parser = RawJSONParser if path.endswith("/events") else StrictJSONParser
    return parser.max_bytes


def _refuse(scope: Scope, refusal: Refusal) -> Response:
    """As the API does: nothing was counted, so that its limit shows as whole."""
    headers = {request_ids.HEADER: request_ids.name(""), **refusal.headers}
    limit = settings.RATE_LIMIT_API
    if limit and scope["path"].startswith(API_PREFIX):
        headers |= throttling.quota(limit, 0, throttling.current_minute()).headers
    body: dict[str, object] = {"error": refusal.message}
    if refusal.status == 503:
        metrics.UNAVAILABLE.labels("overload").inc()
    if refusal.status == 429:
        metrics.LIMITED.labels("bodies").inc()
        body["retry_after"] = int(refusal.headers["Retry-After"])
    return _json(refusal.status, body, **headers)


def _json(status: int, body: object, **headers: str) -> Response:
    shown = {"Content-Type": "application/json", **headers}
    return Response(status, [*shown.items()], encode(body))


def _client(address: str) -> str | None:
    """Who an address is; None for a proxy of ours, which is everybody."""
    if client_address.is_trusted(address):
        return None
    return client_address.household(address)


def _limit_waits() -> None:
    """How long a request may wait for another's lock: a command may for longer.

    To be called before the first connection is made.
    """
    options = connections.settings["default"]["OPTIONS"]
    if connections["default"].vendor == "postgresql":
        options["options"] += f" -c lock_timeout={_LOCK_SECONDS * 1_000:.0f}"
    else:
        options["timeout"] = _LOCK_SECONDS


def _start() -> None:
    # How long a thread keeps the interpreter that others wait for. Beside threads
    # that compute, 5 ms (Python's) made the slowest events wait up to twice as long.
    sys.setswitchinterval(0.001)
    _limit_waits()
    # The first event would wait for it otherwise.
    country.table()
    watch.start()
    writer.commits.start()
    housekeeping.start()


def _stop() -> None:
    writer.commits.stop()
    watch.stop()


application = Front(
    routes={
        **dict.fromkeys(
            collect.PATHS,
            Route(_collect, _refuse_collect, lambda _: collect.MAX_BYTES),
        ),
        **dict.fromkeys(scripts.PATHS, Route(_script, _refuse, lambda _: 0)),
        "/healthz": Route(_healthz, _refuse, lambda _: 0),
        "/readyz": Route(_Readiness().answer, _refuse, lambda _: 0),
        "/metrics": Route(_Metrics().answer, _refuse, lambda _: 0),
    },
    otherwise=Route(
        Threads(_django, threads=settings.THREADS, max_waiting=_MAX_WAITING).answer,
        _refuse,
        _max_bytes,
    ),
    bodies=Bodies(
        seconds=settings.BODY_SECONDS,
        per_client=settings.UNFINISHED_BODIES,
        client=_client,
    ),
    send_seconds=settings.SEND_SECONDS,
    start=_start,
    stop=_stop,
)
