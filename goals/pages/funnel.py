"""Funnels: how many visitors went through steps in order, steps kept in the address."""

from typing import Any, NamedTuple

from django.contrib import messages
from django.http import HttpRequest, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe
from rest_framework.exceptions import ValidationError

from analytics import events
from analytics.access.roles import Deed
from analytics.models import Site
from analytics.questions.long_questions import long_question
from analytics.questions.period_query import days
from goals.funnels import changes
from goals.funnels.serializers import SavedFunnelSerializer
from goals.matching import EVENT_TYPES
from goals.models import Goal, SavedFunnel
from goals.pages.access import row_of, site_page
from goals.pages.as_csv import CsvQuerySerializer, csv_file
from goals.pages.asked import sentences
from goals.reports.funnel_serializers import (
    MAX_STEPS,
    MIN_STEPS,
    FunnelQuestionSerializer,
)
from goals.reports.funnels import ReachedStep, funnel
from krafter.errors import Invalid, flat_details

_NAMES_OFFERED = 100
_PARAMETERS = ("period", "from", "to", "window_minutes", "as")


class _PageQuestionSerializer(CsvQuerySerializer, FunnelQuestionSerializer):
    """The API's question, as a page or a file."""


class Shown(NamedTuple):
    """A step with its name in words, and the goal that it is, if it is one."""

    step: ReachedStep
    name: str


@require_safe
@site_page()
@long_question()
def funnels(request: HttpRequest, site: Site) -> HttpResponseBase:
    """Without at least two steps the page offers to choose them."""
    steps = [text for text in request.GET.getlist("step") if text]
    goals = list(site.goals.undeleted())
    context: dict[str, Any] = {
        "tab": "funnels",
        "site": site,
        "chosen": [*steps, *[""] * max(0, 3 - len(steps))][:MAX_STEPS],
        "offered": _offered(site, goals, steps),
        "max_steps": MAX_STEPS,
        "found": None,
        "query": {"period": request.GET.get("period") or "30d"},
        "window": request.GET.get("window_minutes", ""),
        "saved": [(funnel, _address(funnel)) for funnel in site.funnels.all()],
    }
    if len(steps) >= MIN_STEPS:
        query = _checked(request, site, steps)
        selection = events.Selection(site.pk, *days(site, query))
        found = funnel(selection, query["steps"], query.get("window_minutes"))
        names = {goal.pk: goal.name for goal in goals}
        context |= {
            "found": found,
            "query": query,
            "shown": [
                Shown(step, names.get(step.goal) if step.goal else "")  # type: ignore[arg-type]
                for step in found.steps
            ],
            "steps": steps,
        }
        if query["as"] == "csv":
            cells = map(_cells, found.steps)
            return csv_file("funnel", days(site, query), _COLUMNS, cells)
    return render(request, "pages/funnels.html", context)


def _checked(request: HttpRequest, site: Site, steps: list[str]) -> dict[str, Any]:
    """The address as the API's question. Raises Invalid."""
    unknown = request.GET.keys() - {"step", *_PARAMETERS}
    if unknown:
        raise Invalid({name: ["Unknown parameter."] for name in sorted(unknown)})
    asked: dict[str, Any] = {
        name: request.GET[name] for name in _PARAMETERS if name in request.GET
    }
    if asked.get("window_minutes", "").isdecimal():
        # The API takes a number; an address has texts alone.
        asked["window_minutes"] = int(asked["window_minutes"][:6])
    question = {**asked, "steps": [_step(text) for text in steps]}
    checked = _PageQuestionSerializer(data=question, context={"site": site})
    if not checked.is_valid():
        raise Invalid(flat_details(checked.errors))
    return dict(checked.validated_data)


_COLUMNS = (
    *("goal", "type", "match_type", "match_value"),
    *("visitors", "dropped", "share_of_previous", "share_of_first"),
)


def _cells(step: ReachedStep) -> tuple[Any, ...]:
    return tuple(getattr(step, column) for column in _COLUMNS)


def _address(funnel: SavedFunnel) -> str:
    """The query of the page that shows a saved funnel."""
    query = QueryDict(mutable=True)
    query.setlist("step", [_text(step) for step in funnel.steps])
    if funnel.window_minutes:
        query["window_minutes"] = str(funnel.window_minutes)
    return query.urlencode(safe="/:,*")


def _text(step: dict[str, str]) -> str:
    """A step as addresses have it: see `_step`."""
    if "goal" in step:
        return step["goal"]
    return f"{step['type']}:{step['match_type']}:{step['match_value']}"


@require_POST
@site_page(Deed.CHANGE_GOALS)
def save_funnel(request: HttpRequest, site: Site) -> HttpResponseBase:
    """Keep the steps of the form with a name."""
    window = request.POST.get("window_minutes", "")
    sent = {
        "name": request.POST.get("name", ""),
        "steps": [_step(text) for text in request.POST.getlist("step")],
        "window_minutes": int(window[:6]) if window.isdecimal() else None,
    }
    checked = SavedFunnelSerializer(data=sent, context={"site": site})
    try:
        checked.is_valid(raise_exception=True)
        changes.create(site, checked)
        messages.success(request, _("The funnel was saved."))
    except (ValidationError, Invalid) as error:
        messages.error(request, _("It was not saved: %s") % sentences(error))
    back = reverse("funnels", kwargs={"key": site.site_key})
    return redirect(f"{back}?{request.POST.get('query', '')}")


@require_POST
@site_page(Deed.CHANGE_GOALS)
def delete_funnel(request: HttpRequest, site: Site, id: str) -> HttpResponseBase:
    found = row_of(site.funnels.all(), id)
    found.site = site
    changes.delete(found)
    messages.success(request, _("The saved funnel “%s” was deleted.") % found.name)
    return redirect("funnels", key=site.site_key)


def _step(text: str) -> dict[str, str]:
    """`type:match_type:value` is a rule, anything else the id of a goal."""
    type, colon, rest = text.partition(":")
    match_type, second, value = rest.partition(":")
    if not colon or not second:
        return {"goal": text}
    return {"type": type, "match_type": match_type, "match_value": value}


_Groups = list[tuple[str, list[tuple[str, str]]]]


def _offered(site: Site, goals: list[Goal], steps: list[str]) -> _Groups:
    """Groups of (value, text) to choose steps from.

    Goals, received names, and what the address has besides.
    """
    groups: _Groups = [("goals", [(str(goal.pk), goal.name) for goal in goals])]
    for goal_type, event_type in EVENT_TYPES.items():
        names = events.names(site.pk, event_type, limit=_NAMES_OFFERED)
        groups.append(
            (goal_type, [(f"{goal_type}:exact:{name}", name) for _id, name in names])
        )
    known = {value for _name, options in groups for value, _ in options}
    others = [(text, text) for text in dict.fromkeys(steps) if text not in known]
    return [*groups, ("others", others)]
