"""Template tags that format numbers, and links that preserve query parameters."""

from collections.abc import Sequence
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from django import template
from django.template.context import RequestContext
from django.utils.html import format_html
from django.utils.safestring import mark_safe
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from analytics.access import roles
from analytics.currencies import EXPONENTS
from analytics.events import from_amount
from analytics.models import Site
from analytics.questions.differences import Confidence, Verdict
from goals.models import Goal
from goals.pages import drawings
from goals.pages.asked import with_changes
from goals.pages.health import Health
from goals.reports.breakdown_answers import Value
from goals.reports.rate import Rate
from krafter import locales
from krafter.rendering import encode

register = template.Library()

_NONE = "\N{EN DASH}"
_NO_EARLIER_DATA = _("no earlier data")


@register.filter
def count(number: int | None) -> str:
    """Return `12,345`; a dash for None."""
    if number is None:
        return _NONE
    return locales.number(number)


@register.filter
def money(amount: Decimal | None, currency: str | None) -> str:
    """Return `1,234.50 USD` with the currency's decimal places; a dash for None."""
    if amount is None or currency is None:
        return _NONE
    places = EXPONENTS.get(currency, 2)
    rounded = Decimal(amount).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    text = locales.number(rounded, places)
    return f"{text}\N{NO-BREAK SPACE}{currency}"


@register.filter
def amount(stored: int | None, currency: str | None) -> str:
    """Return an event's own exact amount, with its currency if it has one."""
    if stored is None:
        return _NONE
    value = from_amount(stored)
    places = -int(value.as_tuple().exponent)
    text = locales.number(value, places)
    return f"{text}\N{NO-BREAK SPACE}{currency}" if currency else text


@register.filter
def as_sent(value: Value) -> str:
    """A text, or what JSON writes: `true`, `1.5`."""
    return value if isinstance(value, str) else encode(value).decode()


@register.filter
def at_site(at: datetime, site: Site) -> datetime:
    return at.astimezone(site.zone)


@register.filter
def percent(share: float | None) -> str:
    """Return `2.4 %` for 0.0243, with two digits if needed; a dash for None."""
    if share is None:
        return _NONE
    hundredths = share * 100
    places = 1 if hundredths >= 1 or hundredths == 0 else 2
    text = locales.number(f"{hundredths:.{places}f}", places)
    return f"{text}\N{NO-BREAK SPACE}%"


@register.filter
def whole_percent(share: float) -> str:
    """Return `95 %` for 0.95."""
    return f"{round(share * 100)}\N{NO-BREAK SPACE}%"


@register.filter
def duration(seconds: int | None) -> str:
    """Return `2 h 5 min`, with the two largest units; a dash for None."""
    if seconds is None:
        return _NONE
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    units = [(hours, gettext("h")), (minutes, gettext("min")), (rest, gettext("s"))]
    while len(units) > 1 and units[0][0] == 0:
        units.pop(0)
    shown = [units[0], *(unit for unit in units[1:2] if unit[0])]
    return " ".join(f"{number}\N{NO-BREAK SPACE}{unit}" for number, unit in shown)


_RULES = {
    ("pageview", "exact"): _("a view of the page {value}"),
    ("pageview", "contains"): _("a view of a page with {value} in its path"),
    ("pageview", "regex"): _("a view of a page whose path matches {value}"),
    ("event", "exact"): _("the event {value}"),
    ("event", "contains"): _("an event with {value} in its name"),
    ("event", "regex"): _("an event whose name matches {value}"),
    ("custom", "exact"): _("the goal call {value}"),
    ("custom", "contains"): _("a goal call with {value} in its name"),
    ("custom", "regex"): _("a goal call whose name matches {value}"),
}


@register.filter
def in_words(goal: Goal) -> str:
    """Return the rule of a goal as part of a sentence, with its value as code."""
    value = format_html("<code>{}</code>", goal.match_value)
    return format_html(str(_RULES[goal.type, goal.match_type]), value=value)


@register.simple_tag
def curve(values: Sequence[float], before: Sequence[float]) -> str:
    return mark_safe(drawings.curve(values, before))  # noqa: S308 - of numbers


@register.simple_tag
def span(rate: Rate, most: float) -> str:
    drawn = drawings.span(rate.low, rate.rate, rate.high, most)
    return mark_safe(drawn)  # noqa: S308 - of numbers


@register.simple_tag
def interval(rate: float, of: Confidence, most: float) -> str:
    drawn = drawings.span(of.low, rate, of.high, most)
    return mark_safe(drawn)  # noqa: S308 - of numbers


