"""Pages for owners of a team: export, restore and erase its data."""

from collections.abc import Iterator

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)

from analytics.access import audit
from analytics.access.roles import Deed
from analytics.lifecycle import deleted_sites, erasure, export
from analytics.models import Site, Team
from analytics.people.views import team_page
from analytics.questions.long_questions import long_question, take_place
from goals.pages.asked import sentences
from krafter import clock
from krafter.errors import Invalid
from krafter.rendering import NdjsonRenderer


@team_page(Deed.EXPORT)
@require_safe
def team_data(request: HttpRequest, team: Team) -> HttpResponse:
    context = {
        "tab": "data",
        "team": team,
        "sites": team.sites.undeleted().count(),
        "deleted": deleted_sites.of_team(team).order_by("-deleted_at"),
        "notes": export.NOTES,
    }
    return render(request, "people/data.html", context)


@team_page(Deed.EXPORT)
@require_POST
@long_question()
def export_team(request: HttpRequest, team: Team) -> HttpResponseBase:
    """Return the file that the command `export_team` writes."""
    take_place(request, export_team, request.GET, team.pk)
    audit.record("team.exported", team)
    name = f"team-{team.pk}-{clock.now():%Y-%m-%d}.ndjson"
    return StreamingHttpResponse(
        _lines(export.Stream(team)),
        content_type=f"{NdjsonRenderer.media_type}; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _lines(stream: export.Stream) -> Iterator[bytes]:
    while not stream.is_complete:
        yield from stream.page()


@team_page(Deed.DELETE_SITES)
@require_POST
def restore_site(request: HttpRequest, team: Team, key: str) -> HttpResponse:
    try:
        site = deleted_sites.restore(_deleted(deleted_sites.one(team, key)))
    except Invalid as error:
        messages.error(request, sentences(error))
        return redirect("team_data", team=team.pk)
    messages.success(request, _("The site %s was restored.") % site.domain)
    return redirect("site", key=site.site_key)


@team_page(Deed.ERASE)
@require_http_methods(["GET", "HEAD", "POST"])
def erase_site(request: HttpRequest, team: Team, key: str) -> HttpResponse:
    """Have a deleted site erased, after the user has typed its domain."""
    with transaction.atomic():
        site = _deleted(deleted_sites.locked(team, key))
        if _is_confirmed(request, site.domain):
            erasure.ask_for_site(site)
            messages.success(request, _("%s will be erased within two hours.") % site)
            return redirect("team_data", team=team.pk)
    return _ask(request, "people/site_erase.html", team, site=site)


@team_page(Deed.ERASE)
@require_http_methods(["GET", "HEAD", "POST"])
def erase_team(request: HttpRequest, team: Team) -> HttpResponse:
    """Have the team erased, after the user has typed its name."""
    if _is_confirmed(request, team.name):
        erasure.ask_for_team(team)
        messages.success(
            request, _("The team %s will be erased within two hours.") % team
        )
        return redirect("sites")
    sites = team.sites.undeleted().order_by("domain")
    return _ask(request, "people/team_erase.html", team, sites=sites)


def _is_confirmed(request: HttpRequest, name: str) -> bool:
    """Return whether the user typed the name of what is to be erased, to prevent
    accidents.
    """
    typed = request.POST.get("confirmed", "").strip()
    return request.method == "POST" and typed.lower() == name.strip().lower()


def _ask(
    request: HttpRequest, template: str, team: Team, **context: object
) -> HttpResponse:
    wrong = request.method == "POST"
    context = {"tab": "data", "team": team, "wrong": wrong, **context}
    return render(request, template, context, status=422 if wrong else 200)


def _deleted(site: Site | None) -> Site:
    if site is None:
        raise Http404
    return site
