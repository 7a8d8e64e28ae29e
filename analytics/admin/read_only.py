"""The base of read-only admin lists of large tables.

A list does not count its rows, pages back through a fixed number of them at most,
and filters and sorts only by what an index supports.
"""

from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest
from unfold import paginator
from unfold.admin import ModelAdmin

# How many rows can be paged through. Filter by day to see older ones.
MAX_SHOWN = 10_000


class InfinitePaginator(paginator.InfinitePaginator):
    """unfold hides the total for paginators with this class name."""

    count = MAX_SHOWN

    def page(self, number: Any) -> Any:
        return super().page(min(number, self.num_pages))


class ReadOnlyAdmin(ModelAdmin):
    # The query parameters that may filter the list.
    parameters: ClassVar[tuple[str, ...]] = ()

    list_filter_submit = True
    paginator = InfinitePaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    sortable_by = ()
    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        # Django's default allows filtering by any column named in the URL.
        return lookup in self.parameters
