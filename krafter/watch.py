"""Checks twice a second, in each worker, whether the database answers.

One thread notices an outage, instead of each request by itself. During an outage
requests get 503 at once, and those that are waiting for the database are released.
The same query reads the database's clock (see `krafter.clock`).
"""

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

# With the pause below, an outage is answered with 503 within 3 seconds.
ANSWER_SECONDS = 2.0
_PAUSE_SECONDS = 0.5
_PAUSE_WHILE_AWAY = 0.2
_NO_CONNECTIONS = ("too many clients", "connection slots", "too many connections")


class Watch:
    """`trouble`: why the database is unavailable; None while it is available."""

    def __init__(self) -> None:
        self.trouble: str | None = None
        self._thread: threading.Thread | None = None
        self._is_over = threading.Event()
        self._probe: Any = None
        self._waits = (0, 0)
        self._is_migrated = False
        self._is_end_untold = False

    def start(self) -> None:
        """Check once, then go on in a thread."""
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
            # The thread must survive any error: nothing else detects outages.
            found = error
        if found is None:
            if self.trouble is not None:
                self._is_end_untold = True
            self.trouble = None
            if self._is_end_untold:
                self._is_end_untold = not faults.report_end()
        else:
            self._is_end_untold = False
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
            # Open connections still work; only new ones are refused.
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
                # The answer arrived while this process was not scheduled.
                if is_late:
                    return
                raise psycopg.OperationalError(
                    f"No answer within {ANSWER_SECONDS:g} seconds"
                ) from None
            except psycopg.Error:
                # Perhaps only this connection was closed: try a new one.
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
            faults.report(
                f"Its clock jumped by {jump:+.0f} s; days stay open for a minute"
            )

    def _close(self) -> None:
        if self._probe is not None:
            with suppress(*faults.ERRORS):
                self._probe.close()
            self._probe = None

    def _free_all(self) -> None:
        """Release every thread that waits for the database, and replace the pools.

        The old pools would wait longer and longer between attempts to connect.
        """
        connection: Any = connections["default"]
        if connection.vendor != "postgresql":
            return
        from krafter.postgresql import cut_off

        by_alias = type(connection)._connection_pools
        pools = [by_alias.pop(alias) for alias in list(by_alias)]
        cut_off()
        for pool in pools:
            pool.close(timeout=0)

    def _note_waits(self, connection: Any) -> None:
        pool = type(connection)._connection_pools.get("default")
        if pool is None:
            return
        stats = pool.get_stats()
        waits = stats.get("requests_queued", 0), stats.get("requests_wait_ms", 0)
        # Lower than before: the pool was replaced.
        before = self._waits if waits >= self._waits else (0, 0)
        metrics.POOL_WAITS.inc(max(0, waits[0] - before[0]))
        metrics.POOL_WAIT_SECONDS.inc(max(0, waits[1] - before[1]) / 1_000)
        self._waits = waits


def _opened() -> bool:
    from krafter.postgresql import opened

    return bool(opened())


def _sqlite_time(connection: BaseDatabaseWrapper) -> float:
    """The machine's time, after checking that the file can be read."""
    with health.own_connection() as own, own.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM sqlite_master")
    return time()


watch = Watch()


class DatabaseMiddleware:
    """Answers 503 at once while the database is unavailable."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if watch.trouble is not None:
            metrics.UNAVAILABLE.labels("away").inc()
            return unavailable_response(request)
        return self.get_response(request)
