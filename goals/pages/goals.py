"""The page with the goals of a site and their stats."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any, NamedTuple

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_safe

from analytics import events
from analytics.models import Site
from analytics.questions.comparison import Window
from analytics.questions.differences import Verdict
from analytics.questions.filters import filters
from analytics.questions.labels import EVERYTHING
from analytics.questions.long_questions import OF_KEPT_DAYS, long_question
from analytics.questions.period_query import compared, days, today
from analytics.questions.periods import Days
from analytics.traffic import site_stats
from analytics.traffic.site_stats import TrafficAnswer
from goals.counting import stats
from goals.counting.answers import GoalCounts
from goals.counting.matched_names import matching_names_of_each
from goals.counting.rule_months import Course
from goals.models import Goal
from goals.pages.access import site_page
from goals.pages.as_csv import csv_file
from goals.pages.asked import asked
from goals.pages.health import Health, health
from goals.pages.toolbar import toolbar
from goals.reports import rate
from goals.reports.questions import ComparedQuestionSerializer

_CURVE_POINTS = 60
_NEARLY_ALL = 0.9


class Row(NamedTuple):
    """A goal with its numbers, and those of the earlier period."""

    goal: Goal
    counts: GoalCounts
    rate: rate.Rate | None
    before: GoalCounts | None
    rate_before: rate.Rate | None
    curve: list[int]
    curve_before: list[int]
    health: Health

    @property
    def verdict(self) -> Verdict | None:
        """Return the verdict on the two rates; None without an earlier rate."""
        if self.rate is None or self.rate_before is None:
            return None
        return rate.difference(self.rate, self.rate_before).verdict

    @property
    def is_nearly_all(self) -> bool:
        """Return whether so many visitors convert that the rule may be too broad."""
        return self.rate is not None and self.rate.low >= _NEARLY_ALL


class Goals(NamedTuple):
    period: Days
    before: Days | None
    totals: TrafficAnswer
    totals_before: TrafficAnswer | None
    rows: list[Row]
    health: Health


def goals_of(
    site: Site,
    found: list[Goal],
    period: Days,
    before: Window | None,
    labels: events.Filters = EVERYTHING,
) -> Goals:
    """Return the goals of a site. The number of queries does not depend on their
    number.
    """
    names = matching_names_of_each(site.pk, {goal.rule for goal in found})
    now = _counted(site, found, period, labels)
    last = min(today(site), period.last)
    then = None
    if before:
        past = labels._replace(until=before.until)
        then = _counted(site, found, before.days, past)
    rows = []
    for number, goal in enumerate(found):
        counts = now.counts[number]
        earlier = then.counts[number] if then else None
        own = now.found.course(goal.rule)
        rows.append(
            Row(
                goal,
                counts,
                rate.rate(counts.unique_conversions, now.totals.visitors),
                earlier,
                rate.rate(earlier.unique_conversions, then.totals.visitors)
                if earlier and then
                else None,
                _curve(own, period),
                _curve(then.found.course(goal.rule), before.days)
                if then and before
                else [],
                health(
                    own,
                    last,
                    has_names=bool(names[goal.rule]),
                ),
            )
        )
    return Goals(
        period,
        before and before.days,
        now.totals,
        then.totals if then else None,
        rows,
        health(now.days, last, has_names=bool(now.days)),
    )


class _Counted(NamedTuple):
    totals: TrafficAnswer
    # Those on which the site had a visitor.
    days: list[date]
    counts: Sequence[GoalCounts]
    found: stats.Found


def _counted(
    site: Site, goals: list[Goal], period: Days, labels: events.Filters
) -> _Counted:
    selection = events.Selection(site.pk, *period, labels)
    found = stats.counted(
        site.pk, goals, period, labels, with_courses=True, from_border=True
    )
    traffic = site_stats.site_stats(selection)
    active = [each.day for each in traffic.timeseries if each.visitors]
    return _Counted(traffic.totals, active, stats.shown(goals, found), found)


def _curve(course: Course, period: Days) -> list[int]:
    """Return conversions per day, or per several days to limit the number of points."""
    step = -(-period.length // _CURVE_POINTS)
    points = [0] * -(-period.length // step)
    for day, conversions in course.items():
        points[(day - period.first).days // step] += conversions
    return points


@require_safe
@site_page()
@long_question(short_with=OF_KEPT_DAYS)
def goals(request: HttpRequest, site: Site) -> HttpResponse:
    query = asked(ComparedQuestionSerializer, request)
    labels = filters(query, site)
    period = days(site, query, is_kept=events.are_kept(labels))
    before = compared(site, query, period, is_kept=events.are_kept(labels))
    found = goals_of(site, list(site.goals.undeleted()), period, before, labels)
    highest = max((row.rate.high for row in found.rows if row.rate), default=0)
    return render(
        request,
        "pages/goals.html",
        {
            "tab": "goals",
            "site": site,
            "query": query,
            "toolbar": toolbar(
                request, ComparedQuestionSerializer, query, period, before
            ),
            "found": found,
            "highest": highest,
            "call": f"sites/{site.site_key}/goals/stats",
        },
    )


_COLUMNS = (
    *("id", "name", "type", "match_type", "match_value"),
    *("conversions", "unique_conversions", "rate", "rate_low", "rate_high"),
    *("revenue", "currency", "last_match"),
    *("conversions_before", "unique_conversions_before", "rate_before"),
    *("revenue_before", "verdict"),
)


@require_safe
@site_page()
@long_question(short_with=OF_KEPT_DAYS)
def goals_csv(request: HttpRequest, site: Site) -> HttpResponseBase:
    query = asked(ComparedQuestionSerializer, request)
    labels = filters(query, site)
    period = days(site, query, is_kept=events.are_kept(labels))
    before = compared(site, query, period, is_kept=events.are_kept(labels))
    found = goals_of(site, list(site.goals.undeleted()), period, before, labels)
    return csv_file(f"goals-{site.domain}", period, _COLUMNS, _cells(found.rows))


def _cells(rows: Iterable[Row]) -> Iterable[Sequence[Any]]:
    for row in rows:
        goal, counts, share = row.goal, row.counts, row.rate
        yield (
            *(str(goal.pk), goal.name, *goal.rule),
            *(counts.conversions, counts.unique_conversions),
            *(share or (None, None, None)),
            *(counts.revenue, counts.currency, row.health.last),
            *_cells_before(row),
        )


def _cells_before(row: Row) -> Sequence[Any]:
    before, share = row.before, row.rate_before
    if before is None:
        return (None,) * 5
    return (
        *(before.conversions, before.unique_conversions, share and share.rate),
        *(before.revenue, row.verdict),
    )
