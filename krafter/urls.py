from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from analytics.views import tracker
from krafter import documentation

API = "api/v1/"

urlpatterns = [
    path(API, include("analytics.urls")),
    path(API, include("goals.urls")),
    path(f"{API}openapi.json", documentation.openapi_json, name="openapi_json"),
    path(f"{API}openapi.yaml", documentation.openapi_yaml),
    path(f"{API}docs", documentation.page),
    path("a.js", tracker),
    path("admin", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
]
