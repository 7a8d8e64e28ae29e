"""The API of a site's statistics."""

from typing import ClassVar

from rest_framework.request import Request
from rest_framework.response import Response

from analytics import events
from analytics.access.authentication import site_for
from analytics.ingest import drops
from analytics.models import Site
from analytics.questions.filters import where
from analytics.questions.period_query import PeriodQuerySerializer, days
from analytics.traffic import openapi, site_stats
from analytics.traffic.serializers import SiteStatsQuerySerializer
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
    }

    def stats(self, request: Request, key: str) -> Response:
        site = site_for(request, key)
        asked = query(SiteStatsQuerySerializer, request)
        selection = events.Selection(site.pk, *days(site, asked), where(asked))
        return Response(site_stats.site_stats(selection, asked.get("dimensions", ())))

    def realtime(self, request: Request, key: str) -> Response:
        site = site_for(request, key)
        check_parameters(request, ())
        return Response(site_stats.realtime(site.pk, clock.now()))

    def drops(self, request: Request, key: str) -> Response:
        site = site_for(request, key)
        asked = query(PeriodQuerySerializer, request)
        return Response(drops.drops(site.pk, days(site, asked)))
