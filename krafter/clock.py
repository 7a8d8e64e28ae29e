"""What time it is, where that decides what is counted: the database's time.

The workers of an installation may run on machines whose clocks differ, and a clock may
jump. A day that one of them takes for over, while another still stores events of it,
would be undercounted for ever. So all follow one clock: that of the database, as
`krafter.watch` last read it, carried on by this machine's monotonic clock.
"""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

# Further apart than this, two readings of one clock disagree.
MAX_JUMP_SECONDS = 2.0
# A clock that jumped is believed again when it has kept its pace for so long.
_SETTLED_SECONDS = 60.0

_lock = threading.Lock()
# The last reading: the clock's Unix time, and ours of that moment. None: nobody reads
# the database's clock (a command, a test), and the machine's own stands for it.
_read: tuple[float, float] | None = None
_jumped_at: float | None = None


# Reads the clock to follow, once, where nobody does it all the time: in commands.
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
    """Unix time of the database's clock, or of the machine's if it has none."""
    from django.db import connection

    if connection.vendor != "postgresql":
        return time.time()
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM clock_timestamp())")
        return float(cursor.fetchone()[0])


def now() -> datetime:
    return datetime.fromtimestamp(timestamp(), UTC)


def is_steady() -> bool:
    """Whether the clock kept its pace lately: whether a day may be kept as over."""
    return _jumped_at is None or time.monotonic() - _jumped_at >= _SETTLED_SECONDS


def follow(reading: float) -> float:
    """Take a reading (Unix time) of the clock to follow; by how much it has jumped.

    A jump is followed only when the clock has kept its new pace for a minute: a glitch
    that is over by then has changed nothing.
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


# Where the clock may have gone: its distance to ours, and since when.
_candidate: tuple[float, float] | None = None


def forget() -> None:
    """Follow no clock but the machine's."""
    global _read, _jumped_at, _candidate
    with _lock:
        _read = _jumped_at = _candidate = None
