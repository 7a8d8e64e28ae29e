"""The API of the names that a site has sent."""

from typing import ClassVar

from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from analytics import events
from analytics.access.authentication import site_for
from analytics.models import Site
from analytics.questions import cursors
from analytics.questions.long_questions import long_question
from analytics.questions.period_query import PeriodQuerySerializer, days
from goals.sent import names, openapi
from goals.sent.questions import NamesQuestionSerializer
from krafter.parsing import uuid_or_404
from krafter.views import ContractViewSet, page, query


class NameViewSet(ContractViewSet[Site]):
    queryset = Site.objects.none()
    operations = openapi.NAMES
    required_scopes: ClassVar = {"list": "analytics:read", "stats": "analytics:read"}

    @long_question()
    def list(self, request: Request, key: str) -> Response:
        site = site_for(request, key)
        asked = query(NamesQuestionSerializer, request)
        limit = asked["limit"]
        # One more than is shown tells whether there is a next page.
        period = days(site, asked, is_kept=True)
        found = names.names_sent(site, period, asked, limit=limit + 1)
        rows = found[:limit]
        cursor = None
        if len(found) > limit:
            cursor = cursors.write_place(*events.name_place(rows[-1], asked["sort"]))
        return page(request, names.shown(site, rows), cursor)

    @long_question()
    def stats(self, request: Request, key: str, id: str) -> Response:
        site = site_for(request, key)
        digest = uuid_or_404(id)
        asked = query(PeriodQuerySerializer, request)
        answer = names.name_stats(site, digest, days(site, asked, is_kept=True))
        if answer is None:
            raise NotFound
        return Response(answer)
