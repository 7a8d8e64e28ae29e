"""What an error of the database means, and how the log tells of it.

Some reach us as Django's, some (a pool's, a COPY's, a server-side cursor's) as
psycopg's own. Both count alike.
"""

import logging
import sqlite3
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from time import monotonic
from typing import Any

import django.db
from django.conf import settings

from krafter import metrics

RETRY_SECONDS = 1
SENTENCE = "The database is unavailable; retry"

# Of all workers together, at most so many lines in a minute.
_LINES_A_MINUTE = 10
# The same cause again only after so long.
_SECONDS_BETWEEN_LINES = 20.0

logger = logging.getLogger(__name__)

# Django's errors, and psycopg's own, which may be missing: SQLite needs it not.
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

# A connection pooler, resources, an administrator's intervention, the disk; a
# transaction that may only read. Not 08006: our own lost connection has no state, so
# this is another machine's, which a distributed PostgreSQL has for some of the sites.
_STATES_OF_ALL = ("08P", "53", "57P", "58", "25006", "25P03")
_READ_ONLY = "25006"
_DISK_FULL = "53100"
# The file is damaged, or none of SQLite's.
_BROKEN_FILE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_UNWRITABLE_FILE = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)


def is_unavailable(error: BaseException) -> bool:
    """Whether it is the database that fails, and not the statement: answer 503."""
    if isinstance(error, _OF_THE_SERVER):
        return True
    if isinstance(error, ERRORS):
        return _state(error).startswith(_STATES_OF_ALL) or _file(error) in _BROKEN_FILE
    return False


def concerns_all(error: BaseException) -> bool:
    """Whether no other statement would fare better.

    Without a state the connection is gone. SQLite has no states, and one lock.
    """
    return is_unavailable(error) and (
        not _state(error) or _state(error).startswith(_STATES_OF_ALL)
    )


def is_read_only(error: BaseException) -> bool:
    """Whether it can be read all the same: it takes no writes, or its disk is full."""
    return _state(error) in (_READ_ONLY, _DISK_FULL) or _file(error) in _UNWRITABLE_FILE


@contextmanager
def unwritten() -> Iterator[None]:
    """Around a write that an answer does not depend on, outside of transactions.

    It is left out while the database can be read and not written.
    """
    try:
        yield
    except django.db.DatabaseError as error:
        if not is_read_only(error):
            raise
        report(error)


def is_busy(error: BaseException) -> bool:
    """Whether somebody else writes to SQLite's file."""
    return _file(error) == sqlite3.SQLITE_BUSY


def cause(error: BaseException) -> str:
    """The fault in one line. The lines after it may quote what was to be stored."""
    return str(error).strip().partition("\n")[0] or type(error).__name__


def kind(error: BaseException) -> str:
    """The fault in one word, for counting."""
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
    """SQLite's primary code."""
    code = getattr(_origin(error), "sqlite_errorcode", None)
    return None if code is None else int(code) & 0xFF


# Telling of it

_lock = threading.Lock()
_lines: deque[float] = deque(maxlen=_LINES_A_MINUTE)
_told: dict[str, float] = {}
_untold = 0


def report(error: BaseException | str) -> None:
    """Log the cause at once, unless it or much else was just told.

    To be called for each failure: the next line says how many there were.
    """
    global _untold
    what = key = error if isinstance(error, str) else cause(error)
    if not isinstance(error, str):
        metrics.DATABASE_ERRORS.labels(kind(error)).inc()
        # By `krafter.watch`, which told why.
        if isinstance(_origin(error), _POOL_CLOSED):
            return
        # Statements differ, what keeps them from being written does not.
        key = _state(error) or what
    now = monotonic()
    with _lock:
        _untold += 1
        while _lines and now - _lines[0] >= 60:
            _lines.popleft()
        most = max(1, _LINES_A_MINUTE // settings.WORKERS)
        last = _told.get(key)
        if len(_lines) >= most or (
            last is not None and now - last < _SECONDS_BETWEEN_LINES
        ):
            return
        # What it holds was told within a minute, or is of no use any more.
        if len(_told) > 2 * _LINES_A_MINUTE:
            _told.clear()
        _told[key] = now
        _lines.append(now)
        failures, _untold = _untold, 0
    logger.error("The database fails: %s (%d failures)", what, failures)


class PoolFilter(logging.Filter):
    """Of the pool's logger: its failures to connect are faults like all others.

    It would write a line for each attempt.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        arguments: Any = record.args
        if isinstance(arguments, tuple):
            for argument in arguments:
                if isinstance(argument, ERRORS):
                    report(argument)
        return False


def forget() -> None:
    """What was told, so that it is told again."""
    global _untold
    with _lock:
        _lines.clear()
        _told.clear()
        _untold = 0
