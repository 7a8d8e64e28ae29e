"""The template library `dates`: format dates and times on pages (see `locales`)."""

from datetime import date, datetime
from typing import Literal

from django import template

from krafter import locales

register = template.Library()

_NONE = "\N{EN DASH}"


@register.filter
def day(at: date | None, form: locales.DayForm = "yMMMd") -> str:
    """`Feb 18, 2026`, or in the form `MMMd` or `yMMMEd`; a dash for none."""
    return locales.day(at, form) if at else _NONE


@register.filter
def moment(at: datetime | None, form: locales.DayForm = "yMMMd") -> str:
    """`Feb 18, 2026, 2:05 PM`, in the zone of the time; a dash for none."""
    return locales.moment(at, form) if at else _NONE


@register.filter
def clock(at: datetime, form: Literal["short", "medium"] = "short") -> str:
    """`2:05 PM`, or with its seconds (`medium`), in the zone of the time."""
    return locales.clock(at, form)
