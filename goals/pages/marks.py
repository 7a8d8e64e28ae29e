"""Marks on a goal's days: changes of its rule, and annotations."""

from datetime import date
from typing import NamedTuple

from django.contrib import messages
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST
from rest_framework.exceptions import NotFound, ValidationError

from analytics.access.roles import Deed
from analytics.models import Site
from analytics.questions.periods import Days
from goals.annotations import changes
from goals.annotations.serializers import AnnotationSerializer
from goals.models import Annotation, Goal
from goals.pages.access import row_of, site_page
from goals.pages.asked import sentences
from goals.rule_changes import RuleChange, rule_changes
from krafter.errors import Invalid
from krafter.parsing import uuid_or_404


class Mark(NamedTuple):
    """Either a change of the rule or an annotation."""

    day: date
    change: RuleChange | None = None
    note: Annotation | None = None


def marks(goal: Goal, period: Days) -> list[Mark]:
    """Return the marks on the days of the period, in order."""
    site = goal.site
    changed = [
        Mark(change.at.astimezone(site.zone).date(), change=change)
        for change in rule_changes(goal)
    ]
    noted = [
        Mark(note.day, note=note) for note in site.annotations.filter(day__range=period)
    ]
    found = [mark for mark in changed if period.first <= mark.day <= period.last]
    return sorted([*found, *noted], key=lambda mark: mark.day)


@require_POST
@site_page(Deed.CHANGE_GOALS)
def add_note(request: HttpRequest, site: Site) -> HttpResponseBase:
    sent = {name: request.POST.get(name, "") for name in ("date", "text")}
    checked = AnnotationSerializer(data=sent)
    try:
        checked.is_valid(raise_exception=True)
        changes.create(site, checked)
        messages.success(
            request, _("The annotation was added for all goals of the site.")
        )
    except (ValidationError, Invalid) as error:
        messages.error(
            request, _("The annotation was not added: %s") % sentences(error)
        )
    return _back(request, site)


@require_POST
@site_page(Deed.CHANGE_GOALS)
def delete_note(request: HttpRequest, site: Site, id: str) -> HttpResponseBase:
    note = row_of(site.annotations.all(), id)
    note.site = site
    changes.delete(note)
    messages.success(request, _("The annotation was deleted."))
    return _back(request, site)


def _back(request: HttpRequest, site: Site) -> HttpResponseBase:
    """Redirect to the page of the goal that sent the form, with its query."""
    try:
        id = uuid_or_404(request.POST.get("goal", ""))
    except NotFound:
        return redirect("site", key=site.site_key)
    page = reverse("goal", kwargs={"key": site.site_key, "id": id})
    return redirect(f"{page}?{request.POST.get('query', '')}#marks")
