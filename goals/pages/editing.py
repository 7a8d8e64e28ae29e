"""Pages for creating, changing, deleting and restoring goals, with a preview."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)
from rest_framework import serializers

from analytics import events
from analytics.access.roles import Deed
from analytics.models import Site
from analytics.questions.long_questions import long_question
from analytics.questions.period_query import days
from analytics.questions.time_limits import in_time
from goals import changes
from goals.answers import deleted_goals
from goals.drafts.drafts import draft, edit
from goals.drafts.preview import Preview, preview
from goals.kept_past import CONFIRMED, LosesPast
from goals.matching import EVENT_TYPES
from goals.models import Goal, GoalType, MatchType, currency_choices
from goals.pages.access import site_page
from goals.pages.asked import details_of, sentences
from goals.pages.goal import goal_of
from goals.sent import names
from goals.serializers import GoalSerializer
from krafter.errors import Invalid, Unavailable

# A preview has a time limit, so that it does not slow other requests.
_PREVIEW_SECONDS = 2.0
_NAMES_OFFERED = 200
_NAMES_SHOWN = 10
TYPES = {
    GoalType.PAGEVIEW: gettext_lazy("A page is viewed"),
    GoalType.EVENT: gettext_lazy("An event happens: ka.track()"),
    GoalType.CUSTOM: gettext_lazy("A goal is called: ka.goal()"),
}
MATCH_TYPES = {
    MatchType.EXACT: gettext_lazy("is exactly"),
    MatchType.CONTAINS: gettext_lazy("contains"),
    MatchType.REGEX: gettext_lazy("matches the pattern (RE2)"),
}


class GoalForm(forms.Form):
    """The fields of a goal. They are validated by the API's serializer."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=255, required=False)
    type = forms.ChoiceField(
        label=gettext_lazy("When"),
        choices=TYPES,
        initial=GoalType.PAGEVIEW,
        widget=forms.RadioSelect,
    )
    match_type = forms.ChoiceField(
        label=gettext_lazy("Path or name"), choices=MATCH_TYPES, required=False
    )
    match_value = forms.CharField(
        label=gettext_lazy("Value"),
        help_text=gettext_lazy(
            "A path such as /thank-you without host and query, or a name exactly as"
            " it is sent. Case-sensitive."
        ),
        max_length=1_024,
        strip=False,
        required=False,
        widget=forms.TextInput(
            attrs={
                "autocomplete": "off",
                "spellcheck": "false",
                "autocapitalize": "off",
            }
        ),
    )
    currency = forms.ChoiceField(
        label=gettext_lazy("Currency of the revenue"),
        choices=lambda: [("", gettext_lazy("no revenue")), *currency_choices()],
        required=False,
    )

    def fields_sent(self) -> dict[str, Any]:
        """Return the fields in the format of the API."""
        sent = {name: self.data.get(name, "") for name in self.fields}
        return {**sent, "currency": sent["currency"] or None}

    def refuse(self, details: dict[str, list[str]]) -> None:
        for name, reasons in details.items():
            for reason in reasons:
                self.add_error(name if name in self.fields else None, reason)


@require_http_methods(["GET", "HEAD", "POST"])
@site_page(Deed.CHANGE_GOALS)
def new_goal(request: HttpRequest, site: Site) -> HttpResponseBase:
    if request.method != "POST":
        return _form_page(request, site, None, GoalForm(initial=_given(request)))
    form = GoalForm(request.POST)
    checked = GoalSerializer(data=form.fields_sent())
    try:
        checked.is_valid(raise_exception=True)
        goal = changes.create(site, checked)
    except (serializers.ValidationError, Invalid) as error:
        return _refused(request, site, None, form, error)
    messages.success(request, _("The goal was created. It also counts past events."))
    return redirect("goal", key=site.site_key, id=goal.pk)


@require_http_methods(["GET", "HEAD", "POST"])
@site_page(Deed.CHANGE_GOALS)
def edit_goal(request: HttpRequest, site: Site, id: str) -> HttpResponseBase:
    goal = goal_of(site, id)
    if request.method != "POST":
        initial = _initial(goal) | _given(request)
        return _form_page(request, site, goal, GoalForm(initial=initial))
    form = GoalForm(request.POST)
    try:
        with transaction.atomic():
            # As in the API: two concurrent changes cannot produce a mixed rule.
            locked = Goal.objects.undeleted().select_for_update().get(pk=goal.pk)
            checked = GoalSerializer(locked, data=form.fields_sent(), partial=True)
            checked.is_valid(raise_exception=True)
            is_confirmed = request.POST.get("confirm") == CONFIRMED
            changes.change(checked, is_confirmed=is_confirmed)
    except Goal.DoesNotExist:
        raise Http404 from None
    except LosesPast as error:
        return _form_page(
            request,
            site,
            goal,
            form,
            status=error.status_code,
            lost=error.reason,
            confirmed=CONFIRMED,
        )
    except (serializers.ValidationError, Invalid) as error:
        return _refused(request, site, goal, form, error)
    messages.success(
        request, _("The goal was changed. The whole history is recounted.")
    )
    return redirect("goal", key=site.site_key, id=goal.pk)


