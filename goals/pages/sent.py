"""The page with the names that a site sends, and the goals that count them."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe
from rest_framework import serializers

from analytics import events
from analytics.models import Site
from analytics.questions import cursors
from analytics.questions.long_questions import long_question
from analytics.questions.period_query import days
from goals.pages.access import site_page
from goals.pages.as_csv import CsvQuerySerializer, csv_file
from goals.pages.asked import asked
from goals.pages.parts import part
from goals.sent import names
from goals.sent.names import NameAnswer
from goals.sent.questions import NamesQuestionSerializer

# The type of a goal for each type of event.
GOAL_TYPES = {"pageview": "pageview", "event": "event", "goal": "custom"}
_IN_A_FILE = 1_000


class _NamesSerializer(CsvQuerySerializer, NamesQuestionSerializer):
    """The API's parameters, with fewer rows."""

    limit = serializers.IntegerField(min_value=1, max_value=100, default=10)


@require_safe
@site_page()
@long_question()
def site_names(request: HttpRequest, site: Site) -> HttpResponseBase:
    query = asked(_NamesSerializer, request)
    period = days(site, query)
    is_file = query["as"] == "csv"
    limit = _IN_A_FILE if is_file else query["limit"]
    found = names.names_sent(site, period, query, limit=limit + 1)
    rows = names.shown(site, found[:limit])
    if is_file:
        return csv_file(f"names-{site.domain}", period, _COLUMNS, _cells(rows))
    cursor = None
    if len(found) > limit:
        place = events.name_place(found[limit - 1], query["sort"])
        cursor = cursors.write_place(*place)
    context = {
        "tab": "goals",
        "site": site,
        "query": query,
        "rows": [(row, GOAL_TYPES[row.type]) for row in rows],
        "most": max((row.events for row in rows), default=0),
        "next": cursor,
        "is_unmatched": query["unmatched"] == "true",
    }
    return part(request, "pages/sent.html", context)


_COLUMNS = ("type", "name", "events", "visitors", "first_seen", "last_seen", "goals")


def _cells(rows: Iterable[NameAnswer]) -> Iterable[Sequence[Any]]:
    for row in rows:
        goals = ", ".join(goal.name for goal in row.goals)
        yield (
            *(row.type, row.name, row.events, row.visitors),
            *(row.first_seen, row.last_seen, goals),
        )
