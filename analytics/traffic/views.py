"""The API of a site's statistics."""

from typing import ClassVar

from msgspec import UNSET
from rest_framework.request import Request
from rest_framework.response import Response

from analytics import events
from analytics.access.authentication import site_for
from analytics.ingest import drops
from analytics.models import Site
from analytics.questions.filters import filters
from analytics.questions.long_questions import OF_KEPT_DAYS, long_question
from analytics.questions.period_query import PeriodQuerySerializer, compared, days
from analytics.sources import rules_of
from analytics.traffic import breakdowns, openapi, site_stats
from analytics.traffic.sent_props import sent_props
from analytics.traffic.serializers import PropsQuerySerializer, SiteStatsQuerySerializer
from krafter import clock
from krafter.views import ContractViewSet, check_parameters, query


class SiteStatsViewSet(ContractViewSet[Site]):
    # The key is needed for every site: `public_stats` opens nothing here.
    queryset = Site.objects.none()
    operations = openapi.SITE_STATS
    required_scopes: ClassVar = {
        "stats": "analytics:read",
        "realtime": "analytics:read",
        "drops": "analytics:read",
        "props": "analytics:read",
    }

    @long_question(short_with=OF_KEPT_DAYS)
    def stats(self, request: Request, key: str) -> Response:
        site = site_for(request, key)
        asked = query(SiteStatsQuerySerializer, request)
        labels = filters(asked, site)
        dimensions = asked.get("dimensions", [])
        # Of visits under a filter nothing is kept.
        is_kept = not labels.where and breakdowns.is_kept(dimensions)
        period = days(site, asked, is_kept=is_kept)
        other = compared(site, asked, period, is_kept=is_kept)
        selection = events.Selection(site.pk, *period, labels, sources=rules_of(site))
        answer, known = site_stats.stats_and_state(selection)
        if dimensions:
            found = breakdowns.find(selection, dict.fromkeys(dimensions), known)
            answer.breakdowns = breakdowns.shares(found)
            if "include" in asked:
                answer.other = breakdowns.others(found)
        if other:
            past = labels._replace(until=other.until)
            earlier = selection.within(other.days)._replace(filters=past)
            answer.comparison = site_stats.compared(answer, earlier, other)
            if answer.breakdowns is not UNSET:
                shown = answer.breakdowns
                before = breakdowns.find(earlier, breakdowns.values(shown))
                breakdowns.compare(shown, before)
        return Response(answer)

    def realtime(self, request: Request, key: str) -> Response:
        site = site_for(request, key)
        check_parameters(request, ())
        return Response(site_stats.realtime(site.pk, clock.now()))

    @long_question()
    def props(self, request: Request, key: str) -> Response:
        site = site_for(request, key)
        asked = query(PropsQuerySerializer, request)
        period = days(site, asked)
        return Response(sent_props(site.pk, period, keys=asked["limit"]))

    def drops(self, request: Request, key: str) -> Response:
        site = site_for(request, key)
        asked = query(PeriodQuerySerializer, request)
        # Drops are numbers, and stay.
        return Response(drops.drops(site.pk, days(site, asked, is_kept=True)))
