"""Days that changed after they had ended: what tells a cached day is stale.

A day has ended when it has in every time zone, whatever the site's is or was:
so that a change of zone can never reopen a day that somebody has counted.
Writers note each change of a day that has ended by raising its version, in the
transaction of the change. A reader that counts a closed day notes the version
that it read before it counted, and trusts the count only while that version
still stands. No lock is needed: what a count may have missed always raises the
version that the count was made under.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

from django.db import connection

from analytics.models import LateDay

# The last zone to leave a day is 12 hours behind UTC.
_EVERYWHERE = timedelta(days=1, hours=12)
# A writer that saw the day just before it ended has committed by then.
_GRACE = timedelta(hours=1)


def last_ended(now: datetime) -> date:
    """The latest day that has ended everywhere: a change of it is late."""
    return (now.astimezone(UTC) - _EVERYWHERE).date()


def last_closed(now: datetime) -> date:
    """The latest day whose every further change is noted as late."""
    return last_ended(now - _GRACE)


def note(days: Iterable[tuple[int, date]], *, now: datetime) -> None:
    """Raise the versions of those (site, day) that have ended."""
    ended = last_ended(now)
    with connection.cursor() as cursor:
        # Sorted, so that two batches cannot wait for each other.
        for site_id, day in sorted({(s, d) for s, d in days if d <= ended}):
            cursor.execute(_RAISE, [site_id, day])


_RAISE = (
    f"INSERT INTO {LateDay._meta.db_table} AS kept (site_id, day, version)"  # noqa: S608 - a constant
    " VALUES (%s, %s, 1) ON CONFLICT (site_id, day)"
    " DO UPDATE SET version = kept.version + 1"
)
