"""The ASGI application: routes and limits.

Django runs in a bounded number of threads. What must not wait for one of them is
answered directly in the event loop: the tracker's events and script, `/healthz`,
`/readyz` and `/metrics`.
"""

import asyncio
import gc
import hashlib
import hmac
import os
import sys
from concurrent.futures import ThreadPoolExecutor

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "krafter.settings")
_django = get_wsgi_application()

# Imported here because they need Django to be set up.
from django.conf import settings  # noqa: E402
from django.db import connections  # noqa: E402
from django.urls import get_resolver  # noqa: E402

from analytics import housekeeping  # noqa: E402
from analytics.access import throttling  # noqa: E402
from analytics.ingest import (  # noqa: E402
    client_address,
    collect,
    country,
    scripts,
    user_agents,
    writer,
)
from analytics.questions.long_questions import is_long  # noqa: E402
from goals.demo import live  # noqa: E402
from krafter import health, metrics, request_ids  # noqa: E402
from krafter.caching import accepts_gzip  # noqa: E402
from krafter.front.admission import Admission  # noqa: E402
from krafter.front.application import Front, Handler, Route  # noqa: E402
from krafter.front.bodies import Bodies  # noqa: E402
from krafter.front.http import (  # noqa: E402
    Client,
    Refusal,
    Response,
    Scope,
    environ,
    header,
)
from krafter.front.spool import Disk  # noqa: E402
from krafter.front.threads import Threads  # noqa: E402
from krafter.parsing import RawJSONParser, StrictJSONParser  # noqa: E402
from krafter.rendering import API_PREFIX, encode  # noqa: E402
from krafter.watch import watch  # noqa: E402

READY_SECONDS = 1.0
# Forms of the admin.
_MAX_FORM_BYTES = 1024 * 1024
# A garbage collection starts after this many new objects.
_NEW_OBJECTS = 20_000
# The longest wait for a lock of another transaction.
_LOCK_SECONDS = 2.0
# The most requests that may wait for a thread; more would wait for seconds.
_MAX_WAITING = 500
# How long a long query waits for its turn, and how many a caller may have open:
# waiting, running, or with a response not yet read. A dashboard sends eight at once.
_TURN_SECONDS = 10.0
_MAX_OPEN = 16


# The tracker


async def _collect(scope: Scope, body: bytes, client: Client) -> Response:
    if _is_plain(scope):
        # Django redirects or refuses it, as all other routes.
        return await _threads.answer(scope, body, client)
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


def _is_plain(scope: Scope) -> bool:
    """Whether it came over plain HTTP, where that is not answered."""
    if not settings.SECURE_SSL_REDIRECT or scope["scheme"] == "https":
        return False
    # As in Django: the first one, which the outermost proxy sent.
    sent, _, _ = (header(scope, b"x-forwarded-proto") or b"").partition(b",")
    return settings.SECURE_PROXY_SSL_HEADER is None or sent.strip() != b"https"


async def _script(scope: Scope, body: bytes, client: Client) -> Response:
    if _is_plain(scope):
        return await _threads.answer(scope, body, client)
    packed = accepts_gzip((header(scope, b"accept-encoding") or b"").decode("latin-1"))
    headers, content = scripts.script(scope["path"], accepts_gzip=packed)
    return Response(200, [*headers.items()], content)


# Health and metrics


async def _healthz(scope: Scope, body: bytes, client: Client) -> Response:
    return _json(200, {"status": "alive"})


