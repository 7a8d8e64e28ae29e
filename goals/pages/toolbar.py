"""The period, comparison and filters at the top of a page, from its address."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from analytics.questions import comparison
from analytics.questions.comparison import Window
from analytics.questions.filters import FilterQuerySerializer
from analytics.questions.periods import Days
from krafter.fields import StrictSerializer, shared

LABELS = {
    "referrer": _("Source"),
    "channel": _("Channel"),
    "utm_source": _("Campaign source"),
    "utm_medium": _("Campaign medium"),
    "utm_campaign": _("Campaign"),
    "utm_term": _("Campaign term"),
    "utm_content": _("Campaign content"),
    "entry_path": _("Entry page"),
    "path": _("Page"),
    "name": _("Name"),
    "props": _("Properties"),
    "country": _("Country"),
    "device": _("Device"),
    "browser": _("Browser"),
    "os": _("System"),
}
# The value of a dimension for missing values.
UNKNOWN = {
    "": _("not known"),
    "referrer": _("direct, no source"),
    "utm_source": _("no campaign"),
    "utm_medium": _("no campaign"),
    "utm_campaign": _("no campaign"),
    "utm_term": _("no campaign"),
    "utm_content": _("no campaign"),
    "entry_path": _("no page"),
    "path": _("no page"),
}
COMPARISONS = {
    "previous": _("the days before"),
    "previous_month": _("a month earlier"),
    "year": _("a year earlier"),
}
ATTRIBUTIONS = {
    "last": _("last source of the visitor that day"),
    "first": _("first source of the visitor that day"),
    "event": _("the event's own source"),
}


class Filter(NamedTuple):
    name: str
    label: Any
    value: str


class Toolbar(NamedTuple):
    period: Days
    before: Days | None
    filters: list[Filter]
    # Filters by properties, for which forms have no fields.
    properties: list[Filter]
    comparisons: list[tuple[str, Any]]
    attributions: list[tuple[str, Any]]
    # Parameters that the forms of the toolbar preserve.
    kept: list[tuple[str, str]]


def toolbar(
    request: HttpRequest,
    serializer: type[StrictSerializer],
    query: Mapping[str, Any],
    period: Days,
    before: Window | None,
    *,
    also: Sequence[tuple[str, str]] = (),
) -> Toolbar:
    """Return the parameters of the page's serializer, with the values of the address.

    `also`: other parameters that the forms preserve.
    """
    fields = shared(serializer).fields
    names = [name for name in shared(FilterQuerySerializer).fields if name in fields]
    given = {name: request.GET.get(name, "") for name in fields}
    own = {"period", "from", "to", "attribution", "page", "cursor", *names}
    kept = [(name, given[name]) for name in fields if given[name] and name not in own]
    families = getattr(serializer, "families", ())
    properties = [
        Filter(name, name, request.GET.get(name, ""))
        for name in request.GET
        if name.startswith(families)
    ]
    return Toolbar(
        period,
        before and before.days,
        [
            Filter(name, LABELS.get(name, name), given[name])
            for name in names
            if name != "attribution"
        ],
        properties,
        _choices(fields, "compare", COMPARISONS, comparison.KINDS),
        _choices(fields, "attribution", ATTRIBUTIONS, ATTRIBUTIONS),
        [*kept, *((each.name, each.value) for each in properties), *also],
    )


def _choices(
    fields: Mapping[str, Any], name: str, labels: Mapping[str, Any], order: Any
) -> list[tuple[str, Any]]:
    field = fields.get(name)
    if not isinstance(field, serializers.ChoiceField):
        return []
    return [(each, labels[each]) for each in order if each in labels]
