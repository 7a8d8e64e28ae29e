"""Read-only list of dropped events by day, site and rule."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from unfold.contrib.filters.admin import RangeDateFilter
from unfold.decorators import display

from analytics.admin.read_only import ReadOnlyAdmin, ReadOnlyList
from analytics.admin.site_fields import SiteNumberFilter
from analytics.models import DropCount, Site


def _name_sites(drops: Iterable[Any]) -> None:
    """Look up sites separately: on several machines, they are not stored with the
    drops.
    """
    sites = Site.objects.select_related("team").in_bulk({d.site_id for d in drops})
    for drop in drops:
        site = sites.get(drop.site_id)
        drop.site = f"{site.domain}, {site.team.name}" if site else "unknown site key"


class _DropList(ReadOnlyList):
    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list: list[Any] = list(self.result_list)
        _name_sites(self.result_list)


@admin.register(DropCount)
class DropAdmin(ReadOnlyAdmin):
    parameters = ("site_id", "day_from", "day_to")
    list_display = fields = readonly_fields = ("day", "site", "rule", "count")
    # Rows have no further fields, so no detail page.
    list_display_links: Any = None
    list_filter = (SiteNumberFilter, ("day", RangeDateFilter))

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> Any:
        return _DropList

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Any:
        drop = super().get_object(request, object_id, from_field)
        _name_sites([drop])
        return drop

    @display(description="site")
    def site(self, drop: Any) -> str:
        name: str = drop.site
        return name
