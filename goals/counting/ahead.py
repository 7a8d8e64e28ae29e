"""Count closed days before somebody asks for them.

Each worker does it every hour by itself (see `analytics.housekeeping`), one of
them at a time; the command `rollup` does it for cron, and for a longer past.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.conf import settings
from django.db import connection

from analytics import events
from analytics.models import Site
from analytics.questions.periods import Days
from analytics.traffic import site_stats
from analytics.traffic.site_months import SiteMonths
from goals.counting import stats
from krafter import clock

# The longest of the periods that have a name, 12mo, and the day it begins on.
DAYS_BACK = 366
_LOCK_CLASS, _LOCK = 0x6B72, -1  # beside the numbers of sites in `events.writing`


def count_all_ahead() -> None:
    """Count what is missing of the last year, of each site and of its goals."""
    if not settings.COUNT_AHEAD or not clock.is_steady():
        return
    with _alone() as is_alone:
        if is_alone:
            for site in Site.objects.undeleted().iterator():
                count_ahead(site, last_days(DAYS_BACK))


def last_days(number: int) -> Days:
    """The last so many days that are closed."""
    last = events.last_closed(clock.now())
    return Days(last - timedelta(days=number - 1), last)


def count_ahead(
    site: Site,
    days: Days,
    *,
    progress: Callable[[int], object] = lambda counted: None,
) -> None:
    """Count and keep what is missing of these closed days.

    Of goals that were deleted too: they may be restored.
    """
    site_stats.count_missing(SiteMonths(site.pk, days), days, progress=progress)
    if rules := {goal.rule for goal in site.goals.all()}:
        stats.count_ahead(site.pk, rules, days, progress=progress)


@contextmanager
def _alone() -> Iterator[bool]:
    """Whether no other process is at it. On SQLite each does its part."""
    if connection.vendor != "postgresql":
        yield True
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [_LOCK_CLASS, _LOCK])
        (is_alone,) = cursor.fetchone()
    try:
        yield is_alone
    finally:
        if is_alone:
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT pg_advisory_unlock(%s, %s)", [_LOCK_CLASS, _LOCK]
                )
