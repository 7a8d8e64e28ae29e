"""How long a question may keep the database busy.

Some questions read every event of their period: a breakdown, a funnel, a filter.
How many those are is the site's affair, how long others wait for them is ours.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from time import monotonic
from typing import Any

from django.db import InterfaceError, OperationalError, connection
from psycopg.errors import QueryCanceled

from krafter.errors import Unavailable

# Clients and proxies give up after a minute or less.
QUESTION_SECONDS = 25.0
# How many of SQLite's instructions pass between two looks at the clock.
_STEPS = 100_000

_limit: ContextVar[float | None] = ContextVar("time limit", default=None)


@contextmanager
def in_time() -> Iterator[None]:
    """Around what counts from the events, or above it. Raises Unavailable."""
    with time_limit(QUESTION_SECONDS, "This takes too long: ask for fewer days"):
        yield


@contextmanager
def time_limit(seconds: float, refusal: str) -> Iterator[None]:
    """End a statement that takes longer. Raises Unavailable with the refusal.

    SQLite counts from here on, PostgreSQL for each statement anew.
    """
    outer = _limit.get()
    token = _limit.set(seconds)
    try:
        _limit_statements(seconds)
        yield
    except OperationalError as error:
        if _is_timeout(error):
            raise Unavailable(refusal) from None
        raise
    finally:
        _limit.reset(token)
        # A connection that is gone takes its limit along.
        with suppress(OperationalError, InterfaceError):
            _limit_statements(outer)


def _limit_statements(seconds: float | None) -> None:
    connection.ensure_connection()
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            # At least a moment: 0 means no limit at all.
            milliseconds = 0 if seconds is None else max(int(seconds * 1_000), 100)
            cursor.execute("SET statement_timeout = %s", [milliseconds])
        return
    database: Any = connection.connection
    if seconds is None:
        database.set_progress_handler(None, 0)
        return
    end = monotonic() + seconds
    database.set_progress_handler(lambda: monotonic() > end, _STEPS)


def _is_timeout(error: OperationalError) -> bool:
    return isinstance(error.__cause__, QueryCanceled) or str(error) == "interrupted"
