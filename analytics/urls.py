from typing import Any

from django.urls import path

from analytics import views
from analytics.site_stats_views import SiteStatsViewSet

ITEM: dict[str, Any] = {
    "get": "retrieve",
    "patch": "partial_update",
    "delete": "destroy",
}

urlpatterns = [
    path("analytics/collect", views.collect_view),
    path(
        "analytics/sites", views.SiteViewSet.as_view({"get": "list", "post": "create"})
    ),
    path("analytics/sites/<str:key>", views.SiteViewSet.as_view(ITEM)),
    path(
        "analytics/sites/<str:key>/settings",
        views.SiteSettingsViewSet.as_view(
            {"get": "retrieve", "patch": "partial_update"}
        ),
    ),
    path(
        "analytics/sites/<str:key>/events",
        views.EventViewSet.as_view({"get": "list", "post": "create"}),
    ),
    path("analytics/sites/<str:key>/stats", SiteStatsViewSet.as_view({"get": "stats"})),
    path(
        "analytics/sites/<str:key>/realtime",
        SiteStatsViewSet.as_view({"get": "realtime"}),
    ),
    path("analytics/sites/<str:key>/drops", SiteStatsViewSet.as_view({"get": "drops"})),
    path("tokens", views.TokenViewSet.as_view({"get": "list", "post": "create"})),
    path("tokens/<str:id>/revoke", views.TokenViewSet.as_view({"post": "revoke"})),
    path("tokens/<str:id>/rotate", views.TokenViewSet.as_view({"post": "rotate"})),
]
