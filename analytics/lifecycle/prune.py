"""Retention: keep the counts of old days, then delete their events.

    1. Count and keep what is missing of all days up to the new border.
    2. Within the locks that keep out writers and those who keep counts, see that
       nothing is missing, and move the border. From here on the counts are the truth.
    3. Wait until questions that began before are answered.
    4. Delete the events of the days before the border, in small parts.

Each step can be repeated: after a crash the next run goes on.
"""

import time
from collections.abc import Callable
from datetime import date
from typing import NamedTuple

from django.db import transaction

from analytics.access import audit
from analytics.events import copies, refund_origins, removal, seals
from analytics.events.writing import lock_sites
from analytics.lifecycle import parts
from analytics.models import Site
from analytics.questions.period_query import today
from analytics.questions.periods import Days
from analytics.sources import rules_of
from krafter import clock

# Longer than any question takes (`questions.time_limits`).
GRACE_SECONDS = 30.0
# How often late events may come between counting and moving the border.
_ATTEMPTS = 5


class Busy(Exception):
    """Late events kept coming: try again later."""


class Plan(NamedTuple):
    """What pruning a site would do: `before`: the new border, None for nothing."""

    before: date | None
    events: int


class Pruned(NamedTuple):
    before: date | None
    deleted: int


Progress = Callable[[str, int], object]


def silent(step: str, done: int) -> None:
    """Nobody looks on."""


def border_of(site: Site) -> date | None:
    """The border that the site's retention asks for; it never goes back."""
    if site.retention_months is None:
        return site.sealed_before
    wanted = _months_before(today(site), site.retention_months)
    return max(wanted, site.sealed_before or wanted)


def _months_before(day: date, number: int) -> date:
    """The first day of the month that is so many before the day's."""
    months = day.year * 12 + day.month - 1 - number
    return date(max(months // 12, 1), months % 12 + 1, 1)


def plan(site: Site) -> Plan:
    """What `prune` would do now."""
    before = border_of(site)
    if before is None:
        return Plan(None, 0)
    return Plan(before, removal.number_before(site.pk, before))


def prune(
    site: Site,
    *,
    archive: Callable[[Site, date], None] | None = None,
    progress: Progress = silent,
) -> Pruned:
    """Seal and delete what is older than the site's retention. Raises Busy.

    `archive` is called with the border before anything is deleted.
    """
    before = border_of(site)
    if before is None:
        return Pruned(None, 0)
    if first := _first(site.pk, before):
        if site.sealed_before != before:
            seal(site, Days(first, _last_before(before)), progress)
        # After a crash too: nobody knows how long ago the border was moved.
        time.sleep(GRACE_SECONDS)
        if archive is not None:
            archive(site, before)
    deleted = 0
    for facts, day in removal.days_before(site.pk, before):
        deleted += removal.delete_day(
            facts, site.pk, day, progress=lambda rows: progress("deleted", rows)
        )
    if deleted:
        audit.record("site.pruned", site, changes={"facts": [deleted, 0]})
    return Pruned(before, deleted)


def _first(site_id: int, before: date) -> date | None:
    """The day of the first fact, if it is earlier."""
    days = [next(copies.days(facts, site_id), before) for facts in removal.FACTS]
    return first if (first := min(days)) < before else None


def _last_before(day: date) -> date:
    return date.fromordinal(day.toordinal() - 1)


def seal(site: Site, days: Days, progress: Progress = silent) -> None:
    """Keep the counts of these days, and have them be the truth. Raises Busy."""
    for _ in range(_ATTEMPTS):
        for keeper in parts.keepers:
            own = _unsealed(site, days)
            keeper.keep(site, own, lambda number: progress("counted", number))
        with transaction.atomic():
            lock_sites([site.pk])
            seals.lock(site.pk)
            first = _first(site.pk, clock.now().date()) or days.first
            whole = Days(min(first, days.first), days.last)
            own = _unsealed(site, whole)
            if any(keeper.lacks(site, own) for keeper in parts.keepers):
                # Of a late event, or of a goal that was made since.
                continue
            refund_origins.keep(site.pk, own, rules_of(site))
            for keeper in parts.keepers:
                keeper.seal(site, own)
            before = date.fromordinal(days.last.toordinal() + 1)
            seals.move(site.pk, first=whole.first, before=before)
            Site.objects.filter(pk=site.pk).update(sealed_before=before)
            changes = {"sealed_before": [site.sealed_before, before]}
            audit.record("site.sealed", site, changes=changes)
        site.sealed_before = before
        return
    raise Busy


def _unsealed(site: Site, days: Days) -> Days:
    """Those of the days that are not sealed: of others, all that can be is kept."""
    return days._replace(first=max(days.first, site.sealed_before or days.first))
