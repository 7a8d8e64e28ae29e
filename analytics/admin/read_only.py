"""The base of read-only admin lists of large tables.

A list does not count its rows, pages back through a fixed number of them at most,
and filters and sorts only by what an index supports.
The page of a row has the values of the row's key, with the site, in its URL.
"""

from typing import Any, ClassVar

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest
from django.urls import reverse
from unfold import paginator
from unfold.views import ChangeList

from analytics.access import roles
from analytics.access.roles import Deed
from analytics.admin.of_teams import OfTeamsAdmin
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
    """Return the row's identifier in URLs: the values of its key, `3.2026-03-01.17`."""
    return ".".join(str(getattr(row, column)) for column in row.key)


def addressed(rows: QuerySet[Any], text: str) -> QuerySet[Any]:
    """Return the row with this identifier, or None."""
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


class ReadOnlyAdmin(OfTeamsAdmin):
    to_add = to_change = to_delete = None

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
        row = addressed(self.get_queryset(request), object_id).first()
        if row is None:
            raise Http404
        return row

    def visible(self, request: HttpRequest) -> Q:
        ids = roles.site_ids(request.user)
        return Q() if ids is None else Q(site_id__in=ids)

    def may(self, request: HttpRequest, deed: Deed | None, row: object = None) -> bool:
        # Whoever found the row may see it, and more can be done with none.
        return super().may(request, deed)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        # Django's default allows filtering by any column named in the URL.
        return lookup in self.parameters
