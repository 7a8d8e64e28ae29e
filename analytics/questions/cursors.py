"""Cursors of paged lists: the position of the last row of a page.

For events it is the time and the id, for other lists a number and the id. A cursor is
opaque to clients and gives no access: a list reads its own site only.
"""

import base64
from datetime import UTC, datetime, timedelta

from krafter.errors import Invalid

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def write(at: datetime, pk: int) -> str:
    # Integer microseconds: a float would round some down and skip events.
    return write_place((at - _EPOCH) // _MICROSECOND, pk)


def read(text: str | None) -> tuple[datetime, int] | None:
    """Return (at, id) of the last event of the previous page. Raises Invalid."""
    if text is None:
        return None
    microseconds, pk = read_place(text)
    try:
        return _EPOCH + microseconds * _MICROSECOND, pk
    except OverflowError:
        raise _not_of_this_list() from None


def write_place(number: int, pk: int) -> str:
    return base64.urlsafe_b64encode(f"{number} {pk}".encode()).decode()


def read_place(text: str) -> tuple[int, int]:
    """Return (number, id) of the last row of the previous page. Raises Invalid."""
    try:
        number, pk = map(
            int, base64.urlsafe_b64decode(text.encode()).decode().split(" ")
        )
    except ValueError:
        raise _not_of_this_list() from None
    if not (abs(number) < _BEYOND and 0 <= pk < _BEYOND):
        raise _not_of_this_list()
    return number, pk


# What the databases can compare.
_BEYOND = 1 << 63


def _not_of_this_list() -> Invalid:
    return Invalid({"cursor": ["Not a cursor of this list."]})


# A page that begins later would hold all rows before it.
_MAX_OFFSET = 1_000_000


def write_offset(offset: int) -> str:
    """Return a cursor for a list that is sorted again for each page."""
    return base64.urlsafe_b64encode(f"{offset}".encode()).decode()


def read_offset(text: str | None) -> int:
    """Return the number of rows before the page. Raises Invalid."""
    if text is None:
        return 0
    try:
        offset = int(base64.urlsafe_b64decode(text.encode()).decode())
    except ValueError:
        raise _not_of_this_list() from None
    if not 0 < offset <= _MAX_OFFSET:
        raise _not_of_this_list()
    return offset
