"""Where a paged list of events goes on: the time and id of the last one seen.

The text is opaque to callers. It grants nothing: the list that it is given to
looks at its own site only.
"""

import base64
from datetime import UTC, datetime, timedelta

from krafter.errors import Invalid

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def write(at: datetime, pk: int) -> str:
    # Whole microseconds: a float would round some of them down, and events of
    # the same moment would be left out.
    microseconds = (at - _EPOCH) // _MICROSECOND
    return base64.urlsafe_b64encode(f"{microseconds} {pk}".encode()).decode()


def read(text: str | None) -> tuple[datetime, int] | None:
    """(at, id) of the last event that the caller has seen. Raises Invalid."""
    if text is None:
        return None
    try:
        microseconds, pk = base64.urlsafe_b64decode(text.encode()).decode().split(" ")
        return _EPOCH + int(microseconds) * _MICROSECOND, int(pk)
    except (ValueError, OverflowError):
        raise Invalid({"cursor": ["Not a cursor of this list."]}) from None
