from django.contrib import admin
from django.templatetags.static import static
from django.urls import include, path
from django.views.generic import RedirectView

from analytics.ingest import collect, scripts
from analytics.ingest.views import collect_view, script_view
from analytics.people.sign_in import sign_in_to_admin
from krafter import pages
from krafter.documentation import documentation
from krafter.openapi import pages as openapi_pages
from krafter.security_txt import security_txt

API = "api/v1/"

handler404 = "krafter.pages.not_found"
handler500 = "krafter.errors.server_error"

urlpatterns = [
    path(API, include("analytics.urls")),
    path(API, include("goals.urls")),
    path(f"{API}openapi.json", openapi_pages.openapi_json, name="openapi_json"),
    path(f"{API}openapi.yaml", openapi_pages.openapi_yaml),
    path(f"{API}docs", openapi_pages.page),
    *(path(p[1:], script_view, name=p[1:]) for p in scripts.PATHS),
    path(collect.NEUTRAL_PATH[1:], collect_view),
    path("admin", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/login/", sign_in_to_admin),
    path("admin/", admin.site.urls),
    path("", include("analytics.people.urls")),
    path("docs", RedirectView.as_view(url="/docs/")),
    path("docs/", documentation, {"name": "index.html"}, name="documentation"),
    path("docs/<path:name>", documentation),
    path("favicon.ico", RedirectView.as_view(url=static("goals/favicon.svg"))),
    path(".well-known/security.txt", security_txt),
    path("robots.txt", pages.robots),
    path("", include("goals.pages.urls")),
]
