"""What PostgreSQL knows of the tables of events when it plans a statement.

Until it has looked at a table that grew from nothing, it takes it for empty, and joins
each event of a day with all contexts of the site: 26 s on a busy machine for a month
of 17,000 events. Autovacuum looks within a minute or two; nobody waits for it here.
"""

import math
import threading

from django.db import connection, transaction

from analytics.models import Adjustment, Context, Event, EventName

_TABLES = ", ".join(
    model._meta.db_table for model in (Event, Adjustment, Context, EventName)
)
_FIRST = 1_000
# From here on autovacuum is soon enough: what a minute adds changes no plan.
_LARGE = 1_000_000


def look_at_tables() -> None:
    """Have PostgreSQL estimate the tables anew, by a sample. Elsewhere nothing.

    For what has stored many events at once. To a role that does not own the tables
    PostgreSQL says so in a warning, and does nothing.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"ANALYZE {_TABLES}")


class _Looks:
    """When a process that stores events has PostgreSQL look: at each doubling."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.forget()

    def forget(self) -> None:
        self._stored = 0
        self._next: float = _FIRST

    def note(self, number: int) -> bool:
        """Count what was stored; whether it is time to look."""
        with self._lock:
            self._stored += number
            is_time = self._stored >= self._next
            if is_time:
                self._next = 2 * self._stored
        return is_time

    def look(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT reltuples FROM pg_class WHERE oid = to_regclass(%s)",
                [Event._meta.db_table],
            )
            if cursor.fetchone()[0] >= _LARGE:
                self._next = math.inf
            else:
                # Autovacuum, and another process, may be at it: no writer waits.
                cursor.execute(f"ANALYZE (SKIP_LOCKED) {_TABLES}")


_looks = _Looks()


def note_stored(number: int) -> None:
    """Have small tables analyzed each time the events of this process have doubled.

    Call it on PostgreSQL, in the transaction that stores the events. They are analyzed
    after its commit, in some hundredths of a second. A failure is logged.
    """
    if _looks.note(number):
        transaction.on_commit(_looks.look, robust=True)


def forget() -> None:
    """Begin anew, as a new process does."""
    _looks.forget()
