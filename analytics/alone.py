"""Work that one process at a time does, of all that find it due."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

# The class of the numbers of sites in `events.writing`; no site's is negative.
_LOCK_CLASS = 0x6B72

COUNTING_AHEAD = -1
ERASING = -2


@contextmanager
def alone(task: int) -> Iterator[bool]:
    """Whether no other process is at it. On SQLite each does its part."""
    if connection.vendor != "postgresql":
        yield True
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [_LOCK_CLASS, task])
        (is_alone,) = cursor.fetchone()
    try:
        yield is_alone
    finally:
        if is_alone:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [_LOCK_CLASS, task])
