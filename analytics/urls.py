from typing import Any

from django.urls import path

from analytics.access.views import AuditViewSet, TokenViewSet
from analytics.ingest.views import EventViewSet, collect_view
from analytics.lifecycle.moving import ExportViewSet, ImportViewSet
from analytics.lifecycle.views import (
    DeletedSiteViewSet,
    ErasureViewSet,
    TeamErasureViewSet,
)
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
    path("analytics/sites/<str:key>/erase", ErasureViewSet.as_view({"post": "erase"})),
    path("analytics/deleted-sites", DeletedSiteViewSet.as_view({"get": "list"})),
    path(
        "analytics/deleted-sites/<str:key>/restore",
        DeletedSiteViewSet.as_view({"post": "restore"}),
    ),
    path(
        "analytics/deleted-sites/<str:key>/erase",
        DeletedSiteViewSet.as_view({"post": "erase"}),
    ),
    path("team/export", ExportViewSet.as_view({"get": "export"})),
    path("team/import", ImportViewSet.as_view({"post": "import_page"})),
    path("team/erase", TeamErasureViewSet.as_view({"post": "erase"})),
    path("analytics/sites/<str:key>/stats", SiteStatsViewSet.as_view({"get": "stats"})),
    path(
        "analytics/sites/<str:key>/realtime",
        SiteStatsViewSet.as_view({"get": "realtime"}),
    ),
    path("analytics/sites/<str:key>/props", SiteStatsViewSet.as_view({"get": "props"})),
    path("analytics/sites/<str:key>/drops", SiteStatsViewSet.as_view({"get": "drops"})),
    path("audit", AuditViewSet.as_view({"get": "list"})),
    path("tokens", TokenViewSet.as_view({"get": "list", "post": "create"})),
    path("tokens/<str:id>/revoke", TokenViewSet.as_view({"post": "revoke"})),
    path("tokens/<str:id>/rotate", TokenViewSet.as_view({"post": "rotate"})),
]
