"""The base of read-only admin lists of large tables.

A list does not count its rows, pages back through a fixed number of them at most,
and filters and sorts only by what an index supports.
The page of a row has the values of the row's key, with the site, in its URL.
"""

from typing import Any, ClassVar

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from unfold import paginator
from unfold.admin import ModelAdmin
from unfold.views import ChangeList

from analytics.models import OfOneSite

# How many rows can be paged through. Filter by day to see older ones.
MAX_SHOWN = 10_000


class InfinitePaginator(paginator.InfinitePaginator):
    """unfold hides the total for paginators with this class name."""

    count = MAX_SHOWN

    def page(self, number: Any) -> Any:
        return super().page(min(number, self.num_pages))


# A longer number fits into no column.
_MAX_DIGITS = 18


def address(row: OfOneSite) -> str:
    """The row in the URL of its page: the values of its key, `3.2026-03-01.17`."""
    return ".".join(str(getattr(row, column)) for column in row.key)


def addressed(rows: QuerySet[Any], text: str) -> QuerySet[Any]:
    """The one of the rows that has this address, if any."""
    key = rows.model.key
    values = text.split(".")
    if len(values) != len(key) or any(len(value) > _MAX_DIGITS for value in values):
        return rows.none()
    try:
        return rows.filter(**dict(zip(key, values, strict=True)))
    except (ValidationError, ValueError):
        return rows.none()


class ReadOnlyList(ChangeList):
    def url_for_result(self, result: Any) -> str:
        page = f"admin:{self.opts.app_label}_{self.opts.model_name}_change"
        return reverse(page, args=(address(result),))


class ReadOnlyAdmin(ModelAdmin):
    # The query parameters that may filter the list.
    parameters: ClassVar[tuple[str, ...]] = ()

    list_filter_submit = True
    paginator = InfinitePaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    sortable_by = ()
    actions = None

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> Any:
        return ReadOnlyList

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Any:
        return addressed(self.get_queryset(request), object_id).first()

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        # Django's default allows filtering by any column named in the URL.
        return lookup in self.parameters
