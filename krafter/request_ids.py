"""A request id in each response and in every line logged during the request."""

import logging
import re
from collections.abc import Callable
from contextvars import ContextVar, Token
from random import getrandbits

from django.http import HttpRequest
from django.http.response import HttpResponseBase

HEADER = "X-Request-ID"

# A client's own id is used if it matches: it goes into logs and headers.
_VALID = re.compile(r"[A-Za-z0-9._:=+/@-]{1,128}")
# What the log shows outside of requests.
_NONE = "-"
_current: ContextVar[str] = ContextVar("request_id", default=_NONE)


def name(wanted: str) -> str:
    """The id of a request: the client's own if it is valid, else a new UUID."""
    return wanted if _VALID.fullmatch(wanted) else _random_uuid()


def _random_uuid() -> str:
    """As `str(uuid.uuid4())`, which takes three times as long. Not for secrets."""
    digits = f"{getrandbits(128):032x}"
    return "-".join(
        (
            digits[:8],
            digits[8:12],
            f"4{digits[13:16]}",
            f"8{digits[17:20]}",
            digits[20:],
        )
    )


class named:
    """Context manager: what is logged within has this request id, "" for none."""

    __slots__ = ("_name", "_token")
    _token: Token[str]

    def __init__(self, name: str) -> None:
        self._name = name or _NONE

    def __enter__(self) -> None:
        self._token = _current.set(self._name)

    def __exit__(self, *error: object) -> None:
        _current.reset(self._token)


def current() -> str:
    """Return the id of the current request; "" outside of requests."""
    found = _current.get()
    return "" if found == _NONE else found


class RequestIdMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        given = name(request.headers.get(HEADER, ""))
        with named(given):
            response = self.get_response(request)
        response.headers[HEADER] = given
        return response


class RequestIdFilter(logging.Filter):
    """Give a record its `request_id`, `-` outside of requests."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = _current.get()
        return True
