from typing import Any

from django.urls import path

from analytics.access.views import TokenViewSet
from analytics.ingest.views import EventViewSet, collect_view
from analytics.sites.views import SiteSettingsViewSet, SiteViewSet
from analytics.traffic.views import SiteStatsViewSet

ITEM: dict[str, Any] = {
    "get": "retrieve",
    "patch": "partial_update",
    "delete": "destroy",
}

urlpatterns = [
    path("analytics/collect", collect_view),
    path("analytics/sites", SiteViewSet.as_view({"get": "list", "post": "create"})),
    path("analytics/sites/<str:key>", SiteViewSet.as_view(ITEM)),
    path(
        "analytics/sites/<str:key>/settings",
        SiteSettingsViewSet.as_view({"get": "retrieve", "patch": "partial_update"}),
    ),
    path(
        "analytics/sites/<str:key>/events",
        EventViewSet.as_view({"get": "list", "post": "create"}),
    ),
    path("analytics/sites/<str:key>/stats", SiteStatsViewSet.as_view({"get": "stats"})),
    path(
        "analytics/sites/<str:key>/realtime",
        SiteStatsViewSet.as_view({"get": "realtime"}),
    ),
    path("analytics/sites/<str:key>/drops", SiteStatsViewSet.as_view({"get": "drops"})),
    path("tokens", TokenViewSet.as_view({"get": "list", "post": "create"})),
    path("tokens/<str:id>/revoke", TokenViewSet.as_view({"post": "revoke"})),
    path("tokens/<str:id>/rotate", TokenViewSet.as_view({"post": "rotate"})),
]
