"""Read-only list of dropped events by day, site and rule."""

from typing import Any

from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Concat
from django.http import HttpRequest
from unfold.contrib.filters.admin import RangeDateFilter
from unfold.decorators import display

from analytics.admin.read_only import ReadOnlyAdmin
from analytics.admin.site_fields import SiteNumberFilter
from analytics.models import DropCount, Site

_SITE = Site.objects.filter(pk=OuterRef("site_id")).values_list(
    Concat("domain", Value(", "), "team__name")
)


@admin.register(DropCount)
class DropAdmin(ReadOnlyAdmin):
    parameters = ("site_id", "day_from", "day_to")
    list_display = fields = readonly_fields = ("day", "site", "rule", "count")
    # Rows have no further fields, so no detail page.
    list_display_links: Any = None
    list_filter = (SiteNumberFilter, ("day", RangeDateFilter))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        drops = super().get_queryset(request)
        named: QuerySet[Any] = drops.annotate(site=Subquery(_SITE))
        return named

    @display(description="site")
    def site(self, drop: Any) -> str:
        return drop.site or "unknown site key"