def _given(request: HttpRequest) -> dict[str, Any]:
    """Return the fields that a link prefills."""
    return {
        name: request.GET[name] for name in GoalForm.base_fields if name in request.GET
    }


def _initial(goal: Goal) -> dict[str, Any]:
    return {name: getattr(goal, name) or "" for name in GoalForm.base_fields}


def _refused(
    request: HttpRequest, site: Site, goal: Goal | None, form: GoalForm, error: Any
) -> HttpResponseBase:
    form.refuse(details_of(error))
    return _form_page(request, site, goal, form, status=422)


def _form_page(
    request: HttpRequest,
    site: Site,
    goal: Goal | None,
    form: GoalForm,
    *,
    status: int = 200,
    **context: Any,
) -> HttpResponseBase:
    names_of = {
        goal_type: [
            name for _, name in events.names(site.pk, event_type, limit=_NAMES_OFFERED)
        ]
        for goal_type, event_type in EVENT_TYPES.items()
    }
    return render(
        request,
        "pages/goal_form.html",
        {"tab": "goals", "site": site, "goal": goal, "form": form, "names": names_of}
        | context,
        status=status,
    )


@require_POST
@site_page(Deed.CHANGE_GOALS)
@long_question()
def preview_goal(request: HttpRequest, site: Site) -> HttpResponseBase:
    """Show what the form would count: for a script only the result, otherwise with the
    form.
    """
    before = goal_of(site, request.POST["goal"]) if "goal" in request.POST else None
    form = GoalForm(request.POST)
    found: Preview | None = None
    reason = ""
    try:
        fields = form.fields_sent()
        # A preview needs no name.
        fields["name"] = fields["name"].strip() or "Preview"
        after = edit(before, fields) if before else draft(site, fields)
        month = days(site, {"period": "30d"})
        found = preview(after, month, before, seconds=_PREVIEW_SECONDS)
    except (serializers.ValidationError, Invalid) as error:
        reason = sentences(error)
    except Unavailable as error:
        reason = f"{error.detail}."
    context: dict[str, Any] = {
        "found": found,
        "reason": reason,
        "currency": request.POST.get("currency") or None,
        "shown": found.names[:_NAMES_SHOWN] if found else [],
        "sent": form.fields_sent(),
        "offered": _offered(site, form.fields_sent()),
    }
    if request.headers.get("X-Part") == "1":
        own = {"site": site, "goal": before}
        return render(request, "pages/preview.html", own | context)
    return _form_page(request, site, before, form, **context, has_preview=True)


def _offered(site: Site, fields: Mapping[str, Any]) -> list[str]:
    """Return the most frequent names of the last 30 days that contain the value."""
    event_type = EVENT_TYPES.get(fields["type"])
    if event_type is None or not fields["match_value"]:
        return []
    asked = {"type": event_type, "search": fields["match_value"], "sort": "-events"}
    try:
        month = days(site, {"period": "30d"})
        with in_time(_PREVIEW_SECONDS):
            found = names.names_sent(site, month, asked, limit=_NAMES_SHOWN)
    except (Invalid, Unavailable):
        # Sealed days, or too many names: show the rest of the preview.
        return []
    return [each.name for each in found]


@require_http_methods(["GET", "HEAD", "POST"])
@site_page(Deed.CHANGE_GOALS)
def delete_goal(request: HttpRequest, site: Site, id: str) -> HttpResponseBase:
    goal = goal_of(site, id)
    if request.method != "POST":
        context = {"tab": "goals", "site": site, "goal": goal}
        return render(request, "pages/goal_delete.html", context)
    changes.delete(goal)
    messages.success(
        request, _("The goal “%s” was deleted. It can be restored.") % goal.name
    )
    return redirect("site", key=site.site_key)


@require_safe
@site_page(Deed.CHANGE_GOALS)
def deleted(request: HttpRequest, site: Site) -> HttpResponseBase:
    context = {"tab": "goals", "site": site, "goals": deleted_goals(site)}
    return render(request, "pages/deleted_goals.html", context)


@require_POST
@site_page(Deed.CHANGE_GOALS)
def restore_goal(request: HttpRequest, site: Site, id: str) -> HttpResponseBase:
    goal = goal_of(site, id, is_deleted=True)
    try:
        changes.restore(goal)
    except Invalid as error:
        messages.error(request, " ".join(error.details["non_field_errors"]))
        return redirect("deleted_goals", key=site.site_key)
    messages.success(
        request, _("The goal “%s” was restored with its whole history.") % goal.name
    )
    return redirect("goal", key=site.site_key, id=goal.pk)


@require_POST
@site_page(Deed.CHANGE_GOALS)
def star_goal(request: HttpRequest, site: Site, id: str) -> HttpResponseBase:
    """Star or unstar a goal. `starred` is 1 or 0; `query` is the query of the page to
    return to.
    """
    goal = goal_of(site, id)
    changes.star(goal, is_starred=request.POST.get("starred") == "1")
    back = reverse("site", kwargs={"key": site.site_key})
    # A row of a long list keeps its place on the screen.
    return redirect(f"{back}?{request.POST.get('query', '')}#goal-{goal.pk}")
