"""Keep PostgreSQL's statistics on the tables of events up to date.

Until PostgreSQL has analyzed a new table, it plans as if the table were empty, and
joins each event of a day with all contexts of the site: 26 s on a busy machine for a
month of 17,000 events. Autovacuum analyzes tables only after a minute or two.
"""

import math
import threading

from django.db import connection, transaction

from analytics.models import Adjustment, Context, Event, EventName

_TABLES = ", ".join(
    model._meta.db_table for model in (Event, Adjustment, Context, EventName)
)
_FIRST = 1_000
# From this size on autovacuum is enough: the events of a minute change no plan.
_LARGE = 1_000_000


def look_at_tables() -> None:
    """On PostgreSQL, analyze the tables.

    Call it after storing many events at once. If the role does not own the tables,
    PostgreSQL only logs a warning.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"ANALYZE {_TABLES}")


class _Looks:
    """Decides when a process that stores events analyzes: at each doubling."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.forget()

    def forget(self) -> None:
        self._stored = 0
        self._next: float = _FIRST

    def note(self, number: int) -> bool:
        """Count stored events; return whether it is time to analyze."""
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
                # Skip tables that are being analyzed, so that no writer waits.
                cursor.execute(f"ANALYZE (SKIP_LOCKED) {_TABLES}")


_looks = _Looks()


def note_stored(number: int) -> None:
    """Analyze small tables each time the events stored by this process have doubled.

    Call it on PostgreSQL, in the transaction that stores the events. The analysis runs
    after the commit and takes some hundredths of a second. A failure is logged.
    """
    if _looks.note(number):
        transaction.on_commit(_looks.look, robust=True)


def forget() -> None:
    """Reset the counts of this process."""
    _looks.forget()