@register.simple_tag
def bar(part: float | None, whole: float | None) -> str:
    drawn = drawings.bar((part or 0) / whole if whole else 0)
    return mark_safe(drawn)  # noqa: S308 - of numbers


@register.simple_tag
def change(now: int, before: int | None) -> str:
    """Return `+12 %` for a change from the earlier number; "" if there is nothing to
    compare with.
    """
    if not before:
        return ""
    hundredths = round((now - before) / before * 100)
    sign = "+" if hundredths > 0 else "\N{MINUS SIGN}" if hundredths < 0 else "±"
    number = locales.number(abs(hundredths))
    return f"{sign}{number}\N{NO-BREAK SPACE}%"


@register.simple_tag
def against(now: int, before: int) -> str:
    """Return the change of a number, with the earlier number as its title."""
    title = gettext("%(number)s in the earlier period") % {"number": count(before)}
    return format_html(
        '<small class="soft small" title="{}">{}</small>',
        title,
        change(now, before) or _NO_EARLIER_DATA,
    )


_VERDICTS = {
    "more": ("more", "▲ ", _("more"), ""),
    "fewer": ("fewer", "▼ ", _("fewer"), ""),
    "cannot_tell": (
        *("unsure", "≈ ", _("cannot tell")),
        _("The difference between the rates may be due to chance."),
    ),
    None: ("unsure", "", _NO_EARLIER_DATA, ""),
}


@register.filter
def in_a_word(verdict: Verdict | None) -> str:
    """Return the verdict on a difference as a word and a mark, not only as a colour."""
    style, mark, text, title = _VERDICTS[verdict]
    return format_html(
        '<span class="verdict {} small"{}>{}{}</span>',
        style,
        format_html(' title="{}"', title) if title else "",
        format_html('<span aria-hidden="true">{}</span>', mark) if mark else "",
        text,
    )


_HEALTH = {
    "never": ("tag warning", _("never matched")),
    "none": ("tag", _("no match in this period")),
    "silent": ("tag warning", _("silent since %(day)s")),
    "fine": ("soft small", _("last match %(day)s")),
}


@register.filter
def in_a_tag(health: Health) -> str:
    """Return whether a goal still matches."""
    style, text = _HEALTH[health.state]
    day = locales.day(health.last, "MMMd") if health.last else None
    return format_html('<span class="{}">{}</span>', style, text % {"day": day})


@register.simple_tag(takes_context=True)
def curl(context: RequestContext, call: str) -> str:
    """Return the API request for the data of a page, without a key."""
    request = context["request"]
    query = with_changes(request, {"page": None, "compare": None})
    query = query if query.startswith("?") else ""
    url = request.build_absolute_uri(f"/api/v1/analytics/{call}{query}")
    return f'curl "{url}" -H "Authorization: Bearer YOUR_API_TOKEN"'


@register.simple_tag(takes_context=True)
def query_with(context: RequestContext, **changes: Any) -> str:
    """Return the query string of this page with other parameters; None removes one.

    A trailing underscore is removed from a name: `from_`.
    """
    texts = {
        name.rstrip("_"): None if value is None or value == "" else str(value)
        for name, value in changes.items()
    }
    return with_changes(context["request"], texts)


@register.simple_tag(takes_context=True)
def query_with_out(context: RequestContext, name: str) -> str:
    """Return the query string of this page without a parameter."""
    return with_changes(context["request"], {name: None})


@register.simple_tag(takes_context=True)
def query_for(context: RequestContext, *left_out: str, **changes: str) -> str:
    """Return the query string of this page, for a page with the same parameters."""
    changed = {**dict.fromkeys(("page", *left_out)), **changes}
    text = with_changes(context["request"], changed)
    return text if text.startswith("?") else ""


@register.simple_tag(takes_context=True)
def query_only(context: RequestContext, *kept: str, **changes: str) -> str:
    """Return only these parameters of the query string, for a page that accepts no
    others.
    """
    request = context["request"]
    left_out = dict.fromkeys(name for name in request.GET if name not in kept)
    text = with_changes(request, {**left_out, **changes})
    return text if text.startswith("?") else ""


@register.simple_tag(takes_context=True)
def may(context: RequestContext, deed: str) -> bool:
    """Return whether the user has this permission for the page's site or team: a name
    of Deed.
    """
    team = context["team"] if "team" in context else context["site"].team_id
    return roles.may(context["request"].user, roles.Deed[deed], team)
