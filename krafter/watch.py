"""Whether the database answers, asked twice a second by each worker.

So one thread finds out that it does not, instead of every request for itself: while it
is away all are told at once to come back, and those that wait are freed. The same
question reads its clock (see `krafter.clock`).
"""

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from time import monotonic, time
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from krafter import clock, faults, health, metrics
from krafter.errors import unavailable_response

# An answer within 3 seconds: the pause, this, and some for all else.
ANSWER_SECONDS = 2.0
_PAUSE_SECONDS = 0.5
_PAUSE_WHILE_AWAY = 0.2
_NO_CONNECTIONS = ("too many clients", "connection slots", "too many connections")

logger = logging.getLogger(__name__)


class Watch:
    """`trouble`: why the database cannot be used, None while it can."""

    def __init__(self) -> None:
        self.trouble: str | None = None
        self._thread: threading.Thread | None = None
        self._is_over = threading.Event()
        self._probe: Any = None
        self._waits = (0, 0)
        self._is_migrated = False

    def start(self) -> None:
        """Look once, then go on in a thread. Until then there is no trouble."""
        self._is_over.clear()
        self._look()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._is_over.set()
        if self._thread is not None:
            self._thread.join(ANSWER_SECONDS)
        self._close()

    def _run(self) -> None:
        while not self._is_over.wait(
            _PAUSE_WHILE_AWAY if self.trouble else _PAUSE_SECONDS
        ):
            self._look()

    def _look(self) -> None:
        try:
            found = self._find()
        except Exception as error:
            # Whatever it is: without this thread nobody would find out any more.
            found = error
        if found is None:
            if self.trouble is not None:
                logger.warning("The database can be used again")
            self.trouble = None
        else:
            is_news = self.trouble is None
            self.trouble = found if isinstance(found, str) else faults.cause(found)
            faults.report(found)
            if is_news:
                self._free_all()
        metrics.DATABASE_UP.set(self.trouble is None)

    def _find(self) -> Exception | str | None:
        connection = connections["default"]
        try:
            if connection.vendor == "postgresql":
                self._ask_postgresql(connection)
                self._note_waits(connection)
            else:
                self._follow(_sqlite_time(connection))
            if not self._is_migrated:
                with health.own_connection() as own:
                    if missing := health.missing_migrations(own):
                        return missing[0]
                self._is_migrated = True
        except faults.ERRORS as error:
            # Those that are open go on: only no more can be made.
            if any(said in str(error) for said in _NO_CONNECTIONS) and _opened():
                faults.report(error)
                return None
            return None if faults.is_busy(error) else error
        return None

    def _ask_postgresql(self, connection: BaseDatabaseWrapper) -> None:
        import psycopg

        from krafter.postgresql import Probe

        if self._probe is not None:
            try:
                return self._ask(self._probe)
            except psycopg.errors._WaitTimeout:
                is_late = self._probe.has_answer()
                self._close()
                # It came while this process did not get to look.
                if is_late:
                    return
                raise psycopg.OperationalError(
                    f"No answer within {ANSWER_SECONDS:g} seconds"
                ) from None
            except psycopg.Error:
                # Perhaps this one alone was ended.
                self._close()
        parameters = connection.get_connection_params()
        parameters.pop("pool", None)
        self._probe = Probe.connect(**{**parameters, "autocommit": True})
        self._ask(self._probe)

    def _ask(self, probe: Any) -> None:
        before = monotonic()
        row = probe.execute("SELECT extract(epoch FROM clock_timestamp())").fetchone()
        late = (monotonic() - before) / 2
        if row is not None and late < clock.MAX_JUMP_SECONDS / 2:
            self._follow(float(row[0]) + late)

    def _follow(self, reading: float) -> None:
        if jump := clock.follow(reading):
            metrics.CLOCK_JUMPS.inc()
            faults.report(f"Its clock jumped by {jump:+.0f} s; no day is closed now")

    def _close(self) -> None:
        if self._probe is not None:
            with suppress(*faults.ERRORS):
                self._probe.close()
            self._probe = None

    def _free_all(self) -> None:
        """End every wait for an answer or a connection, and begin with a new pool.

        The old one would pause for longer and longer between its attempts.
        """
        connection: Any = connections["default"]
        if connection.vendor != "postgresql":
            return
        from krafter.postgresql import cut_off

        pool = type(connection)._connection_pools.pop("default", None)
        cut_off()
        if pool is not None:
            pool.close(timeout=0)

    def _note_waits(self, connection: Any) -> None:
        pool = type(connection)._connection_pools.get("default")
        if pool is None:
            return
        stats = pool.get_stats()
        waits = stats.get("requests_queued", 0), stats.get("requests_wait_ms", 0)
        # Less than before: a new pool.
        before = self._waits if waits >= self._waits else (0, 0)
        metrics.POOL_WAITS.inc(max(0, waits[0] - before[0]))
        metrics.POOL_WAIT_SECONDS.inc(max(0, waits[1] - before[1]) / 1_000)
        self._waits = waits


def _opened() -> bool:
    from krafter.postgresql import opened

    return bool(opened())


def _sqlite_time(connection: BaseDatabaseWrapper) -> float:
    """It has no clock: this machine's, once it is known that the file can be read."""
    with health.own_connection() as own, own.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM sqlite_master")
    return time()


watch = Watch()


class DatabaseMiddleware:
    """While the database is away, say so without waiting for it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if watch.trouble is not None:
            metrics.UNAVAILABLE.labels("away").inc()
            return unavailable_response(request)
        return self.get_response(request)
