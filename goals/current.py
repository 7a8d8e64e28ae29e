"""The current numbers of goals and sites, for the admin."""

from collections.abc import Collection
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

from analytics import events
from analytics.models import Site
from analytics.questions import periods
from analytics.questions.period_query import today
from analytics.questions.periods import Days
from goals.counting import stats
from goals.models import Goal
from krafter.errors import Unavailable

PERIOD = "30d"


class Current(NamedTuple):
    """Conversions of the last 30 days; None while they are counted for the first time.

    `last`: the last day with a match in them, or the moment of a site's last event.
    """

    conversions: int | None
    last: date | datetime | None


def days_of(site: Site) -> Days:
    return periods.resolve(PERIOD, today=today(site))


def of_goals(site: Site, goals: Collection[Goal]) -> dict[UUID, Current]:
    """The number of queries does not depend on the number of goals."""
    try:
        found = stats.counted(
            site.pk, goals, days_of(site), with_courses=True, from_border=True
        )
    except Unavailable:
        return {goal.pk: Current(None, None) for goal in goals}
    answers = {}
    for goal in goals:
        course = found.course(goal.rule)
        answers[goal.pk] = Current(sum(course.values()), max(course, default=None))
    return answers


def of_site(site: Site) -> Current:
    newest = next(iter(events.listing(site.pk, limit=1)), None)
    if newest is None:
        return Current(0, None)
    last = newest.at.astimezone(site.zone)
    try:
        goals = stats.all_goal_stats(site, days_of(site), from_border=True)
    except Unavailable:
        return Current(None, last)
    return Current(sum(goal.conversions for goal in goals), last)
