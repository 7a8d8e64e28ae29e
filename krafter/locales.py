"""Format numbers and dates in the locale that the browser requests.

Only pages set a locale, while they are rendered. API responses, files, attributes and
form fields always have the same format. The formats are those of Unicode's CLDR.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from copy import copy
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Literal

from babel import Locale, UnknownLocaleError, dates
from django.conf import settings
from django.http import HttpRequest
from django.utils.translation.trans_real import parse_accept_lang_header

# What CLDR calls these forms: `Feb 18, 2026`, `Feb 18` and `Wed, Feb 18, 2026`.
DayForm = Literal["yMMMd", "MMMd", "yMMMEd"]

# Texts held in memory, of 300 bytes each.
_TEXTS = 8_192
_DEFAULT = Locale.parse(settings.LANGUAGE_CODE, sep="-")
_locale: ContextVar[Locale] = ContextVar("locale", default=_DEFAULT)


@contextmanager
def of(request: HttpRequest) -> Iterator[None]:
    """Format numbers and dates in the locale of this request's browser."""
    token = _locale.set(_asked(request))
    try:
        yield
    finally:
        _locale.reset(token)


def number(value: Decimal | float | int | str, places: int | None = None) -> str:
    """Return `1,234.5`, with this number of decimal places if it is given."""
    return _number(Decimal(value), places, _locale.get())


# A long table has the same small numbers and the same few days in most of its rows.
@lru_cache(maxsize=_TEXTS)
def _number(value: Decimal, places: int | None, locale: Locale) -> str:
    pattern = copy(locale.decimal_formats[None])
    if places is not None:
        pattern.frac_prec = (places, places)
    return str(pattern.apply(value, locale))


def day(at: date, form: DayForm = "yMMMd") -> str:
    """Return `Feb 18, 2026`, or another format; for a time, the day in its own zone."""
    # Equal times in other zones have other days.
    own = at.date() if isinstance(at, datetime) else at
    return _day(own, form, _locale.get())


@lru_cache(maxsize=_TEXTS)
def _day(at: date, form: DayForm, locale: Locale) -> str:
    return dates.format_skeleton(form, at, locale=locale)


def clock(at: datetime, form: Literal["short", "medium"] = "short") -> str:
    """Return `2:05 PM`, or with seconds (`medium`), in the time's own zone."""
    return dates.format_time(at, form, locale=_locale.get())


def moment(at: datetime, form: DayForm = "yMMMd") -> str:
    """Return `Feb 18, 2026, 2:05 PM` in the time's own zone."""
    together = str(dates.get_datetime_format("medium", _locale.get()))
    return together.format(clock(at), day(at, form))


def _asked(request: HttpRequest) -> Locale:
    """Return one of Django's languages. Each requested one is cached (1 MB)."""
    known = dict(settings.LANGUAGES)
    header = request.headers.get("Accept-Language", "")
    for asked, _share in parse_accept_lang_header(header):
        for name in (asked, asked.partition("-")[0]):
            if name in known and (locale := _parsed(name)):
                return locale
    return _DEFAULT


def _parsed(name: str) -> Locale | None:
    try:
        return Locale.parse(name, sep="-")
    except UnknownLocaleError:
        return None
