from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from analytics.ingest import collect, scripts
from analytics.ingest.views import collect_view, script_view
from krafter.openapi import pages

API = "api/v1/"

handler500 = "krafter.errors.server_error"

urlpatterns = [
    path(API, include("analytics.urls")),
    path(API, include("goals.urls")),
    path(f"{API}openapi.json", pages.openapi_json, name="openapi_json"),
    path(f"{API}openapi.yaml", pages.openapi_yaml),
    path(f"{API}docs", pages.page),
    *(path(p[1:], script_view, name=p[1:]) for p in scripts.PATHS),
    path(collect.NEUTRAL_PATH[1:], collect_view),
    path("admin", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
]
