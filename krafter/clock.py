"""The current time, wherever it decides what is counted: the database's clock.

Workers may run on machines whose clocks differ, and a clock may jump. If one worker
closed a day while another still stored events for it, that day would be undercounted
permanently. So all workers use one clock: the database's, as `krafter.watch` last read
it, advanced by the machine's monotonic clock.
"""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

# A larger difference between expected and actual reading is a jump.
MAX_JUMP_SECONDS = 2.0
# How long a clock must run steadily after a jump before it is used again.
_SETTLED_SECONDS = 60.0

_lock = threading.Lock()
# The last reading: the database's Unix time and the monotonic time of that moment.
# None: the database's clock is not read (commands, tests); the machine's is used.
_read: tuple[float, float] | None = None
_jumped_at: float | None = None


# Reads the database's clock once, in processes without `krafter.watch` (commands).
source: Callable[[], float] | None = None


def timestamp() -> float:
    """Unix time."""
    reading = _read
    if reading is None:
        if source is None:
            return time.time()
        follow(source())
        return timestamp()
    theirs, ours = reading
    return theirs + time.monotonic() - ours


def of_database() -> float:
    """Unix time of the database's clock; SQLite has none, so the machine's."""
    from django.db import connection

    if connection.vendor != "postgresql":
        return time.time()
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM clock_timestamp())")
        return float(cursor.fetchone()[0])


def now() -> datetime:
    return datetime.fromtimestamp(timestamp(), UTC)


def is_steady() -> bool:
    """Whether the clock has not jumped recently: only then may a day be closed."""
    return _jumped_at is None or time.monotonic() - _jumped_at >= _SETTLED_SECONDS


def follow(reading: float) -> float:
    """Process a reading (Unix time) of the database's clock; the jump in seconds.

    The new time is adopted only after the clock has run steadily for a minute, so that
    a short glitch changes nothing.
    """
    global _read, _jumped_at, _candidate
    ours = time.monotonic()
    with _lock:
        if _read is None:
            _read = reading, ours
            return 0.0
        theirs, then = _read
        jump = reading - (theirs + ours - then)
        if abs(jump) <= MAX_JUMP_SECONDS:
            _read = reading, ours
            _candidate = None
            return 0.0
        _jumped_at = ours
        offset = reading - ours
        if _candidate is None or abs(_candidate[0] - offset) > MAX_JUMP_SECONDS:
            _candidate = offset, ours
        elif ours - _candidate[1] >= _SETTLED_SECONDS:
            _read, _candidate = (reading, ours), None
        return jump


# The offset to the monotonic clock after a jump, and when it was first seen.
_candidate: tuple[float, float] | None = None


def forget() -> None:
    """Reset: use the machine's clock."""
    global _read, _jumped_at, _candidate
    with _lock:
        _read = _jumped_at = _candidate = None
