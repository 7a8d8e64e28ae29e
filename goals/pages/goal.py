"""The page of one goal: its stats over time. Its other parts are in `goal_parts`."""

from collections.abc import Iterator
from datetime import date
from typing import Any, cast

from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_safe
from rest_framework import serializers
from rest_framework.exceptions import NotFound

from analytics import events
from analytics.models import Site
from analytics.questions.filters import filters
from analytics.questions.long_questions import OF_KEPT_DAYS, long_question
from analytics.questions.period_query import compared, days
from analytics.questions.periods import Days, PeriodError
from goals.counting.stats import goal_stats
from goals.models import Goal
from goals.pages.access import site_page
from goals.pages.as_csv import CsvQuerySerializer, csv_file
from goals.pages.asked import asked
from goals.pages.marks import marks
from goals.pages.toolbar import LABELS, toolbar
from goals.reports.conversion_rate import conversion_rate
from goals.reports.questions import (
    ComparedQuestionSerializer,
    DimensionField,
)
from goals.reports.timeseries import (
    INTERVALS,
    ComparedPoint,
    Interval,
    Rows,
    TimeseriesPoint,
    compared_timeseries,
    timeseries,
)
from krafter.errors import Invalid
from krafter.fields import ChoiceField
from krafter.parsing import uuid_or_404

# Days up to which an interval is drawn by the hour, the day, the week.
_HOURLY, _DAILY, _WEEKLY = 2, 120, 500
_TABS = ("referrer", "channel", "utm_campaign", "entry_path", "path", "device")
_MORE_TABS = ("country", "browser", "os", "utm_source", "utm_medium")
PROPERTIES = "props"
_KEPT = OF_KEPT_DAYS | {"dimension", "interval"}


class _TabField(DimensionField):
    """A dimension, or `props` for the list of property keys."""

    def to_internal_value(self, data: str) -> str:
        return data if data == PROPERTIES else super().to_internal_value(data)


class GoalQuerySerializer(CsvQuerySerializer, ComparedQuestionSerializer):
    """`dimension`: the open tab. `of`: another denominator of the rate."""

    interval = ChoiceField(INTERVALS, required=False)
    dimension = _TabField(trim_whitespace=False, max_length=1_100, default="referrer")
    of = serializers.UUIDField(required=False)


def goal_of(site: Site, id: Any, *, is_deleted: bool = False) -> Goal:
    """Return the undeleted goal in the address. Raises Http404."""
    goals = Goal.objects.filter(site=site, deleted_at__isnull=not is_deleted)
    try:
        goal = goals.filter(id=uuid_or_404(str(id))).first()
    except NotFound:
        goal = None
    if goal is None:
        raise Http404
    goal.site = site
    return goal


def _interval(query: dict[str, Any], period: Days, site: Site) -> Interval:
    if "interval" in query:
        return cast(Interval, query["interval"])
    # Hours are counted from events, which sealed days do not have.
    has_events = period.first >= (site.sealed_before or date.min)
    if period.length <= _HOURLY and has_events:
        return "hour"
    if period.length <= _DAILY:
        return "day"
    return "week" if period.length <= _WEEKLY else "month"


@require_safe
@site_page()
@long_question(short_with=_KEPT)
def goal(request: HttpRequest, site: Site, id: str) -> HttpResponseBase:
    found = goal_of(site, id)
    query = asked(GoalQuerySerializer, request)
    labels = filters(query, site)
    whole = goal_of(site, query["of"]) if "of" in query else None
    is_kept = events.are_kept(labels) and whole is None
    is_kept = is_kept and query.get("interval") != "hour"
    period = days(site, query, is_kept=is_kept)
    interval = _interval(query, period, site)
    before = compared(site, query, period, is_kept=is_kept, interval=interval)
    try:
        points = timeseries(found, period, interval, labels, from_border=True)
        points_before: list[ComparedPoint | None] = [None] * len(points)
        if before:
            points_before = compared_timeseries(
                found, points, before, interval, labels, from_border=True
            ).timeseries
    except PeriodError as error:
        raise Invalid({error.parameter: [error.message]}) from None
    if query["as"] == "csv":
        rows = _course(points, points_before)
        return csv_file("course", period, _COURSE, rows)
    return render(
        request,
        "pages/goal.html",
        {
            "tab": "goals",
            "site": site,
            "goal": found,
            "query": query,
            "toolbar": toolbar(request, GoalQuerySerializer, query, period, before),
            "counts": goal_stats(found, period, labels, from_border=True),
            "before": before
            and goal_stats(
                found,
                before.days,
                labels._replace(until=before.until),
                from_border=True,
            ),
            "rate": conversion_rate(found, period, labels, of=whole, from_border=True),
            "whole": whole,
            "others": site.goals.undeleted().exclude(pk=found.pk)[:50],
            "interval": interval,
            "points": [
                (_start(point), point, earlier)
                for point, earlier in zip(points, points_before, strict=True)
            ],
            "marks": marks(found, period),
            "tabs": _tabs(str(query["dimension"])),
            "part": "goal_properties"
            if query["dimension"] == PROPERTIES
            else "goal_breakdown",
            "dimension_label": LABELS.get(query["dimension"], query["dimension"]),
            "call": f"sites/{site.site_key}/goals/{found.pk}/stats",
        },
    )


_COURSE = ("start", "conversions", "unique_conversions", "revenue", "before")


def _course(
    points: Rows, before: list[ComparedPoint | None]
) -> Iterator[tuple[Any, ...]]:
    for point, earlier in zip(points, before, strict=True):
        yield (
            *(_start(point).isoformat(), point.conversions),
            *(point.unique_conversions, point.revenue),
            earlier and earlier.conversions,
        )


def _start(point: TimeseriesPoint) -> date:
    return point.day if isinstance(point.day, date) else point.start  # type: ignore[return-value]


def _tabs(chosen: str) -> list[tuple[str, Any]]:
    names = [name for name in (*_TABS, *_MORE_TABS) if name in events.DIMENSIONS]
    names.append(PROPERTIES)
    if chosen not in names:
        names.append(chosen)
    return [(name, LABELS.get(name, name)) for name in names]
