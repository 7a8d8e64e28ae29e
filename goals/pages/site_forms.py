"""Pages for adding a site, its settings, and deleting it."""

from collections.abc import Callable
from copy import copy
from datetime import date
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.forms.utils import flatatt
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods
from rest_framework import serializers

from analytics import time_zones
from analytics.access import roles
from analytics.access.roles import Deed
from analytics.events import removal
from analytics.lifecycle import prune
from analytics.models import Site
from analytics.sites import changes
from analytics.sites.serializers import SiteSerializer, SiteSettingsSerializer
from goals.pages.access import person, site_page
from goals.pages.asked import refuse
from goals.pages.channel_rows import ChannelRows
from krafter.errors import Invalid

_LOCAL = ("localhost", "127.0.0.1")
_SITE_FIELDS = ("domain", "name", "public_stats")
_LISTS = ("allowed_hosts", "excluded_ips", "excluded_paths", "excluded_referrers")


class _Lines(forms.CharField):
    """A list of texts, one per line."""

    def __init__(self, **options: Any) -> None:
        widget = forms.Textarea({"rows": 3, "spellcheck": "false"})
        super().__init__(required=False, strip=False, widget=widget, **options)


class NewSiteForm(forms.Form):
    domain = forms.CharField(
        label=gettext_lazy("Domain"),
        help_text=gettext_lazy("For example example.com, without https:// and path."),
        required=False,
        widget=forms.TextInput(
            attrs={"autocapitalize": "off", "spellcheck": "false", "inputmode": "url"}
        ),
    )
    name = forms.CharField(
        label=gettext_lazy("Name"),
        help_text=gettext_lazy(
            "The name shown on these pages. Defaults to the domain."
        ),
        required=False,
    )
    team = forms.TypedChoiceField(label=gettext_lazy("Team"), coerce=int)
    try_locally = forms.BooleanField(
        label=gettext_lazy(
            "Also count pages on localhost, for testing on this machine"
        ),
        required=False,
        initial=True,
    )

    def __init__(self, user: roles.Person, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.teams = {team.pk: team for team in roles.teams(user, Deed.CHANGE_SITES)}
        choices = [(pk, team.name) for pk, team in self.teams.items()]
        self.fields["team"].choices = choices  # type: ignore[attr-defined]
        if len(choices) == 1:
            self.fields["team"].widget = forms.HiddenInput()
            self.fields["team"].initial = choices[0][0]


class _LongSelect(forms.Select):
    """A choice of many: Django renders a template for each option, 0.1 s for 600."""

    def render(
        self, name: str, value: Any, attrs: Any = None, renderer: Any = None
    ) -> SafeString:
        options = format_html_join(
            "",
            '<option value="{}"{}>{}</option>',
            (
                (choice, mark_safe(" selected") if choice == value else "", label)
                for choice, label in self.choices
            ),
        )
        own = flatatt(self.build_attrs(self.attrs, {"name": name, **(attrs or {})}))
        return format_html("<select{}>{}</select>", own, options)


class SettingsForm(forms.Form):
    """The API's fields of a site and its settings; lists have one entry per line."""

    name = forms.CharField(label=gettext_lazy("Name"), required=False)
    domain = forms.CharField(label=gettext_lazy("Domain"), required=False)
    timezone = forms.ChoiceField(
        label=gettext_lazy("Time zone"),
        help_text=gettext_lazy(
            "Days begin at midnight in this time zone. A change"
            " applies to future events."
        ),
        choices=lambda: [(name, name) for name in sorted(time_zones.names())],
        widget=_LongSelect,
    )
    allowed_hosts = _Lines(
        label=gettext_lazy("Other hosts"),
        help_text=gettext_lazy(
            "Hosts other than the domain whose pages are counted. One per line."
        ),
    )
    excluded_ips = _Lines(
        label=gettext_lazy("Excluded IP addresses"),
        help_text=gettext_lazy(
            "IP addresses or networks such as 192.0.2.0/24. One per line."
        ),
    )
    excluded_paths = _Lines(
        label=gettext_lazy("Excluded paths"),
        help_text=gettext_lazy("* matches any text. One per line."),
    )
    excluded_referrers = _Lines(
        label=gettext_lazy("Excluded referrers"),
        help_text=gettext_lazy(
            "Hosts that are not counted as a source, such as a"
            " payment provider. One per line."
        ),
    )
    retention_months = forms.CharField(
        label=gettext_lazy("Retention in months"),
        help_text=gettext_lazy(
            "Older events are deleted. Their stored reports remain. Empty: events are"
            " kept forever."
        ),
        required=False,
        widget=forms.TextInput(attrs={"inputmode": "numeric"}),
    )
    channels = forms.Field(
        label=gettext_lazy("Channel rules"),
        help_text=gettext_lazy(
            "A source that matches all fields of a rule belongs to its channel. The"
            " first matching rule applies, before the built-in channels. A * at the"
            " end matches any text."
        ),
        required=False,
        widget=ChannelRows,
    )
    honour_dnt = forms.BooleanField(
        label=gettext_lazy("Do not count visitors who opt out of tracking (DNT, GPC)"),
        required=False,
    )
    public_stats = forms.BooleanField(
        label=gettext_lazy(
            "Mark the statistics as public in the API. This does not publish any page."
        ),
        required=False,
    )

    def sent(self) -> dict[str, Any]:
        """Return the data in the format of the API."""
        sent = {name: self.data.get(name, "") for name in self.fields}
        lists = {
            name: [line for line in sent[name].splitlines() if line.strip()]
            for name in _LISTS
        }
        return {
            **sent,
            **lists,
            "retention_months": sent["retention_months"].strip() or None,
            "channels": self["channels"].data,
            "honour_dnt": "honour_dnt" in self.data,
            "public_stats": "public_stats" in self.data,
        }


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def new_site(request: HttpRequest) -> HttpResponseBase:
    if not roles.may_anywhere(person(request), Deed.CHANGE_SITES):
        raise PermissionDenied
    if request.method != "POST":
        form = NewSiteForm(person(request))
        return render(request, "pages/new_site.html", {"form": form})
    form = NewSiteForm(person(request), request.POST)
    if form.is_valid():
        team = form.teams[form.cleaned_data["team"]]
        domain = form.cleaned_data["domain"]
        sent = {"domain": domain, "name": form.cleaned_data["name"] or domain}
        checked = SiteSerializer(data=sent, context={"team": team})
        try:
            checked.is_valid(raise_exception=True)
            site = changes.create(team, checked)
            if form.cleaned_data["try_locally"]:
                hosts = {"allowed_hosts": [*_LOCAL]}
                local = SiteSettingsSerializer(site, data=hosts, partial=True)
                local.is_valid(raise_exception=True)
                changes.change(local)
            return redirect("install", key=site.site_key)
        except (serializers.ValidationError, Invalid) as error:
            refuse(form, error)
    return render(request, "pages/new_site.html", {"form": form}, status=422)


@require_http_methods(["GET", "HEAD", "POST"])
@site_page(Deed.CHANGE_SITES)
def site_settings(request: HttpRequest, site: Site) -> HttpResponseBase:
    context: dict[str, Any] = {"tab": "settings", "site": site}
    if request.method != "POST":
        context["form"] = SettingsForm(initial=_initial(site))
        return render(request, "pages/settings.html", context)
    form = SettingsForm(request.POST)
    try:
        sent = form.sent()
        checked = [
            _checked(SiteSerializer, site, sent, lambda name: name in _SITE_FIELDS),
            _checked(
                SiteSettingsSerializer,
                site,
                sent,
                lambda name: name not in _SITE_FIELDS,
            ),
        ]
        months = checked[1].validated_data["retention_months"]
        border = _to_be_deleted_before(site, months)
        if border and request.POST.get("deletes_before") != border.isoformat():
            context |= {"form": form, "sealed_before": border}
            return render(request, "pages/settings.html", context, status=422)
        changes.change(*checked)
    except (serializers.ValidationError, Invalid) as error:
        refuse(form, error)
        site.refresh_from_db()
        return render(
            request, "pages/settings.html", {**context, "form": form}, status=422
        )
    messages.success(request, _("The settings were saved."))
    return redirect("site_settings", key=site.site_key)


def _to_be_deleted_before(site: Site, months: int | None) -> date | None:
    """Return the day before which this retention would delete events, or None."""
    wanted = copy(site)
    wanted.retention_months = months
    border = prune.border_of(wanted)
    if border is None or border == prune.border_of(site):
        return None
    return border if any(removal.days_before(site.pk, border)) else None


def _initial(site: Site) -> dict[str, Any]:
    values = {name: getattr(site, name) for name in SettingsForm.base_fields}
    return {**values, **{name: "\n".join(values[name]) for name in _LISTS}}


def _checked(
    serializer: Any, site: Site, sent: dict[str, Any], takes: Callable[[str], bool]
) -> Any:
    own = {name: value for name, value in sent.items() if takes(name)}
    checked = serializer(site, data=own, partial=True, context={"team": site.team})
    checked.is_valid(raise_exception=True)
    return checked


@require_http_methods(["GET", "HEAD", "POST"])
@site_page(Deed.DELETE_SITES)
def delete_site(request: HttpRequest, site: Site) -> HttpResponseBase:
    """Delete a site. The user must type its domain, to prevent accidents."""
    context: dict[str, Any] = {"tab": "settings", "site": site}
    if request.method == "POST":
        if request.POST.get("domain", "").strip().lower() == site.domain:
            changes.delete(site)
            messages.success(request, _("The site %s was deleted.") % site.domain)
            return redirect("sites")
        context["wrong"] = True
    status = 422 if "wrong" in context else 200
    return render(request, "pages/site_delete.html", context, status=status)
