"""Cursors of paged event lists: the time and id of the last event of a page.

A cursor is opaque to clients and grants no access: a list reads its own site only.
"""

import base64
from datetime import UTC, datetime, timedelta

from krafter.errors import Invalid

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def write(at: datetime, pk: int) -> str:
    # Integer microseconds: a float would round some down and skip events.
    microseconds = (at - _EPOCH) // _MICROSECOND
    return base64.urlsafe_b64encode(f"{microseconds} {pk}".encode()).decode()


def read(text: str | None) -> tuple[datetime, int] | None:
    """(at, id) of the last event of the previous page. Raises Invalid."""
    if text is None:
        return None
    try:
        microseconds, pk = base64.urlsafe_b64decode(text.encode()).decode().split(" ")
        return _EPOCH + int(microseconds) * _MICROSECOND, int(pk)
    except (ValueError, OverflowError):
        raise Invalid({"cursor": ["Not a cursor of this list."]}) from None
