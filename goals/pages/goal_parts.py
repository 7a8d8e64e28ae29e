"""The parts of a goal's page that read events, each a separate page.

Reports that read every event (a breakdown, journeys, names, a list of conversions) load
after the page if JavaScript is enabled.
"""

from collections.abc import Iterator
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe
from msgspec import UNSET
from rest_framework import serializers

from analytics import events
from analytics.models import Site
from analytics.questions import cursors
from analytics.questions.filters import filters
from analytics.questions.long_questions import long_question
from analytics.questions.period_query import compared, days
from analytics.traffic.sent_props import sent_props
from goals.drafts.preview import matched
from goals.pages.access import site_page
from goals.pages.as_csv import CsvQuerySerializer, csv_file
from goals.pages.asked import asked
from goals.pages.goal import goal_of
from goals.pages.parts import part
from goals.pages.toolbar import LABELS, UNKNOWN
from goals.reports import breakdown_files, export
from goals.reports.breakdown import breakdown
from goals.reports.journeys import Journeys, journeys
from goals.reports.ledger import ledger
from goals.reports.questions import (
    BreakdownQuestionSerializer,
    ConversionsQuestionSerializer,
    JourneysQuestionSerializer,
    QuestionSerializer,
)

_ROWS = 25
_CONVERSIONS = 25
_KEYS = 50


class _BreakdownSerializer(CsvQuerySerializer, BreakdownQuestionSerializer):
    """The API's parameters, with fewer rows, for a page or a file.

    A file has all rows, without a comparison.
    """

    limit = serializers.IntegerField(min_value=1, max_value=1_000, default=_ROWS)


class _QuestionSerializer(CsvQuerySerializer, QuestionSerializer):
    """The same for a query."""


class _ConversionsSerializer(CsvQuerySerializer, ConversionsQuestionSerializer):
    """The same for a page of conversions."""


class _JourneysSerializer(CsvQuerySerializer, JourneysQuestionSerializer):
    """The same for journeys."""


@require_safe
@site_page()
@long_question()
def goal_breakdown(request: HttpRequest, site: Site, id: str) -> HttpResponseBase:
    found = goal_of(site, id)
    query = asked(_BreakdownSerializer, request)
    labels, dimension = filters(query, site), query["dimension"]
    period = days(site, query, is_kept=events.is_kept(labels, [dimension]))
    is_file = query["as"] == "csv"
    before = compared(site, query, period, is_kept=events.is_kept(labels, [dimension]))
    rows = breakdown(
        found,
        period,
        dimension,
        labels,
        sort=query["sort"],
        limit=breakdown_files.MOST_ROWS if is_file else query["limit"],
        after=0 if is_file else cursors.read_offset(query.get("cursor")),
        other=None if is_file else before,
        with_all_visitors=query.get("include") == "visitors",
        from_border=True,
    )
    if is_file:
        return breakdown_files.file(rows, "csv")
    return part(
        request,
        "pages/breakdown.html",
        {
            "tab": "goals",
            "site": site,
            "goal": found,
            "rows": rows,
            "most": max((row.conversions for row in rows.breakdown), default=0),
            "has_rates": any(row.interval is not UNSET for row in rows.breakdown),
            "highest": max(
                (row.interval.high for row in rows.breakdown if row.interval), default=0
            ),
            "label": LABELS.get(query["dimension"], query["dimension"]),
            "unknown": UNKNOWN.get(query["dimension"], UNKNOWN[""]),
        },
    )


@require_safe
@site_page()
@long_question()
def goal_names(request: HttpRequest, site: Site, id: str) -> HttpResponseBase:
    found = goal_of(site, id)
    query = asked(_QuestionSerializer, request)
    period = days(site, query)
    names, total = matched(found, period)
    if query["as"] == "csv":
        cells = ((each.name, each.conversions) for each in names)
        return csv_file("names", period, ("name", "conversions"), cells)
    context = {"tab": "goals", "site": site, "goal": found, "names": names}
    context["total"] = total
    context["most"] = max((name.conversions for name in names), default=0)
    return part(request, "pages/names.html", context)


@require_safe
@site_page()
@long_question()
def goal_conversions(request: HttpRequest, site: Site, id: str) -> HttpResponseBase:
    found = goal_of(site, id)
    query = asked(_ConversionsSerializer, request)
    asked_for = ledger(found, query)
    if query["as"] == "csv":
        return export.file(asked_for, "csv")
    before = cursors.read(query.get("cursor"))
    rows = list(asked_for.rows(before=before, limit=_CONVERSIONS + 1))
    shown = rows[:_CONVERSIONS]
    more = len(rows) > len(shown)
    context = {
        "tab": "goals",
        "site": site,
        "goal": found,
        "rows": [
            (row, row.at.astimezone(site.zone), events.visitor_text(row.entry.visitor))
            for row in shown
        ],
        "with_refunds": asked_for.with_refunds,
        "next": cursors.write(shown[-1].at, shown[-1].pk) if more else None,
    }
    return part(request, "pages/conversions.html", context)


@require_safe
@site_page()
@long_question()
def goal_journeys(request: HttpRequest, site: Site, id: str) -> HttpResponseBase:
    found = goal_of(site, id)
    query = asked(_JourneysSerializer, request)
    period = days(site, query)
    seen = journeys(found, period, filters(query, site), limit=query["limit"])
    if query["as"] == "csv":
        return csv_file("journeys", period, _JOURNEYS, _cells(seen))
    context = {"tab": "goals", "site": site, "goal": found, "seen": seen}
    return part(request, "pages/journeys.html", context)


_JOURNEYS = ("list", "place", "pages", "journeys", "seconds")


def _cells(seen: Journeys) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of all lists, each with the name of its list."""
    if seen.time_to_convert:
        for each in seen.time_to_convert.quantiles:
            yield ("time_to_convert", each.share, None, None, each.seconds)
    for page in seen.entries:
        yield ("entries", None, page.path, page.journeys, None)
    for step in seen.pages_before:
        for page in step.pages:
            yield ("pages_before", step.before, page.path, page.journeys, None)
    for way in seen.ways:
        yield ("ways", None, " > ".join(way.pages), way.journeys, None)


@require_safe
@site_page()
@long_question()
def goal_properties(request: HttpRequest, site: Site, id: str) -> HttpResponse:
    """Show the property keys of the site's events, with links to their breakdowns."""
    found = goal_of(site, id)
    query = asked(QuestionSerializer, request)
    sent = sent_props(site.pk, days(site, query), keys=_KEYS)
    context = {"tab": "goals", "site": site, "goal": found, "sent": sent}
    return part(request, "pages/properties.html", context)
