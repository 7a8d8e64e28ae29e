"""Versions of days that changed after they had ended, which invalidate stored counts.

A day has ended when it has ended in every time zone, so that changing a site's zone
never reopens a counted day. Writers raise the version of an ended day in the
transaction that changes it. A reader that counts a closed day stores the version that
it read before counting, and uses the count only while the version is unchanged. No
lock is needed: a change that a count may have missed raises the version that was
read before.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

from django.db import connection

from analytics.models import LateDay
from analytics.questions.periods import Days

# The last zone to leave a day is 12 hours behind UTC.
_EVERYWHERE = timedelta(days=1, hours=12)
# A writer that saw the day just before it ended has committed by then.
_GRACE = timedelta(hours=1)


def last_ended(now: datetime) -> date:
    """The latest day that has ended in every time zone."""
    return (now.astimezone(UTC) - _EVERYWHERE).date()


def last_closed(now: datetime) -> date:
    """The latest day of which every further change raises the version."""
    return last_ended(now - _GRACE)


def note(days: Iterable[tuple[int, date]], *, now: datetime) -> None:
    """Raise the versions of those (site, day) that have ended."""
    ended = last_ended(now)
    change((s, d) for s, d in days if d <= ended)


def change(days: Iterable[tuple[int, date]]) -> None:
    """Raise the versions of those (site, day), ended or not, after erasing events."""
    with connection.cursor() as cursor:
        # Sorted, so that two batches cannot wait for each other.
        for site_id, day in sorted(set(days)):
            cursor.execute(_RAISE, [site_id, day])


def of_days(site_id: int, days: Days) -> dict[date, int]:
    """The versions of days that ever changed."""
    found = LateDay.objects.filter(site_id=site_id, day__range=days)
    return dict(found.values_list("day", "version"))


_RAISE = (
    f"INSERT INTO {LateDay._meta.db_table} AS kept (site_id, day, version)"  # noqa: S608 - a constant
    " VALUES (%s, %s, 1) ON CONFLICT (site_id, day)"
    " DO UPDATE SET version = kept.version + 1"
)
