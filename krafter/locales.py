"""How a person reads numbers and dates: in the locale that the browser asks for.

Pages say so for as long as they are made; nothing else is written for people to read,
so that answers of the API, files, attributes and fields keep one form. The forms are
those of Unicode's CLDR.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from copy import copy
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from babel import Locale, UnknownLocaleError, dates
from django.conf import settings
from django.http import HttpRequest
from django.utils.translation.trans_real import parse_accept_lang_header

# What CLDR calls these forms: `Feb 18, 2026`, `Feb 18` and `Wed, Feb 18, 2026`.
DayForm = Literal["yMMMd", "MMMd", "yMMMEd"]

_DEFAULT = Locale.parse(settings.LANGUAGE_CODE, sep="-")
_locale: ContextVar[Locale] = ContextVar("locale", default=_DEFAULT)


@contextmanager
def of(request: HttpRequest) -> Iterator[None]:
    """Write numbers and dates as this request's browser asks for."""
    token = _locale.set(_asked(request))
    try:
        yield
    finally:
        _locale.reset(token)


def number(value: Decimal | float | int | str, places: int | None = None) -> str:
    """`1,234.5` with so many decimal places, if they are given."""
    locale = _locale.get()
    pattern = copy(locale.decimal_formats[None])
    if places is not None:
        pattern.frac_prec = (places, places)
    return str(pattern.apply(Decimal(value), locale))


def day(at: date, form: DayForm = "yMMMd") -> str:
    """`Feb 18, 2026`, or another form of it; of a time the day in its own zone."""
    return dates.format_skeleton(form, at, locale=_locale.get())


def clock(at: datetime, form: Literal["short", "medium"] = "short") -> str:
    """`2:05 PM`, or with its seconds (`medium`), in its own zone."""
    return dates.format_time(at, form, locale=_locale.get())


def moment(at: datetime, form: DayForm = "yMMMd") -> str:
    """`Feb 18, 2026, 2:05 PM` in its own zone."""
    together = str(dates.get_datetime_format("medium", _locale.get()))
    return together.format(clock(at), day(at, form))


def _asked(request: HttpRequest) -> Locale:
    """One of Django's languages: each that was asked for is remembered (1 MB)."""
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
