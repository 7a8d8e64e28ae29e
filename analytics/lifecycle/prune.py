"""Retention: store the counts of old days, then delete their events.

1. Compute and store missing counts of all days up to the new border.

2. Within the locks that exclude writers and processes that store counts, check that
nothing is missing, and move the border. From then on only the stored counts are used.

3. Wait until queries that began before have ended.

4. Delete the events of the days before the border, in small parts.

Each step can be repeated: after a crash the next run continues.
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

# Seconds. Longer than any query takes (`questions.time_limits`).
GRACE_SECONDS = 30.0
# How often sealing is tried again because late events came after counting.
_ATTEMPTS = 5


class Busy(Exception):
    """Late events came in every attempt: try again later."""


class Plan(NamedTuple):
    """The effect of pruning a site.

    `before`: the new border, None for none; `events`: the number to delete.
    """

    before: date | None
    events: int


class Pruned(NamedTuple):
    before: date | None
    deleted: int


Progress = Callable[[str, int], object]


def silent(step: str, done: int) -> None:
    """Progress is not shown."""


def border_of(site: Site) -> date | None:
    """Return the border that the site's retention requires; it never moves back."""
    if site.retention_months is None:
        return site.sealed_before
    wanted = _months_before(today(site), site.retention_months)
    return max(wanted, site.sealed_before or wanted)


def _months_before(day: date, number: int) -> date:
    """Return the first day of the month `number` months before that of `day`."""
    months = day.year * 12 + day.month - 1 - number
    return date(max(months // 12, 1), months % 12 + 1, 1)


def plan(site: Site) -> Plan:
    """Return the current effect of `prune`."""
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
    """Seal and delete events older than the site's retention. Raises Busy.

    `archive` is called with the border before any event is deleted. `progress` gets the
    step and a number: days counted or rows deleted.
    """
    before = border_of(site)
    if before is None:
        return Pruned(None, 0)
    if first := _first(site.pk, before):
        if site.sealed_before != before:
            seal(site, Days(first, _last_before(before)), progress)
        # After a crash too, since it is not known when the border was moved.
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
    """Return the day of the first event or refund, if it is before `before`."""
    days = [next(copies.days(facts, site_id), before) for facts in removal.FACTS]
    return first if (first := min(days)) < before else None


def _last_before(day: date) -> date:
    return date.fromordinal(day.toordinal() - 1)


def seal(site: Site, days: Days, progress: Progress = silent) -> None:
    """Store the counts of these days and seal the days. Raises Busy."""
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
                # Because of a late event, or of a goal that was created meanwhile.
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
    """Return those of the days that are not sealed; others cannot be counted again."""
    return days._replace(first=max(days.first, site.sealed_before or days.first))
