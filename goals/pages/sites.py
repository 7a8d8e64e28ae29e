"""The page with all sites of a user's teams, in one period."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_safe
from rest_framework import serializers

from analytics import events
from analytics.access import roles
from analytics.models import Site
from analytics.questions.comparison import Window
from analytics.questions.period_query import PeriodQuerySerializer, compared, days
from analytics.questions.periods import Days
from goals.models import Goal
from goals.pages.access import person, sites_of
from goals.pages.as_csv import CsvQuerySerializer, csv_file
from goals.pages.asked import asked
from goals.pages.goals import Goals, goals_of
from krafter.errors import Invalid, Unavailable

_SITES_SHOWN = 12
_GOALS_SHOWN = 6


class SitesQuerySerializer(CsvQuerySerializer, PeriodQuerySerializer):
    page = serializers.IntegerField(min_value=1, default=1)


class Overview(NamedTuple):
    """A site and its numbers; None for numbers that are still being counted."""

    site: Site
    last_event: datetime | None
    found: Goals | None = None
    more_goals: int = 0


@login_required
@require_safe
def sites(request: HttpRequest) -> HttpResponseBase:
    query = asked(SitesQuerySerializer, request)
    found = sites_of(person(request)).select_related("team")
    page = Paginator(found, _SITES_SHOWN).get_page(query["page"])
    shown = [_overview(site, days(site, query, is_kept=True)) for site in page]
    if query["as"] == "csv":
        return csv_file("sites", None, _COLUMNS, _cells(shown))
    return render(
        request,
        "pages/sites.html",
        {
            "page": page,
            "shown": shown,
            "query": query,
            "can_add": roles.may_anywhere(person(request), roles.Deed.CHANGE_SITES),
            "is_counting": any(
                each.last_event and each.found is None for each in shown
            ),
        },
    )


def _overview(site: Site, period: Days) -> Overview:
    newest = next(iter(events.listing(site.pk, limit=1)), None)
    if newest is None:
        return Overview(site, None)
    goals = list(site.goals.undeleted())
    shown = _first(goals)
    try:
        found = goals_of(site, shown, period, _before(site, period))
    except Unavailable:
        # The past is being counted for the first time; counted days are stored.
        return Overview(site, newest.at)
    return Overview(site, newest.at, found, len(goals) - len(shown))


def _before(site: Site, period: Days) -> Window | None:
    """Return the earlier period, or None if too little of its last day is stored."""
    try:
        return compared(site, {"compare": "previous"}, period, is_kept=True)
    except Invalid:
        return None


def _first(goals: list[Goal]) -> list[Goal]:
    """Return the starred goals, in the order in which they were starred; otherwise the
    oldest.
    """
    starred = [goal for goal in goals if goal.starred_at]
    starred.sort(key=lambda goal: (goal.starred_at, goal.pk))
    return (starred or goals)[:_GOALS_SHOWN]


_COLUMNS = (
    *("site_key", "domain", "name", "from", "to", "visitors", "visitors_before"),
    *("last_event", "goal", "conversions", "conversions_before"),
)


def _cells(shown: Iterable[Overview]) -> Iterable[Sequence[Any]]:
    """Yield a row for each shown goal; one for a site without shown goals."""
    for site, last_event, found, _more in shown:
        own: tuple[Any, ...] = (site.site_key, site.domain, site.name)
        if found is None:
            yield (*own, *(None,) * 4, last_event, *(None,) * 3)
            continue
        before = found.totals_before
        own = (
            *own,
            *found.period,
            found.totals.visitors,
            before and before.visitors,
            last_event,
        )
        for row in found.rows:
            past = row.before and row.before.conversions
            yield (*own, row.goal.name, row.counts.conversions, past)
        if not found.rows:
            yield (*own, *(None,) * 3)
