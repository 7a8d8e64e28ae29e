"""Page of funnels. The steps are in the address."""

from collections.abc import Iterable, Sequence
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
from goals.funnels import changes
from goals.funnels.serializers import SavedFunnelSerializer
from goals.matching import EVENT_TYPES
from goals.models import Goal, SavedFunnel
from goals.pages.access import row_of, site_page
from goals.pages.as_csv import CsvQuerySerializer, csv_file
from goals.pages.asked import given, sentences
from goals.pages.toolbar import LABELS, UNKNOWN, toolbar
from goals.reports.breakdown_files import OTHER, cell
from goals.reports.funnel_serializers import (
    MAX_STEPS,
    MIN_STEPS,
    FunnelQuestionSerializer,
    selection,
)
from goals.reports.funnels import Funnel, ReachedStep, funnel
from krafter.errors import Invalid, flat_details
from krafter.fields import ChoiceField, Fields

_NAMES_OFFERED = 100
_DIMENSIONS = (
    *("referrer", "channel", "utm_source", "utm_campaign", "entry_path", "country"),
    *("device", "browser", "os", "path", "name"),
)
# The parameters in the form of the steps.
_OF_FORM = ("step", "window_minutes", "as")


class _PageQuestionSerializer(CsvQuerySerializer, FunnelQuestionSerializer):
    """The API's parameters, for a page or for a file with one of its tables."""

    def get_fields(self) -> Fields:
        own = {"as": ChoiceField(("page", "csv", "breakdown-csv"), default="page")}
        return {**super().get_fields(), **own}


class Shown(NamedTuple):
    """A step with its description, and its goal if it is one."""

    step: ReachedStep
    name: str


@require_safe
@site_page()
@long_question()
def funnels(request: HttpRequest, site: Site) -> HttpResponseBase:
    """Show the funnel; with fewer than two steps, the form to choose them."""
    steps = [text for text in request.GET.getlist("step") if text]
    goals = list(site.goals.undeleted())
    context: dict[str, Any] = {
        "tab": "funnels",
        "site": site,
        "chosen": [*steps, *[""] * max(0, 3 - len(steps))][:MAX_STEPS],
        "offered": _offered(site, goals, steps),
        "max_steps": MAX_STEPS,
        "found": None,
        "carried": [pair for pair in request.GET.items() if pair[0] not in _OF_FORM],
        "window": request.GET.get("window_minutes", ""),
        "saved": [(funnel, _address(funnel)) for funnel in site.funnels.all()],
    }
    if len(steps) < MIN_STEPS:
        return render(request, "pages/funnels.html", context)
    query = _checked(request, site, steps)
    asked = selection(site, query)
    dimension = query.get("dimension")
    found = funnel(asked, query["steps"], query.get("window_minutes"), dimension)
    if query["as"] != "page":
        table = _by_step if query["as"] == "csv" else _by_value
        return csv_file("funnel", asked.days, *table(found))
    names = {goal.pk: goal.name for goal in goals}
    serializer = _PageQuestionSerializer
    kept = [("step", text) for text in steps]
    context |= {
        "found": found,
        "query": query,
        "toolbar": toolbar(request, serializer, query, asked.days, None, also=kept),
        "shown": [
            Shown(step, names.get(step.goal) if step.goal else "")  # type: ignore[arg-type]
            for step in found.steps
        ],
        "steps": steps,
        "dimensions": _offered_dimensions(dimension),
        "dimension_label": LABELS.get(str(dimension), dimension),
        "unknown": UNKNOWN.get(str(dimension), UNKNOWN[""]),
    }
    return render(request, "pages/funnels.html", context)


def _checked(request: HttpRequest, site: Site, steps: list[str]) -> dict[str, Any]:
    """Return the query parameters in the format of the API. Raises Invalid."""
    asked: dict[str, Any] = dict(given(request, but="step"))
    if "steps" in asked:
        raise Invalid({"steps": ["Unknown parameter."]})
    if asked.get("window_minutes", "").isdecimal():
        # The API requires a number; an address contains only strings.
        asked["window_minutes"] = int(asked["window_minutes"][:6])
    question = {**asked, "steps": [_step(text) for text in steps]}
    checked = _PageQuestionSerializer(data=question, context={"site": site})
    if not checked.is_valid():
        raise Invalid(flat_details(checked.errors))
    fields = dict(checked.validated_data)
    if fields["as"] == "breakdown-csv" and "dimension" not in fields:
        raise Invalid({"as": ["A breakdown needs a dimension."]})
    return fields


def _offered_dimensions(chosen: str | None) -> list[tuple[str, Any]]:
    names = [*_DIMENSIONS]
    if chosen and chosen not in names:
        names.append(chosen)
    return [(name, LABELS.get(name, name)) for name in names]


_Table = tuple[Sequence[str], Iterable[Sequence[Any]]]
_COLUMNS = (
    *("goal", "type", "match_type", "match_value", "visitors", "dropped"),
    *("share_of_previous", "share_of_first", "median_seconds"),
)


def _by_step(found: Funnel) -> _Table:
    rows = ([getattr(step, column) for column in _COLUMNS] for step in found.steps)
    return _COLUMNS, rows


def _by_value(found: Funnel) -> _Table:
    """Return a row for each value, and a last one for the values that are not shown."""
    numbers = [f"step_{number}" for number, _step in enumerate(found.steps, start=1)]
    rows = [
        (cell(row.value), *row.visitors, row.share_of_first)
        for row in found.breakdown or ()
    ]
    if found.other:
        left = found.other
        rows.append((OTHER, *left.visitors, left.share_of_first))
    return ("value", *numbers, "share_of_first"), rows


def _address(funnel: SavedFunnel) -> str:
    """Return the query string of the page that shows a saved funnel."""
    query = QueryDict(mutable=True)
    query.setlist("step", [_text(step) for step in funnel.steps])
    if funnel.window_minutes:
        query["window_minutes"] = str(funnel.window_minutes)
    return query.urlencode(safe="/:,*")


def _text(step: dict[str, str]) -> str:
    """Return a step in the format of addresses: see `_step`."""
    if "goal" in step:
        return step["goal"]
    return f"{step['type']}:{step['match_type']}:{step['match_value']}"


@require_POST
@site_page(Deed.CHANGE_GOALS)
def save_funnel(request: HttpRequest, site: Site) -> HttpResponseBase:
    """Save the steps of the form under a name."""
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
        messages.error(request, _("The funnel was not saved: %s") % sentences(error))
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
    """Return a step: `type:match_type:value` is a rule, other text the id of a goal."""
    type, colon, rest = text.partition(":")
    match_type, second, value = rest.partition(":")
    if not colon or not second:
        return {"goal": text}
    return {"type": type, "match_type": match_type, "match_value": value}


_Groups = list[tuple[str, list[tuple[str, str]]]]


def _offered(site: Site, goals: list[Goal], steps: list[str]) -> _Groups:
    """Return groups of (value, text) to choose steps from.

    They are goals, received names, and other steps in the address.
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
