"""Live pages: events of the last 30 minutes, and the wait for the first event."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, NamedTuple

from django.contrib import messages
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST, require_safe
from rest_framework.exceptions import ValidationError

from analytics import events
from analytics.access.roles import Deed
from analytics.ingest import drops
from analytics.models import Site
from analytics.questions.period_query import today
from analytics.questions.periods import Days
from analytics.sites import changes
from analytics.sites.serializers import SiteSettingsSerializer
from analytics.sources.rules import rules_of
from goals.matching import Rule
from goals.pages.access import site_page
from goals.pages.asked import sentences
from goals.pages.sent import GOAL_TYPES
from krafter import clock
from krafter.errors import Invalid

LIVE = timedelta(minutes=30)
_EVENTS = 50
_OFFERED = 12
# What the button of the first page sends: no conversion of anybody.
_TEST_EVENT = ("event", "krafter test")
REASONS = {
    "crawler": _("crawlers and programs"),
    "prefetch": _("prefetched pages"),
    "do_not_track": _("visitors who opt out of tracking (DNT, GPC)"),
    "foreign_host": _("pages on an unknown host (see Other hosts in the settings)"),
    "referrer_spam": _("known referrer spam"),
    "excluded_ip": _("IP addresses excluded in the settings"),
    "excluded_path": _("paths excluded in the settings"),
    "sealed_day": _("days whose events were deleted by age"),
}


class Seen(NamedTuple):
    """An event with the goals that count it, and its time in the site's zone."""

    entry: events.Entry
    at: Any
    goals: list[str]


@require_safe
@site_page()
def live(request: HttpRequest, site: Site) -> HttpResponseBase:
    now = clock.now()
    start = now - LIVE
    visitors, views = events.presence(site.pk, start=start, end=now)
    found = list(events.listing(site.pk, start=start, limit=_EVENTS))
    context = {
        "tab": "live",
        "site": site,
        "visitors": visitors,
        "pageviews": views,
        "seen": _seen(site, found),
        "drops": _dropped(site),
    }
    return _page_or_part(request, "pages/live", context)


@require_safe
@site_page(Deed.CHANGE_SITES)
def install(request: HttpRequest, site: Site) -> HttpResponseBase:
    found = list(events.listing(site.pk, limit=_OFFERED))
    context: dict[str, Any] = {
        "tab": "settings",
        "site": site,
        "seen": _seen(site, found),
        "drops": _dropped(site),
        "offered": _offered(found),
        "test_event": _TEST_EVENT[1],
    }
    script = request.build_absolute_uri(reverse("a.js"))
    context["script"] = script
    context["snippet"] = (
        f'<script defer data-site="{site.site_key}" src="{script}"></script>'
    )
    return _page_or_part(request, "pages/install", context)


def _page_or_part(
    request: HttpRequest, name: str, context: dict[str, Any]
) -> HttpResponseBase:
    alone = request.headers.get("X-Part") == "1"
    template = f"{name}_part.html" if alone else f"{name}.html"
    response = render(request, template, context)
    response.headers["Vary"] = "X-Part"
    return response


def _seen(site: Site, found: Iterable[events.Entry]) -> list[Seen]:
    goals = [(goal.name, goal.rule) for goal in site.goals.undeleted()]
    counting: dict[tuple[str, str], list[str]] = {}
    rows = []
    for entry in found:
        key = (entry.type, entry.name)
        if key not in counting:
            counting[key] = _goals_of(goals, *key)
        rows.append(Seen(entry, entry.at.astimezone(site.zone), counting[key]))
    return rows


def _goals_of(goals: list[tuple[str, Rule]], type: str, name: str) -> list[str]:
    return [goal for goal, rule in goals if rule.matches(type, name)]


class Drops(NamedTuple):
    """Today's drops with their reasons, and the unknown hosts with their numbers."""

    reasons: list[tuple[Any, int]]
    hosts: list[drops.Host]


def _dropped(site: Site) -> Drops:
    day = today(site)
    found = drops.drops(site.pk, Days(day, day))
    rules = rules_of(site)
    return Drops(
        [
            (REASONS.get(each.rule, each.rule), each.count)
            for each in found.drops
            if each.count
        ],
        # Leave out hosts that were allowed in the meantime.
        [each for each in found.foreign_hosts if not rules.owns(each.host)],
    )


@require_POST
@site_page(Deed.CHANGE_SITES)
def allow_host(request: HttpRequest, site: Site) -> HttpResponseBase:
    """Accept events of a host from now on, by adding it to the settings of the site."""
    sent = {"allowed_hosts": [*site.allowed_hosts, request.POST.get("host", "")]}
    checked = SiteSettingsSerializer(site, data=sent, partial=True)
    try:
        checked.is_valid(raise_exception=True)
        changes.change(checked)
        messages.success(request, _("Events from this host are counted from now on."))
    except (ValidationError, Invalid) as error:
        messages.error(request, sentences(error))
    back = "install" if request.POST.get("back") == "install" else "live"
    return redirect(back, key=site.site_key)


def _offered(found: Iterable[events.Entry]) -> list[tuple[str, str]]:
    """Return the names of the newest events as (goal type, value)."""
    return list(
        dict.fromkeys(
            (GOAL_TYPES[entry.type], entry.name)
            for entry in found
            if (entry.type, entry.name) != _TEST_EVENT
        )
    )
