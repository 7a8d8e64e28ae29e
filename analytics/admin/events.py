"""Read-only list of the newest events of one site.

No query of the list covers several sites, counts rows or reads more than a fixed
number of them, so its speed does not depend on how many events are stored.
"""

from datetime import date
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ERROR_FLAG, IGNORED_PARAMS, PAGE_VAR
from django.db.models import QuerySet
from django.http import HttpRequest
from django.shortcuts import redirect
from unfold.contrib.filters.admin import RadioFilter, RangeDateFilter
from unfold.decorators import display
from unfold.utils import parse_date_str

from analytics import events
from analytics.access import roles
from analytics.admin.read_only import MAX_SHOWN, ReadOnlyAdmin
from analytics.admin.site_fields import SiteFilter
from analytics.models import Event, EventType, Site
from analytics.sources import rules_of

_SITE = "site__id__exact"
# What a list takes besides filters.
_OF_LISTS = {PAGE_VAR, ERROR_FLAG, *IGNORED_PARAMS}


def _site(request: HttpRequest) -> Site | None:
    """Return the site whose events are listed."""
    chosen = request.GET.get(_SITE, "")
    is_number = chosen.isascii() and chosen.isdigit() and len(chosen) < 19
    return roles.sites(request.user).filter(pk=chosen if is_number else 0).first()


class OneSiteFilter(SiteFilter):
    all_option: Any = ("", "First site")

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[Any]
    ) -> QuerySet[Any] | None:
        if not self.value():
            return queryset.none()
        found: QuerySet[Any] | None = super().queryset(request, queryset)
        return found


class DayFilter(RangeDateFilter):
    """Days in the site's time zone, both inclusive."""

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[Any]
    ) -> QuerySet[Any] | None:
        site = _site(request)
        # By time instead of by the day column: the index of days is not in the
        # order of time, so all events of the day would be read.
        if site and (first := self._day("from")):
            queryset = queryset.filter(at__gte=site.midnight(first))
        if site and (last := self._day("to")):
            queryset = queryset.filter(at__lt=site.midnight(last, later=1))
        return queryset

    def _day(self, bound: str) -> date | None:
        text = str(self.used_parameters.get(f"day_{bound}", ""))
        day: date | None = parse_date_str(text)
        return day


class TypeFilter(RadioFilter):
    title = "type"
    parameter_name = "type"

    def lookups(
        self, request: HttpRequest, model_admin: object
    ) -> list[tuple[str, str]]:
        return [(value, value) for value in EventType.values]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.value():
            return queryset
        # Only among the newest events: filling a page with a rare type would
        # otherwise read every event of the site.
        newest = queryset.order_by("-at", "-pk").values_list("at", flat=True)
        if oldest := newest[MAX_SHOWN - 1 : MAX_SHOWN].first():
            queryset = queryset.filter(at__gte=oldest)
        return queryset.filter(name__type=self.value())


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    parameters = (_SITE, "day_from", "day_to", "type")
    list_display = ("time", "type", "name", "where", "revenue", "seen_as", "labels")
    # The order matters: each filter applies to what the ones before it leave.
    list_filter = (("site", OneSiteFilter), ("day", DayFilter), TypeFilter)
    list_select_related = ("name", "page", "context")
    list_before_template: Any = "admin/newest.html"
    fields = readonly_fields = (
        "site",
        "day",
        "time",
        "type",
        "name",
        "where",
        "revenue",
        "seen_as",
        "labels",
        "props",
        "event_id",
    )

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        no_site_chosen = not request.GET.get(_SITE) and self.has_view_permission(
            request
        )
        own = roles.sites(request.user).undeleted()
        # What else is asked is refused at once, not on the next page.
        is_known = request.GET.keys() <= {*self.parameters, *_OF_LISTS}
        if no_site_chosen and is_known and (site := own.first()):
            query = request.GET.copy()
            query[_SITE] = str(site.pk)
            return redirect(f"{request.path}?{query.urlencode()}")
        context: Any = {
            "max_shown": f"{MAX_SHOWN:,}",
            "shown_site": _site(request),
        }
        return super().changelist_view(request, context)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        # The site's settings say what referrers are called; a join would read
        # configuration beside facts.
        return super().get_queryset(request).prefetch_related("site")

    @display(description="time (UTC)")
    def time(self, event: Event) -> str:
        return f"{event.at:%Y-%m-%d %H:%M:%S}"

    @display(
        description="type",
        label={"pageview": "info", "event": "warning", "goal": "success"},
    )
    def type(self, event: Event) -> str:
        return event.name.type

    @display(description="page")
    def where(self, event: Event) -> str | None:
        return event.page.name if event.page else None

    @display(description="revenue")
    def revenue(self, event: Event) -> str | None:
        if event.amount is None:
            return None
        return f"{events.from_amount(event.amount)} {event.currency or ''}"

    @display(description="visitor (changes daily)")
    def seen_as(self, event: Event) -> str:
        return events.visitor_text(event.visitor)

    @display(description="source, country, device")
    def labels(self, event: Event) -> str:
        labels = {name: getattr(event.context, name) for name in events.Labels._fields}
        labels["referrer"] = rules_of(event.site).referrer(labels["referrer"])
        return " · ".join(filter(None, labels.values()))
