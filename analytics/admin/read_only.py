"""Tables to look at, never to change, and never as a whole.

A list neither counts its rows nor goes back further than a bounded number of
them, and is filtered and sorted by nothing but what an index answers.
"""

from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest
from unfold import paginator
from unfold.admin import ModelAdmin

# As far back as one can page. What is older is reached by its day.
MAX_SHOWN = 10_000


class InfinitePaginator(paginator.InfinitePaginator):
    """Keeps its name: by it, unfold knows that there is no count to show."""

    count = MAX_SHOWN

    def page(self, number: Any) -> Any:
        return super().page(min(number, self.num_pages))


class ReadOnlyAdmin(ModelAdmin):
    # What an address may filter by.
    parameters: ClassVar[tuple[str, ...]] = ()

    list_filter_submit = True
    paginator = InfinitePaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    sortable_by = ()
    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        # Django would filter by any column that an address names.
        return lookup in self.parameters
