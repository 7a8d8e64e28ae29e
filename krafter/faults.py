"""Classify database errors, and log them without flooding the log.

Some errors arrive as Django's exceptions, some (from the pool, COPY and server-side
cursors) as psycopg's. Both are handled the same way.
"""

import logging
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from time import monotonic
from typing import Any

import django.db

from krafter import metrics
from krafter.logs import LINES_A_MINUTE, LineLimit

RETRY_SECONDS = 1
SENTENCE = "The database is unavailable; retry"

# The shortest time between two lines with the same cause.
_SECONDS_BETWEEN_LINES = 20.0

logger = logging.getLogger(__name__)

# Django's errors, and psycopg's, which need not be installed for SQLite.
_OF_THE_SERVER: tuple[type[Exception], ...] = (
    django.db.OperationalError,
    django.db.InterfaceError,
)
ERRORS: tuple[type[Exception], ...] = (django.db.Error,)
_CONNECTION_ERRORS: tuple[type[Exception], ...] = ()
_POOL_CLOSED: tuple[type[Exception], ...] = ()
if find_spec("psycopg_pool") is not None:
    import psycopg
    import psycopg_pool

    _OF_THE_SERVER += (psycopg.OperationalError, psycopg.InterfaceError)
    ERRORS += (psycopg.Error,)
    _CONNECTION_ERRORS = (psycopg.OperationalError,)
    _POOL_CLOSED = (psycopg_pool.PoolClosed,)

# SQLSTATE prefixes of errors that affect every statement: connection pooler,
# resources, operator intervention, system error, read-only. Not 08006: our own lost
# connection has no SQLSTATE, so 08006 is that of another node of a distributed
# PostgreSQL, which affects some sites only.
_STATES_OF_ALL = ("08P", "53", "57P", "58", "25006", "25P03")
_READ_ONLY = "25006"
_DISK_FULL = "53100"
# The file is damaged or not an SQLite database.
_BROKEN_FILE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_UNWRITABLE_FILE = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)


def is_unavailable(error: BaseException) -> bool:
    """Whether the database failed, rather than the statement: answer 503."""
    if isinstance(error, _OF_THE_SERVER):
        return True
    if isinstance(error, ERRORS):
        return _state(error).startswith(_STATES_OF_ALL) or _file(error) in _BROKEN_FILE
    return False


def concerns_all(error: BaseException) -> bool:
    """Whether every other statement would fail too.

    An error without an SQLSTATE means that the connection is lost. SQLite has no
    SQLSTATEs, and one lock for all.
    """
    return is_unavailable(error) and (
        not _state(error) or _state(error).startswith(_STATES_OF_ALL)
    )


def is_read_only(error: BaseException) -> bool:
    """Whether reading still works: the database is read-only or its disk is full."""
    return _state(error) in (_READ_ONLY, _DISK_FULL) or _file(error) in _UNWRITABLE_FILE


@contextmanager
def unwritten() -> Iterator[None]:
    """Context manager for an optional write outside of a transaction.

    The write is skipped while the database is read-only.
    """
    try:
        yield
    except django.db.DatabaseError as error:
        if not is_read_only(error):
            raise
        report(error)


def is_busy(error: BaseException) -> bool:
    """Whether another process is writing to the SQLite file."""
    return _file(error) == sqlite3.SQLITE_BUSY


def cause(error: BaseException) -> str:
    """The first line of the message. Later lines may quote the data of a statement."""
    return str(error).strip().partition("\n")[0] or type(error).__name__


def kind(error: BaseException) -> str:
    """The kind of the error in one word, as a label for metrics."""
    if is_read_only(error):
        return "read_only"
    if is_busy(error):
        return "locked"
    state = _state(error)
    for beginning, word in _WORDS.items():
        if state.startswith(beginning):
            return word
    if isinstance(_origin(error), _CONNECTION_ERRORS) and not state:
        return "connection"
    return "other"


_WORDS = {
    "53": "resources",
    "57P": "shutdown",
    "57014": "timeout",
    "55P": "timeout",
    "40": "conflict",
}


def _origin(error: BaseException) -> BaseException:
    return (
        error.__cause__
        if isinstance(error, django.db.Error) and error.__cause__
        else error
    )


def _state(error: BaseException) -> str:
    return getattr(_origin(error), "sqlstate", None) or ""


def _file(error: BaseException) -> int | None:
    """SQLite's primary result code."""
    code = getattr(_origin(error), "sqlite_errorcode", None)
    return None if code is None else int(code) & 0xFF


# Logging

_lock = threading.Lock()
_limit = LineLimit()
_told: dict[str, float] = {}
_untold = 0


def report(error: BaseException | str) -> None:
    """Log the cause, unless the same one or too many others were just logged.

    Call it for each failure: the next line has the number of failures.
    """
    global _untold
    what = key = error if isinstance(error, str) else cause(error)
    if not isinstance(error, str):
        metrics.DATABASE_ERRORS.labels(kind(error)).inc()
        # `krafter.watch` closed the pool, and has logged the reason.
        if isinstance(_origin(error), _POOL_CLOSED):
            return
        # The message differs by statement, the SQLSTATE does not.
        key = _state(error) or what
    now = monotonic()
    with _lock:
        _untold += 1
        last = _told.get(key)
        if last is not None and now - last < _SECONDS_BETWEEN_LINES:
            return
        if not _limit.take():
            return
        # Bounds the memory. Entries older than a minute are not needed.
        if len(_told) > 2 * LINES_A_MINUTE:
            _told.clear()
        _told[key] = now
        failures, _untold = _untold, 0
    logger.error("The database fails: %s (%d failures)", what, failures)


def report_end() -> bool:
    """Log that the database is available again; False if it must be tried later.

    The line counts like those of failures: a database may come and go all the time.
    """
    if not _limit.take():
        return False
    logger.warning("The database is available again")
    return True


class PoolFilter(logging.Filter):
    """Filter of the pool's logger: reports failures to connect with `report`.

    The pool would write a line for each attempt.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        arguments: Any = record.args
        if isinstance(arguments, tuple):
            for argument in arguments:
                if isinstance(argument, ERRORS):
                    report(argument)
        return False


def forget() -> None:
    """Reset what was logged, so that it is logged again."""
    global _untold
    with _lock:
        _limit.forget()
        _told.clear()
        _untold = 0
