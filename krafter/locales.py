"""How a person reads numbers: in the locale that the browser asks for.

Pages say so for as long as they are made; nothing else is written for people to read,
so that answers of the API, files, attributes and fields keep one form.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils import formats, numberformat
from django.utils.translation.trans_real import parse_accept_lang_header

_locale: ContextVar[str] = ContextVar("locale", default=settings.LANGUAGE_CODE)


@contextmanager
def of(request: HttpRequest) -> Iterator[None]:
    """Write numbers as this request's browser asks for."""
    token = _locale.set(_asked(request))
    try:
        yield
    finally:
        _locale.reset(token)


def number(value: Decimal | float | int | str, places: int | None = None) -> str:
    """`1,234.5` with so many decimal places, if they are given."""
    locale = _locale.get()

    def form(name: str) -> Any:
        return formats.get_format(name, locale, use_l10n=True)

    return numberformat.format(
        value,
        form("DECIMAL_SEPARATOR"),
        places,
        form("NUMBER_GROUPING"),
        form("THOUSAND_SEPARATOR"),
        force_grouping=True,
    )


def _asked(request: HttpRequest) -> str:
    """One of those that Django has: it remembers the forms of whatever it is asked."""
    known = dict(settings.LANGUAGES)
    header = request.headers.get("Accept-Language", "")
    for asked, _share in parse_accept_lang_header(header):
        for name in (asked, asked.partition("-")[0]):
            if name in known:
                return name
    return settings.LANGUAGE_CODE