class _Readiness:
    """`/readyz`: requests share one check, and wait for it for at most a second."""

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
    """`/metrics`: for callers with the key or from an allowed network, else 404.

    The values of all workers are read from files, in a thread.
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


_disk = Disk(settings.SPOOL_MEGABYTES * 1024 * 1024)
_threads = Threads(
    _django, threads=settings.THREADS, max_waiting=_MAX_WAITING, disk=_disk
)


def _use_own_connections() -> None:
    """In a thread for long questions: send all queries to the alias `long`."""
    if "long" in connections.settings:
        connections["default"] = connections["long"]


_long_threads = Threads(
    _django,
    threads=settings.LONG_QUESTIONS,
    max_waiting=settings.LONG_QUESTIONS,
    disk=_disk,
    prepare=_use_own_connections,
)
_long_questions = Admission(
    total=settings.LONG_QUESTIONS,
    each=settings.LONG_QUESTIONS_PER_TEAM,
    each_open=_MAX_OPEN,
    wait_seconds=_TURN_SECONDS,
)


async def _answer(scope: Scope, body: bytes, client: Client) -> Response:
    if not is_long(
        scope["method"], scope["path"], scope["query_string"].decode("latin-1")
    ):
        return await _threads.answer(scope, body, client)
    # The team is known only after a query. Until then callers are told apart by key.
    # Who looks at pages has signed in with a cookie.
    key = header(scope, b"authorization") or header(scope, b"cookie") or b""
    try:
        place = await _long_questions.enter(hashlib.sha256(key).hexdigest(), client)
    except Refusal:
        metrics.QUESTIONS_REFUSED.labels("worker").inc()
        raise
    return await _long_threads.answer(scope, body, client, place)


def _max_bytes(scope: Scope) -> int:
    path = scope["path"]
    if not path.startswith(API_PREFIX):
        return _MAX_FORM_BYTES
    is_large = path.endswith(("/events", "/team/import"))
    parser = RawJSONParser if is_large else StrictJSONParser
    return parser.max_bytes


def _refuse(scope: Scope, refusal: Refusal) -> Response:
    """A refusal in the API's error shape. It used nothing of the rate limit."""
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
    """The client that an address belongs to; None for a trusted proxy."""
    if client_address.is_trusted(address):
        return None
    return client_address.household(address)


def _limit_waits() -> None:
    """Limit how long requests wait for locks. Commands may wait longer.

    Call it before the first connection is made.
    """
    for configured in connections.settings.values():
        options = configured["OPTIONS"]
        if connections["default"].vendor == "postgresql":
            options["options"] += f" -c lock_timeout={_LOCK_SECONDS * 1_000:.0f}"
        else:
            options["timeout"] = _LOCK_SECONDS


def _start() -> None:
    # How long a thread may hold the GIL while others wait for it. With Python's 5 ms,
    # the slowest events waited up to twice as long beside threads that compute.
    sys.setswitchinterval(0.001)
    _limit_waits()
    # Loaded now, so that the first event does not wait for them.
    country.table()
    user_agents.parse("")
    get_resolver().url_patterns  # noqa: B018 - imports the views
    watch.start()
    writer.commits.start()
    housekeeping.start()
    if settings.DEMO_VISITS:
        live.start()
    # Imported objects stay for good. Responses that create many objects took twice as
    # long while each collection went through all imported ones.
    gc.collect()
    gc.freeze()
    # Requests leave few cycles. Python's default of a collection every 700 new objects
    # took a tenth of the time of an event.
    gc.set_threshold(_NEW_OBJECTS)


def _stop() -> None:
    writer.commits.stop()
    watch.stop()


def _read_only(answer: Handler) -> Route:
    """A route of GET and HEAD requests without a body."""

    async def checked(scope: Scope, body: bytes, client: Client) -> Response:
        if scope["method"] not in ("GET", "HEAD"):
            return _json(405, {"error": "Method not allowed"}, Allow="GET, HEAD")
        return await answer(scope, body, client)

    return Route(checked, _refuse, lambda _: 0)


application = Front(
    routes={
        **dict.fromkeys(
            collect.PATHS,
            Route(_collect, _refuse_collect, lambda _: collect.MAX_BYTES),
        ),
        **dict.fromkeys(scripts.PATHS, _read_only(_script)),
        "/healthz": _read_only(_healthz),
        "/readyz": _read_only(_Readiness().answer),
        "/metrics": _read_only(_Metrics().answer),
    },
    otherwise=Route(_answer, _refuse, _max_bytes),
    bodies=Bodies(
        seconds=settings.BODY_SECONDS,
        per_client=settings.UNFINISHED_BODIES,
        client=_client,
    ),
    send_seconds=settings.SEND_SECONDS,
    start=_start,
    stop=_stop,
)
