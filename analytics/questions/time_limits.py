"""Time limits of database statements.

Some queries (breakdowns, funnels, filters) read every event of their period. A time
limit prevents them from blocking other requests.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from time import monotonic
from typing import Any

from django.db import InterfaceError, OperationalError, connection

from krafter.errors import Unavailable

# Less than the usual timeout of clients and proxies.
QUESTION_SECONDS = 25.0
# SQLite checks the clock once in so many instructions.
_STEPS = 100_000
# PostgreSQL's state query_canceled. Its driver is an extra: no class of it here.
_CANCELED = "57014"

_limit: ContextVar[float | None] = ContextVar("time limit", default=None)


@contextmanager
def in_time(
    seconds: float | None = None,
    refusal: str = "The query took too long; choose a shorter period",
) -> Iterator[None]:
    """Cancel a statement that takes longer and raise Unavailable(refusal).

    Without `seconds`: the time limit of questions that count events. On
    PostgreSQL the limit is per statement, on SQLite for the whole block.
    """
    seconds = QUESTION_SECONDS if seconds is None else seconds
    outer = _limit.get()
    if outer is not None:
        # What is a part of a question has no more time than the question.
        seconds = min(seconds, outer)
    if seconds == outer and connection.vendor == "postgresql":
        # Each statement has this limit already.
        yield
        return
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
        # A lost connection has no limit left to restore.
        with suppress(OperationalError, InterfaceError):
            _limit_statements(outer)


def _limit_statements(seconds: float | None) -> None:
    connection.ensure_connection()
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            # At least 100 ms: 0 would mean no limit.
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
    state = getattr(error.__cause__, "sqlstate", None)
    return state == _CANCELED or str(error) == "interrupted"
