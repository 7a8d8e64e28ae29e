"""Precompute the counts of closed days.

Each worker does this every hour (see `analytics.housekeeping`), one worker at a time.
The command `rollup` does it from cron, or for a longer period.
"""

from collections.abc import Callable
from datetime import timedelta

from django.conf import settings

from analytics import events
from analytics.alone import COUNTING_AHEAD, alone
from analytics.lifecycle.parts import Keeper
from analytics.models import Site
from analytics.questions.periods import Days
from analytics.traffic import name_days, site_stats
from analytics.traffic.site_months import SiteMonths
from goals.counting import labels_ahead, stats
from krafter import clock

# The longest named period, 12mo, including the day on which it begins.
DAYS_BACK = 366


def count_all_ahead() -> None:
    """Compute the missing counts of the last year for every site and its goals."""
    if not settings.COUNT_AHEAD or not clock.is_steady():
        return
    with alone(COUNTING_AHEAD) as is_alone:
        if is_alone:
            for site in Site.objects.undeleted().iterator():
                count_ahead(site, last_days(DAYS_BACK))


def last_days(number: int) -> Days:
    """The last `number` closed days."""
    last = events.last_closed(clock.now())
    return Days(last - timedelta(days=number - 1), last)


def count_ahead(
    site: Site,
    days: Days,
    *,
    all_labels: bool = False,
    progress: Callable[[int], object] = lambda counted: None,
) -> None:
    """Compute and store the missing counts of these closed days.

    Counts by label are computed for the labels that were queried before, or for all of
    them (`all_labels`).
    """
    keep(site, days, progress)
    labels_ahead.count_ahead(site, days, all_labels=all_labels, progress=progress)


def keep(site: Site, days: Days, progress: Callable[[int], object]) -> None:
    """Compute and store the missing counts, but none by label.

    Deleted goals are included, since they may be restored.
    """
    site_stats.count_missing(SiteMonths(site.pk, days), days, progress=progress)
    name_days.count_missing(site.pk, days, progress=progress)
    if rules := {goal.rule for goal in site.goals.all()}:
        stats.count_ahead(site.pk, rules, days, progress=progress)


def lacks(site: Site, days: Days) -> bool:
    """Whether one of those counts is missing."""
    traffic = SiteMonths(site.pk, days)
    standing = events.standing(site.pk, closed=days, kept=traffic.statement())
    if traffic.read(standing, visits=True) or name_days.lacks(site.pk, days):
        return True
    rules = {goal.rule for goal in site.goals.all()}
    return bool(rules) and stats.lacks(site.pk, rules, days)


KEEPER = Keeper(keep, lacks)
