"""Sites, their settings, and the snippet for their pages."""

from functools import cache
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from unfold.widgets import UnfoldAdminSelect2Widget

from analytics import time_zones
from analytics.access.roles import Deed
from analytics.access.serializers import acting_for
from analytics.admin.deletion import SoftDeleteAdmin, StateFilter
from analytics.admin.of_teams import TeamFilter
from analytics.admin.serializer_forms import (
    LinesField,
    RowsField,
    SerializerForm,
)
from analytics.ingest import site_lookup
from analytics.lifecycle import deleted_sites
from analytics.models import Site
from analytics.sites.changes import lacks_room
from analytics.sites.serializers import SiteSerializer, SiteSettingsSerializer


@cache
def _zones() -> list[tuple[str, str]]:
    return [(name, name) for name in time_zones.names()]


def _help(field: str) -> str:
    return str(getattr(Site._meta.get_field(field), "help_text", ""))


class SiteForm(SerializerForm):
    serializers = (SiteSerializer, SiteSettingsSerializer)

    timezone = forms.ChoiceField(
        label="Time zone",
        choices=_zones,
        initial="UTC",
        widget=UnfoldAdminSelect2Widget,
        help_text=_help("timezone"),
    )
    allowed_hosts = LinesField(help_text=_help("allowed_hosts"))
    excluded_ips = LinesField(label="Excluded IPs", help_text=_help("excluded_ips"))
    excluded_paths = LinesField(help_text=_help("excluded_paths"))
    excluded_referrers = LinesField(help_text=_help("excluded_referrers"))
    channels = RowsField(help_text=_help("channels"))

    class Meta:
        labels: ClassVar = {"honour_dnt": "Honour DNT"}

    def serializer_context(self) -> dict[str, Any]:
        return acting_for(self.cleaned_data.get("team") or self.instance.team)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        team = cleaned.get("team")
        if self.instance._state.adding and team and (reason := lacks_room(team)):
            self.add_error(None, reason)
        return cleaned


_COUNTING = {
    "fields": (
        "timezone",
        "honour_dnt",
        "allowed_hosts",
        "excluded_ips",
        "excluded_paths",
        "excluded_referrers",
        "channels",
    ),
    "description": "Lists have one entry per line. Channels are JSON.",
}


@admin.register(Site)
class SiteAdmin(SoftDeleteAdmin):
    audited_as = "site"
    to_add = to_change = Deed.CHANGE_SITES
    to_delete = Deed.DELETE_SITES
    form = SiteForm
    list_display = ("domain", "name", "team", "site_key", "created_at", "deleted_at")
    list_filter = (StateFilter, ("team", TeamFilter))
    list_filter_submit = True
    list_select_related = ("team",)
    search_fields = ("domain", "name", "site_key")
    autocomplete_fields = ("team",)
    change_form_outer_before_template: Any = "admin/tag.html"
    add_fieldsets: Any = (
        (None, {"fields": ("team", "domain", "name", "public_stats")}),
        ("Counting", _COUNTING),
    )
    fieldsets: ClassVar[Any] = (
        (None, {"fields": ("domain", "name", "public_stats")}),
        ("Counting", _COUNTING),
        ("Record", {"fields": ("team", "site_key", "created_at", "deleted_at")}),
    )

    what_deleting_does = (
        "The API answers 404 for the site at once, and events from its pages are no"
        " longer stored. Its events and goals are kept, and it can be restored here."
    )
    what_restoring_does = (
        "The site is available in the API again, and events from its pages are stored."
    )

    def get_readonly_fields(self, request: HttpRequest, obj: object = None) -> Any:
        # The team cannot change: keys of the team may be narrowed to this site.
        return ("team", "site_key", "created_at", "deleted_at") if obj else ()

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **options: Any
    ) -> HttpResponse:
        if site := context["original"]:
            script = request.build_absolute_uri(reverse("a.js"))
            context["tag"] = (
                f'<script defer data-site="{site.site_key}" src="{script}"></script>'
            )
        return super().render_change_form(request, context, *args, **options)

    def save_model(
        self, request: HttpRequest, obj: Any, form: Any, change: bool
    ) -> None:
        super().save_model(request, obj, form, change)
        site_lookup.forget()

    def delete_row(self, row: Site) -> None:
        super().delete_row(row)
        site_lookup.forget()

    def restore_row(self, row: Site) -> None:
        deleted_sites.restore(row)
