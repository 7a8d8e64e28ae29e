from django.contrib import admin
from django.urls import include, path

from analytics.views import tracker

API = "api/v1/"

urlpatterns = [
    path(API, include("analytics.urls")),
    path(API, include("goals.urls")),
    path("a.js", tracker),
    path("admin/", admin.site.urls),
]
