"""Numbers next to the rows of the admin.

A list never waits for a count: its page loads the numbers of its rows afterwards.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.contrib.admin.utils import quote
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, JsonResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display

from analytics.admin.deletion import SoftDeleteAdmin
from goals.current import Current

# The number of rows of a list page.
_MOST = 100
COUNTING = "being counted"


def told(current: Current) -> dict[str, str]:
    """Return the numbers as text, by column name."""
    last = current.last
    moment = f"{last:%Y-%m-%d %H:%M}" if isinstance(last, datetime) else str(last)
    return {
        "conversions": COUNTING
        if current.conversions is None
        else f"{current.conversions:,}",
        "last": moment if last else "none",
    }


class NumbersAdmin(SoftDeleteAdmin):
    @abstractmethod
    def current(self, rows: Sequence[Any]) -> Mapping[Any, Current]:
        """Return the numbers of rows, by primary key."""

    def get_list_display(self, request: HttpRequest) -> Any:
        return (*super().get_list_display(request), "listed_conversions", "listed_last")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.current_view)
        name = f"{self.opts.app_label}_{self.opts.model_name}_current"
        own: list[URLPattern] = super().get_urls()
        return [path("current/", view, name=name), *own]

    def current_view(self, request: HttpRequest) -> JsonResponse:
        """Return the numbers of the rows `id` that the user may see."""
        asked = request.GET.getlist("id")[:_MOST]
        rows: QuerySet[Any] = self.get_queryset(request)
        try:
            found = self.current(list(rows.filter(pk__in=asked)))
        except (ValidationError, ValueError):
            raise Http404 from None
        return JsonResponse({str(key): told(each) for key, each in found.items()})

    def _later(self, row: Any, number: str) -> SafeString:
        """Return a cell that the list's script fills; without the script, a link to the
        row.
        """
        page = f"admin:{self.opts.app_label}_{self.opts.model_name}"
        return format_html(
            '<a data-current="{}" data-number="{}" data-from="{}" href="{}">see</a>',
            row.pk,
            number,
            reverse(f"{page}_current"),
            reverse(f"{page}_change", args=(quote(row.pk),)),
        )

    @display(description="conversions, 30 days")
    def listed_conversions(self, row: Any) -> SafeString:
        return self._later(row, "conversions")

    @display(description="last event")
    def listed_last(self, row: Any) -> SafeString:
        return self._later(row, "last")

    @display(description="at present")
    def at_present(self, row: Any) -> str:
        now = told(self.current([row])[row.pk])
        return (
            f"{now['conversions']} conversions in the last 30 days,"
            f" last event {now['last']}"
        )
